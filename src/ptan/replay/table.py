"""The ring of rows behind the replay buffers."""

from dataclasses import replace

import numpy as np

from ptan.common.types import Array
from ptan.experience.layout import Leaf, leaf_order, leaves_of
from ptan.experience.transitions import Schema, Transitions, gathered_refs
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.frames import FrameStore, ObjectStore, Store

_NONE = np.empty(0, np.int32)


class RowTable:
    """A ring of `capacity` rows of one schema; row number r lies in slot r mod capacity.

    Rows [first, end) are there. An insertion advances `first`, writes, then advances `end`: an
    interrupt between two statements loses old rows at worst, and never shows a half-written one.
    What it leaves behind is cleared away at the next call. `width` is the steps L of the longest
    row so far.
    """

    def __init__(self, schema: Schema, capacity: int, width: int) -> None:
        self.schema = schema
        self.capacity = capacity
        self.width = width
        self.first = 0
        self.end = 0
        self._writing = False
        self.stores: list[Store] = [
            ObjectStore(capacity, 2 * width)
            if leaf.opaque
            else FrameStore(leaf, capacity, 2 * width)
            for leaf in leaves_of(schema.state)
        ]
        self.columns = {
            "actions": self._column(schema.action),
            "rewards": self._column(schema.reward),
            "discounts": self._column(Leaf((), np.dtype(np.float64))),
            "steps": self._column(Leaf((), np.dtype(np.int32))),
            "flags": self._column(Leaf((), np.dtype(np.uint8))),
        }
        self.extras = {name: self._column(leaf) for name, leaf in schema.extras.items()}
        self.lengths = np.zeros(capacity, np.int32) if schema.windows else _NONE

    def _column(self, leaf: Leaf) -> Array:
        steps = (self.width,) if self.schema.windows else ()
        return np.zeros((self.capacity, *steps, *leaf.shape), leaf.dtype)

    # Writing.

    def fitting(self, rows: Transitions) -> Transitions:
        """Rows with a schema of their own as `insert` takes them.

        Raises:
            ValueError: they differ from the rows of this table.
        """
        schema = rows.schema
        reward = replace(schema.reward, dtype=self.schema.reward.dtype)  # its column widens
        if replace(schema, reward=reward) != self.schema:
            raise ValueError(f"rows must be like the first one, {self.schema}, got {schema}")
        order = leaf_order(self.schema.state, schema.state)
        if order != sorted(order):
            return replace(rows, frames=[rows.frames[i] for i in order])
        if self.schema == schema:
            self.schema = schema  # the next rows of this source need no comparison
        return rows

    def insert(self, rows: Transitions) -> None:
        """Append rows; the oldest go when the ring is full."""
        self.recover()
        self._writing = True
        if rows.refs.shape[1] > self.width:
            self._widen(rows.refs.shape[1])
        rewards = self.columns["rewards"]
        if rows.rewards.dtype != rewards.dtype:
            dtype = np.result_type(rewards.dtype, rows.rewards.dtype)
            self.columns["rewards"] = rewards.astype(dtype, copy=False)
        if len(rows) <= self.capacity:
            self._insert(rows)
        else:
            for start in range(0, len(rows), self.capacity):
                self._insert(rows[start : start + self.capacity])
        self._writing = False

    def _insert(self, rows: Transitions) -> None:
        """Append at most `capacity` rows."""
        count, begin = len(rows), self.end
        self.first = max(self.first, begin + count - self.capacity)
        for store, observations in zip(self.stores, rows.frames, strict=True):
            store.insert(begin, observations, rows.refs, rows.flags.reshape(count, -1))
        slot = begin % self.capacity
        head = min(count, self.capacity - slot)
        if head == count:
            self._write(slice(slot, slot + count), rows)
        else:
            self._write(slice(slot, self.capacity), rows[:head])
            self._write(slice(0, count - head), rows[head:])
        self.end = begin + count

    def _write(self, slots: slice, rows: Transitions) -> None:
        if not self.schema.windows:
            for name, column in self.columns.items():
                column[slots] = getattr(rows, name)
            for name, column in self.extras.items():
                column[slots] = rows.extras[name]
            return
        width = rows.steps.shape[1]
        for name, column in {**self.columns, **self.extras}.items():
            column[slots, :width] = (
                rows.extras[name] if name in rows.extras else getattr(rows, name)
            )
            column[slots, width:] = None if column.dtype.hasobject else 0
        self.lengths[slots] = rows.lengths

    def _widen(self, width: int) -> None:
        """Make room for longer windows; may be called again after an interrupt."""
        for store in self.stores:
            store.widen(2 * width)
        for columns in (self.columns, self.extras):
            for name, column in columns.items():
                wider = np.zeros((self.capacity, width, *column.shape[2:]), column.dtype)
                wider[:, : column.shape[1]] = column
                columns[name] = wider
        self.width = width

    def recover(self) -> None:
        """Clear away what an interrupted insertion left."""
        if not self._writing:
            return
        if self.schema.windows:
            self._widen(max(self.width, *(c.shape[1] for c in self.columns.values())))
        for store in self.stores:
            store.recover(self.first, self.end)
        self._writing = False

    # Reading.

    def batch(self, numbers: Array, weights: Array | None = None) -> Batch[Array]:
        """Copies of rows by number, and their observations in one block per leaf."""
        if self._writing:
            self.recover()
        columns, extras, count = self.columns, self.extras, len(numbers)
        scalars = columns["discounts"], columns["steps"], columns["flags"]
        if self.schema.windows:
            slots = numbers % self.capacity
            discounts, steps, flags = (column.take(slots, axis=0) for column in scalars)
            lengths = self.lengths.take(slots)
        else:
            slots, steps, lengths = np.empty(count, np.int64), np.empty(count, np.int64), _NONE
            discounts, discounts32 = np.empty(count), np.empty(count, np.float32)
            flags, dones = np.empty(count, np.uint8), np.empty(count, np.bool_)
            known = _kernels.gather_scalars(
                numbers, *scalars, slots, discounts, discounts32, steps, flags, dones
            )
        rows = Transitions(
            self.schema,
            columns["actions"].take(slots, axis=0),
            columns["rewards"].take(slots, axis=0),
            discounts,
            steps,
            flags,
            lengths,
            {name: column.take(slots, axis=0) for name, column in extras.items()} if extras else {},
            gathered_refs(count, self.width),
            [store.take(slots) for store in self.stores],
            True,
        )
        batch: Batch[Array] = Batch(rows, indices=numbers, weights=weights)
        if not self.schema.windows:
            batch.fill(dones, discounts32 if known else None)
        return batch

    @property
    def nbytes(self) -> int:
        """Bytes in use by rows, their tables and frames."""
        columns = [*self.columns.values(), *self.extras.values(), self.lengths]
        return sum(part.nbytes for part in [*columns, *self.stores])
