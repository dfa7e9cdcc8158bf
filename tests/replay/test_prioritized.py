"""Prioritized sampling: frequencies, weights, beta; and prioritized buffers of the user's own."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from ptan.experience import Batch, ExperienceReplayBuffer, PrioritizedReplayBuffer, batch_generator

from .fakes import GAMMA, numbered
from .oracles import assert_frequencies, assert_rows
from .priorities import KINDS, Priorities, both, draw_counts, filled, new_buffer, see_all

# --- frequencies ---------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    ("capacity", "added"),
    [(1, 1), (5, 1), (1, 9), (16, 16), (17, 17), (17, 12), (17, 40), (3, 8), (50, 77), (257, 300)],
)
def test_sampled_frequencies_match_the_priorities(
    kind: str, capacity: int, added: int, alpha: float
) -> None:
    buffer = filled(kind, capacity, added, alpha)
    first = added - len(buffer)
    priorities = np.random.default_rng(3).uniform(0.2, 4.0, size=len(buffer))
    see_all(buffer)
    buffer.update_priorities(np.arange(first, added), priorities)
    mass = priorities**alpha
    assert_frequencies(draw_counts(buffer, first, 20_000), mass / mass.sum())


@pytest.mark.parametrize(("capacity", "added"), [(40, 40), (40, 25), (40, 93)])
def test_both_buffers_sample_alike(capacity: int, added: int) -> None:
    """Two-sample chi-square between the tree and the reference, after the same history."""
    counts = []
    for kind in KINDS:
        buffer = filled(kind, capacity, added, seed=7)
        see_all(buffer)
        numbers = np.arange(added - len(buffer), added)
        buffer.update_priorities(numbers, 0.1 + (numbers % 7))
        counts.append(draw_counts(buffer, added - len(buffer), 40_000))
    a, b = (c.astype(float) for c in counts)
    statistic = ((a - b) ** 2 / (a + b)).sum()
    assert statistic < len(a) + 5 * np.sqrt(2 * len(a)), statistic
    mass = (0.1 + (numbers % 7)) ** 0.6
    for one in counts:
        assert_frequencies(one, mass / mass.sum())


@both
@pytest.mark.parametrize("capacity", [1, 2, 3, 15, 16, 17, 31, 256, 257])
def test_the_last_slot_is_sampled(kind: str, capacity: int) -> None:
    buffer = filled(kind, capacity, capacity)
    see_all(buffer)
    buffer.update_priorities([capacity - 1], [1e6])
    assert (buffer.sample(50)[1] == capacity - 1).any()


@both
def test_a_huge_and_a_tiny_priority_never_lead_outside_the_stored_rows(kind: str) -> None:
    buffer = filled(kind, 37, 20, alpha=1.0)
    see_all(buffer)
    priorities = np.full(20, 1e-30)
    priorities[[0, 7]] = 1e30
    buffer.update_priorities(np.arange(20), priorities)
    _, numbers, weights = buffer.sample(2000, 1.0)
    assert set(numbers.tolist()) == {0, 7}
    assert np.isfinite(weights).all()
    buffer.update_priorities([0, 7], [1e-30, 1e-30])
    # The sums must not remember the giants: all rows are equal again.
    assert_frequencies(draw_counts(buffer, 0, 20_000), np.full(20, 1 / 20))


@both
def test_sampling_a_single_row(kind: str) -> None:
    buffer = filled(kind, 8, 1)
    batch, numbers, weights = buffer.sample(6)
    assert numbers.tolist() == [0] * 6
    assert weights.tolist() == [1.0] * 6
    assert_rows(batch, [numbered(0)] * 6, GAMMA)


# --- what sample gives ---------------------------------------------------------------------------


@both
def test_sample_gives_batch_row_numbers_and_weights(kind: str) -> None:
    buffer = filled(kind, 10, 25)
    batch, numbers, weights = buffer.sample(12)
    assert isinstance(batch, Batch)
    assert numbers.dtype == np.int64
    assert (numbers.shape, weights.shape) == ((12,), (12,))
    assert batch.weights.dtype == np.float32
    assert np.array_equal(batch.indices, numbers)
    assert np.array_equal(batch.weights, np.float32(weights))
    assert [row.state for row in batch] == numbers.tolist()


@both
def test_row_numbers_equal_slots_until_the_first_wrap(kind: str) -> None:
    buffer = filled(kind, 10, 10)
    batch, numbers, _ = buffer.sample(30)
    assert_rows(batch, [buffer.buffer[n] for n in numbers], GAMMA)
    buffer.extend(numbered(i) for i in range(10, 14))
    batch, numbers, _ = buffer.sample(30)
    assert numbers.min() >= 4
    assert numbers.max() <= 13
    assert_rows(batch, [buffer.buffer[n % 10] for n in numbers], GAMMA)


@both
@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_follow_the_formula(kind: str, beta: float) -> None:
    buffer = filled(kind, 12, 30)
    twin = Priorities(12, 0.6)
    for _ in range(30):
        twin.add()
    see_all(buffer)
    priorities = np.random.default_rng(1).uniform(0.01, 9.0, size=12)
    buffer.update_priorities(np.arange(18, 30), priorities)
    twin.update(np.arange(18, 30), priorities)
    for n in (1, 7, 64):
        _, numbers, weights = buffer.sample(n, beta)
        assert np.allclose(weights, twin.weights(numbers, beta), rtol=1e-5)
        assert weights.max() == 1.0


@both
def test_alpha_zero_is_uniform(kind: str) -> None:
    buffer = filled(kind, 6, 6, alpha=0.0)
    see_all(buffer)
    buffer.update_priorities(np.arange(6), np.arange(1, 7) * 10.0)
    _, _, weights = buffer.sample(20, 1.0)
    assert np.allclose(weights, 1.0)


# --- beta ----------------------------------------------------------------------------------------


def test_beta_goes_on_a_straight_line_to_one_and_does_not_compound() -> None:
    buffer = PrioritizedReplayBuffer(None, 10, 0.6, beta_start=0.2, beta_frames=1000)
    assert buffer.beta == 0.2
    for frame, wanted in [(0, 0.2), (500, 0.6), (500, 0.6), (250, 0.4), (1000, 1.0), (5000, 1.0)]:
        assert buffer.update_beta(frame) == pytest.approx(wanted, abs=1e-12)
        assert buffer.beta == pytest.approx(wanted, abs=1e-12)


@both
def test_beta_starts_at_two_fifths_and_ends_after_a_hundred_thousand_frames(kind: str) -> None:
    buffer = new_buffer(kind, 10)
    assert buffer.beta == 0.4
    assert buffer.update_beta(50_000) == pytest.approx(0.7)
    assert buffer.update_beta(100_000) == 1.0


@both
def test_sample_uses_the_buffers_beta_unless_one_is_given(kind: str) -> None:
    buffer = filled(kind, 4, 4, alpha=1.0)
    see_all(buffer)
    buffer.update_priorities([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0])
    twin = Priorities(4, 1.0)
    for _ in range(4):
        twin.add()
    twin.update([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0])
    _, numbers, weights = buffer.sample(30)
    assert np.allclose(weights, twin.weights(numbers, 0.4), rtol=1e-5)
    buffer.update_beta(100_000)
    _, numbers, weights = buffer.sample(30)
    assert np.allclose(weights, twin.weights(numbers, 1.0), rtol=1e-5)
    _, numbers, weights = buffer.sample(30, beta=0.5)
    assert np.allclose(weights, twin.weights(numbers, 0.5), rtol=1e-5)


# --- published prioritized buffers ---------------------------------------------------------------


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
