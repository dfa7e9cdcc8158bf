"""Rows as columns, and columns as rows: the two views of one thing.

* `Schema`: what the rows of one buffer look like
* `Columns`: some rows of one schema as arrays; `Chunk`: with the observations they refer to
* `encode`: rows made by hand, to columns
* `decode`: columns, to rows
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

import numpy as np

from ptan.experience.layout import (
    Array,
    Layout,
    Leaf,
    flatten,
    layout_of,
    leaf_of,
    leaves_of,
    row_values,
)
from ptan.experience.rows import Experience, ExperienceFirstLast, Row

# Bits of `Columns.ends`, one byte per step of a row.
TERMINATED = 1
TRUNCATED = 2
ENDED = TERMINATED | TRUNCATED
KEEPS_LAST = 4  # a row made by hand that is truncated and yet names its last_state
INT_REWARD = 8  # the reward was an int: 1 and 1.0 differ when printed
NO_FINAL = 16  # a row made by hand that does not say what came after it

SCALAR_REWARD = Leaf((), np.dtype(np.float64), scalar=True)


@dataclass(frozen=True)
class Schema:
    """What all rows of a buffer have in common.

    row_class  class of the rows
    windows    True if an item is a tuple of such rows (a sub-trajectory)
    state      layout of an observation
    action     leaf of an action (nested actions are kept as objects)
    reward     leaf of a reward; scalar rewards are float64
    extras     a leaf for each field that a subclass added
    """

    row_class: type[Row]
    windows: bool
    state: Layout
    action: Leaf
    reward: Leaf
    extras: dict[str, Leaf] = field(default_factory=dict)

    @classmethod
    def of(cls, item: Any) -> "Schema | None":
        """The schema that a first item sets; None if it is no row and no tuple of rows."""
        windows = isinstance(item, (tuple, list))
        if windows and not (item and all(isinstance(step, Experience) for step in item)):
            return None
        row = item[0] if windows else item
        if not isinstance(row, (Experience, ExperienceFirstLast)):
            return None
        added = type(row).field_names()[len(row._fields) :]
        return cls(
            row_class=type(row),
            windows=windows,
            state=layout_of(row.state),
            action=leaf_of(row.action),
            reward=reward_leaf(row.reward),
            extras={name: leaf_of(getattr(row, name)) for name in added},
        )

    def steps_of(self, item: Any) -> Sequence[Any]:
        """The rows of one item: itself, or those of a tuple.

        Raises:
            TypeError: the item is of another kind than the first one.
        """
        steps = item if self.windows else (item,)
        if not isinstance(steps, (tuple, list)) or not steps:
            raise TypeError(f"row must be {self._kind()}, like the first one, got {item!r}")
        for step in steps:
            if type(step) is not self.row_class:
                raise TypeError(f"row must be {self._kind()}, like the first one, got {item!r}")
        return steps

    def accepts(self, other: "Schema") -> bool:
        """True if rows of the other schema fit among these; reward columns widen."""
        return (
            self.row_class is other.row_class
            and self.windows == other.windows
            and self.state == other.state
            and self.action == other.action
            and self.reward.shape == other.reward.shape
            and self.reward.scalar == other.reward.scalar
            and self.extras == other.extras
        )

    def _kind(self) -> str:
        name = self.row_class.__name__
        return f"a tuple of {name}" if self.windows else f"of class {name}"


def reward_leaf(reward: Any) -> Leaf:
    """The leaf of a reward: float64 for scalars, the array's own for vector rewards.

    Raises:
        TypeError: the reward is no number and no array of numbers.
    """
    leaf = leaf_of(reward)
    if leaf.opaque or leaf.dtype.kind not in "biuf":
        raise TypeError(f"reward must be a number or an array of numbers, got {reward!r}")
    return SCALAR_REWARD if leaf.scalar else leaf


@dataclass
class Columns:
    """R rows of up to L steps each (L = 1 unless the rows are windows), without observations.

    In a buffer and in a batch, columns of single rows have no axis of steps.

    actions    (R, L, *shape)
    rewards    (R, L, *shape)
    discounts  (R, L) float64, NaN where not known
    steps      (R, L) int32, 0 beyond the end of a shorter window
    ends       (R, L) uint8, bits as above
    lengths    (R,) int32: steps of each window; empty for single rows
    extras     a column (R, L, *shape) per field that a subclass added
    """

    schema: Schema
    actions: Array
    rewards: Array
    discounts: Array
    steps: Array
    ends: Array
    lengths: Array
    extras: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.steps)

    def without_steps(self) -> "Columns":
        """The same columns without their axis of steps (L = 1): how single rows are kept."""
        return Columns(
            self.schema,
            self.actions[:, 0],
            self.rewards[:, 0],
            self.discounts[:, 0],
            self.steps[:, 0],
            self.ends[:, 0],
            self.lengths,
            {name: column[:, 0] for name, column in self.extras.items()},
        )

    def __getitem__(self, part: slice) -> "Columns":
        return Columns(
            self.schema,
            self.actions[part],
            self.rewards[part],
            self.discounts[part],
            self.steps[part],
            self.ends[part],
            self.lengths[part],
            {name: column[part] for name, column in self.extras.items()},
        )


@dataclass
class Chunk:
    """Rows on their way into a buffer: columns, and observations they refer to by number.

    columns  R rows of up to L steps
    refs     (R, L, 2) int32: the observations before and after each step; -1 for none
    frames   per leaf of the observation (M, *shape): the observations
    """

    columns: Columns
    refs: Array
    frames: list[Array]

    def __len__(self) -> int:
        return len(self.refs)

    def __getitem__(self, part: slice) -> "Chunk":
        return Chunk(self.columns[part], self.refs[part], self.frames)


def encode(schema: Schema, items: Sequence[Any], gamma: float | None) -> Chunk:
    """Columns of items made by hand; discounts they leave out follow from gamma where it is given.

    Raises:
        TypeError, ValueError: an item differs from the schema, or contradicts itself.
    """
    rows = [schema.steps_of(item) for item in items]
    count, width = len(rows), max(map(len, rows)) if schema.windows else 1
    refs = np.full((count, width, 2), -1, np.int32)
    out = Columns(
        schema=schema,
        actions=np.zeros((count, width, *schema.action.shape), schema.action.dtype),
        rewards=_reward_column(schema.reward, rows, width),
        discounts=np.zeros((count, width)),
        steps=np.zeros((count, width), np.int32),
        ends=np.zeros((count, width), np.uint8),
        lengths=np.array([len(steps) for steps in rows if schema.windows], np.int32),
        extras={
            name: np.zeros((count, width, *leaf.shape), leaf.dtype)
            for name, leaf in schema.extras.items()
        },
    )
    observations: list[Any] = []
    for r, steps in enumerate(rows):
        for i, row in enumerate(steps):
            following = steps[i + 1].state if i + 1 < len(steps) else None
            _encode_step(out, refs[r, i], (r, i), row, following, gamma, observations)
    flat = [flatten(schema.state, value, name) for name, value in observations]
    frames = [
        leaf.column(parts)
        for leaf, parts in zip(leaves_of(schema.state), zip(*flat, strict=True), strict=True)
    ]
    return Chunk(out, refs, frames)


def _encode_step(
    out: Columns,
    refs: Array,
    at: tuple[int, int],
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


def _reward_column(leaf: Leaf, rows: Sequence[Sequence[Any]], width: int) -> Array:
    """The rewards of rows made by hand, in a dtype that holds each of them exactly.

    Raises:
        TypeError, ValueError: a reward is no number, not finite, or of another shape.
    """
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
    out = np.zeros((len(rows), width, *leaf.shape), dtype)
    for r, steps in enumerate(rows):
        for i, row in enumerate(steps):
            out[r, i] = row.reward
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
