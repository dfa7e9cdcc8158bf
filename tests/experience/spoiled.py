"""Environments and agents that answer wrongly until they are mended."""

from itertools import count, islice

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from ptan.experience import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    ExperienceSourceRollouts,
    VectorExperienceSourceFirstLast,
)

LENGTH = 4
BOX = spaces.Box(-100, 100, (2,), np.float32)


class Env(gymnasium.Env):
    """Episodes of four steps.

    Args:
        step: changes the answer of one step.
        reset: changes the answer of a reset.
        at: which step of the episode, or which reset from 0, is spoiled.
        cut: episodes end by truncation.
    """

    observation_space, action_space = BOX, spaces.Discrete(2)

    def __init__(self, step=None, reset=None, at=2, cut=False):
        self.spoil_step, self.spoil_reset, self.at, self.cut = step, reset, at, cut
        self.resets, self.now = 0, 0

    def mend(self):
        self.spoil_step = self.spoil_reset = None

    def reset(self, *, seed=None, options=None):
        answer = np.zeros(2, np.float32), {}
        spoil = self.spoil_reset if self.at == self.resets else None
        self.resets, self.now = self.resets + 1, 0
        return spoil(*answer) if spoil else answer

    def step(self, action):
        self.now += 1
        over = self.now == LENGTH
        observation = np.full(2, self.now, np.float32)
        answer = observation, 1.0, over and not self.cut, over and self.cut, {}
        return self.spoil_step(*answer) if self.spoil_step and self.now == self.at else answer


class VecEnv(VectorEnv):
    """Two environments in step, with an answer that is spoiled at their third step."""

    single_observation_space, single_action_space = BOX, spaces.Discrete(2)

    def __init__(self, step=None, reset=None, mode=AutoresetMode.NEXT_STEP):
        self.num_envs, self.metadata = 2, {"autoreset_mode": mode}
        self.spoil_step, self.spoil_reset, self.now = step, reset, 0

    def mend(self):
        self.spoil_step = self.spoil_reset = None

    def reset(self, *, seed=None, options=None):
        self.now = 0
        answer = np.zeros((2, 2), np.float32), {}
        return self.spoil_reset(*answer) if self.spoil_reset else answer

    def step(self, actions):
        self.now += 1
        no = np.zeros(2, np.bool_)
        answer = np.full((2, 2), self.now, np.float32), np.ones(2), no, no.copy(), {}
        return self.spoil_step(*answer) if self.spoil_step and self.now == 3 else answer


class Agent:
    """Acts by counting and keeps a value per environment, until a call that is spoiled.

    Args:
        spoil: gets the number of observations and gives the answer of the call.
        at: number of the call, from 0.
    """

    def __init__(self, spoil=None, at=2):
        self.spoil, self.calls, self.at = spoil, count(), at

    def mend(self):
        self.spoil = None

    def __call__(self, observations, agent_states=None):
        number = len(observations)
        if next(self.calls) >= self.at and self.spoil:
            return self.spoil(number)
        return [0] * number, [1.0] * number


SOURCES = {
    "steps": lambda env, agent, **s: ExperienceSource(env, agent, **s),
    "first-last": lambda env, agent, **s: ExperienceSourceFirstLast(env, agent, 0.9, **s),
    "n-step": lambda env, agent, **s: ExperienceSourceFirstLast(env, agent, 0.9, 3, **s),
    "rollouts": lambda env, agent, **s: ExperienceSourceRollouts(env, agent, 0.9, 2, **s),
}
VECTOR_SOURCES = {
    **SOURCES,
    "vector": lambda env, agent, **s: VectorExperienceSourceFirstLast(env, agent, 0.9, 2, **s),
    "vector-lists": lambda env, agent, **s: VectorExperienceSourceFirstLast(
        env, agent, 0.9, 2, unnest_data=False, **s
    ),
}


def first_items(source, number=12):
    return list(islice(source, number))


def same(ours, theirs):
    """Whether two lists of rows, tuples of rows or rollouts are equal."""
    if hasattr(ours, "returns"):
        return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs
