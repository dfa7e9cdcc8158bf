"""Columns from rows made by hand, and rows from columns: the two views of one thing.

* `schema_of`: what a first item fixes for all that follow
* `encode`: rows made by hand, to columns
* `decode`: columns, to rows
"""

import re
from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from ptan.experience.flags import ENDED, INT_REWARD, KEEPS_LAST, NO_FINAL, TERMINATED, TRUNCATED
from ptan.experience.layout import (
    Array,
    flatten,
    layout_of,
    leaf_of,
    leaves_of,
    reward_leaf,
    row_values,
)
from ptan.experience.rows import Experience, ExperienceFirstLast
from ptan.experience.transitions import Schema, Transitions

# What a batch has of its own: no field that a row class adds may take these names.
_TAKEN = re.compile(
    "states|actions|rewards|last_states|dones|terminated|truncated|discounts|steps|lengths|indices|"
    "weights|transitions|index|count|to|from_rows|_.*"
)


def schema_of(item: Any) -> Schema | None:
    """The schema that a first item sets; None if it is no row and no tuple of `Experience`.

    Raises:
        ValueError: a field that the row class adds has the name of a column.
        TypeError: the reward is no number and no array of numbers.
    """
    windows = isinstance(item, (tuple, list))
    if windows and not (item and all(isinstance(step, Experience) for step in item)):
        return None
    row = item[0] if windows else item
    if not isinstance(row, (Experience, ExperienceFirstLast)):
        return None
    added = type(row).field_names()[len(row._fields) :]
    for name in added:
        if _TAKEN.fullmatch(name):
            raise ValueError(
                f"added fields of {type(row).__name__} become columns of a batch, which has a "
                f"{name!r} of its own: give the field another name"
            )
    return Schema(
        row_class=type(row),
        windows=windows,
        state=layout_of(row.state),
        action=leaf_of(row.action),
        reward=reward_leaf(row.reward),
        extras={name: leaf_of(getattr(row, name)) for name in added},
    )


def encode(schema: Schema, items: Sequence[Any], gamma: float | None) -> Transitions:
    """Columns of items made by hand; discounts they leave out follow from gamma where it is given.

    Raises:
        TypeError, ValueError: an item differs from the schema, or contradicts itself.
    """
    windows = [_steps_of(schema, item) for item in items]
    flags: list[int] = []
    refs: list[tuple[int, int]] = []
    observations: list[list[Any]] = []
    for steps in windows:
        for i, row in enumerate(steps):
            end, after = _end_of(row)
            if after is None and not end:
                after = steps[i + 1].state if i + 1 < len(steps) else None
                end = NO_FINAL * (after is None)
            if schema.reward.scalar and isinstance(row.reward, int):
                end |= INT_REWARD
            flags.append(end)
            observations.append(flatten(schema.state, row.state, "state"))
            has_next = after is not None and not end & TERMINATED
            refs.append((len(observations) - 1, len(observations) if has_next else -1))
            if has_next:
                observations.append(flatten(schema.state, after, "last_state"))
    rows = [row for steps in windows for row in steps] if schema.windows else items
    discounts = [_discount_of(row, end, gamma) for row, end in zip(rows, flags, strict=True)]
    extras = {
        name: leaf.column([leaf.convert(getattr(row, name), name) for row in rows])
        for name, leaf in schema.extras.items()
    }
    frames = zip(leaves_of(schema.state), zip(*observations, strict=True), strict=True)
    flat = Transitions(
        schema=schema,
        actions=schema.action.column([schema.action.convert(row.action, "action") for row in rows]),
        rewards=_reward_column(schema, rows),
        discounts=np.array(discounts),
        steps=np.array([_steps_in(row) for row in rows], np.int32),
        flags=np.array(flags, np.uint8),
        lengths=_NO_LENGTHS,
        extras=extras,
        refs=np.array(refs, np.int32).reshape(-1, 1, 2),
        frames=[leaf.column(values) for leaf, values in frames],
    )
    return _in_windows(flat, np.array(list(map(len, windows)))) if schema.windows else flat


def _in_windows(flat: Transitions, lengths: Array) -> Transitions:
    """The record whose steps, one window after the other, are the rows of a flat one."""
    there = np.arange(lengths.max()) < lengths[:, None]

    def padded(column: Array, fill: Any = 0) -> Array:
        out = np.full((*there.shape, *column.shape[1:]), fill, column.dtype)
        out[there] = column
        return out

    return Transitions(
        flat.schema,
        padded(flat.actions),
        padded(flat.rewards),
        padded(flat.discounts),
        padded(flat.steps),
        padded(flat.flags),
        lengths.astype(np.int32),
        {name: padded(column) for name, column in flat.extras.items()},
        padded(flat.refs[:, 0], -1),
        flat.frames,
    )


def _steps_of(schema: Schema, item: Any) -> Sequence[Any]:
    """The rows of one item: itself, or those of a tuple."""
    steps = item if schema.windows else (item,)
    if isinstance(steps, (tuple, list)) and {type(step) for step in steps} == {schema.row_class}:
        return steps
    name = schema.row_class.__name__
    kind = f"a tuple of {name}" if schema.windows else f"of class {name}"
    raise TypeError(f"row must be {kind}, like the first one, got {item!r}")


