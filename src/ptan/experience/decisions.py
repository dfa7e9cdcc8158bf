"""What an agent decides, checked and taken apart."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from ptan.actions.policy import PolicyStep
from ptan.common.checks import checked_callable
from ptan.experience.layout import Array
from ptan.experience.observations import one_of

Decision: TypeAlias = tuple[Any, Any, Any, Mapping[str, Array]]
"""The fields of a `PolicyStep`: as a plain tuple they cost a third."""

NO_COLUMNS: Mapping[str, Array] = {}


class Decider:
    """Asks an agent, by its own `step` where it has one.

    Args:
        agent: called as `agent(observations, agent_states)`.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = checked_callable("agent", agent)
        self._step = _policy_step(agent)

    def decide(self, observations: Any, states: Any, count: int) -> Decision:
        """The decision for `count` observations and agent states.

        Raises:
            TypeError, ValueError: it is something else than an action and a state for each.
        """
        if self._step is None:
            actions, states = checked_decision(self.agent(observations, states), count)
            return actions, actions, states, NO_COLUMNS
        step = self._step(observations, states)
        if not isinstance(step, PolicyStep):
            raise TypeError(f"step of agent must return a PolicyStep, got {step!r}")
        actions, states = checked_decision((step.actions, step.states), count)
        env_actions = actions
        if step.env_actions is not step.actions:
            env_actions, _ = checked_decision((step.env_actions, None), count)
        return actions, env_actions, states, step.columns

    def initial_state(self) -> Any:
        """The agent's state at the start of an episode; None for agents that know none."""
        make = getattr(self.agent, "initial_state", None)
        return None if make is None else make()


def _policy_step(agent: Any) -> Callable[[Any, Any], PolicyStep] | None:
    """The agent's own `step`, unless a class further down says by `__call__` how it acts."""
    for cls in type(agent).__mro__:
        if "step" in vars(cls):
            return agent.step  # type: ignore[no-any-return]
        if "__call__" in vars(cls):
            break
    return None


def checked_decision(result: Any, count: int) -> tuple[Any, Any]:
    """Actions and new agent states of `count` environments, as an agent returned them.

    Raises:
        TypeError, ValueError: it is something else.
    """
    try:
        actions, states = result
        if actions.__class__ is not np.ndarray:
            actions = _one_by_one(actions, count)
        if states is None:
            states = [None] * len(actions)
        if len(actions) == len(states) == count:
            return actions, states
    except (TypeError, ValueError, IndexError):
        raise TypeError(
            f"agent must return (actions, agent states), a batch of each, got {result!r}"
        ) from None
    raise ValueError(
        f"agent must return one action and one state per observation ({count}), "
        f"got {len(actions)} actions and {len(states)} states"
    )


def _one_by_one(actions: Any, count: int) -> Any:
    if isinstance(actions, Tensor):
        return actions.numpy(force=True)
    if isinstance(actions, dict):  # a batch of dicts is taken apart
        return [one_of(actions, e, None) for e in range(count)]
    return actions


def spread(decision: Decision, players: Array, agent_states: list[Any]) -> Decision:
    """A decision of those that play, for all: what waiting environments get is void.

    Args:
        decision: of the environments `players`.
        players: their numbers.
        agent_states: of all environments, before the decision; waiting ones keep theirs.
    """
    places = np.zeros(len(agent_states), np.int64)
    places[players] = np.arange(len(players))

    def for_all(values: Any) -> Any:
        return values[places] if isinstance(values, np.ndarray) else [values[i] for i in places]

    actions, env_actions, new_states, columns = decision
    states = list(agent_states)
    for e, state in zip(players.tolist(), new_states, strict=True):
        states[e] = state
    columns = {name: for_all(np.asarray(column)) for name, column in columns.items()}
    return for_all(actions), for_all(env_actions), states, columns
