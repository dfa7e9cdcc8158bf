"""Buffers: every way in gives the same rows, every way out follows the rules."""

import itertools
import multiprocessing
import pickle
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from ptan.experience import (
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
    batch_generator,
)

from .fakes import (
    BUFFERS,
    GAMMA,
    CycleAgent,
    RandomAgent,
    RowKitchen,
    feed,
    make_buffer,
    numbered,
    scripted_env,
)
from .oracles import (
    PlainBuffer,
    assert_frequencies,
    assert_holds,
    assert_rows,
    assert_sample,
    drawn,
)

ROWS = 47


class ByRows(ExperienceSourceFirstLast):
    """A user's source that changes every row on its way."""

    def __iter__(self):
        for row in super().__iter__():
            yield row._replace(reward=row.reward * 2)


def _envs(kind: str, count: int) -> list[Any]:
    return [scripted_env(kind, ident) for ident in range(count)]


def _vector(kind: str, n: int, mode: str) -> Any:
    makers = [partial(scripted_env, kind, ident) for ident in range(3)]
    env = gymnasium.vector.SyncVectorEnv(
        makers, autoreset_mode=getattr(gymnasium.vector.AutoresetMode, mode)
    )
    return VectorExperienceSourceFirstLast(env, CycleAgent(), GAMMA, n)


SOURCES = {
    "n_step": lambda k: ExperienceSourceFirstLast(scripted_env(k), CycleAgent(), GAMMA, 3),
    "delta": lambda k: ExperienceSourceFirstLast(scripted_env(k), CycleAgent(), GAMMA, 3, 2),
    "list": lambda k: ExperienceSourceFirstLast(_envs(k, 3), CycleAgent(), GAMMA, 2),
    "vector": lambda k: _vector(k, 2, "NEXT_STEP"),
    "vector_same_step": lambda k: _vector(k, 3, "SAME_STEP"),
    "steps": lambda k: ExperienceSource(scripted_env(k), CycleAgent(), 3),
    "steps_list": lambda k: ExperienceSource(_envs(k, 2), CycleAgent(), 2, 2),
    "overridden": lambda k: ByRows(_envs(k, 2), CycleAgent(), GAMMA, 2),
}
OBSERVATIONS = dict(
    zip(SOURCES, itertools.cycle(("vector", "discrete", "pixels", "dict", "tuple")), strict=False)
)


class Counting(ExperienceReplayBuffer):
    """A user's buffer that sees every row it gets."""

    seen = 0

    def _add(self, sample: Any) -> None:
        self.seen += 1
        super()._add(sample)


def _first_rows(source: Any, count: int) -> list[Any]:
    return list(itertools.islice(source, count))


def _by_chunks(buffer: Any) -> None:
    for chunk in (1, 5, 0, 2, 20, 3, 16):
        buffer.populate(chunk)


def _row_by_row(buffer: Any) -> None:
    for _ in range(ROWS):
        buffer.populate(1)


def _by_private_add(buffer: Any) -> None:
    for row in _first_rows(buffer.experience_source_iter, ROWS):
        buffer._add(row)


def _by_extend(buffer: Any) -> None:
    rows = _first_rows(buffer.experience_source_iter, ROWS)
    buffer.extend(rows[:9])
    buffer.extend(row for row in rows[9:])


def _by_plain_iterable(buffer: Any) -> None:
    buffer.experience_source_iter = (row for row in buffer.experience_source_iter)
    buffer.populate(ROWS)


def _mixed(buffer: Any) -> None:
    buffer.populate(4)
    buffer.add(next(buffer.experience_source_iter))
    buffer.populate(1)
    buffer.extend(_first_rows(buffer.experience_source_iter, 6))
    buffer.populate(ROWS - 12)


WAYS = (_by_chunks, _row_by_row, _by_private_add, _by_extend, _by_plain_iterable, _mixed)


@pytest.mark.parametrize("capacity", [10, 100])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_way_in_gives_the_same_buffer(name: str, way: Any, capacity: int) -> None:
    for kind in sorted({OBSERVATIONS[name], "pixels"}):
        plain = PlainBuffer(capacity)
        plain.extend(_first_rows(SOURCES[name](kind), ROWS))
        buffer = ExperienceReplayBuffer(SOURCES[name](kind), capacity)
        way(buffer)
        assert_holds(buffer, plain)
        assert_sample(buffer, plain, 30)


