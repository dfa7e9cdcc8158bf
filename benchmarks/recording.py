"""A recorded run of Pong that plays back as a vector environment."""

from typing import Any

import gymnasium
import numpy as np

STACK = (4, 84, 84)
OBSERVATIONS = gymnasium.spaces.Box(0, 255, STACK, np.uint8)
ACTIONS = gymnasium.spaces.Discrete(6)


class Recording(gymnasium.vector.VectorEnv):
    """A recorded run of Pong under random actions, played for ever; the actions have no effect."""

    def __init__(self, num_envs: int, steps: int) -> None:
        from ale_py.vector_env import AtariVectorEnv

        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = OBSERVATIONS, ACTIONS
        self.observation_space = gymnasium.vector.utils.batch_space(OBSERVATIONS, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(ACTIONS, num_envs)
        self.metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP}
        env = AtariVectorEnv("pong", num_envs=num_envs, batch_size=num_envs, num_threads=1)
        rng = np.random.default_rng(0)
        self._frames = np.empty((steps, num_envs, *STACK[1:]), np.uint8)
        self._rewards = np.zeros((steps, num_envs))
        self._ends = np.zeros((steps, num_envs), bool)
        observations, _ = env.reset(seed=0)
        for step in range(steps):
            self._frames[step] = observations[:, -1]
            observations, self._rewards[step], terminated, truncated, _ = env.step(
                rng.integers(6, size=num_envs)
            )
            self._ends[step] = terminated | truncated
        env.close()
        self._ends[-1] = True
        self._never = np.zeros(num_envs, bool)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:  # noqa: ARG002
        """The recording from its beginning."""
        self._step = 0
        self._stacks = np.zeros((self.num_envs, *STACK), np.uint8)
        self._stacks[:, -1] = self._frames[0]
        return self._stacks, {}

    def step(self, actions: Any) -> Any:  # noqa: ARG002
        """The next recorded step, its stacks in fresh memory."""
        ends, rewards = self._ends[self._step], self._rewards[self._step]
        reset = self._ends[self._step - 1] if self._step else self._never
        self._step = (self._step + 1) % len(self._frames)
        stacks = np.concatenate((self._stacks[:, 1:], self._frames[self._step][:, None]), axis=1)
        stacks[reset, :-1] = 0
        self._stacks = stacks
        return stacks, rewards, ends, self._never, {}
