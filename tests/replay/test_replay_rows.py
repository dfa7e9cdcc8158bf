"""What a replay buffer keeps, shows and samples."""

import itertools
import multiprocessing
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
)

from .fakes import BUFFERS, GAMMA, CycleAgent, RowKitchen, feed, make_buffer, numbered, scripted_env
from .oracles import (
    PlainBuffer,
    assert_columns,
    assert_frequencies,
    assert_holds,
    assert_rows,
    assert_sample,
    drawn,
    is_steps,
    scribble,
)

# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_later_changes_of_a_given_row_do_not_reach_the_buffer(kind: str, buffer_kind: str) -> None:
    kitchen = RowKitchen(kind, 3)
    recipes = [kitchen.recipe() for _ in range(12)]
    buffer = make_buffer(buffer_kind, None, 8, gamma=GAMMA)
    given = [recipe.make() for recipe in recipes]
    buffer.add(given[0])
    buffer.extend(given[1:])
    for row in given:
        scribble(row)
    plain = PlainBuffer(8)
    plain.extend(recipe.make() for recipe in recipes)
    assert_holds(buffer, plain, GAMMA)
    for row in buffer:
        scribble(row)
    for row in drawn(buffer.sample(20)):
        scribble(row)
    scribble(buffer.buffer[0])
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
        np.int64(3),
        np.zeros((1, 300), dtype=np.uint8),
        np.broadcast_to(np.uint8(9), (3, 16, 16)),
        2.5,
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


def test_numpy_scalars_come_back_as_python_scalars() -> None:
    row = ExperienceFirstLast(np.int32(3), np.int64(1), np.float32(0.5), np.int32(4))
    buffer = ExperienceReplayBuffer(None, 2)
    buffer.add(row)
    got = next(iter(buffer))
    assert (type(got.state), type(got.action), type(got.reward)) == (int, int, float)
    assert got == ExperienceFirstLast(3, 1, 0.5, 4)


def test_rewards_are_stored_exactly_and_widened_when_a_later_row_needs_it() -> None:
    rewards = [1, -2, 0.1, 3, 1 / 3, 1e-300, 2**31 + 1, np.float32(0.1).item()]
    buffer = ExperienceReplayBuffer(None, len(rewards), gamma=GAMMA)
    for reward in rewards:
        buffer.add(ExperienceFirstLast(0, 0, reward, 1))
    assert [row.reward for row in buffer] == rewards
    batch = buffer.sample(64)
    assert batch.rewards.dtype == np.float32
    assert np.array_equal(batch.rewards, np.float32([rewards[i] for i in batch.indices]))


def test_vector_rewards_keep_their_shape_and_widen() -> None:
    rewards = [np.array([1, 2]), np.array([0.5, 0.1]), np.array([3.0, 4.0], dtype=np.float32)]
    buffer = ExperienceReplayBuffer(None, 3, gamma=GAMMA)
    buffer.extend(ExperienceFirstLast(0, 0, reward, 1) for reward in rewards)
    assert all(np.array_equal(r.reward, w) for r, w in zip(buffer, rewards, strict=True))
    batch = buffer.sample(6)
    assert batch.rewards.shape == (6, 2)
    assert batch.rewards.dtype == np.float32


def test_a_step_that_does_not_say_what_came_after_is_not_given_a_final_state() -> None:
    buffer = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    buffer.add(Experience(1, 0, 0.5, False))
    buffer.add(Experience(2, 0, 0.5, False, final_state=3))
    assert [row.final_state for row in buffer] == [None, 3]
    windows = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    windows.add((Experience(1, 0, 0.5, False), Experience(2, 0, 0.5, False)))
    assert [step.final_state for step in windows.buffer[0]] == [2, None]


@pytest.mark.parametrize(
    "items", [[1, 2, 3], ["a", "b", "c"], [(1, 2), (3, 4), ()], [{}, {}, {1: 2}]]
)
@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_any_other_object_is_kept_as_given_and_has_no_columns(items: Any, buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, items, 2)
    buffer.populate(3)
    assert list(buffer) == items[1:]
    assert all(a is b for a, b in zip(buffer, items[1:], strict=True))
    batch = drawn(buffer.sample(10))
    assert len(batch) == 10
    assert all(item is items[number] for item, number in zip(batch, batch.indices, strict=True))
    with pytest.raises(AttributeError, match="states"):
        _ = batch.states
    assert list(pickle.loads(pickle.dumps(buffer))) == items[1:]


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
    assert is_steps(buffer.sample(1)[0])


# --- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_the_row_view_cannot_be_written(buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, None, 3)
    buffer.extend(numbered(i) for i in range(4))
    with pytest.raises((TypeError, AttributeError), match="add"):
        buffer.buffer[0] = numbered(9)
    with pytest.raises((TypeError, AttributeError), match="add"):
        buffer.buffer.append(numbered(9))
    assert_rows(buffer.buffer, [numbered(3), numbered(1), numbered(2)])
    assert buffer.buffer[-1] == numbered(2)
    with pytest.raises(IndexError):
        _ = buffer.buffer[3]
    assert_rows(buffer, [numbered(1), numbered(2), numbered(3)])


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


# --- gamma ---------------------------------------------------------------------------------------


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


# --- processes -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("rows_first", ["source", "hand"])
def test_dicts_in_another_order_keep_their_parts(rows_first: str) -> None:
    def ordered(names: str) -> Any:
        return {name: np.full(2, ord(name), np.float32) for name in names}

    class Env(gymnasium.Env):
        observation_space = gymnasium.spaces.Dict(
            {name: gymnasium.spaces.Box(0, 200, (2,)) for name in "abc"}
        )
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return ordered("abc"), {}

        def step(self, action: Any) -> Any:
            return ordered("abc"), 1.0, False, False, {}

    source = ExperienceSourceFirstLast(Env(), CycleAgent(), 0.9)
    buffer = ExperienceReplayBuffer(source, 9)
    row = ExperienceFirstLast(ordered("cab"), 1, 0.5, ordered("bac"))
    for feed_now in ("hand", "source") if rows_first == "hand" else ("source", "hand"):
        if feed_now == "hand":
            buffer.add(row)
        else:
            buffer.populate(3)
    for got in buffer:
        for state in (got.state, got.last_state):
            assert {name: part.tolist() for name, part in state.items()} == {
                name: [ord(name)] * 2 for name in "abc"
            }