@pytest.mark.parametrize("name", SOURCES)
def test_an_overridden_add_sees_every_row(name: str) -> None:
    plain = PlainBuffer(10)
    plain.extend(_first_rows(SOURCES[name]("tuple"), ROWS))
    buffer = Counting(SOURCES[name]("tuple"), 10)
    buffer.populate(ROWS)
    assert buffer.seen == ROWS
    assert_holds(buffer, plain)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("count", [1, 4])
def test_cartpole_rows_are_the_sources_rows(count: int, buffer_kind: str) -> None:
    def source() -> Any:
        envs = [gymnasium.make("CartPole-v1", max_episode_steps=14) for _ in range(count)]
        return ExperienceSourceFirstLast(envs, RandomAgent(2), GAMMA, steps_count=3, env_seed=5)

    plain = PlainBuffer(150)
    plain.extend(_first_rows(source(), 400))
    assert any(row.truncated for row in plain.rows)
    assert any(row.terminated for row in plain.rows)
    buffer = make_buffer(buffer_kind, source(), 150)
    for chunk in (100, 1, 1, 1, 37, 260):
        buffer.populate(chunk)
    assert_holds(buffer, plain)
    assert_sample(buffer, plain, 100)


def test_populate_takes_exactly_n_and_rows_taken_by_hand_do_not_come_again() -> None:
    rows = _first_rows(SOURCES["vector"]("pixels"), 22)
    buffer = ExperienceReplayBuffer(SOURCES["vector"]("pixels"), 100)
    taken = 0
    for chunk in (1, 1, 4, 0, 2, 4):  # The rest of a vector step comes first next time.
        buffer.populate(chunk)
        taken += chunk
        assert_rows(buffer, rows[:taken])
    assert_rows([next(buffer.experience_source_iter) for _ in range(3)], rows[12:15])
    buffer.populate(7)
    assert_rows(buffer, rows[:12] + rows[15:])


def test_any_iterable_of_rows_is_a_source() -> None:
    rows = [numbered(i) for i in range(9)]
    for source in (rows, tuple(rows), iter(rows), (row for row in rows)):
        buffer = ExperienceReplayBuffer(source, np.int64(4))
        buffer.populate(9)
        assert_rows(buffer, rows[5:])


def test_an_exception_of_the_source_leaves_whole_rows_in_order() -> None:
    def rows() -> Any:
        yield from (numbered(i) for i in range(5))
        raise ConnectionError("the game went away")

    buffer = ExperienceReplayBuffer(rows(), 10)
    buffer.populate(2)
    with pytest.raises(ConnectionError, match="went away"):
        buffer.populate(6)
    held = list(buffer)
    assert 2 <= len(held) <= 5
    assert_rows(held, [numbered(i) for i in range(len(held))])
    buffer.add(numbered(7))
    assert len(buffer) == len(held) + 1


def test_batch_generator_populates_then_adds_one_row_per_batch() -> None:
    buffer = ExperienceReplayBuffer((numbered(i) for i in itertools.count()), 100, gamma=GAMMA)
    sizes = []
    for batch in itertools.islice(batch_generator(buffer, initial=10, batch_size=4), 5):
        assert len(batch) == 4
        sizes.append(len(buffer))
    assert sizes == [11, 12, 13, 14, 15]


def test_sampling_is_uniform_with_replacement_over_every_slot() -> None:
    buffer = ExperienceReplayBuffer(None, 13, rng=4)
    for added in (1, 5, 13, 29):
        while buffer.pos != added % 13 or len(buffer) != min(added, 13):
            buffer.add(numbered(0))
        numbers = np.concatenate([buffer.sample(32).indices for _ in range(200)])
        slots = np.bincount(numbers % 13, minlength=len(buffer))
        assert_frequencies(slots, np.full(len(buffer), 1 / len(buffer)))


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_equal_seeds_give_equal_samples_and_buffers_share_no_generator(buffer_kind: str) -> None:
    def numbers(seed: Any) -> list[int]:
        buffer = make_buffer(buffer_kind, None, 50, seed=seed)
        buffer.extend(numbered(i) for i in range(50))
        return drawn(buffer.sample(40)).indices.tolist()

    assert numbers(3) == numbers(3) == numbers(np.random.default_rng(3))
    assert numbers(3) != numbers(4)
    assert numbers(None) != numbers(None)


