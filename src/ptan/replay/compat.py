"""What published programs do with replay buffers that columns do not need."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ptan.common.types import Array, Item
from ptan.experience.coding import schema_of
from ptan.replay.batch import Batch
from ptan.replay.table import RowTable

_DECODE_ROWS = 256


class ObjectRing:
    """A ring of `capacity` items that are no rows, with the calls of `RowTable`."""

    schema = None
    nbytes = 0

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[Item] = []
        self.end = 0

    @property
    def first(self) -> int:
        """Number of the oldest item."""
        return self.end - len(self.items)

    def insert(self, items: Sequence[Item]) -> None:
        """Append items; the oldest go when the ring is full.

        Raises:
            TypeError: one of them is a row. The ring is unchanged.
        """
        for item in items:
            if schema_of(item) is not None:
                raise TypeError(f"row must be no experience row, like the first one, got {item!r}")
        for item in items:
            slot = self.end % self.capacity
            self.items[slot : slot + 1] = [item]
            self.end += 1

    def batch(self, numbers: Array, weights: Array | None = None) -> Batch[Array]:
        """Items by number; a batch of them has no columns."""
        items = [self.items[number % self.capacity] for number in numbers.tolist()]
        return Batch(None, items=items, indices=numbers, weights=weights)


class PublishedBuffer:
    """The row view of a buffer, and what published prioritized buffers rely on.

    They subclass the replay buffer, never call its constructor, set `experience_source_iter`,
    `capacity`, `pos` and `buffer` (a list of their own) themselves, and override `populate` and
    `sample`, or `_add`. Then `len` and iteration follow their list.
    """

    capacity: int
    _table: RowTable | ObjectRing | None = None
    _own_buffer: list[Item] | None = None
    _own_pos: int | None = None

    def __len__(self) -> int:
        if self._own_buffer is not None:
            return len(self._own_buffer)
        return 0 if self._table is None else self._table.end - self._table.first

    def __iter__(self) -> Iterator[Item]:
        """All rows, oldest first."""
        table = self._table
        if self._own_buffer is not None or table is None:
            yield from self._own_buffer or ()
            return
        end = table.end
        for start in range(table.first, end, _DECODE_ROWS):
            if start < table.first or table is not self._table:
                raise RuntimeError("rows left the buffer while it was iterated")
            yield from table.batch(np.arange(start, min(end, start + _DECODE_ROWS)))

    @property
    def buffer(self) -> Sequence[Item]:
        """The rows in slot order, to read; a subclass may put a list of its own in its place."""
        return SlotView(self) if self._own_buffer is None else self._own_buffer

    @buffer.setter
    def buffer(self, own: list[Item]) -> None:
        self._own_buffer = own

    @property
    def pos(self) -> int:
        """The slot written next."""
        if self._own_pos is not None:
            return self._own_pos
        return 0 if self._table is None else self._table.end % self.capacity

    @pos.setter
    def pos(self, own: int) -> None:
        self._own_pos = int(own)


class SlotView(Sequence[Item]):
    """The rows of a buffer in slot order, to read."""

    def __init__(self, buffer: PublishedBuffer) -> None:
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self._buffer)

    def __getitem__(self, index: Any) -> Any:
        slots = range(len(self))[index]
        if isinstance(slots, range):
            return [self[slot] for slot in slots]
        table = self._buffer._table
        assert table is not None
        number = table.first + (slots - table.first) % table.capacity
        return table.batch(np.array([number]))[0]

    def __setitem__(self, index: object, value: object) -> None:
        raise TypeError("rows of a buffer cannot be assigned: feed rows by add(row)")

    def append(self, _row: object) -> None:
        """Refused: rows enter a buffer by `add`."""
        raise TypeError("rows cannot be appended to this view: feed rows by add(row)")

    def __repr__(self) -> str:
        return repr(list(self))
