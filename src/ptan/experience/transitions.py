"""The one record of experience, from the cut of windows to the loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from ptan.common.types import Array, Item
from ptan.experience.flags import TERMINATED
from ptan.experience.layout import Layout, Leaf
from ptan.experience.rows import Row


@dataclass(frozen=True)
class Schema:
    """What all rows of a source or buffer have in common.

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


@dataclass(slots=True)
class Transitions:
    """R rows of up to L environment steps each, and the observations they refer to.

    Columns of single rows have no axis of steps: (R, *shape).

    actions    (R, L, *shape)
    rewards    (R, L, *shape), float64 where scalar
    discounts  (R, L) float64: gamma**steps, 0 after termination; NaN where not known
    steps      (R, L) int32 or int64: environment steps spanned; 0 beyond the end of a window
    flags      (R, L) uint8: bits of `ptan.experience.flags`
    lengths    (R,) int32: steps of each window; empty for single rows
    extras     a column (R, L, *shape) per field that a subclass added
    refs       (R, L, 2) int32: where in `frames` the observations before and after each step lie;
               -1 for none
    frames     per leaf of an observation (M, *shape)
    gathered   True where `frames` hold copies for these rows alone, in the order of `gathered_refs`
    """

    schema: Schema
    actions: Array
    rewards: Array
    discounts: Array
    steps: Array
    flags: Array
    lengths: Array
    extras: dict[str, Array]
    refs: Array
    frames: list[Array]
    gathered: bool = False

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, part: slice) -> "Transitions":
        return self._mapped(lambda column: column[part], self.refs[part], self.frames)

    def _mapped(
        self, change: Callable[[Array], Array], refs: Array, frames: list[Array]
    ) -> "Transitions":
        """A record of changed columns, whose observations lie elsewhere."""
        return Transitions(
            self.schema,
            change(self.actions),
            change(self.rewards),
            change(self.discounts),
            change(self.steps),
            change(self.flags),
            change(self.lengths),
            {name: change(column) for name, column in self.extras.items()},
            refs,
            frames,
        )

    def gather(self) -> "Transitions":
        """A copy with observations of its own; a terminated row repeats its state."""
        before, after = self.refs[..., 0], self.refs[..., 1]
        ended = (self.flags & TERMINATED).reshape(before.shape) != 0
        numbers = np.stack([before, np.where(ended | (after < 0), before, after)], axis=-1)
        places = numbers.reshape(len(self), -1).T.ravel()
        frames = [frames.take(places, axis=0) for frames in self.frames]
        return replace(self._mapped(np.copy, gathered_refs(*before.shape), frames), gathered=True)

    def observations(self, after: int) -> list[Array]:
        """Per leaf the observations before (0) or after (1) each step: (R, L, *shape).

        Beyond the end of a window they mean nothing. They are views where the record is of single
        rows, which have no axis of steps, and gathered.
        """
        if self.gathered and not self.schema.windows:
            count = len(self)
            part = slice(count, None) if after else slice(count)
            return [frames[part] for frames in self.frames]
        refs = self.refs[..., after]
        return [frames.take(refs.reshape(self.steps.shape), axis=0) for frames in self.frames]


@lru_cache(maxsize=32)
def gathered_refs(rows: int, width: int) -> Array:
    """References (R, L, 2) into observations that lie step by step.

    First come those before the first step of all rows, then those after it, and so on.
    """
    numbers = np.arange(2 * width * rows, dtype=np.int32).reshape(width, 2, rows)
    return np.ascontiguousarray(numbers.transpose(2, 0, 1))


class TransitionStream(Iterator[Item], ABC):
    """An iterator over rows that gives them as columns, too."""

    @abstractmethod
    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