def _end_of(row: Any) -> tuple[int, Any]:
    """How a row made by hand ends, as flags, and the observation after it; None if not said."""
    last_state = row.last_state if isinstance(row, ExperienceFirstLast) else None
    ended = row.done if isinstance(row, Experience) else last_state is None
    terminated = row.terminated
    if terminated is None:
        terminated = bool(ended) and not row.truncated
    if isinstance(row, Experience) and bool(ended) != bool(terminated or row.truncated):
        raise ValueError(
            f"done must be terminated or truncated, got done={row.done!r}, "
            f"terminated={row.terminated!r}, truncated={row.truncated!r}"
        )
    end = TERMINATED * bool(terminated) | TRUNCATED * bool(row.truncated)
    if last_state is not None:
        if terminated:
            raise ValueError("last_state must be None in a terminated row, got an observation")
        return end | (KEEPS_LAST if end else 0), last_state
    if terminated:
        return end, None
    if row.truncated and row.final_state is None:
        raise ValueError(
            "final_state must be the true last observation in a truncated row, got None"
        )
    if not end and isinstance(row, ExperienceFirstLast):
        raise ValueError(
            "last_state must be an observation where a row is neither terminated nor truncated, "
            "got None"
        )
    return end, row.final_state


def _steps_in(row: Any) -> int:
    steps = row.steps
    if steps.__class__ is int and steps >= 1:
        return int(steps)
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"steps must be an int >= 1, got {steps!r}")
    return int(steps)


def _discount_of(row: Any, end: int, gamma: float | None) -> float:
    if row.discount is None:
        if end & TERMINATED:
            return 0.0
        return nan if gamma is None else float(gamma ** _steps_in(row))
    try:
        discount = float(row.discount)
    except (TypeError, ValueError):
        discount = nan
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount must be in [0, 1], got {row.discount!r}")
    if discount and end & TERMINATED:
        raise ValueError(f"discount must be 0 in a terminated row, got {row.discount!r}")
    return discount


def _reward_column(schema: Schema, rows: Sequence[Any]) -> Array:
    """The rewards of rows made by hand, in a dtype that holds each of them exactly."""
    leaf = schema.reward
    dtype = leaf.dtype
    for row in rows:
        reward = row.reward
        if leaf.scalar and type(reward) is float and isfinite(reward):
            continue
        found = reward_leaf(reward)
        if found.shape != leaf.shape or found.scalar != leaf.scalar:
            raise ValueError(f"reward must be {leaf}, like the first one, got {reward!r}")
        if not np.isfinite(reward).all():
            raise ValueError(f"reward must be finite, got {reward!r}")
        if leaf.scalar and float(reward) != reward:
            raise ValueError(f"reward must be exact in float64, got {reward!r}")
        if found.dtype != dtype:
            dtype = np.result_type(dtype, found.dtype)
    return np.array([row.reward for row in rows], dtype)


def decode(rows: Transitions) -> list[Any]:
    """The items of a record: rows, or tuples of rows."""
    schema = rows.schema
    states, after = (_observations(rows, i) for i in (0, 1))
    missing = rows.refs[..., 1].ravel() < 0
    if rows.gathered:  # the state itself stands there
        missing |= rows.flags.ravel() & TERMINATED != 0
    finals = [None if gone else value for gone, value in zip(missing.tolist(), after, strict=True)]
    values = zip(
        states,
        finals,
        row_values(schema.action, [rows.actions.reshape(-1, *schema.action.shape)]),
        row_values(schema.reward, [rows.rewards.reshape(-1, *schema.reward.shape)]),
        rows.discounts.ravel().tolist(),
        rows.steps.ravel().tolist(),
        rows.flags.ravel().tolist(),
        strict=True,
    )
    fill = _first_last_row if issubclass(schema.row_class, ExperienceFirstLast) else _step
    dicts = [fill(*value) for value in values]
    for name, leaf in schema.extras.items():
        column = rows.extras[name].reshape(-1, *leaf.shape)
        for target, value in zip(dicts, row_values(leaf, [column]), strict=True):
            target[name] = value
    make = schema.row_class.from_values
    if not schema.windows:
        return [make(target) for target in dicts]
    width = rows.shape[1]
    return [
        tuple(make(target) for target in dicts[r * width : r * width + length])
        for r, length in enumerate(rows.lengths.tolist())
    ]


def _observations(rows: Transitions, after: int) -> list[Any]:
    leaves = leaves_of(rows.schema.state)
    columns = zip(leaves, rows.observations(after), strict=True)
    return row_values(rows.schema.state, [c.reshape(-1, *leaf.shape) for leaf, c in columns])


def _first_last_row(
    state: Any, final: Any, action: Any, reward: Any, discount: float, steps: int, end: int
) -> dict[str, Any]:
    return {
        "state": state,
        "action": action,
        "reward": int(reward) if end & INT_REWARD else reward,
        "last_state": None if end & ENDED and not end & KEEPS_LAST else final,
        "terminated": end & TERMINATED != 0,
        "truncated": end & TRUNCATED != 0,
        "steps": steps,
        "discount": discount if discount == discount else None,
        "final_state": final,
    }


def _step(
    state: Any, final: Any, action: Any, reward: Any, discount: float, steps: int, end: int
) -> dict[str, Any]:
    return {
        "state": state,
        "action": action,
        "reward": int(reward) if end & INT_REWARD else reward,
        "done": end & ENDED != 0,
        "terminated": end & TERMINATED != 0,
        "truncated": end & TRUNCATED != 0,
        "steps": steps,
        "discount": discount if discount == discount else None,
        "final_state": None if end & NO_FINAL else final,
    }


_NO_LENGTHS = np.empty(0, np.int32)
