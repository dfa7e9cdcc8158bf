"""Replay buffers: rows in, batches out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, overload

import numpy as np

from ptan.common.checks import unit_interval, whole_number
from ptan.common.generators import as_generator, check_generator_state, generator_state
from ptan.experience.coding import encode, schema_of
from ptan.experience.layout import Array
from ptan.experience.rows import Row
from ptan.experience.transitions import Transitions, TransitionStream
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.saving import check_equal, entries, shown
from ptan.replay.table import RowTable

_DECODE_ROWS = 256
_STATE_FORMAT = 1


class ExperienceReplayBuffer:
    """The newest `buffer_size` rows of a source, sampled uniformly with replacement.

    Rows are `ExperienceFirstLast`, `Experience`, tuples of `Experience`, subclasses with added
    fields, or any other objects. The first one fixes class, shapes and dtypes. Each distinct frame
    of the observations is stored once, however many rows and stacks it is part of.

    Args:
        experience_source: an iterable of rows; None for rows fed by hand.
        buffer_size: rows kept.
        gamma: discount per step of rows made by hand that know none; None takes the source's.
        rng: a generator or seed for sampling.

    Raises:
        ValueError, TypeError: `buffer_size` is no int above 0, gamma is outside [0, 1], rng is no
            generator or seed, or the source cannot be iterated.
    """

    _kind: ClassVar[str] = "uniform"
    _entries: ClassVar[tuple[str, ...]] = ("format", "kind", "settings", "rng", "rows")

    def __init__(
        self,
        experience_source: Iterable[Any] | None,
        buffer_size: int,
        *,
        gamma: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.capacity = whole_number("buffer_size", buffer_size)
        self.experience_source = experience_source
        if not (experience_source is None or isinstance(experience_source, Iterable)):
            raise TypeError(
                f"experience_source must be an iterable of rows or None, got {experience_source!r}"
            )
        self.experience_source_iter = None if experience_source is None else iter(experience_source)
        if gamma is None:
            gamma = getattr(experience_source, "gamma", None)
        self.gamma = None if gamma is None else unit_interval("gamma", gamma)
        self.rng = as_generator(rng)
        self._table: RowTable | None = None
        self._objects: list[Any] | None = None  # items that are no rows, in slot order
        self._objects_end = 0

    # Ways in.

    def populate(self, samples: int) -> None:
        """Take exactly `samples` items from the source.

        Raises:
            ValueError: `samples` is negative.
            RuntimeError: there is no source, or it ends before.
        """
        if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)):
            raise TypeError(f"samples must be an int, got {samples!r}")
        if samples < 0:
            raise ValueError(f"samples must be at least 0, got {samples}")
        iterator = self.experience_source_iter
        if iterator is None:
            raise RuntimeError("experience_source is None: feed rows by add() or extend()")
        if isinstance(iterator, TransitionStream) and self._takes_chunks():
            while samples:
                rows = iterator.take(samples)
                self.insert(rows)
                samples -= len(rows)
            return
        # A subclass that sees every row may override either name.
        feed = self._add if type(self)._add is not ExperienceReplayBuffer._add else self.add
        for count in range(samples):
            try:
                row = next(iterator)
            except StopIteration:
                raise RuntimeError(
                    f"experience_source ended after {count} of {samples} items"
                ) from None
            feed(row)

    def add(self, row: Any) -> None:
        """Append one row; the oldest goes when the buffer is full.

        Raises:
            TypeError, ValueError: the row differs from the first one in class, shape or dtype, or
                contradicts itself. The buffer is unchanged.
        """
        self.extend((row,))

    def _add(self, row: Any) -> None:
        """Alias of `add`; `populate` calls it for every row where a subclass overrides it."""
        self.extend((row,))

    def extend(self, rows: Iterable[Any]) -> None:
        """Append rows: all of them, or none if one of them does not fit.

        Raises:
            TypeError, ValueError: see `add`.
        """
        items = list(rows)
        if not items:
            return
        if self._objects is None:
            schema = self._table.schema if self._table is not None else schema_of(items[0])
            if schema is not None:
                self.insert(encode(schema, items, self.gamma))
                return
            self._objects = []
        self._extend_objects(items)

    def _extend_objects(self, items: list[Any]) -> None:
        objects = self._objects
        assert objects is not None
        for item in items:
            if schema_of(item) is not None:
                if not objects:
                    self._objects = None
                raise TypeError(f"row must be no experience row, like the first one, got {item!r}")
        for item in items:
            if len(objects) < self.capacity:
                objects.append(item)
            else:
                objects[self._objects_end % self.capacity] = item
            self._objects_end += 1

    def _takes_chunks(self) -> bool:
        """True if rows may skip `_add` and `add`: no subclass looks at them one by one."""
        mine, base = type(self), ExperienceReplayBuffer
        return mine._add is base._add and mine.add is base.add and mine.extend is base.extend

    def insert(self, rows: Transitions) -> None:
        """Append rows as columns: the one door, which all other ways in lead to.

        Raises:
            TypeError, ValueError: they differ from the first one in class, shape or dtype.
        """
        discounts = rows.discounts
        if self.gamma is not None and rows.schema.windows and np.isnan(discounts).any():
            known = np.where(np.isnan(discounts), self.gamma**rows.steps, discounts)
            rows = replace(rows, discounts=known)
        if self._objects is not None:
            raise TypeError("rows must be no experience rows, like the first one")
        table = self._table
        if table is None:
            width = rows.refs.shape[1]
            table = RowTable(rows.schema, self.capacity, width)
            table.insert(rows)
            self._table = table
            return
        table.insert(rows if rows.schema is table.schema else table.fitting(rows))

    # Ways out.

    def sample(self, batch_size: int) -> Any:
        """A batch of rows, as `sample_batch` gives it."""
        return self.sample_batch(batch_size)

    def sample_batch(self, batch_size: int) -> Batch[Array]:
        """A batch of rows, each drawn uniformly from all of them.

        Args:
            batch_size: rows in the batch, exactly.

        Raises:
            ValueError: the batch is not positive, or the buffer is empty.
        """
        first, count = self._span(batch_size)
        return self._batch(_kernels.draw_rows(self.rng.random(batch_size), first, count))

    def __len__(self) -> int:
        own = self.__dict__.get("_own_buffer")
        if own is not None:
            return len(own)
        if self._objects is not None:
            return len(self._objects)
        return 0 if self._table is None else len(self._table)

    def __iter__(self) -> Iterator[Any]:
        """All rows, oldest first."""
        own = self.__dict__.get("_own_buffer")
        if own is not None:
            yield from own
            return
        first, end = self._first, self._end
        for start in range(first, end, _DECODE_ROWS):
            if start < self._first:
                raise RuntimeError("rows left the buffer while it was iterated")
            yield from self._rows(np.arange(start, min(end, start + _DECODE_ROWS)))

    @property
    def buffer(self) -> Any:
        """The rows in slot order, to read; a subclass may put a list of its own in its place."""
        own = self.__dict__.get("_own_buffer")
        return SlotView(self) if own is None else own

    @buffer.setter
    def buffer(self, own: Any) -> None:
        self.__dict__["_own_buffer"] = own

    @property
    def pos(self) -> int:
        """The slot written next."""
        own = self.__dict__.get("_own_pos")
        return self._end % self.capacity if own is None else int(own)

    @pos.setter
    def pos(self, own: int) -> None:
        self.__dict__["_own_pos"] = own

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use by the stored rows, all tables included."""
        return 0 if self._table is None else self._table.nbytes

    @property
    def _first(self) -> int:
        """Number of the oldest row."""
        if self._objects is not None:
            return self._objects_end - len(self._objects)
        return 0 if self._table is None else self._table.first

    @property
    def _end(self) -> int:
        """Number that the next row gets."""
        if self._objects is not None:
            return self._objects_end
        return 0 if self._table is None else self._table.end

    def _span(self, batch_size: int) -> tuple[int, int]:
        """First row number and number of rows to sample from, after a check of the request."""
        if batch_size.__class__ is not int:
            whole_number("batch_size", batch_size)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        table = self._table
        first, end = (self._first, self._end) if table is None else (table.first, table.end)
        if first == end:
            raise ValueError("the buffer is empty: populate it or add rows before sampling")
        return first, end - first

    def _batch(self, numbers: Array, weights: Array | None = None) -> Batch[Array]:
        """The batch of the given row numbers."""
        if self._table is None:
            return Batch(None, items=self._rows(numbers), indices=numbers, weights=weights)
        return self._table.batch(numbers, weights)

    def _rows(self, numbers: Array) -> list[Any]:
        """Rows by number, as objects."""
        if self._objects is not None:
            return [self._objects[number % self.capacity] for number in numbers.tolist()]
        if self._table is None:
            return []
        return list(self._table.batch(numbers))

    # To a checkpoint and back.

    def state_dict(self) -> dict[str, Any]:
        """All rows, and whatever else decides what the buffer gives from here on.

        As in PyTorch, its arrays are views of the buffer's own: save or copy it before rows are
        added. It is as large as the rows that are there, not as the room for more. The source is
        no part of it.

        Returns:
            Dicts, lists, numbers, text and NumPy arrays.

        Raises:
            TypeError: rows, actions or observations are kept as Python objects, or a subclass keeps
                rows of its own. The text names the field.
        """
        self._require_columns()
        return {
            "format": _STATE_FORMAT,
            "kind": self._kind,
            "settings": self._settings(),
            "rng": generator_state(self.rng),
            "rows": None if self._table is None else self._table.state_dict(),
        }

    def load_state_dict(
        self, state: Mapping[str, Any], *, row_class: type[Row] | None = None
    ) -> None:
        """Take over what `state_dict` returned for a buffer of equal settings.

        From there on both give the same batches, priorities and evictions, to the bit. Rows that
        the buffer has are replaced; its source stays.

        Args:
            state: the state; it is not changed, and no memory is shared with it.
            row_class: the class of the rows if it is a subclass of `Experience` or
                `ExperienceFirstLast`: a state holds its name only.

        Raises:
            ValueError, TypeError: the state is broken, belongs to a buffer of another kind or with
                other settings, or `row_class` is missing. Nothing is changed.
        """
        self._require_columns(to_save=False)
        changes = self._read_state(entries(state, self._entries, "state"), row_class)
        self.__dict__.update(changes)  # all at once: an interrupt comes before or after
        self.rng.bit_generator.state = state["rng"]

    def _settings(self) -> dict[str, Any]:
        """What must be equal in a buffer that takes over the state of this one."""
        return {"capacity": self.capacity, "gamma": self.gamma}

    def _read_state(self, state: Mapping[str, Any], row_class: type[Row] | None) -> dict[str, Any]:
        """The attributes that a state sets; the buffer stays as it is."""
        check_equal({"format": _STATE_FORMAT, "kind": self._kind}, state)
        check_equal(self._settings(), entries(state["settings"], self._settings(), "settings"))
        check_generator_state(self.rng, state["rng"], "state['rng']")
        table, rows = None, state["rows"]
        if rows is not None:
            table = RowTable.from_state(rows, self.capacity, row_class, "state['rows']")
        return {"_table": table, "_objects": None, "_objects_end": 0}

    def _require_columns(self, to_save: bool = True) -> None:
        """Raise TypeError where rows are no columns of this buffer."""
        if "_own_buffer" in self.__dict__:
            why = f"{type(self).__name__} keeps rows in a list of its own"
        elif to_save and self._objects is not None:
            why = f"its items are Python objects, such as {shown(self._objects[0])}"
        else:
            return
        raise TypeError(f"this buffer cannot be saved or loaded: {why}")

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the source and its iterator, which do not travel."""
        return {**self.__dict__, "experience_source": None, "experience_source_iter": None}


class SlotView(Sequence[Any]):
    """The rows of a buffer in slot order, to read."""

    def __init__(self, buffer: ExperienceReplayBuffer) -> None:
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self._buffer)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        slots = range(len(self))[index]
        if isinstance(slots, range):
            return [self[slot] for slot in slots]
        buffer = self._buffer
        first, capacity = buffer._first, buffer.capacity
        number = first + (slots - first) % capacity
        return buffer._rows(np.array([number]))[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("rows of a buffer cannot be assigned: feed rows by add(row)")

    def append(self, _row: Any) -> None:
        """Refused: rows enter a buffer by `add`."""
        raise TypeError("rows cannot be appended to this view: feed rows by add(row)")

    def __repr__(self) -> str:
        return repr(list(self))


def batch_generator(buffer: ExperienceReplayBuffer, initial: int, batch_size: int) -> Iterator[Any]:
    """Fill the buffer, then for ever take one more row and yield a batch.

    Args:
        buffer: any buffer with `populate` and `sample`.
        initial: rows to begin with.
        batch_size: rows in a batch.
    """
    buffer.populate(initial)
    while True:
        buffer.populate(1)
        yield buffer.sample(batch_size)
