"""Columns from rows made by hand, and rows from columns: the two views of one thing.

* `encode`: rows made by hand, to columns
* `decode`: columns, to rows
"""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from ptan.experience.columns import Chunk, Columns, Schema, reward_leaf
from ptan.experience.flags import ENDED, INT_REWARD, KEEPS_LAST, NO_FINAL, TERMINATED, TRUNCATED
from ptan.experience.layout import Array, Leaf, flatten, leaves_of, row_values
from ptan.experience.rows import Experience, ExperienceFirstLast


def encode(schema: Schema, items: Sequence[Any], gamma: float | None) -> Chunk:
    """Columns of items made by hand; discounts they leave out follow from gamma where it is given.

    Raises:
        TypeError, ValueError: an item differs from the schema, or contradicts itself.
    """
    rows = [schema.steps_of(item) for item in items]
    count, width = len(rows), max(map(len, rows)) if schema.windows else 1
    shape = (count, width) if schema.windows else (count,)
    refs = np.full((count, width, 2), -1, np.int32)
    out = Columns(
        schema=schema,
        actions=np.zeros((*shape, *schema.action.shape), schema.action.dtype),
        rewards=_reward_column(schema, rows, shape),
        discounts=np.zeros(shape),
        steps=np.zeros(shape, np.int32),
        ends=np.zeros(shape, np.uint8),
        lengths=np.array([len(steps) for steps in rows if schema.windows], np.int32),
        extras={
            name: np.zeros((*shape, *leaf.shape), leaf.dtype)
            for name, leaf in schema.extras.items()
        },
    )
    observations: list[Any] = []
    for r, steps in enumerate(rows):
        for i, row in enumerate(steps):
            following = steps[i + 1].state if i + 1 < len(steps) else None
            at = (r, i) if schema.windows else (r,)
            _encode_step(out, refs[r, i], at, row, following, gamma, observations)
    flat = [flatten(schema.state, value, name) for name, value in observations]
    frames = [
        leaf.column(parts)
        for leaf, parts in zip(leaves_of(schema.state), zip(*flat, strict=True), strict=True)
    ]
    return Chunk(out, refs, frames)


def _encode_step(
    out: Columns,
    refs: Array,
    at: tuple[int, ...],
    row: Any,
    following: Any,
    gamma: float | None,
    observations: list[Any],
) -> None:
    schema = out.schema
    end, after = _end_of(row)
    refs[:] = len(observations)
    observations.append(("state", row.state))
    if after is None and not end:
        after = following
        end |= NO_FINAL * (after is None)
    if after is not None and not end & TERMINATED:
        refs[1] = len(observations)
        observations.append(("last_state", after))
    if schema.reward.scalar and isinstance(row.reward, int):
        end |= INT_REWARD
    steps = row.steps
    if (steps.__class__ is not int or steps < 1) and (
        isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1
    ):
        raise ValueError(f"steps must be an int >= 1, got {steps!r}")
    out.ends[at] = end
    out.steps[at] = steps
    out.discounts[at] = _discount_of(row, end, gamma)
    out.actions[at] = schema.action.convert(row.action, "action")
    for name, leaf in schema.extras.items():
        out.extras[name][at] = leaf.convert(getattr(row, name), name)


def _end_of(row: Any) -> tuple[int, Any]:
    """How a row made by hand ends, and the observation after it (None: its own is repeated)."""
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


def _discount_of(row: Any, end: int, gamma: float | None) -> float:
    if row.discount is not None:
        try:
            discount = float(row.discount)
        except (TypeError, ValueError):
            discount = nan
        if not 0.0 <= discount <= 1.0:
            raise ValueError(f"discount must be in [0, 1], got {row.discount!r}")
        if discount and end & TERMINATED:
            raise ValueError(f"discount must be 0 in a terminated row, got {row.discount!r}")
        return discount
    if end & TERMINATED:
        return 0.0
    return nan if gamma is None else float(gamma**row.steps)


def _reward_column(schema: Schema, rows: Sequence[Sequence[Any]], shape: tuple[int, ...]) -> Array:
    """The rewards of rows made by hand, in a dtype that holds each of them exactly.

    Raises:
        TypeError, ValueError: a reward is no number, not finite, or of another shape.
    """
    leaf = schema.reward
    dtype = leaf.dtype
    for row in (row for steps in rows for row in steps):
        if leaf.scalar and type(row.reward) is float and isfinite(row.reward):
            continue
        found = reward_leaf(row.reward)
        if found.shape != leaf.shape or found.scalar != leaf.scalar:
            raise ValueError(f"reward must be {leaf}, like the first one, got {row.reward!r}")
        if not np.isfinite(row.reward).all():
            raise ValueError(f"reward must be finite, got {row.reward!r}")
        if leaf.scalar and float(row.reward) != row.reward:
            raise ValueError(f"reward must be exact in float64, got {row.reward!r}")
        if found.dtype != dtype:
            dtype = np.result_type(dtype, found.dtype)
    out = np.zeros((*shape, *leaf.shape), dtype)
    for r, steps in enumerate(rows):
        for i, row in enumerate(steps):
            out[(r, i) if schema.windows else r] = row.reward
    return out


def decode(columns: Columns, states: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """The items that columns hold: rows, or tuples of rows.

    Args:
        columns: R items.
        states: observation before each step, item by item (R·L values, windows padded).
        after: observation after each step, likewise.
    """
    width = columns.steps.shape[1] if columns.schema.windows else 1
    values = zip(
        states,
        after,
        _values(columns.actions, columns.schema.action),
        _values(columns.rewards, columns.schema.reward),
        columns.discounts.ravel().tolist(),
        columns.steps.ravel().tolist(),
        columns.ends.ravel().tolist(),
        strict=True,
    )
    fill = _first_last_row if issubclass(columns.schema.row_class, ExperienceFirstLast) else _step
    make = columns.schema.row_class.from_values
    dicts = [fill(*value) for value in values]
    for name, leaf in columns.schema.extras.items():
        for target, value in zip(dicts, _values(columns.extras[name], leaf), strict=True):
            target[name] = value
    if not columns.schema.windows:
        return [make(target) for target in dicts]
    items = []
    for r, length in enumerate(columns.lengths.tolist()):
        items.append(tuple(make(target) for target in dicts[r * width : r * width + length]))
    return items


def _values(column: Array, leaf: Leaf) -> list[Any]:
    """One value per step from a column (R, L, *shape)."""
    return row_values(leaf, [column.reshape(-1, *leaf.shape)])


def _first_last_row(
    state: Any, after: Any, action: Any, reward: Any, discount: float, steps: int, end: int
) -> dict[str, Any]:
    ended = end & ENDED
    return {
        "state": state,
        "action": action,
        "reward": int(reward) if end & INT_REWARD else reward,
        "last_state": None if ended and not end & KEEPS_LAST else after,
        "terminated": end & TERMINATED != 0,
        "truncated": end & TRUNCATED != 0,
        "steps": steps,
        "discount": discount if discount == discount else None,
        "final_state": after,
    }


def _step(
    state: Any, after: Any, action: Any, reward: Any, discount: float, steps: int, end: int
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
        "final_state": None if end & NO_FINAL else after,
    }
