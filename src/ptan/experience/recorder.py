"""Single steps of many environments, taken off the tape and put together as columns."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, TypeAlias, TypedDict

import numpy as np
import torch

from ptan.common.types import Array, Observations
from ptan.experience.flags import ENDED, NO_TRANSITION, TERMINATED, TRUNCATED
from ptan.experience.layout import row_values, unflatten
from ptan.experience.list_stepper import ListStepper
from ptan.experience.stepper import Stepper

Column: TypeAlias = Any
"""An array; a tensor after `to`."""


@dataclass(frozen=True)
class Rollout:
    """T steps of N environments as columns (T, N, …): arrays, or tensors after `to`.

    states        (T, N, *obs)     observations before the actions, nested as the environment's
    actions       (T, N, *action)
    rewards       (T, N) float32   of single steps
    discounts     (T, N) float32   gamma, 0 after a termination
    terminated    (T, N) bool      the environment ended the episode
    truncated     (T, N) bool      it was cut off: its last observation has a value
    valid         (T, N) bool      False where a vector environment only reset: nothing to learn
    values        (T, N) float     V of the states; None for agents without a critic
    next_values   (T, N) float     V of what the steps led to: where an episode ended, of its true
                                   final observation
    log_probs     (T, N) float     of the actions when they were chosen; None where not known
    agent_states  the N agent states before the first step
    """

    states: Observations
    actions: Column
    rewards: Column
    discounts: Column
    terminated: Column
    truncated: Column
    valid: Column
    values: Column
    next_values: Column
    log_probs: Column
    agent_states: list[object]

    def to(self, device: torch.device | str) -> Self:
        """The same with tensors on `device`; uint8 stays uint8."""

        def tensor(array: Array) -> Column:
            return array if array.dtype.hasobject else torch.from_numpy(array).to(device)

        return replace(self, **self.mapped(tensor))

    def mapped(self, function: Callable[[Array], Column]) -> dict[str, Any]:
        """All fields by name, with a function of every array in place of it."""
        return {part.name: map_arrays(function, getattr(self, part.name)) for part in fields(self)}


@dataclass(frozen=True)
class Episodes(Rollout):
    """Whole episodes, one after the other: the columns of `Rollout` as (R, …), all steps valid.

    Those of the first environment come first, in the order in which they were played.

    lengths  (E,) int64: steps of each episode
    """

    lengths: Column


class RecordedStep(TypedDict):
    """One step of N environments, as plain values."""

    states: list[Array]  # per leaf (N, *shape): observations before the actions
    actions: Array  # (N, *action)
    rewards: Array  # (N,)
    flags: Array  # (N,)
    columns: dict[str, Array]  # (N, …) by name: what the policy says beside the actions
    ended: Array  # (E,) environments whose episode, or life, ended
    finals: list[Array]  # per leaf (E, *shape): their final observations
    final_states: list[object]  # E agent states that go with them


def record(stepper: Stepper) -> RecordedStep:
    """The newest step."""
    tape, decision = stepper.tape, stepper.last
    newest = tape.newest
    flags = tape.flags[newest].copy()
    ended = np.flatnonzero(flags & ENDED)
    places = tape.ring * tape.count + newest.start + ended
    return {
        "states": [frames[newest].copy() for frames in tape.frames],
        "actions": tape.actions[newest].copy(),
        "rewards": tape.rewards[newest].sum(axis=1),
        "flags": flags,
        "columns": {name: np.array(column) for name, column in decision.columns.items()},
        "ended": ended,
        "finals": [frames[places] for frames in tape.frames],
        "final_states": [decision.states[env] for env in ended],
    }


def stacked(steps: list[RecordedStep], name: Literal["actions", "rewards", "flags"]) -> Array:
    """What was recorded under a name, as (T, N, …)."""
    return np.stack([step[name] for step in steps])


def joined(steps: list[RecordedStep], stepper: Stepper, gamma: float) -> Rollout:
    """The newest T steps, in order, as columns, without the agent states.

    The agent is asked for values, once for the present observations and once for all final ones.

    Raises:
        ValueError: the agent's values are not finite, or not one per observation.
    """
    flags = stacked(steps, "flags")
    valid = flags & NO_TRANSITION == 0
    terminated = flags & TERMINATED != 0
    leaves = zip(*(step["states"] for step in steps), strict=True)
    columns = [step["columns"] for step in steps]
    said = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    values, next_values = said.get("values"), None
    if values is not None:
        next_values = _next_values(steps, flags, values, stepper)
        if stepper.check_finite and not np.isfinite(values + next_values)[valid].all():
            raise ValueError(f"agent must return finite values, got {values} and {next_values}")
    return Rollout(
        states=unflatten(stepper.tape.layout, [np.stack(leaf) for leaf in leaves]),
        actions=stacked(steps, "actions"),
        rewards=stacked(steps, "rewards").astype(np.float32),
        discounts=(gamma * (valid & ~terminated)).astype(np.float32),
        terminated=terminated,
        truncated=flags & TRUNCATED != 0,
        valid=valid,
        values=values,
        next_values=next_values,
        log_probs=said.get("log_probs"),
        agent_states=[],
    )


def _next_values(steps: list[RecordedStep], flags: Array, values: Array, stepper: Stepper) -> Array:
    """V of what each step led to (T, N)."""
    result = np.concatenate([values[1:], np.zeros_like(values[:1])])
    if not (flags[-1] & (ENDED | NO_TRANSITION)).all():
        result[-1] = _critic_values(stepper, stepper.observations, stepper.agent_states)
    states = [state for step in steps for state in step["final_states"]]
    if states:
        layout, finals = stepper.tape.layout, zip(*(step["finals"] for step in steps), strict=True)
        parts = [np.concatenate(leaf) for leaf in finals]
        # The agent of a list gets observations one by one.
        together = row_values if isinstance(stepper, ListStepper) else unflatten
        envs = np.concatenate([step["ended"] for step in steps])
        times = np.repeat(np.arange(len(steps)), [len(step["ended"]) for step in steps])
        result[times, envs] = _critic_values(stepper, together(layout, parts), states)
    result[flags & NO_TRANSITION != 0] = 0
    return result


def _critic_values(stepper: Stepper, observations: Observations, states: list[object]) -> Array:
    """The agent's values (n,) of observations that it does not act on."""
    ask = getattr(stepper.agent, "values", None)
    if ask is None:
        raise TypeError(f"agent must have values(observations, states), got {stepper.agent!r}")
    values = np.asarray(ask(observations, states))
    if values.shape != (len(states),):
        raise ValueError(
            f"agent must return one value per observation ({len(states)}), got {values.shape}"
        )
    return values


def map_arrays(function: Callable[[Array], Column], nested: Any) -> Any:
    """A function of every array of nested ones, in its place; anything else stays."""
    if isinstance(nested, dict):
        return {key: map_arrays(function, part) for key, part in nested.items()}
    if isinstance(nested, tuple):
        return tuple(map_arrays(function, part) for part in nested)
    return function(nested) if isinstance(nested, np.ndarray) else nested
