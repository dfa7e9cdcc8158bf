"""What a replay buffer refuses, and that a refusal changes nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ptan.experience import Experience, ExperienceFirstLast, ExperienceReplayBuffer

from .fakes import BUFFERS, GAMMA, Scored, make_buffer, numbered
from .oracles import PlainBuffer, assert_holds, assert_rows, assert_sample

# --- refusals ------------------------------------------------------------------------------------

STACK = np.zeros((3, 16, 16), np.uint8)
GOOD = ExperienceFirstLast(STACK, 1, 0.5, STACK)
REFUSED = {
    "state shape": ExperienceFirstLast(STACK[:2], 1, 0.5, STACK[:2]),
    "last state shape": ExperienceFirstLast(STACK, 1, 0.5, STACK[:2]),
    "state dtype": ExperienceFirstLast(STACK.astype(np.float32), 1, 0.5, STACK),
    "last state dtype": ExperienceFirstLast(STACK, 1, 0.5, STACK.astype(np.int16)),
    "state kind": ExperienceFirstLast({"a": STACK}, 1, 0.5, {"a": STACK}),
    "state scalar": ExperienceFirstLast(3, 1, 0.5, 4),
    "action shape": ExperienceFirstLast(STACK, np.zeros(2), 0.5, STACK),
    "action dtype": ExperienceFirstLast(STACK, 0.5, 0.5, STACK),
    "reward shape": ExperienceFirstLast(STACK, 1, np.zeros(2), STACK),
    "reward nan": ExperienceFirstLast(STACK, 1, float("nan"), STACK),
    "reward inf": ExperienceFirstLast(STACK, 1, float("inf"), STACK),
    "final state shape": ExperienceFirstLast(
        STACK, 1, 0.5, None, truncated=True, final_state=STACK[:1]
    ),
    "truncated, no final state": ExperienceFirstLast(STACK, 1, 0.5, None, truncated=True),
    "going on to nowhere": ExperienceFirstLast(STACK, 1, 0.5, None, terminated=False),
    "terminated, but goes on": ExperienceFirstLast(STACK, 1, 0.5, STACK, terminated=True),
    "class": Experience(STACK, 1, 0.5, True),
    "subclass": Scored(STACK, 1, 0.5, STACK, 0.1, np.zeros(2)),
    "steps": (Experience(STACK, 1, 0.5, True),),
    "no row": 3,
}


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("bad", REFUSED)
def test_a_row_that_differs_raises_and_changes_nothing(bad: str, buffer_kind: str) -> None:
    plain = PlainBuffer(3)
    buffer = make_buffer(buffer_kind, [], 3, gamma=GAMMA)
    for _ in range(5):
        for feeding in (
            buffer.add,
            buffer._add,
            lambda row: buffer.extend([GOOD, row]),
            lambda row: buffer.extend([GOOD] * 5 + [row, GOOD]),
        ):
            if plain.rows:
                with pytest.raises((ValueError, TypeError)):
                    feeding(REFUSED[bad])
                assert_holds(buffer, plain, GAMMA)
        buffer.add(GOOD)
        plain.extend([GOOD])
    assert_sample(buffer, plain, 9, GAMMA)


WRONG_FROM_THE_START = (
    "last state shape", "last state dtype", "reward nan", "reward inf", "final state shape",
    "truncated, no final state", "going on to nowhere", "terminated, but goes on",
)  # fmt: skip


@pytest.mark.parametrize("bad", WRONG_FROM_THE_START)
def test_a_refused_first_row_fixes_nothing(bad: str) -> None:
    buffer = ExperienceReplayBuffer(None, 3, gamma=GAMMA)
    with pytest.raises((ValueError, TypeError)):
        buffer.add(REFUSED[bad])
    with pytest.raises((ValueError, TypeError)):
        buffer.extend([GOOD, GOOD, REFUSED[bad]])
    assert len(buffer) == buffer.pos == 0
    buffer.add(numbered(0))
    assert_rows(buffer, [numbered(0)], GAMMA)


def test_nested_observations_must_have_the_keys_of_the_first() -> None:
    first = {"a": np.zeros(3), "b": (np.zeros(2), 1)}
    buffer = ExperienceReplayBuffer(None, 3, gamma=GAMMA)
    buffer.add(ExperienceFirstLast(first, 0, 0.0, first))
    for other in (
        {"a": np.zeros(3)},
        {**first, "c": 1},
        {**first, "b": (np.zeros(2),)},
        {**first, "b": (np.zeros(3), 1)},
        np.zeros(3),
    ):
        with pytest.raises((ValueError, TypeError)):
            buffer.add(ExperienceFirstLast(other, 0, 0.0, other))
    assert_rows(buffer, [ExperienceFirstLast(first, 0, 0.0, first)], GAMMA)


def test_a_refused_row_among_steps_changes_nothing() -> None:
    step = Experience(STACK, 1, 0.5, False, final_state=STACK)
    buffer = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    buffer.add((step, step))
    for bad in (
        step._replace(state=STACK[:1]),
        step._replace(reward=float("nan")),
        step._replace(done=True, truncated=True, final_state=None),
        GOOD,
        3,
    ):
        with pytest.raises((ValueError, TypeError)):
            buffer.add((step, bad, step))
    assert_rows(buffer, [(step, step)], GAMMA)
    assert buffer.sample(2).states.shape == (2, 2, 3, 16, 16)


def test_extend_takes_all_or_nothing_when_the_rows_stop_half_way() -> None:
    def rows() -> Any:
        yield numbered(0)
        yield numbered(1)
        raise ConnectionError("the game went away")

    buffer = ExperienceReplayBuffer(None, 5)
    buffer.add(numbered(7))
    with pytest.raises(ConnectionError):
        buffer.extend(rows())
    assert_rows(buffer, [numbered(7)])


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("capacity", [0, -3, 2.5, "10", None])
def test_a_capacity_that_is_no_positive_whole_number_raises(
    buffer_kind: str, capacity: Any
) -> None:
    with pytest.raises((ValueError, TypeError), match="size"):
        make_buffer(buffer_kind, None, capacity)


def test_a_numpy_integer_is_a_capacity() -> None:
    assert ExperienceReplayBuffer(None, np.int64(3)).capacity == 3


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_an_empty_buffer_says_so_when_it_is_sampled(buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, None, 5)
    assert len(buffer) == 0
    assert list(buffer) == []
    assert list(buffer.buffer) == []
    with pytest.raises((ValueError, IndexError, RuntimeError), match="empty"):
        buffer.sample(1)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_no_rows_raises(size: int, buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, None, 5)
    buffer.add(numbered(0))
    with pytest.raises(ValueError, match=f"got {size}"):
        buffer.sample(size)


@pytest.mark.parametrize("count", [-1, 2.5, None])
def test_populate_takes_a_whole_number_of_rows(count: Any) -> None:
    buffer = ExperienceReplayBuffer([numbered(0)], 5)
    with pytest.raises((ValueError, TypeError), match="samples"):
        buffer.populate(count)
    buffer.populate(1)
    assert_rows(buffer, [numbered(0)])


def test_populate_without_a_source_says_so() -> None:
    buffer = ExperienceReplayBuffer(None, 5)
    with pytest.raises((ValueError, RuntimeError), match="source"):
        buffer.populate(1)


def test_added_fields_keep_the_shape_and_kind_of_the_first() -> None:
    row = Scored(STACK, 1, 0.5, STACK, 0.1, np.zeros(2))
    buffer = ExperienceReplayBuffer(None, 5, gamma=GAMMA)
    buffer.add(row)
    for bad in ({"trace": np.zeros(3)}, {"trace": 1.0}, {"score": np.zeros(1)}):
        with pytest.raises((ValueError, TypeError)):
            buffer.extend([row, row._replace(**bad)])
    with pytest.raises((ValueError, TypeError)):
        buffer.add(GOOD)
    assert_rows(buffer, [row], GAMMA)


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_gamma_lies_between_zero_and_one(gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma"):
        ExperienceReplayBuffer(None, 5, gamma=gamma)


def test_a_source_that_ends_is_an_error_that_keeps_its_rows() -> None:
    buffer = ExperienceReplayBuffer([numbered(0), numbered(1)], 5)
    with pytest.raises(RuntimeError, match="ended"):
        buffer.populate(3)
    assert_rows(buffer, [numbered(0), numbered(1)])


@dataclass(frozen=True)
class Weighted(ExperienceFirstLast):
    weights: float = 1.0


def test_an_added_field_may_not_hide_a_column_of_the_batch() -> None:
    buffer = ExperienceReplayBuffer(None, 4)
    with pytest.raises(ValueError, match="'weights'"):
        buffer.add(Weighted(np.zeros(2), 0, 0.0, None, 2.0))
    assert len(buffer) == 0
