"""What the stepping of environments asks of an agent: actions, and columns that go with them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ptan.common.types import Actions, Array, Observations

AgentStates: TypeAlias = Sequence[Any] | Array | None
"""One agent state per environment; None before the first step."""


class PolicyStep(NamedTuple):
    """One decision in each of N environments.

    actions       N actions, as they are stored and learned from
    env_actions   N actions, as `env.step` takes them: rescaled, clipped; often the same object
    states        N new agent states
    columns       arrays (N, …) to be stored beside the actions, such as "log_probs" and "values"
    """

    actions: Actions
    env_actions: Actions
    states: Any
    columns: Mapping[str, Array]


class Agent(Protocol):
    """Anything that chooses actions for a batch of environments."""

    def __call__(self, observations: Observations, agent_states: Any, /) -> tuple[Actions, Any]:
        """N observations and N agent states to N actions and N new agent states."""


@runtime_checkable
class Policy(Agent, Protocol):
    """An agent that says more about a decision than which actions the environments take.

    Called, it returns `env_actions` and `states` of a step.
    """

    def step(self, observations: Observations, agent_states: Any, /) -> PolicyStep:
        """N observations and N agent states to one decision."""


@runtime_checkable
class ValuePolicy(Policy, Protocol):
    """A policy with a critic; its steps have the columns "values" and "log_probs"."""

    def values(self, observations: Observations, agent_states: Any, /) -> NDArray[np.float32]:
        """V of N observations (N,), without choosing actions."""
