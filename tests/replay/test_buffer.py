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

OBSERVATIONS = ("vector", "discrete", "pixels", "dict", "tuple")


class ByRows(ExperienceSourceFirstLast):
    """A user's source that changes every row on its way."""

    def __iter__(self):
        for row in super().__iter__():
            yield row._replace(reward=row.reward * 2)


def _envs(kind: str, count: int) -> list[Any]:
    return [scripted_env(kind, ident) for ident in range(count)]


def _vector(kind: str, count: int, mode: Any = gymnasium.vector.AutoresetMode.NEXT_STEP) -> Any:
    makers = [lambda ident=ident: scripted_env(kind, ident) for ident in range(count)]
    return gymnasium.vector.SyncVectorEnv(makers, autoreset_mode=mode)


def _cartpole(count: int) -> Any:
    return [gymnasium.make("CartPole-v1", max_episode_steps=14) for _ in range(count)]


SOURCES = {
    "one": lambda k: ExperienceSourceFirstLast(scripted_env(k), CycleAgent(), GAMMA),
    "n_step": lambda k: ExperienceSourceFirstLast(scripted_env(k), CycleAgent(), GAMMA, 3),
    "delta": lambda k: ExperienceSourceFirstLast(scripted_env(k), CycleAgent(), GAMMA, 3, 2),
    "list": lambda k: ExperienceSourceFirstLast(_envs(k, 3), CycleAgent(), GAMMA, 2),
    "vector": lambda k: VectorExperienceSourceFirstLast(_vector(k, 3), CycleAgent(), GAMMA, 2),
    "vector_same_step": lambda k: VectorExperienceSourceFirstLast(
        _vector(k, 3, gymnasium.vector.AutoresetMode.SAME_STEP), CycleAgent(), GAMMA, 3
    ),
    "steps": lambda k: ExperienceSource(scripted_env(k), CycleAgent(), 3),
    "steps_list": lambda k: ExperienceSource(_envs(k, 2), CycleAgent(), 2, 2),
    "overridden": lambda k: ByRows(_envs(k, 2), CycleAgent(), GAMMA, 2),
}


