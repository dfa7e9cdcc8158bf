"""Rows one by one, subclasses of the old library, items that are no rows."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from ptan.experience import (
    Batch,
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
    PrioritizedReplayBuffer,
    batch_generator,
)

from .fakes import BUFFERS, GAMMA, CycleAgent, make_buffer, numbered, scripted_env
from .oracles import (
    assert_rows,
    drawn,
)


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


class HandWritten(ExperienceReplayBuffer):
    """A prioritized buffer as notebooks write it: own list, no call of the base constructor."""

    def __init__(self, exp_source: Any, buf_size: int, prob_alpha: float = 0.6) -> None:
        self.experience_source_iter = None if exp_source is None else iter(exp_source)
        self.capacity = buf_size
        self.pos = 0
        self.buffer: list[Any] = []
        self.prob_alpha = prob_alpha
        self.priorities = np.zeros(buf_size, dtype=np.float32)

    def populate(self, count: int) -> None:
        highest = self.priorities.max() if self.buffer else 1.0
        for _ in range(count):
            row = next(self.experience_source_iter)
            if len(self.buffer) == self.capacity:
                self.buffer[self.pos] = row
            else:
                self.buffer.append(row)
            self.priorities[self.pos] = highest
            self.pos = (self.pos + 1) % self.capacity

    def sample(self, batch_size: int, beta: float = 0.4) -> Any:
        mass = self.priorities[: len(self.buffer)] ** self.prob_alpha
        probabilities = mass / mass.sum()
        chosen = np.random.default_rng(0).choice(len(self.buffer), batch_size, p=probabilities)
        weights = (len(self.buffer) * probabilities[chosen]) ** -beta
        return [self.buffer[i] for i in chosen], chosen, np.float32(weights / weights.max())

    def update_priorities(self, batch_indices: Any, batch_priorities: Any) -> None:
        self.priorities[batch_indices] = batch_priorities


def test_a_published_buffer_that_never_calls_the_base_constructor_works() -> None:
    buffer = HandWritten((numbered(i) for i in itertools.count()), 5)
    assert len(buffer) == 0
    assert list(buffer) == []
    buffer.populate(3)
    assert len(buffer) == 3
    assert [row.state for row in buffer] == [0, 1, 2]
    buffer.populate(5)
    assert len(buffer) == 5
    assert list(buffer) == buffer.buffer
    assert [row.state for row in buffer] == [5, 6, 7, 3, 4]
    rows, chosen, weights = buffer.sample(16)
    assert [row.state for row in rows] == [buffer.buffer[i].state for i in chosen]
    buffer.update_priorities(chosen, weights + 1)
    assert Batch.from_rows(rows, gamma=GAMMA).rewards.tolist() == [r.reward for r in rows]
    generated = batch_generator(buffer, initial=2, batch_size=4)
    assert len(next(generated)[0]) == 4
    assert [row.state for row in buffer] == [10, 6, 7, 8, 9]


def test_a_published_buffer_pickles_without_its_iterator() -> None:
    buffer = HandWritten((numbered(i) for i in itertools.count()), 5)
    buffer.populate(7)
    copy = pickle.loads(pickle.dumps(buffer))
    assert copy.experience_source_iter is None
    assert (copy.pos, copy.capacity) == (2, 5)
    assert copy.buffer == buffer.buffer
    assert list(copy) == list(buffer)
    assert np.array_equal(copy.priorities, buffer.priorities)


class Extending(PrioritizedReplayBuffer):
    """A user's buffer over ours that drops rows without reward."""

    def _add(self, sample: Any) -> None:
        if sample.reward:
            super()._add(sample)


def test_a_subclass_that_filters_rows_in_its_own_add() -> None:
    rows = [numbered(i)._replace(reward=float(i % 3)) for i in range(12)]
    buffer = Extending(rows, 20, 0.6, gamma=GAMMA)
    buffer.populate(12)
    assert_rows(buffer, [row for row in rows if row.reward], GAMMA)
    assert buffer.sample(20)[1].max() <= 7


def test_populate_shows_every_row_to_an_overridden_add() -> None:
    class Adding(ExperienceReplayBuffer):
        seen = 0

        def add(self, row: Any) -> None:
            self.seen += 1
            super().add(row)

    envs = [scripted_env("vector", i) for i in range(3)]
    buffer = Adding(ExperienceSourceFirstLast(envs, CycleAgent(), GAMMA), 4)
    buffer.populate(6)
    assert (buffer.seen, len(buffer)) == (6, 4)
