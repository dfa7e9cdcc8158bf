"""The storage under the buffers: frames are live or free, shared, and never torn."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ptan
from ptan.experience import ExperienceFirstLast, ExperienceReplayBuffer, PrioritizedReplayBuffer
from ptan.replay import _kernels, frames

from .fakes import BUFFERS, GAMMA, RowKitchen, make_buffer, numbered
from .oracles import PlainBuffer, assert_holds, assert_rows, drawn
from .twins import OPERATIONS, Twins

LIBRARY = str(Path(ptan.__file__).parent)
# Rows are turned into arrays there, before anything is stored.
BEFORE_STORAGE = ("columns.py", "layout.py", "rows.py")


def _newest_rows(store: Any, table: Any) -> np.ndarray:
    """For every frame the newest row that refers to it, -1 where there is none."""
    newest = np.full(len(store.last_row), -1)
    for number in range(table.first, table.end):
        refs = store.refs[:, number % table.capacity]
        newest[refs[refs >= 0]] = number
    return newest


def assert_no_row_lost_a_frame(buffer: Any) -> None:
    for store in [] if buffer._table is None else buffer._table.stores:
        free = store.free[: store.counts[0]].tolist()
        live = np.flatnonzero(_newest_rows(store, buffer._table) >= 0).tolist()
        assert len(set(free)) == len(free), "a slot is free twice"
        assert not set(free) & set(live), "a row refers to a freed frame"


def assert_invariants(buffer: Any) -> None:
    """What must be true of the frame stores at any moment between two calls."""
    assert_no_row_lost_a_frame(buffer)
    table = buffer._table
    if table is None:
        return
    assert 0 <= table.end - table.first <= table.capacity
    for store in table.stores:
        free, touched = store.free[: store.counts[0]], int(store.counts[1])
        newest = _newest_rows(store, table)
        live = np.flatnonzero(newest >= 0)
        assert sorted([*free, *live]) == list(range(touched)), "a slot is neither live nor free"
        assert np.array_equal(store.last_row, newest)
        assert store.used == len(live)
        assert touched <= len(store.frames) == len(store.last_row) == len(store.free)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@given(
    capacity=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    operations=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_frames_are_live_or_free_after_every_operation(
    kind: str, capacity: int, seed: int, operations: Any
) -> None:
    twins = Twins(RowKitchen(kind, seed), "uniform", capacity)
    for operation, n in operations:
        twins.do(operation, n)
        assert_invariants(twins.buffer)


@pytest.mark.parametrize("kind", ["stack", "dict", "tuple", "steps"])
def test_invariants_hold_while_the_store_grows(kind: str) -> None:
    kitchen = RowKitchen(kind, 5)
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (3000, 16, 16), dtype=np.uint8)
    twins = Twins(kitchen, "uniform", 90)
    for n in (3, 40, 100, 1, 91, 250):
        twins.do("extend", n)
        assert_invariants(twins.buffer)
    assert len(twins.buffer) == 90


@pytest.mark.parametrize("kind", ["stack", "dict", "steps"])
def test_frames_are_told_apart_when_every_fingerprint_is_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_CACHE_ENTRIES", 1)
    twins = Twins(RowKitchen(kind, 1), "uniform", 11)
    rng = np.random.default_rng(0)
    for _ in range(40):
        twins.do(str(rng.choice(OPERATIONS)), int(rng.integers(12)))
        assert_invariants(twins.buffer)


@pytest.mark.parametrize("kind", ["stack", "tuple", "steps"])
def test_the_compiled_kernel_does_what_its_plain_python_does(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = []
    for kernel in (_kernels.insert_rows, _kernels.insert_rows.py_func):
        monkeypatch.setattr(_kernels, "insert_rows", kernel)
        twins = Twins(RowKitchen(kind, 3), "uniform", 13)
        for n in (1, 5, 30, 2, 11):
            twins.do("extend", n)
        assert_invariants(twins.buffer)
        stores.append(twins.buffer._table.stores)
    for one, other in zip(*stores, strict=True):
        for name in ("refs", "last_row", "counts"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        touched = int(one.counts[1])
        assert np.array_equal(one.frames[:touched], other.frames[:touched])


@pytest.mark.parametrize(
    ("shape", "dtype", "k"),
    [
        ((4, 84, 84), np.uint8, 4),
        ((16, 16, 16), np.uint8, 16),
        ((17, 16, 16), np.uint8, 1),
        ((4, 5, 51), np.uint8, 1),
        ((4, 64), np.float32, 4),
        ((84, 84), np.uint8, 1),
        ((4,), np.float32, 1),
        ((), np.int64, 1),
    ],
)
def test_stacks_of_images_are_cut_into_frames(shape: Any, dtype: Any, k: int) -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    state = np.zeros(shape, dtype)
    buffer.add(ExperienceFirstLast(state, 0, 0.0, None))
    (store,) = buffer._table.stores
    assert store.refs.shape[2] == k


# --- sharing -------------------------------------------------------------------------------------


def _stacked_games(envs: int, n: int, steps: int, size: int = 32) -> Iterator[ExperienceFirstLast]:
    """n-step rows of interleaved games with 4-frame stacks of noise and episodes of 40 steps."""
    rng = np.random.default_rng(0)
    history: list[list[np.ndarray]] = [[] for _ in range(envs)]
    for step in range(steps):
        for stacks in history:
            image = rng.integers(0, 255, (1, size, size), dtype=np.uint8)
            fresh = step % 40 == 0
            stacks.append(
                np.repeat(image, 4, 0) if fresh else np.concatenate([stacks[-1][1:], image])
            )
            if step % 40 >= n:
                yield ExperienceFirstLast(stacks[-1 - n], 0, 0.0, stacks[-1], steps=n)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("envs", [1, 4, 16])
def test_interleaved_stacks_store_about_one_frame_per_row(envs: int, n: int) -> None:
    buffer = ExperienceReplayBuffer(None, 1000)
    for row in _stacked_games(envs, n, 3200 // envs):
        buffer.add(row)
    (store,) = buffer._table.stores
    assert len(buffer) == 1000
    # One frame per row; an episode of 40 steps has up to n + 3 more, as has each env's tail.
    assert store.used <= 1000 * (1 + (n + 3) / 37) + 8 * envs
    assert buffer.nbytes <= 1.25 * 1000 * 32 * 32 + 400_000
    assert_invariants(buffer)


def test_equal_frames_are_stored_once() -> None:
    buffer = ExperienceReplayBuffer(None, 500)
    blank = np.zeros((4, 84, 84), np.uint8)
    buffer.extend([ExperienceFirstLast(blank, 0, 0.0, blank)] * 700)
    (store,) = buffer._table.stores
    assert store.used == 1


def test_memory_follows_the_rows_not_the_capacity() -> None:
    small, large = ExperienceReplayBuffer(None, 200), ExperienceReplayBuffer(None, 100_000)
    for buffer in (small, large):
        for row in _stacked_games(2, 1, 60):
            buffer.add(row)
    frame_bytes = 32 * 32 * small._table.stores[0].used
    assert frame_bytes <= small.nbytes <= 2 * frame_bytes + 400_000
    # Refs, columns and tables only: some hundred bytes per row of capacity.
    assert large.nbytes - small.nbytes <= 100_000 * 200


def test_a_pickle_holds_the_stored_frames_not_the_room_for_more() -> None:
    buffer = ExperienceReplayBuffer(None, 20_000)
    for row in _stacked_games(2, 1, 40):
        buffer.add(row)
    data = pickle.dumps(buffer, protocol=5)
    assert len(data) <= 20_000 * 200 + 2 * 32 * 32 * buffer._table.stores[0].used
    copy = pickle.loads(data)
    rows = list(_stacked_games(3, 1, 60))
    copy.extend(rows)
    assert_rows(list(copy)[-len(rows) :], rows)
    assert_invariants(copy)


# --- interrupts ----------------------------------------------------------------------------------


class InterruptAt:
    """Raises KeyboardInterrupt before the n-th line that the library runs inside the block."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __enter__(self) -> "InterruptAt":
        self.before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        path = frame.f_code.co_filename
        if not path.startswith(LIBRARY) or path.endswith(BEFORE_STORAGE):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._trace


