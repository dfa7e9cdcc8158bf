"""Single steps of many environments, taken off the tape and put together as (T, N) columns."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ptan.experience.flags import ENDED, NO_TRANSITION, TERMINATED, TRUNCATED
from ptan.experience.layout import Array, row_values, unflatten
from ptan.experience.listed import ListStepper
from ptan.experience.stepper import Stepper

RecordedStep: TypeAlias = dict[str, Any]
"""One step of N environments, as plain values:

states          per leaf (N, *shape): observations before the actions
actions         (N, *action)
rewards, flags  (N,)
columns         (N, …) by name: what the policy says beside the actions
ended           (E,) environments whose episode, or life, ended
finals          per leaf (E, *shape): their final observations
final_states    E agent states that go with them
"""


def record(stepper: Stepper) -> RecordedStep:
    """The newest step."""
    tape, decision = stepper.tape, stepper.last
    newest = tape.newest
    flags = tape.flags[newest].copy()
    # Final observations are needed for their values alone.
    ended = np.flatnonzero((flags & ENDED) * ("values" in decision.columns))
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


def joined(steps: list[RecordedStep], stepper: Stepper, gamma: float) -> dict[str, Any]:
    """The columns (T, N, …) of `Rollout`, except the agent states.

    Args:
        steps: The newest T steps, in order.
        stepper: Where they come from; its agent is asked for values, once for the present
            observations and once for all final ones.
        gamma: Discount per step.

    Raises:
        ValueError: the agent's values are not finite, or not one per observation.
    """
    flags = np.stack([step["flags"] for step in steps])
    valid = flags & NO_TRANSITION == 0
    terminated = flags & TERMINATED != 0
    leaves = zip(*(step["states"] for step in steps), strict=True)
    columns = {
        name: np.stack([step["columns"][name] for step in steps]) for name in steps[0]["columns"]
    }
    values, next_values = columns.get("values"), None
    if values is not None:
        next_values = _next_values(steps, flags, values, stepper)
        if stepper.check_finite and not np.isfinite(values + next_values)[valid].all():
            raise ValueError(f"agent must return finite values, got {values} and {next_values}")
    return {
        "states": unflatten(stepper.tape.layout, [np.stack(leaf) for leaf in leaves]),
        "actions": np.stack([step["actions"] for step in steps]),
        "rewards": np.stack([step["rewards"] for step in steps]).astype(np.float32),
        "discounts": (gamma * (valid & ~terminated)).astype(np.float32),
        "terminated": terminated,
        "truncated": flags & TRUNCATED != 0,
        "valid": valid,
        "values": values,
        "next_values": next_values,
        "log_probs": columns.get("log_probs"),
    }


def _next_values(steps: list[RecordedStep], flags: Array, values: Array, stepper: Stepper) -> Array:
    """V of what each step led to (T, N)."""
    result = np.concatenate([values[1:], np.zeros_like(values[:1])])
    if not (flags[-1] & (ENDED | NO_TRANSITION)).all():
        result[-1] = _critic_values(stepper, stepper.observations, stepper.agent_states)
    states = [state for step in steps for state in step["final_states"]]
    if states:
        finals = zip(*(step["finals"] for step in steps), strict=True)
        parts = [np.concatenate(leaf) for leaf in finals]
        observations: Any = unflatten(stepper.tape.layout, parts)
        if isinstance(stepper, ListStepper):  # whose agent gets them one by one
            observations = row_values(stepper.tape.layout, parts)
        envs = np.concatenate([step["ended"] for step in steps])
        times = np.repeat(np.arange(len(steps)), [len(step["ended"]) for step in steps])
        result[times, envs] = _critic_values(stepper, observations, states)
    result[flags & NO_TRANSITION != 0] = 0
    return result


def _critic_values(stepper: Stepper, observations: Any, states: Any) -> Array:
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


def mapped(column: Any, function: Callable[[Any], Any]) -> Any:
    """A function of every array of nested ones; None stays."""
    if isinstance(column, dict):
        return {key: mapped(part, function) for key, part in column.items()}
    if isinstance(column, tuple):
        return tuple(mapped(part, function) for part in column)
    return column if column is None else function(column)
