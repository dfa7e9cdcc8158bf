"""Where the bytes of observations live: each distinct frame once."""

from typing import Any, TypeAlias

import numpy as np

from ptan.common.checks import check_entries, saved_array
from ptan.common.types import Array, SavedState, State
from ptan.experience.flags import TERMINATED
from ptan.experience.layout import Leaf
from ptan.replay import _kernels

_STACK_LIMIT = 16  # an observation with a longer first axis is no stack of frames
_FRAME_BYTES = 256  # smaller slices are not worth a reference of their own
_CACHE_ENTRIES = 2**16
_WORDS = (np.dtype(np.uint64), np.dtype(np.uint32), np.dtype(np.uint16), np.dtype(np.uint8))


def frames_in(leaf: Leaf) -> int:
    """Into how many frames an observation is cut: a stack of images into its images."""
    if len(leaf.shape) > 1 and 1 < leaf.shape[0] <= _STACK_LIMIT:
        per_frame = int(np.prod(leaf.shape[1:])) * leaf.dtype.itemsize
        if per_frame >= _FRAME_BYTES:
            return leaf.shape[0]
    return 1


def _slots_without(first: int, end: int, capacity: int) -> Array:
    """The slots of a ring in which none of the rows [first, end) lies."""
    gone = np.ones(capacity, np.bool_)
    gone[np.arange(first, end) % capacity] = False
    return gone


