"""The ring of rows behind the replay buffers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from ptan.experience.layout import Array, Leaf, leaf_order, leaves_of
from ptan.experience.rows import Row
from ptan.experience.transitions import Schema, Transitions, gathered_refs
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.frames import FrameStore, Store, make_store
from ptan.replay.saved_rows import (
    COLUMNS,
    check_columns,
    columns_from_state,
    repeats_state,
    steps_there,
)
from ptan.replay.saving import entries, schema_from_state, schema_state, sequence, whole

_MOST_ROWS = 2**62  # ever inserted: row numbers are int64


class RowTable:
    """A ring of `capacity` rows of one schema; row number r lies in slot r mod capacity.

    Rows [first, end) are there. An insertion advances `first`, writes, then advances `end`: an
    interrupt between two statements loses old rows at worst, and never shows a torn one. What it
    leaves behind is cleared away at the next call.
    """

    def __init__(
        self, schema: Schema, capacity: int, width: int, stores: Sequence[Store] | None = None
    ) -> None:
        self.schema = schema
        self.capacity = capacity
        self.width = width
        self.first = 0
        self.end = 0
        self._writing = False
        if stores is None:
            stores = [make_store(leaf, capacity, 2 * width) for leaf in leaves_of(schema.state)]
        self.stores = list(stores)
        self.actions = self._column(schema.action)
        self.rewards = self._column(schema.reward)
        self.discounts = self._column(Leaf((), np.dtype(np.float64)))
        self.steps = self._column(Leaf((), np.dtype(np.int32)))
        self.flags = self._column(Leaf((), np.dtype(np.uint8)))
        self.lengths = np.zeros(capacity if schema.windows else 0, np.int32)
        self.extras = {name: self._column(leaf) for name, leaf in schema.extras.items()}

    def __len__(self) -> int:
        return self.end - self.first

    def insert(self, rows: Transitions) -> None:
        """Append rows; the oldest go when the ring is full."""
        if self._writing:
            self._recover()
        self._writing = True
        if rows.refs.shape[1] > self.width:
            self._widen(rows.refs.shape[1])
        if rows.rewards.dtype != self.rewards.dtype:
            dtype = np.result_type(self.rewards.dtype, rows.rewards.dtype)
            self.rewards = self.rewards.astype(dtype, copy=False)
        if len(rows) <= self.capacity:
            self._insert(rows)
        else:
            for start in range(0, len(rows), self.capacity):
                self._insert(rows[start : start + self.capacity])
        self._writing = False

    def fitting(self, rows: Transitions) -> Transitions:
        """Rows with a schema of their own as `insert` takes them.

        Raises:
            ValueError: they differ from the rows of this table.
        """
        schema = rows.schema
        if not self.schema.accepts(schema):
            raise ValueError(f"rows must be like the first one, {self.schema}, got {schema}")
        order = leaf_order(self.schema.state, schema.state)
        if order != sorted(order):
            return replace(rows, frames=[rows.frames[i] for i in order])
        if self.schema == schema:
            self.schema = schema  # the next rows of this source need no comparison
        return rows

    def _recover(self) -> None:
        """Clear away what an interrupted insertion left."""
        if self.schema.windows:
            self._widen(max(self.actions.shape[1], self.width))
        for store in self.stores:
            store.recover(self.first, self.end)
        self._writing = False

    def _insert(self, rows: Transitions) -> None:
        count, begin = len(rows), self.end
        self.first = max(self.first, begin + count - self.capacity)
        for store, observations in zip(self.stores, rows.frames, strict=True):
            store.insert(begin, observations, rows.refs, rows.flags.reshape(count, -1))
        slot = begin % self.capacity
        head = min(count, self.capacity - slot)
        write = self._write_windows if self.schema.windows else self._write
        write(slice(slot, slot + head), rows if head == count else rows[:head])
        if head < count:
            write(slice(0, count - head), rows[head:])
        self.end = begin + count

    def _write(self, slots: slice, rows: Transitions) -> None:
        self.actions[slots] = rows.actions
        self.rewards[slots] = rows.rewards
        self.discounts[slots] = rows.discounts
        self.steps[slots] = rows.steps
        self.flags[slots] = rows.flags
        for name, column in self.extras.items():
            column[slots] = rows.extras[name]

    def _write_windows(self, slots: slice, rows: Transitions) -> None:
        width = rows.steps.shape[1]
        self.actions[slots, :width] = rows.actions
        self.rewards[slots, :width] = rows.rewards
        self.discounts[slots, :width] = rows.discounts
        self.steps[slots, :width] = rows.steps
        self.flags[slots, :width] = rows.flags
        for name, column in self.extras.items():
            column[slots, :width] = rows.extras[name]
        self.lengths[slots] = rows.lengths
        padded = (self.actions, self.rewards, self.discounts, self.steps, self.flags)
        for column in (*padded, *self.extras.values()):
            column[slots, width:] = None if column.dtype.hasobject else 0

    def batch(self, numbers: Array, weights: Array | None = None) -> Batch[Array]:
        """Copies of rows by number."""
        if self._writing:
            self._recover()
        count = len(numbers)
        if self.schema.windows:
            slots = numbers % self.capacity
            discounts, steps, flags = (
                column.take(slots, axis=0) for column in (self.discounts, self.steps, self.flags)
            )
            discounts32 = dones = None
            lengths = self.lengths.take(slots)
        else:
            slots, steps = np.empty(count, np.int64), np.empty(count, np.int64)
            discounts, discounts32 = np.empty(count), np.empty(count, np.float32)
            flags, dones = np.empty(count, np.uint8), np.empty(count, np.bool_)
            known = _kernels.gather_scalars(
                numbers,
                self.discounts,
                self.steps,
                self.flags,
                slots,
                discounts,
                discounts32,
                steps,
                flags,
                dones,
            )
            discounts32 = discounts32 if known else None
            lengths = self.lengths
        rows = Transitions(
            self.schema,
            self.actions.take(slots, axis=0),
            self.rewards.take(slots, axis=0),
            discounts,
            steps,
            flags,
            lengths,
            {name: column.take(slots, axis=0) for name, column in self.extras.items()},
            gathered_refs(count, self.width),
            [store.take(slots) for store in self.stores],
            gathered=True,
        )
        return Batch(rows, indices=numbers, weights=weights, discounts=discounts32, dones=dones)

    @property
    def nbytes(self) -> int:
        """Bytes in use by rows, their tables and frames."""
        columns = [self.actions, self.rewards, self.discounts, self.steps, self.flags, self.lengths]
        own = sum(column.nbytes for column in [*columns, *self.extras.values()])
        return own + sum(store.nbytes for store in self.stores)

    def state_dict(self) -> dict[str, Any]:
        """The slots ever written, as views of the columns and stores.

        Raises:
            TypeError: a column holds Python objects.
        """
        schema = schema_state(self.schema)
        if self._writing:
            self._recover()
        used = min(self.end, self.capacity)
        return {
            "schema": schema,
            "first": self.first,
            "end": self.end,
            "columns": {name: getattr(self, name)[:used] for name in COLUMNS},
            "lengths": self.lengths[:used],
            "extras": {name: column[:used] for name, column in self.extras.items()},
            "stores": [
                store.state_dict(used) for store in self.stores if isinstance(store, FrameStore)
            ],
        }

    @classmethod
    def from_state(cls, state: Any, capacity: int, row_class: type[Row] | None, where: str) -> Self:
        """A table with the rows of a state, which stays as it is.

        Args:
            state: what `state_dict` returned.
            capacity: see the class.
            row_class: of the rows, where it is not one of this library.
            where: what the texts call the state.

        Raises:
            TypeError, ValueError: the state is broken, or contradicts itself.
        """
        names = ("schema", "first", "end", "columns", "lengths", "extras", "stores")
        parts = entries(state, names, where)
        schema = schema_from_state(parts["schema"], row_class, f"{where}['schema']")
        end = whole(parts["end"], 0, _MOST_ROWS, f"{where}['end']")
        first = whole(parts["first"], max(0, end - capacity), end, f"{where}['first']")
        columns = columns_from_state(parts, schema, min(end, capacity), where)
        width = columns.steps.shape[1] if schema.windows else 1
        slots = np.arange(len(columns))
        present = first + (slots - first) % capacity < end
        there = steps_there(columns, present, width, where)
        check_columns(columns, present, there, where)
        stores = _stores_of(parts["stores"], columns, capacity, (first, end), there, where)
        table = cls(schema, capacity, width, stores)
        table.rewards = table.rewards.astype(columns.rewards.dtype, copy=False)
        write = table._write_windows if schema.windows else table._write
        write(slice(0, len(columns)), columns)
        table.first, table.end = first, end
        return table

    def _column(self, leaf: Leaf) -> Array:
        steps = (self.width,) if self.schema.windows else ()
        return np.zeros((self.capacity, *steps, *leaf.shape), leaf.dtype)

    def _widen(self, width: int) -> None:
        """Make room for longer windows; may be called again after an interrupt."""
        for store in self.stores:
            store.widen(2 * width)
        for name in COLUMNS:
            setattr(self, name, _wider(getattr(self, name), width))
        self.extras = {name: _wider(column, width) for name, column in self.extras.items()}
        self.width = width


def _stores_of(
    states: Any,
    columns: Transitions,
    capacity: int,
    rows: tuple[int, int],
    there: Array,
    where: str,
) -> list[Store]:
    """The frame stores of a state, one per leaf of the observations."""
    where = f"{where}['stores']"
    states, leaves = sequence(states, where), leaves_of(columns.schema.state)
    if len(states) != len(leaves):
        raise ValueError(f"{where} must have an entry per array of an observation, {len(leaves)}")
    repeated = repeats_state(columns, there)
    stores: list[Store] = []
    for i, (state, leaf) in enumerate(zip(states, leaves, strict=True)):
        store = FrameStore.from_state(state, leaf, capacity, rows, there, f"{where}[{i}]")
        by_step = store.refs[:, : len(there)].reshape(there.shape[1], 2, *there.shape[:1], store.k)
        if (by_step[:, 0] != by_step[:, 1])[repeated.T].any():
            raise ValueError(f"{where}[{i}]['refs'] must repeat the state where a row terminated")
        stores.append(store)
    return stores


def _wider(column: Array, width: int) -> Array:
    if column.shape[1] == width:
        return column
    out = np.zeros((len(column), width, *column.shape[2:]), column.dtype)
    out[:, : column.shape[1]] = column
    return out
