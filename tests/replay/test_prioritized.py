"""Prioritized buffers: frequencies, weights, priorities."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import Batch, PrioReplayBufferNaive, PrioritizedReplayBuffer

from .fakes import GAMMA, RowKitchen, make_buffer, numbered
from .oracles import assert_frequencies, assert_rows

both = pytest.mark.parametrize("kind", ["naive", "prioritized"])


def new_buffer(kind: str, capacity: int, alpha: float = 0.6, seed: Any = 0) -> Any:
    cls = PrioReplayBufferNaive if kind == "naive" else PrioritizedReplayBuffer
    return cls(None, capacity, alpha, gamma=GAMMA, rng=seed)


def filled(kind: str, capacity: int, added: int, alpha: float = 0.6) -> Any:
    buffer = new_buffer(kind, capacity, alpha)
    buffer.extend(numbered(i) for i in range(added))
    return buffer


def draw_counts(buffer: Any, first: int, draws: int = 20_000) -> np.ndarray:
    numbers = np.concatenate([buffer.sample(100)[1] for _ in range(draws // 100)])
    assert numbers.min() >= first
    return np.bincount(numbers - first, minlength=len(buffer))


class Priorities:
    """Priorities by row number, in a dictionary."""

    def __init__(self, capacity: int, alpha: float) -> None:
        self.capacity, self.alpha = capacity, alpha
        self.of: dict[int, float] = {}
        self.highest, self.added, self.stale = 1.0, 0, 0

    def add(self) -> None:
        self.of[self.added] = self.highest
        self.of.pop(self.added - self.capacity, None)
        self.added += 1

    def update(self, numbers: Any, priorities: Any) -> None:
        for number, priority in zip(numbers.tolist(), priorities.tolist(), strict=True):
            if number in self.of:
                self.of[number] = priority
                self.highest = max(self.highest, priority)
            else:
                self.stale += 1

    def weights(self, numbers: Any, beta: float) -> np.ndarray:
        total = sum(p**self.alpha for p in self.of.values())
        chances = np.array([self.of[int(n)] ** self.alpha / total for n in numbers])
        raw = (len(self.of) * chances) ** -beta
        return raw / raw.max()


@both
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    ("capacity", "added"), [(1, 1), (1, 9), (16, 16), (17, 17), (17, 12), (3, 8), (257, 300)]
)
def test_sampled_frequencies_match_the_priorities(
    kind: str, capacity: int, added: int, alpha: float
) -> None:
    buffer = filled(kind, capacity, added, alpha)
    first = added - len(buffer)
    priorities = np.random.default_rng(3).uniform(0.2, 4.0, size=len(buffer))
    buffer.update_priorities(np.arange(first, added), priorities)
    mass = priorities**alpha
    assert_frequencies(draw_counts(buffer, first), mass / mass.sum())


UPDATES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=12)


@both
@given(
    capacity=st.integers(1, 8),
    steps=UPDATES,
    seed=st.integers(0, 2**16),
    alpha=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    beta=st.sampled_from([0.0, 0.4, 1.0]),
)
@settings(max_examples=250, deadline=None)
def test_any_history_gives_the_weights_of_a_dictionary_of_priorities(
    kind: str, capacity: int, steps: Any, seed: int, alpha: float, beta: float
) -> None:
    buffer, twin = new_buffer(kind, capacity, alpha, seed), Priorities(capacity, alpha)
    rng = np.random.default_rng(seed)
    sampled: list[int] = []
    for added, updated in steps:
        for _ in range(added):
            buffer.add(numbered(twin.added))
            twin.add()
        if not twin.of:
            continue
        batch, numbers, weights = buffer.sample(9, beta)
        assert np.allclose(weights, twin.weights(numbers, beta), rtol=1e-5)
        assert weights.max() == 1.0
        assert [row.state for row in batch] == numbers.tolist()
        sampled.extend(numbers.tolist())
        chosen = rng.choice(sampled, size=updated)  # some of them twice, some gone
        priorities = 10.0 ** rng.uniform(-3, 3, size=updated)
        buffer.update_priorities(chosen, priorities)
        twin.update(chosen, priorities)
        assert buffer.stale_updates == twin.stale
        if updated % 4 == 3:
            buffer = pickle.loads(pickle.dumps(buffer))


@both
def test_a_huge_and_a_tiny_priority_never_lead_outside_the_stored_rows(kind: str) -> None:
    buffer = filled(kind, 37, 20, alpha=1.0)
    priorities = np.full(20, 1e-30)
    priorities[[0, 7]] = 1e30
    buffer.update_priorities(np.arange(20), priorities)
    _, numbers, weights = buffer.sample(2000, 1.0)
    assert set(numbers.tolist()) == {0, 7}
    assert np.isfinite(weights).all()
    buffer.update_priorities([0, 7], [1e-30, 1e-30])
    # The sums must not remember the giants: all rows are equal again.
    assert_frequencies(draw_counts(buffer, 0), np.full(20, 1 / 20))


@both
def test_sample_gives_the_batch_of_sample_batch_with_its_numbers_and_weights(kind: str) -> None:
    buffer, other = filled(kind, 10, 25), filled(kind, 10, 25)
    batch, numbers, weights = buffer.sample(12, beta=0.7)
    assert isinstance(batch, Batch)
    assert (numbers.dtype, weights.dtype) == (np.int64, np.float32)
    assert (numbers.shape, weights.shape) == ((12,), (12,))
    assert batch.indices is numbers
    assert batch.weights is weights
    assert_rows(batch, [buffer.buffer[n % 10] for n in numbers], GAMMA)
    alone = other.sample_batch(12, beta=0.7)
    assert_rows(alone, batch, GAMMA)
    assert np.array_equal(alone.indices, numbers)
    assert np.array_equal(alone.weights, weights)


def test_beta_goes_on_a_straight_line_to_one_and_does_not_compound() -> None:
    buffer = PrioritizedReplayBuffer(None, 10, 0.6, beta_start=0.2, beta_frames=1000)
    assert buffer.beta == 0.2
    for frame, wanted in [(0, 0.2), (500, 0.6), (500, 0.6), (250, 0.4), (1000, 1.0), (5000, 1.0)]:
        assert buffer.update_beta(frame) == pytest.approx(wanted, abs=1e-12)
        assert buffer.beta == pytest.approx(wanted, abs=1e-12)


@both
def test_sample_uses_the_buffers_beta_unless_one_is_given(kind: str) -> None:
    buffer, twin = filled(kind, 4, 4, alpha=1.0), Priorities(4, 1.0)
    for _ in range(4):
        twin.add()
    update = np.arange(4), np.arange(1.0, 5.0)
    buffer.update_priorities(*update)
    twin.update(*update)
    for frame, beta, used in [
        (0, None, 0.4),
        (50_000, None, 0.7),
        (100_000, None, 1.0),
        (0, 0.5, 0.5),
    ]:
        buffer.update_beta(frame)
        _, numbers, weights = buffer.sample(30, beta)
        assert np.allclose(weights, twin.weights(numbers, used), rtol=1e-5)


@both
def test_priorities_stay_with_their_rows_through_every_way_in(kind: str) -> None:
    """The same rows by populate, add, extend give the same samples for the same seed."""
    kitchen = RowKitchen("stack", 0)
    rows = [kitchen.recipe().make() for _ in range(20)]

    def numbers(fill: Any) -> list[int]:
        buffer = make_buffer(kind, rows, 8, gamma=GAMMA, seed=5)
        fill(buffer)
        buffer.update_priorities(buffer.sample(8)[1], np.arange(1.0, 9.0))
        return buffer.sample(50)[1].tolist()

    by_populate = numbers(lambda b: b.populate(20))
    assert by_populate == numbers(lambda b: [b.add(row) for row in rows])
    assert by_populate == numbers(lambda b: b.extend(rows))
    assert by_populate == numbers(lambda b: [b.populate(n) for n in (1, 1, 11, 7)])


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


@both
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("priority", [1.7e308, 1e300, 5e-324])
def test_extreme_priorities_are_refused_or_give_weights_that_are_numbers(
    kind: str, alpha: float, priority: float
) -> None:
    buffer = filled(kind, 8, 8, alpha)
    update = [0, 1, 2, 3], [priority, 1.0, priority, priority]
    if alpha == 1.0 and priority > 1e307:
        with pytest.raises(ValueError, match="priorities must be positive and finite"):
            buffer.update_priorities(*update)
        assert buffer._weights[np.arange(8)].tolist() == [1.0] * 8
    else:
        buffer.update_priorities(*update)
    for _ in range(3):
        buffer.add(numbered(9))  # takes the greatest priority so far
        for beta in (0.0, 0.4, 1.0):
            _, indices, weights = buffer.sample(200, beta=beta)
            assert np.isfinite(weights).all()
            assert (weights >= 0.0).all()
            assert weights.max() == 1.0
            assert (indices >= buffer.first).all()
            assert (indices < buffer.first + 8).all()


def test_priorities_may_be_tensors_with_gradients() -> None:
    buffer = filled("prioritized", 4, 4, 1.0)
    indices = torch.tensor([1, 2])
    buffer.update_priorities(indices, torch.tensor([2.0, 3.0], requires_grad=True))
    assert buffer._weights[np.arange(4)].tolist() == [1.0, 2.0, 3.0, 1.0]