class FrameStore:
    """The observations of a ring of rows, `columns` in each, every distinct frame stored once.

    Rows refer to frames by number. A frame goes when the newest row that uses it goes. Frames are
    found again by content, through a lossy table: a missed hit costs one copy, never correctness.
    """

    def __init__(self, leaf: Leaf, capacity: int, columns: int) -> None:
        self.capacity = capacity
        self._dtype, self._shape = leaf.dtype, leaf.shape
        self.k = frames_in(leaf)
        size = int(np.prod(leaf.shape)) * leaf.dtype.itemsize // self.k
        self.word = next(word for word in _WORDS if size % word.itemsize == 0)
        room = capacity + capacity // 16 + 2 * columns * self.k + 16
        # Pages are committed when they are touched: room that is never used costs nothing.
        self.frames = np.empty((room, size // self.word.itemsize), self.word)
        self.last_row = np.full(room, -1, np.int64)
        self.free = np.empty(room, np.int32)
        self.counts = np.zeros(3, np.int64)
        self.cache = np.full(min(_CACHE_ENTRIES, 1 << (4 * room).bit_length()), -1, np.int32)
        self.refs = np.full((columns, capacity, self.k), -1, np.int32)
        self._new_memo(1)
        self._insert(0, np.zeros((1, *leaf.shape), leaf.dtype), *_NO_ROWS)  # warms the kernel

    def insert(self, first_row: int, observations: Array, source: Array, flags: Array) -> None:
        """Store the observations of rows `first_row`, … (see `_kernels.insert_rows`)."""
        done = self._insert(first_row, observations, source, flags)
        while done < len(source):
            self._grow()
            done = self._insert(first_row, observations, source, flags, done)

    def _insert(
        self, first_row: int, observations: Array, source: Array, flags: Array, done: int = 0
    ) -> int:
        count = len(observations)
        if count > len(self.stamp):
            self._new_memo(count)
        words = observations.reshape(count, -1).view(self.word).reshape(count, self.k, -1)
        tables = self.refs, self.frames, self.last_row, self.free, self.cache, self.counts
        rows: int = _kernels.insert_rows(
            first_row, done, words, source, flags, *tables, self.memo, self.stamp
        )
        return rows

    def take(self, slots: Array) -> Array:
        """The observations of rows by slot: a new array (columns · n, *shape), column by column."""
        # One block: two make the allocator give memory back and fault it in again, at four times
        # the cost.
        refs = self.refs.take(slots, axis=1)
        words = self.frames.take(refs, axis=0).view(self._dtype)
        return words.reshape((len(refs) * len(slots), *self._shape))

    def widen(self, columns: int) -> None:
        """Make room for more observations per row."""
        refs = np.full((columns, self.capacity, self.k), -1, np.int32)
        refs[: len(self.refs)] = self.refs
        self.refs = refs

    def recover(self, first: int, end: int) -> None:
        """Make the tables those of rows [first, end) again, after an interrupted insertion."""
        self.refs[:, _slots_without(first, end, self.capacity)] = -1
        self._find_free(first, end)

    def _find_free(self, first: int, end: int) -> None:
        """For every frame the newest of the rows [first, end) that uses it, and those without."""
        self.last_row = np.full(len(self.frames), -1, np.int64)
        live = self.refs[:, np.arange(first, end) % self.capacity]
        numbers = np.broadcast_to(np.arange(first, end)[:, None], live.shape)
        np.maximum.at(self.last_row, live[live >= 0], numbers[live >= 0])
        free = np.flatnonzero(self.last_row[: self.counts[1]] < 0)
        self.free = np.empty(len(self.frames), np.int32)
        self.free[: len(free)] = free
        self.counts[0] = len(free)

    def state(self, rows: int) -> State:
        """The frames and tables in use, as views; `rows` slots of the ring were ever written.

        frames  (touched, bytes) uint8: those in use and those given back
        free    stack of the frames given back
        refs    (columns, rows, k) int32: the frames of each row
        cache   (2^b,) int32: by it frames are found again
        """
        free, touched, _ = self.counts.tolist()
        return {
            "frames": self.frames[:touched].view(np.uint8),
            "free": self.free[:free],
            "refs": self.refs[:, :rows],
            "cache": self.cache,
        }

    def load(self, name: str, state: SavedState, first: int, end: int) -> None:
        """Take over in a new store what `state` returned where the rows were [first, end).

        Raises:
            TypeError, ValueError: it is not of this form, or refers to frames that are not there.
        """
        check_entries(state, ("frames", "free", "refs", "cache"), name)
        row_bytes, refs = self.frames[:1].nbytes, self.refs[:, :end]
        frames = saved_array(f"{name}['frames']", state["frames"], np.uint8, (None, row_bytes))
        refs[...] = saved_array(f"{name}['refs']", state["refs"], np.int32, refs.shape)
        self.cache = saved_array(f"{name}['cache']", state["cache"], np.int32, (None,)).copy()
        free = saved_array(f"{name}['free']", state["free"], np.int32, (None,))
        touched, entries = len(frames), len(self.cache)
        for table in (refs, self.cache):
            if ((table < -1) | (table >= touched)).any():
                raise ValueError(f"{name} must refer to frames in [-1, {touched})")
        if entries == 0 or entries & (entries - 1):
            raise ValueError(f"{name}['cache'] must be as long as a power of two, got {entries}")
        self._grow(max(len(self.frames), touched))
        self.frames[:touched].view(np.uint8)[...] = frames
        self.counts[1] = touched
        self._find_free(first, end)
        if not np.array_equal(np.sort(free), self.free[: self.counts[0]]):
            raise ValueError(f"{name}['free'] must be the frames that no row refers to, each once")
        self.free[: len(free)] = free

    @property
    def used(self) -> int:
        """Frames that rows refer to."""
        return int(self.counts[1] - self.counts[0])

    @property
    def nbytes(self) -> int:
        """Bytes in use: the frames touched so far and all tables."""
        per_frame = self.frames[:1].nbytes + self.free.itemsize
        tables = self.last_row, self.cache, self.refs, self.memo, self.stamp
        return int(self.counts[1]) * per_frame + sum(table.nbytes for table in tables)

    def _grow(self, room: int = 0) -> None:
        """Make room for a quarter more frames, or for `room`."""
        room, touched = room or len(self.frames) * 5 // 4 + 1, int(self.counts[1])
        frames = np.empty((room, self.frames.shape[1]), self.word)
        frames[:touched] = self.frames[:touched]
        last_row = np.full(room, -1, np.int64)
        last_row[:touched] = self.last_row[:touched]
        free = np.empty(room, np.int32)
        free[:touched] = self.free[:touched]
        self.frames, self.last_row, self.free = frames, last_row, free

    def __getstate__(self) -> dict[str, Any]:
        """The frames there are, without the room for more."""
        touched = int(self.counts[1])
        cut = {name: getattr(self, name)[:touched] for name in ("frames", "last_row", "free")}
        return {**self.__dict__, **cut, "room": len(self.frames), "memo": None, "stamp": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        room = state.pop("room")
        self.__dict__.update(state)
        self._grow(room)
        self._new_memo(1)

    def _new_memo(self, observations: int) -> None:
        self.memo = np.empty((observations, self.k), np.int32)
        self.stamp = np.full(observations, -1, np.int64)


class ObjectStore:
    """Observations that are no arrays (text, graphs …), kept as given, one per row and column."""

    def __init__(self, capacity: int, columns: int) -> None:
        self.values = np.empty((columns, capacity), object)

    def insert(self, first_row: int, observations: Array, source: Array, flags: Array) -> None:
        """Store the observations of rows from number `first_row` on, as `FrameStore.insert`."""
        before, after = source[..., 0], source[..., 1]
        after = np.where((after < 0) | (flags & TERMINATED != 0), before, after)
        numbers = np.stack([before, after], axis=-1).reshape(len(source), -1).T
        slots = np.arange(first_row, first_row + len(source)) % self.values.shape[1]
        self.values[:, slots] = None
        self.values[: len(numbers), slots] = np.where(numbers < 0, None, observations[numbers])

    def take(self, slots: Array) -> Array:
        """The observations of rows by slot: a new object array (columns · n,), column by column."""
        return self.values.take(slots, axis=1).ravel()

    def recover(self, first: int, end: int) -> None:
        """Forget what an interrupted insertion left beyond rows [first, end)."""
        self.values[:, _slots_without(first, end, self.values.shape[1])] = None

    def widen(self, columns: int) -> None:
        """Make room for more observations per row."""
        values = np.empty((columns, self.values.shape[1]), object)
        values[: len(self.values)] = self.values
        self.values = values

    @property
    def nbytes(self) -> int:
        """Bytes of the references; the objects themselves are not counted."""
        return self.values.nbytes


Store: TypeAlias = FrameStore | ObjectStore

_NO_ROWS: tuple[Any, Any] = (np.empty((0, 1, 2), np.int32), np.empty((0, 1), np.uint8))