def _interrupted(buffer: Any, rows: list[Any], line: int) -> bool:
    try:
        with InterruptAt(line):
            buffer.extend(rows)
    except KeyboardInterrupt:
        return True
    return False


def _assert_whole(buffer: Any, history: list[Any], added: int) -> int:
    """The buffer holds neighbouring rows of the history, with or without the newest `added`."""
    rows = list(buffer)
    ends = (len(history) - added, len(history))
    for end in ends:
        try:
            assert_rows(rows, history[end - len(rows) : end], GAMMA)
        except AssertionError:
            continue
        if rows:
            batch = drawn(buffer.sample(20))
            numbers = batch.indices - buffer._table.first
            assert numbers.min() >= 0, "a row was sampled that is not there"
            assert numbers.max() < len(rows), "a row was sampled that is not there"
            assert_rows(batch, [rows[n] for n in numbers], GAMMA)
        return end
    raise AssertionError("torn rows, or rows out of order")


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", ["stack", "dict", "scored", "steps"])
def test_an_interrupt_at_any_line_leaves_whole_rows(kind: str, buffer_kind: str) -> None:
    line, more = 0, True
    while more:
        line += 1
        kitchen = RowKitchen(kind, 3)
        plain = PlainBuffer(100)
        buffer = make_buffer(buffer_kind, None, 5, gamma=GAMMA)
        plain.extend(kitchen.recipe().make() for _ in range(7))
        buffer.extend(plain.rows)
        rows = [kitchen.recipe().make() for _ in range(3)]
        more = _interrupted(buffer, rows, line)
        end = _assert_whole(buffer, plain.rows + rows, len(rows))
        history = (plain.rows + rows)[:end]
        for _ in range(8):
            history.append(kitchen.recipe().make())
            buffer.add(history[-1])
            held = list(buffer)
            assert_rows(held, history[len(history) - len(held) :], GAMMA)
            assert_no_row_lost_a_frame(buffer)
        assert len(buffer) == 5
        # What the interrupted insertion had taken is given back by now.
        assert_invariants(buffer)
    assert line > 30


