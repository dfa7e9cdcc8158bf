"""What the stepping of environments asks of an agent: actions, and columns that go with them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

AgentStates: TypeAlias = Sequence[Any] | NDArray[Any] | None
"""One agent state per environment; None before the first step."""


class PolicyStep(NamedTuple):
    """One decision in each of N environments.

    actions       N actions, as they are stored and learned from
    env_actions   N actions, as `env.step` takes them: rescaled, clipped; often the same object
    states        N new agent states
    columns       arrays (N, …) to be stored beside the actions, such as "log_probs" and "values"
    """

    actions: Any
    env_actions: Any
    states: Any
    columns: Mapping[str, NDArray[Any]]


class Agent(Protocol):
    """Anything that chooses actions for a batch of environments."""

    def __call__(self, observations: Any, agent_states: Any, /) -> tuple[Any, Any]:
        """N observations and N agent states to N actions and N new agent states."""


@runtime_checkable
class Policy(Protocol):
    """An agent that says more about a decision than which actions the environments take."""

    def __call__(self, observations: Any, agent_states: Any, /) -> tuple[Any, Any]:
        """As for `Agent`: `env_actions` and `states` of a step."""

    def step(self, observations: Any, agent_states: Any, /) -> PolicyStep:
        """N observations and N agent states to one decision."""


@runtime_checkable
class ValuePolicy(Policy, Protocol):
    """A policy with a critic; its steps have the columns "values" and "log_probs"."""

    def values(self, observations: Any, agent_states: Any, /) -> NDArray[np.float32]:
        """V of N observations (N,), without choosing actions."""
