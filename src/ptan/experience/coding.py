"""Columns from rows made by hand, and rows from columns: the two views of one thing."""

import re
from collections.abc import Sequence
from itertools import repeat
from math import isfinite, nan
from typing import Any

import numpy as np

from ptan.common.checks import unit_interval, whole_number
from ptan.common.types import Array, Item, Observation
from ptan.experience.flags import ENDED, INT_REWARD, KEEPS_LAST, NO_FINAL, TERMINATED, TRUNCATED
from ptan.experience.layout import (
    Leaf,
    as_array,
    flatten,
    layout_of,
    leaf_of,
    leaf_values,
    leaves_of,
    reward_leaf,
    row_values,
)
from ptan.experience.rows import Experience, ExperienceFirstLast, Row
from ptan.experience.transitions import Schema, Transitions

# What a batch has of its own: no field that a row class adds may take these names.
_TAKEN = re.compile(
    "states|actions|rewards|last_states|dones|terminated|truncated|discounts|steps|lengths|indices|"
    "weights|transitions|index|count|to|from_rows|_.*"
)


def schema_of(item: Item) -> Schema | None:
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


def encode(schema: Schema, items: Sequence[Item], gamma: float | None) -> Transitions:
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
            refs.append((len(observations), -1 if after is None else len(observations) + 1))
            observations.append(flatten(schema.state, row.state, "state"))
            if after is not None:
                observations.append(flatten(schema.state, after, "last_state"))
            flags.append(end | INT_REWARD * (schema.reward.scalar and isinstance(row.reward, int)))
    rows = [row for steps in windows for row in steps] if schema.windows else items
    spans = [whole_number("steps", row.steps) for row in rows]
    discounts = [_discount_of(row, end, gamma) for row, end in zip(rows, flags, strict=True)]

    def column(leaf: Leaf, name: str) -> Array:
        return leaf.column([leaf.convert(getattr(row, name), name) for row in rows])

    columns = {
        "actions": column(schema.action, "action"),
        "rewards": _reward_column(schema.reward, rows),
        "discounts": np.array(discounts),
        "steps": np.array(spans, np.int32),
        "flags": np.array(flags, np.uint8),
    }
    extras = {name: column(leaf, name) for name, leaf in schema.extras.items()}
    places, lengths = np.array(refs, np.int32)[:, None], _NO_LENGTHS
    if schema.windows:
        lengths = np.array(list(map(len, windows)), np.int32)
        columns = {name: _padded(steps, lengths) for name, steps in columns.items()}
        extras = {name: _padded(steps, lengths) for name, steps in extras.items()}
        places = _padded(places[:, 0], lengths, -1)
    frames = zip(leaves_of(schema.state), zip(*observations, strict=True), strict=True)
    return Transitions(
        schema=schema,
        **columns,
        lengths=lengths,
        extras=extras,
        refs=places,
        frames=[leaf.column(values) for leaf, values in frames],
        gathered=False,
    )


def _padded(column: Array, lengths: Array, fill: int = 0) -> Array:
    """Windows (R, L, *shape) out of their steps, one window after the other."""
    there = np.arange(lengths.max()) < lengths[:, None]
    empty = None if column.dtype.hasobject else fill
    out = np.full((*there.shape, *column.shape[1:]), empty, column.dtype)
    out[there] = column
    return out


def _steps_of(schema: Schema, item: Item) -> Sequence[Any]:
    """The rows of one item: itself, or those of a tuple."""
    if not schema.windows and type(item) is schema.row_class:
        return (item,)
    steps: Sequence[Any] = item if isinstance(item, (tuple, list)) else ()
    if schema.windows and {type(step) for step in steps} == {schema.row_class}:
        return steps
    name = schema.row_class.__name__
    kind = f"a tuple of {name}" if schema.windows else f"of class {name}"
    raise TypeError(f"row must be {kind}, like the first one, got {item!r}")