@pytest.mark.parametrize("kind", ["stack", "dict"])
def test_running_out_of_memory_while_the_store_grows_loses_no_row_that_stays(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen = RowKitchen(kind, 5)
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (3000, 16, 16), dtype=np.uint8)
    buffer = ExperienceReplayBuffer(None, 40, gamma=GAMMA)
    history = [kitchen.recipe().make() for _ in range(9)]
    buffer.extend(history)
    rows = [kitchen.recipe().make() for _ in range(31)]

    def fail(_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(frames.FrameStore, "_grow", fail)
        with pytest.raises(MemoryError):
            buffer.extend(rows)
    held = list(buffer)
    assert_rows(held, history[len(history) - len(held) :], GAMMA)
    plain = PlainBuffer(40)
    plain.extend(history)
    for lot in (rows, [kitchen.recipe().make() for _ in range(60)]):
        buffer.extend(lot)
        plain.extend(lot)
    assert_rows(buffer, plain.rows, GAMMA)
    assert_invariants(buffer)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_a_buffer_interrupted_at_its_very_first_row_can_still_be_used(buffer_kind: str) -> None:
    kitchen = RowKitchen("dict", 3)
    rows = [kitchen.recipe().make() for _ in range(2)]
    line, more = 0, True
    while more:
        line += 1
        buffer = make_buffer(buffer_kind, None, 5, gamma=GAMMA)
        more = _interrupted(buffer, rows, line)
        held = list(buffer)
        assert_rows(held, rows[: len(held)], GAMMA)
        if held:
            assert len(drawn(buffer.sample(5))) == 5
        buffer.extend(rows)
        plain = PlainBuffer(5)
        plain.extend(held + rows)
        assert_holds(buffer, plain, GAMMA)
        assert_no_row_lost_a_frame(buffer)


# --- priority sums -------------------------------------------------------------------------------


def test_the_sum_of_priorities_stays_exact_over_a_million_updates_and_wraps() -> None:
    alpha, capacity = 0.6, 1000
    buffer = PrioritizedReplayBuffer(None, capacity, alpha, rng=0)
    rng = np.random.default_rng(0)
    wanted, highest = np.zeros(capacity), 1.0
    for end in range(150, 15_001, 150):
        buffer.extend(numbered(i) for i in range(end - 150, end))
        wanted[np.arange(end - 150, end) % capacity] = highest
        numbers = rng.integers(max(0, end - capacity), end, size=10_000)
        priorities = 10.0 ** rng.uniform(-6, 6, size=10_000)
        buffer.update_priorities(numbers, priorities)
        for number, priority in zip(numbers % capacity, priorities, strict=True):
            wanted[number] = priority
        highest = max(highest, float(priorities.max()))
        total = float(np.sum(wanted[: len(buffer)] ** alpha))
        assert buffer._weights.total == pytest.approx(total, rel=1e-9)
    assert buffer.stale_updates == 0