class Counting(ExperienceReplayBuffer):
    """A user's buffer that sees every row it gets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[Any] = []

    def _add(self, sample: Any) -> None:
        self.seen.append(sample)
        super()._add(sample)


def _first_rows(source: Any, count: int) -> list[Any]:
    return list(itertools.islice(source, count))


def _by_chunks(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(make(), capacity)
    for chunk in (1, 5, 0, 2, 20, 3, 16):
        buffer.populate(chunk)
    return buffer


def _row_by_row(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(make(), capacity)
    for _ in range(ROWS):
        buffer.populate(1)
    return buffer


def _at_once(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(make(), capacity)
    buffer.populate(ROWS)
    return buffer


def _by_add(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(None, capacity)
    for row in _first_rows(make(), ROWS):
        buffer.add(row)
    return buffer


def _by_private_add(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(None, capacity)
    for row in _first_rows(make(), ROWS):
        buffer._add(row)
    return buffer


def _by_extend(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(None, capacity)
    rows = _first_rows(make(), ROWS)
    buffer.extend(rows[:9])
    buffer.extend(row for row in rows[9:])
    return buffer


def _by_overridden_add(make: Any, capacity: int) -> Any:
    buffer = Counting(make(), capacity)
    buffer.populate(7)
    buffer.populate(ROWS - 7)
    assert len(buffer.seen) == ROWS
    return buffer


def _by_plain_iterable(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer((row for row in make()), capacity)
    buffer.populate(ROWS)
    return buffer


def _mixed(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(make(), capacity)
    buffer.populate(4)
    buffer.add(next(buffer.experience_source_iter))
    buffer.populate(1)
    buffer.extend(_first_rows(buffer.experience_source_iter, 6))
    buffer.populate(ROWS - 12)
    return buffer


def _pickled(make: Any, capacity: int) -> Any:
    buffer = ExperienceReplayBuffer(make(), capacity)
    buffer.populate(11)
    rest = _first_rows(buffer.experience_source_iter, ROWS - 11)
    copy = pickle.loads(pickle.dumps(buffer))
    copy.extend(pickle.loads(pickle.dumps(rest)))
    return copy


def _from_batches(make: Any, capacity: int) -> Any:
    first = _at_once(make, ROWS)
    buffer = ExperienceReplayBuffer(None, capacity)
    buffer.extend(list(first))
    return buffer


WAYS = (
    _at_once, _by_chunks, _row_by_row, _by_add, _by_private_add, _by_extend, _by_overridden_add,
    _by_plain_iterable, _mixed, _pickled, _from_batches,
)  # fmt: skip


@pytest.mark.parametrize("capacity", [10, 100])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_way_in_gives_the_same_buffer(name: str, way: Any, capacity: int) -> None:
    other = OBSERVATIONS[list(SOURCES).index(name) % len(OBSERVATIONS)]
    for kind in sorted({other, "pixels"}):
        make = partial(SOURCES[name], kind)
        plain = PlainBuffer(capacity)
        plain.extend(_first_rows(make(), ROWS))
        buffer = way(make, capacity)
        assert_holds(buffer, plain)
        assert_sample(buffer, plain, 30)


@pytest.mark.parametrize("kind", OBSERVATIONS)
@pytest.mark.parametrize("name", ["list", "vector", "steps"])
def test_every_observation_comes_through_every_source(name: str, kind: str) -> None:
    plain = PlainBuffer(20)
    plain.extend(_first_rows(SOURCES[name](kind), ROWS))
    for way in (_by_chunks, _by_add):
        assert_holds(way(lambda: SOURCES[name](kind), 20), plain)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("count", [1, 4])
def test_cartpole_rows_are_the_sources_rows(count: int, buffer_kind: str) -> None:
    def source() -> Any:
        return ExperienceSourceFirstLast(
            _cartpole(count), RandomAgent(2), GAMMA, steps_count=3, env_seed=5
        )

    plain = PlainBuffer(150)
    plain.extend(_first_rows(source(), 400))
    assert any(row.truncated for row in plain.rows)
    assert any(row.terminated for row in plain.rows)
    buffer = make_buffer(buffer_kind, source(), 150)
    for chunk in (100, 1, 1, 1, 37, 260):
        buffer.populate(chunk)
    assert_holds(buffer, plain)
    assert_sample(buffer, plain, 100)


def test_populate_takes_exactly_n_and_the_rest_of_a_vector_step_comes_first_next_time() -> None:
    rows = _first_rows(SOURCES["vector"]("pixels"), 30)
    buffer = ExperienceReplayBuffer(SOURCES["vector"]("pixels"), 100)
    taken = 0
    for chunk in (1, 1, 4, 0, 2, 7, 5, 10):
        buffer.populate(chunk)
        taken += chunk
        assert_rows(buffer, rows[:taken])


def test_rows_taken_from_the_iterator_are_not_given_to_the_buffer_again() -> None:
    rows = _first_rows(SOURCES["vector"]("vector"), 12)
    buffer = ExperienceReplayBuffer(SOURCES["vector"]("vector"), 100)
    buffer.populate(2)
    between = [next(buffer.experience_source_iter) for _ in range(3)]
    buffer.populate(7)
    assert_rows(between, rows[2:5])
    assert_rows(buffer, rows[:2] + rows[5:])


def test_any_iterable_of_rows_is_a_source() -> None:
    rows = [numbered(i) for i in range(9)]
    for source in (rows, tuple(rows), iter(rows), (row for row in rows)):
        buffer = ExperienceReplayBuffer(source, 4)
        buffer.populate(9)
        assert_rows(buffer, rows[5:])


def test_an_iterator_set_by_hand_is_the_one_that_populate_reads() -> None:
    buffer = ExperienceReplayBuffer(None, 4)
    buffer.experience_source_iter = iter([numbered(i) for i in range(3)])
    buffer.populate(2)
    assert_rows(buffer, [numbered(0), numbered(1)])


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


def test_sample_gives_exactly_n_rows_also_from_one_row() -> None:
    buffer = ExperienceReplayBuffer(None, 5, gamma=GAMMA)
    buffer.add(numbered(0))
    for n in (1, 2, 17):
        batch = buffer.sample(n)
        assert len(batch) == n
        assert_rows(batch, [numbered(0)] * n, GAMMA)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_equal_seeds_give_equal_samples_and_buffers_share_no_generator(buffer_kind: str) -> None:
    def numbers(seed: Any) -> list[int]:
        buffer = make_buffer(buffer_kind, None, 50, seed=seed)
        buffer.extend(numbered(i) for i in range(50))
        return drawn(buffer.sample(40)).indices.tolist()

    assert numbers(3) == numbers(3) == numbers(np.random.default_rng(3))
    assert numbers(3) != numbers(4)
    assert numbers(None) != numbers(None)


def test_discounts_of_hand_made_rows_need_a_gamma() -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(numbered(0))
    batch = buffer.sample(2)
    with pytest.raises((ValueError, AttributeError), match="gamma"):
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
@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_a_whole_buffer_pickles_without_its_source(kind: str, buffer_kind: str) -> None:
    served: list[Any] = []
    buffer = make_buffer(buffer_kind, feed(RowKitchen(kind, 1), served), 9, gamma=GAMMA)
    buffer.populate(16)
    plain = PlainBuffer(9)
    plain.extend(recipe.make() for recipe in served)
    copy = pickle.loads(pickle.dumps(buffer))
    assert copy.experience_source_iter is None
    assert_holds(copy, plain, GAMMA)
    assert np.array_equal(assert_sample(copy, plain, 20, GAMMA), drawn(buffer.sample(20)).indices)
    more = RowKitchen(kind, 1)
    recipes = [more.recipe() for _ in range(30)]
    copy.extend(recipe.make() for recipe in recipes)
    assert_holds(buffer, plain, GAMMA)
    plain.extend(recipe.make() for recipe in recipes)
    assert_holds(copy, plain, GAMMA)


def _collect_in_a_child() -> tuple[Any, list[Any]]:
    """Source and buffer made inside the child; the buffer and its rows travel back."""
    buffer = ExperienceReplayBuffer(_stack_source(), 12)
    buffer.populate(20)
    return buffer, list(buffer)


def _stack_source() -> Any:
    envs = [scripted_env("dict", ident) for ident in range(2)]
    return ExperienceSourceFirstLast(envs, CycleAgent(), GAMMA, steps_count=2)


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