def test_a_batch_of_given_rows_shares_no_memory_with_their_numbers() -> None:
    buffer = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    buffer.extend(numbered(i) for i in range(6))
    numbers = np.array([5, 2, 2])
    batch = buffer.take(numbers)
    numbers[:] = 0
    assert batch.indices.tolist() == batch.states.tolist() == [5, 2, 2]


@pytest.mark.parametrize("numbers", [[], [1], [6], [-1], [2.0], [[2]]], ids=str)
def test_rows_that_are_not_there_cannot_be_taken(numbers: list[Any]) -> None:
    buffer = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    buffer.extend(numbered(i) for i in range(6))
    with pytest.raises(ValueError, match=r"numbers must be row numbers in \[2, 6\)"):
        buffer.take(np.array(numbers))


def test_discounts_of_hand_made_rows_need_a_gamma() -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(numbered(0))
    batch = buffer.sample(2)
    with pytest.raises(ValueError, match="gamma"):
        _ = batch.discounts
    assert batch.rewards.tolist() == [0.0, 0.0]
    assert next(iter(buffer)).discount is None


def test_gamma_fills_in_only_missing_discounts() -> None:
    buffer = ExperienceReplayBuffer(None, 4, gamma=0.5)
    rows = [
        numbered(0, steps=3),
        numbered(1, discount=0.75),
        ExperienceFirstLast(2, 0, 0.0, None),
        ExperienceFirstLast(3, 0, 0.0, None, truncated=True, final_state=4, steps=2),
    ]
    buffer.extend(rows)
    batch = buffer.sample(40)
    assert np.array_equal(batch.discounts, np.float32([0.125, 0.75, 0.0, 0.25])[batch.indices])
    assert [row.discount for row in buffer] == [0.125, 0.75, 0.0, 0.25]
    assert batch.dones.tolist() == (batch.indices == 2).tolist()


@pytest.mark.parametrize(("gamma", "expected"), [(None, GAMMA), (0.5, 0.5)])
def test_gamma_of_the_source_unless_the_buffer_has_its_own(gamma: Any, expected: float) -> None:
    source = ExperienceSourceFirstLast(scripted_env(), CycleAgent(), GAMMA)
    buffer = ExperienceReplayBuffer(source, 10, gamma=gamma)
    buffer.populate(1)
    stored = next(iter(buffer))
    assert stored.discount == GAMMA
    buffer.add(stored._replace(discount=None))
    assert list(buffer)[1].discount == expected


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_a_pickled_buffer_goes_on_alone_without_its_source(buffer_kind: str) -> None:
    served: list[Any] = []
    buffer = make_buffer(buffer_kind, feed(RowKitchen("dict", 1), served), 9, gamma=GAMMA)
    buffer.populate(16)
    plain = PlainBuffer(9)
    plain.extend(recipe.make() for recipe in served)
    copy = pickle.loads(pickle.dumps(buffer))
    assert copy.experience_source is copy.experience_source_iter is None
    assert np.array_equal(assert_sample(copy, plain, 20, GAMMA), drawn(buffer.sample(20)).indices)
    copy.extend(recipe.make() for recipe in served)
    assert_holds(buffer, plain, GAMMA)


def _collect_in_a_child() -> tuple[Any, list[Any]]:
    """Source and buffer made inside the child; the buffer and its rows travel back."""
    buffer = ExperienceReplayBuffer(_stack_source(), 12)
    buffer.populate(20)
    return buffer, list(buffer)


def _stack_source() -> Any:
    return ExperienceSourceFirstLast(_envs("dict", 2), CycleAgent(), GAMMA, steps_count=2)


def test_rows_and_buffers_come_back_from_a_spawned_child() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        buffer, rows = pool.apply(_collect_in_a_child)
    plain = PlainBuffer(12)
    plain.extend(itertools.islice(_stack_source(), 20))
    assert_rows(rows, plain.rows)
    assert_holds(buffer, plain)
    own = ExperienceReplayBuffer(_stack_source(), 30)
    own.populate(3)
    own.extend(rows)
    assert_rows(list(own)[3:], plain.rows)