def _end_of(row: Any) -> tuple[int, Observation]:
    """How a row made by hand ends, as flags, and the observation after it; None if not said."""
    single = isinstance(row, Experience)
    last_state = None if single else row.last_state
    ended = bool(row.done) if single else last_state is None
    terminated = ended and not row.truncated if row.terminated is None else bool(row.terminated)
    end = TERMINATED * terminated | TRUNCATED * bool(row.truncated)
    if single and ended != bool(end):
        raise ValueError(
            f"done must be terminated or truncated, got done={row.done!r}, "
            f"terminated={row.terminated!r}, truncated={row.truncated!r}"
        )
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
    if not end and not single:
        raise ValueError(
            "last_state must be an observation where a row is neither terminated nor truncated, "
            "got None"
        )
    return end, row.final_state


def _discount_of(row: Row, end: int, gamma: float | None) -> float:
    if row.discount is not None:
        discount = unit_interval("discount", row.discount)
        if discount and end & TERMINATED:
            raise ValueError(f"discount must be 0 in a terminated row, got {row.discount!r}")
        return discount
    if end & TERMINATED:
        return 0.0
    return nan if gamma is None else float(gamma**row.steps)


def _reward_column(leaf: Leaf, rows: Sequence[Any]) -> Array:
    """The rewards of rows made by hand, in a dtype that holds each of them exactly."""
    rewards = [row.reward for row in rows]
    dtypes = [leaf.dtype]
    for i, reward in enumerate(rewards):
        if leaf.scalar and type(reward) is float and isfinite(reward):
            continue
        found = reward_leaf(reward)
        if found.shape != leaf.shape or found.scalar != leaf.scalar:
            raise ValueError(f"reward must be {leaf}, like the first one, got {reward!r}")
        rewards[i] = as_array(reward)
        if not np.isfinite(rewards[i]).all():
            raise ValueError(f"reward must be finite, got {reward!r}")
        if leaf.scalar and float(reward) != reward:
            raise ValueError(f"reward must be exact in float64, got {reward!r}")
        dtypes.append(found.dtype)
    return np.array(rewards, np.result_type(*dtypes) if len(dtypes) > 1 else leaf.dtype)


def decode(rows: Transitions) -> list[Item]:
    """The items of a record: rows, or tuples of rows."""
    schema = rows.schema
    # Where a record is gathered, a terminated row has its own state in place of the final one.
    lost = TERMINATED | NO_FINAL if rows.gathered else NO_FINAL
    missing = repeat(False) if rows.gathered else (rows.refs[..., 1].ravel() < 0).tolist()
    columns = zip(
        row_values(schema.state, rows.observations(0)),
        row_values(schema.state, rows.observations(1)),
        missing,
        leaf_values(schema.action, rows.actions),
        leaf_values(schema.reward, rows.rewards),
        rows.discounts.ravel().tolist(),
        rows.steps.ravel().tolist(),
        rows.flags.ravel().tolist(),
        strict=False,
    )
    first_last = issubclass(schema.row_class, ExperienceFirstLast)
    dicts = []
    for state, after, gone, action, reward, discount, steps, end in columns:
        final = None if gone or end & lost else after
        values = {
            "state": state,
            "action": action,
            "reward": int(reward) if end & INT_REWARD else reward,
            "terminated": end & TERMINATED != 0,
            "truncated": end & TRUNCATED != 0,
            "steps": steps,
            "discount": discount if discount == discount else None,
            "final_state": final,
        }
        if first_last:
            values["last_state"] = None if end & ENDED and not end & KEEPS_LAST else final
        else:
            values["done"] = end & ENDED != 0
        dicts.append(values)
    for name, leaf in schema.extras.items():
        for target, value in zip(dicts, leaf_values(leaf, rows.extras[name]), strict=True):
            target[name] = value
    flat = [schema.row_class.from_values(values) for values in dicts]
    if not schema.windows:
        return flat
    firsts = range(0, len(flat), rows.steps.shape[1])
    lengths = rows.lengths.tolist()
    return [tuple(flat[i : i + length]) for i, length in zip(firsts, lengths, strict=True)]


_NO_LENGTHS = np.empty(0, np.int32)
