"""The table of rows: what comes back, and what an interrupted insertion leaves."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ptan
from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
)
from ptan.replay import frames

from .fakes import GAMMA, RowKitchen, Scored, make_buffer, numbered
from .oracles import (
    PlainBuffer,
    assert_columns,
    assert_holds,
    assert_invariants,
    assert_no_row_lost_a_frame,
    assert_rows,
    drawn,
    scribble,
)
from .twins import reloaded


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_later_changes_of_rows_read_do_not_reach_the_buffer(kind: str) -> None:
    kitchen = RowKitchen(kind, 3)
    recipes = [kitchen.recipe() for _ in range(12)]
    buffer = make_buffer("uniform", None, 8, gamma=GAMMA)
    buffer.extend(recipe.make() for recipe in recipes)
    for row in [*buffer, *buffer.sample(20), buffer.buffer[0]]:
        scribble(row)
    plain = PlainBuffer(8)
    plain.extend(recipe.make() for recipe in recipes)
    assert_holds(buffer, plain, GAMMA)


@pytest.mark.parametrize(
    "state",
    [
        np.arange(6, dtype=np.int64).reshape(2, 3).T,
        np.asfortranarray(np.arange(8.0).reshape(2, 4)),
        np.arange(20, dtype=np.uint8)[::3],
        np.arange(4096, dtype=np.uint8).reshape(4, 32, 32)[:, ::-1, ::2],
        np.array([True, False, True]),
        np.array([1.5, -2.5], dtype=np.float16),
        np.arange(4 * 300, dtype=np.float64).reshape(4, 300),
        np.arange(17 * 256, dtype=np.uint8).reshape(17, 256),
        np.arange(16 * 257, dtype=np.uint16).reshape(16, 257),
        np.arange(2 * 255, dtype=np.uint8).reshape(2, 255),
        np.float32(0.5),
        np.broadcast_to(np.uint8(9), (3, 16, 16)),
        7,
    ],
    ids=lambda s: f"{type(s).__name__}-{getattr(s, 'dtype', '')}-{getattr(s, 'shape', '')}",
)
def test_any_memory_layout_dtype_and_shape_comes_back_as_it_was(state: Any) -> None:
    wanted = state.item() if isinstance(state, np.generic) else state
    other = np.ascontiguousarray(state)[::-1].copy() if isinstance(state, np.ndarray) else wanted
    rows = [
        ExperienceFirstLast(state, 1, 0.5, other),
        ExperienceFirstLast(other, 0, 1.5, None),
        ExperienceFirstLast(other, 0, 2.5, None, truncated=True, final_state=state),
    ]
    buffer = ExperienceReplayBuffer(None, 3, gamma=GAMMA)
    buffer.extend(rows)
    got = list(buffer)
    assert_rows(got, rows, GAMMA)
    assert type(got[0].state) is type(wanted)
    batch = buffer.sample(5)
    assert_columns(batch, [rows[i] for i in batch.indices], GAMMA)


@pytest.mark.parametrize(
    "rewards",
    [
        [1, -2, 0.1, 3, 1 / 3, 1e-300, 2**31 + 1, np.float32(0.1).item()],
        [np.array([1, 2]), np.array([0.5, 0.1]), np.array([3.0, 4.0], dtype=np.float32)],
    ],
)
def test_rewards_are_stored_exactly_and_widened_when_a_later_row_needs_it(rewards: Any) -> None:
    buffer = ExperienceReplayBuffer(None, len(rewards), gamma=GAMMA)
    for reward in rewards:
        buffer.add(ExperienceFirstLast(0, 0, reward, 1))
    assert all(np.array_equal(r.reward, w) for r, w in zip(buffer, rewards, strict=True))
    batch = buffer.sample(64)
    assert batch.rewards.dtype == np.float32
    assert np.array_equal(batch.rewards, np.float32([rewards[i] for i in batch.indices]))


def test_a_step_that_does_not_say_what_came_after_is_not_given_a_final_state() -> None:
    buffer = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    buffer.add(Experience(1, 0, 0.5, False))
    buffer.add(Experience(2, 0, 0.5, False, final_state=3))
    assert [row.final_state for row in buffer] == [None, 3]
    windows = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    windows.add((Experience(1, 0, 0.5, False), Experience(2, 0, 0.5, False)))
    assert [step.final_state for step in windows.buffer[0]] == [2, None]


def test_steps_widen_the_columns_when_a_longer_tuple_comes() -> None:
    step = Experience(np.zeros(3, np.float32), 1, 0.5, False, final_state=np.ones(3, np.float32))
    rows = [(step,), (step, step), (step, step, step), (step,)]
    buffer = ExperienceReplayBuffer(None, 2, gamma=GAMMA)
    for length, row in zip([1, 2, 3, 3], rows, strict=True):
        buffer.add(row)
        batch = buffer.sample(4)
        assert batch.states.shape == (4, length, 3)
        assert batch.rewards.shape == (4, length)
    assert_rows(buffer, rows[2:], GAMMA)


@pytest.mark.parametrize("order", ["abc", "bca"])
def test_dicts_in_another_order_keep_their_parts(order: str) -> None:
    def row(names: str) -> ExperienceFirstLast:
        state = {name: np.full(2, ord(name), np.float32) for name in names}
        return ExperienceFirstLast(state, 1, 0.5, state)

    buffer, other = (ExperienceReplayBuffer(None, 9, gamma=GAMMA) for _ in range(2))
    buffer.add(row("cab"))
    other.add(row(order))
    buffer.insert(other.sample(2).transitions)  # columns, as a source gives them
    for got in buffer:
        assert got == row("cab")


LIBRARY = str(Path(ptan.__file__).parent)

# Rows are turned into arrays there, before anything is stored.
BEFORE_STORAGE = ("coding.py", "layout.py", "rows.py")


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
    raise AssertionError("half-written rows, or rows out of order")


@pytest.mark.parametrize("buffer_kind", ["uniform", "prioritized"])
@pytest.mark.parametrize(
    ("kind", "before"), [("dict", 0), ("stack", 7), ("dict", 7), ("scored", 7), ("steps", 7)]
)
def test_an_interrupt_at_any_line_leaves_whole_rows(
    kind: str, buffer_kind: str, before: int
) -> None:
    line, more = 0, True
    while more:
        line += 1
        kitchen = RowKitchen(kind, 3)
        history = [kitchen.recipe().make() for _ in range(before)]
        buffer = make_buffer(buffer_kind, None, 5, gamma=GAMMA)
        buffer.extend(history)
        rows = [kitchen.recipe().make() for _ in range(3)]
        more = _interrupted(buffer, rows, line)
        if line % 3 == 0:
            buffer = reloaded(buffer, make_buffer(buffer_kind, None, 5, gamma=GAMMA), rows)
        history = (history + rows)[: _assert_whole(buffer, history + rows, len(rows))]
        for n in (1, 1, 4):
            rows = [kitchen.recipe().make() for _ in range(n)]
            history += rows
            buffer.extend(rows)
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


def test_added_fields_keep_the_shape_and_kind_of_the_first() -> None:
    row = Scored(*numbered(0), 0.1, np.zeros(2), discount=0.9)
    buffer = ExperienceReplayBuffer(None, 5, gamma=GAMMA)
    buffer.add(row)
    for bad in ({"trace": np.zeros(3)}, {"trace": 1.0}, {"score": np.zeros(1)}):
        with pytest.raises((ValueError, TypeError)):
            buffer.extend([row, row._replace(**bad)])
    assert_rows(buffer, [row], GAMMA)
