"""Actions drawn uniformly from a space, for the warm-up of off-policy algorithms."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from ptan.actions.policy import Agent, PolicyStep
from ptan.common.generators import check_generator_state, generator_state
from ptan.common.types import Actions, Observations, SavedState, Space, State


class UniformPolicy:
    """Draws actions uniformly from a space, in place of an agent whose states it passes on.

    Where a space has no bounds, they are drawn as Gymnasium samples it; but always from `rng`.
    """

    def __init__(
        self,
        agent: Agent,
        space: Space | None,
        rng: np.random.Generator,
        env_actions: Callable[[Actions], Actions] | None = None,
    ) -> None:
        self._space = copy.deepcopy(space)  # it is seeded here for every draw
        self.rng = rng
        self._env_actions = env_actions
        self.agent = agent

    def initial_state(self) -> Any:
        """The agent's state at the beginning of an episode; None where it has none."""
        return getattr(self.agent, "initial_state", lambda: None)()

    def __call__(self, observations: Observations, agent_states: Any) -> tuple[Actions, Any]:
        """Actions that environments take."""
        return self.step(observations, agent_states)[1:3]

    def step(self, observations: Observations, agent_states: Any) -> PolicyStep:  # noqa: ARG002
        """A random decision for each agent state."""
        actions = self._draw(len(agent_states))
        env_actions = actions if self._env_actions is None else self._env_actions(actions)
        return PolicyStep(actions, env_actions, agent_states, {})

    def _draw(self, count: int) -> Actions:
        space = self._space
        if isinstance(space, spaces.Discrete):
            return self.rng.integers(space.start, space.start + space.n, count)
        assert space is not None
        drawn = []
        for seed in self.rng.integers(2**31, size=count).tolist():
            space.seed(seed)
            drawn.append(space.sample())
        return np.stack(drawn) if isinstance(drawn[0], np.ndarray) else drawn

    def state_dict(self) -> State:
        """Where the generator stands."""
        return generator_state(self.rng)

    def load_state_dict(self, state: SavedState) -> None:
        """Draw on from there; ValueError where the state is of another generator."""
        check_generator_state(self.rng, state, "state of the warm-up's rng")
        self.rng.bit_generator.state = state
