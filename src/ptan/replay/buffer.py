"""Replay buffers: rows in, batches out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from ptan.common.checks import check_entries, unit_interval, whole_number
from ptan.common.generators import as_generator, check_generator_state, generator_state
from ptan.common.types import Array, Item, SavedState, State
from ptan.experience.coding import encode, schema_of
from ptan.experience.rows import Row
from ptan.experience.transitions import Transitions, TransitionStream
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.compat import ObjectRing, PublishedBuffer
from ptan.replay.state import table_from_state, table_state
from ptan.replay.table import RowTable


class ExperienceReplayBuffer(PublishedBuffer):
    """The newest `buffer_size` rows of a source, sampled uniformly with replacement.

    Rows are `ExperienceFirstLast`, `Experience`, tuples of `Experience`, subclasses with added
    fields, or any other objects; the first one fixes class, shapes and dtypes. Each distinct frame
    of the observations is stored once.

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

    def __init__(
        self,
        experience_source: Iterable[Item] | None,
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

    # Ways in.

    def populate(self, samples: int) -> None:
        """Take exactly `samples` items from the source.

        Raises:
            ValueError: `samples` is negative.
            RuntimeError: there is no source, or it ends before.
        """
        left = whole_number("samples", samples, least=0)
        iterator = self.experience_source_iter
        if iterator is None:
            raise RuntimeError("experience_source is None: feed rows by add() or extend()")
        mine, base = type(self), ExperienceReplayBuffer
        own_add = mine._add is not base._add
        by_rows = own_add or mine.add is not base.add or mine.extend is not base.extend
        if isinstance(iterator, TransitionStream) and not by_rows:
            while left:
                rows = iterator.take(left)
                self.insert(rows)
                left -= len(rows)
            return
        feed = self._add if own_add else self.add
        for row in islice(iterator, left):
            feed(row)
            left -= 1
        if left:
            raise RuntimeError(f"experience_source ended after {samples - left} of {samples} items")

    def add(self, row: Item) -> None:
        """Append one row, as `extend`."""
        self.extend((row,))

    def _add(self, row: Item) -> None:
        """Alias of `add`; `populate` calls it for every row where a subclass overrides it."""
        self.extend((row,))

    def extend(self, rows: Iterable[Item]) -> None:
        """Append rows: all, or none if one does not fit. The oldest go when the buffer is full.

        Raises:
            TypeError, ValueError: a row differs from the first one in class, shape or dtype, or
                contradicts itself. The buffer is unchanged.
        """
        items = list(rows)
        if not items:
            return
        table = self._table
        schema = schema_of(items[0]) if table is None else table.schema
        if schema is None:
            self._append(table or ObjectRing(self.capacity), items)
        else:
            self.insert(encode(schema, items, self.gamma))

    def insert(self, rows: Transitions) -> None:
        """Append rows as columns: all other ways in lead here.

        Raises:
            TypeError, ValueError: they differ from the first one in class, shape or dtype.
        """
        if self.gamma is not None and rows.schema.windows and np.isnan(rows.discounts).any():
            known = np.where(np.isnan(rows.discounts), self.gamma**rows.steps, rows.discounts)
            rows = replace(rows, discounts=known)
        table = self._table
        if table is None:
            table = RowTable(rows.schema, self.capacity, rows.refs.shape[1])
        elif rows.schema is not table.schema:
            if table.schema is None:
                raise TypeError("rows must be no experience rows, like the first one")
            rows = table.fitting(rows)
        self._append(table, rows)

    def _append(self, table: RowTable | ObjectRing, rows: Transitions | Sequence[Item]) -> None:
        """Append what fits the table, which becomes the buffer's with its first rows."""
        table.insert(rows)  # type: ignore[arg-type]
        self._table = table

    # Ways out.

    def sample(self, batch_size: int) -> Any:
        """A batch of rows, as `sample_batch` gives it."""
        return self.sample_batch(batch_size)

    def sample_batch(self, batch_size: int) -> Batch[Array]:
        """A batch of exactly so many rows, each drawn uniformly from all of them.

        Raises:
            ValueError: the size is not positive, or the buffer is empty.
        """
        table = self._filled(batch_size)
        first = table.first
        uniforms = self.rng.random(batch_size)
        return table.batch(_kernels.draw_rows(uniforms, first, table.end - first))

    @property
    def first(self) -> int:
        """Number of the oldest row: those of all rows are counted since the buffer began."""
        return 0 if self._table is None else self._table.first

    def take(self, numbers: Array) -> Batch[Array]:
        """The batch of the given row numbers (B,), which must all be there, else ValueError."""
        table, rows = self._filled(1), np.array(numbers)
        known = rows.ndim == 1 and len(rows) and rows.dtype.kind in "iu"
        if not known or rows.min() < table.first or rows.max() >= table.end:
            here = f"[{table.first}, {table.end})"
            raise ValueError(f"numbers must be row numbers in {here}, got {numbers!r}")
        return table.batch(rows)

    def _filled(self, batch_size: int) -> RowTable | ObjectRing:
        """The table to sample from, after a check of the request."""
        if batch_size.__class__ is not int or batch_size < 1:
            whole_number("batch_size", batch_size)
        table = self._table
        if table is None or table.first == table.end:
            raise ValueError("the buffer is empty: populate it or add rows before sampling")
        return table

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use by the stored rows, all tables included."""
        return 0 if self._table is None else self._table.nbytes

    # To a checkpoint and back.

    def state_dict(self) -> State:
        """All rows, and whatever else decides what the buffer gives; not the source.

        As in PyTorch, its arrays are views of the buffer's own: save or copy it before rows are
        added. It is as large as the rows that are there, not as the room for more.

        Raises:
            TypeError: rows, actions or observations are kept as Python objects (the text names the
                field), or a subclass keeps rows of its own.
        """
        self._check_saves()
        table = self._table
        if isinstance(table, ObjectRing):
            raise TypeError(
                "this buffer cannot be saved or loaded: its items are Python objects, such as "
                f"{table.items[0]!r}"
            )
        return {
            **self._settings(),
            "rng": generator_state(self.rng),
            "rows": None if table is None else table_state(table),
        }

    def load_state_dict(self, state: SavedState, *, row_class: type[Row] | None = None) -> None:
        """Take over what `state_dict` returned for a buffer of equal settings.

        From there on both give the same batches and priorities, to the bit. Rows that the buffer
        has are replaced; its source stays.

        Args:
            state: it is not changed, and no memory is shared with it.
            row_class: the class of the rows if it is a subclass of `Experience` or
                `ExperienceFirstLast`: a state holds its name only.

        Raises:
            ValueError, TypeError: the state is broken, belongs to a buffer of another kind or with
                other settings, or `row_class` is missing. Nothing is changed.
        """
        self._check_saves()
        changes = self._read_state(state, row_class)
        self.__dict__.update(changes)  # all at once: an interrupt comes before or after
        self.rng.bit_generator.state = state["rng"]

    def _settings(self) -> State:
        """What must be equal in a buffer that takes over the state of this one."""
        return {"kind": self._kind, "capacity": self.capacity, "gamma": self.gamma}

    def _read_state(self, state: SavedState, row_class: type[Row] | None, *more: str) -> State:
        """The attributes that a state sets; the buffer stays as it is."""
        settings = self._settings()
        check_entries(state, [*settings, "rng", "rows", *more])
        for name, value in settings.items():
            if type(state[name]) is not type(value) or state[name] != value:
                raise ValueError(
                    f"state must be of a buffer with {name}={value!r}, like this one, "
                    f"got {name}={state[name]!r}"
                )
        check_generator_state(self.rng, state["rng"], "state['rng']")
        rows = state["rows"]
        table = None if rows is None else table_from_state(rows, self.capacity, row_class)
        return {"_table": table}

    def _check_saves(self) -> None:
        if self._own_buffer is not None:
            name = type(self).__name__
            raise TypeError(
                f"this buffer cannot be saved or loaded: {name} keeps rows in a list of its own"
            )

    def __getstate__(self) -> State:
        """Everything but the source and its iterator, which do not travel."""
        return {**self.__dict__, "experience_source": None, "experience_source_iter": None}


def batch_generator(buffer: ExperienceReplayBuffer, initial: int, batch_size: int) -> Iterator[Any]:
    """Fill any buffer with `initial` rows, then for ever take one more and yield a batch."""
    buffer.populate(initial)
    while True:
        buffer.populate(1)
        yield buffer.sample(batch_size)
