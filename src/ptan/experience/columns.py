"""Rows as columns.

* `Schema`: what the rows of one buffer look like
* `Columns`: some rows of one schema as arrays; `Chunk`: with the observations they refer to
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ptan.experience.layout import (
    Array,
    Layout,
    Leaf,
    layout_of,
    leaf_of,
)
from ptan.experience.rows import Experience, ExperienceFirstLast, Row

# What a batch has of its own; no field that a row class adds may take these names.
BATCH_NAMES = frozenset(
    [
        "states",
        "actions",
        "rewards",
        "last_states",
        "dones",
        "discounts",
        "steps",
        "lengths",
        "indices",
        "weights",
        "index",
        "count",
        "to",
        "from_rows",
    ]
)

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
        for name in added:
            if name in BATCH_NAMES or name.startswith("_"):
                raise ValueError(
                    f"added fields of {type(row).__name__} become columns of a batch, which has a "
                    f"{name!r} of its own: give the field another name"
                )
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


@dataclass(slots=True)
class Columns:
    """R rows of up to L steps each, without observations.

    Columns of single rows have no axis of steps: (R, *shape).

    actions    (R, L, *shape)
    rewards    (R, L, *shape)
    discounts  (R, L) float64, NaN where not known
    steps      (R, L) int32, 0 beyond the end of a shorter window
    ends       (R, L) uint8, bits as above
    lengths    (R,) int32: steps of each window; empty for single rows
    extras     a column (R, L, *shape) per field that a subclass added
    discounts32  the discounts in float32, where all are known and somebody needs them
    """

    schema: Schema
    actions: Array
    rewards: Array
    discounts: Array
    steps: Array
    ends: Array
    lengths: Array
    extras: dict[str, Array] = field(default_factory=dict)
    discounts32: Array | None = None

    def __len__(self) -> int:
        return len(self.steps)

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
