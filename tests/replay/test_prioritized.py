"""Prioritized buffers: frequencies, weights, priorities."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import Batch, PrioritizedReplayBuffer

from .fakes import (
    GAMMA,
    KINDS,
    Priorities,
    RowKitchen,
    both,
    draw_counts,
    filled,
    make_buffer,
    new_buffer,
    numbered,
    see_all,
)
from .oracles import assert_frequencies, assert_rows


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


@both
def test_new_rows_get_the_highest_priority_ever_seen(kind: str) -> None:
    buffer = filled(kind, 4, 3, alpha=1.0)
    see_all(buffer)
    buffer.update_priorities([1], [5.0])
    buffer.update_priorities([1], [0.5])
    buffer.add(numbered(3))
    _, numbers, weights = buffer.sample(400, 1.0)
    weight = dict(zip(numbers.tolist(), weights.tolist(), strict=True))
    assert weight == pytest.approx({0: 0.5, 1: 1.0, 2: 0.5, 3: 0.1}, rel=1e-5)
    # Also when the row that had it is gone.
    buffer.extend(numbered(i) for i in range(4, 7))
    see_all(buffer)
    buffer.update_priorities([3], [1.0])
    _, numbers, weights = buffer.sample(400, 1.0)
    weight = dict(zip(numbers.tolist(), weights.tolist(), strict=True))
    assert weight == pytest.approx({3: 1.0, 4: 0.2, 5: 0.2, 6: 0.2}, rel=1e-5)


@both
def test_the_last_of_several_priorities_for_one_row_counts(kind: str) -> None:
    buffer = filled(kind, 2, 2, alpha=1.0)
    see_all(buffer)
    buffer.update_priorities([0, 1, 0, 0], [9.0, 2.0, 7.0, 1.0])
    _, numbers, weights = buffer.sample(100, 1.0)
    weight = dict(zip(numbers.tolist(), weights.tolist(), strict=True))
    assert weight == pytest.approx({0: 1.0, 1: 0.5}, rel=1e-5)


@both
def test_rows_overwritten_since_they_were_sampled_are_skipped_and_counted(kind: str) -> None:
    buffer = filled(kind, 4, 4, alpha=1.0)
    assert buffer.stale_updates == 0
    see_all(buffer)
    buffer.extend(numbered(i) for i in range(4, 6))  # Rows 0 and 1 are gone.
    buffer.update_priorities([0, 1, 2, 1], [50.0, 60.0, 3.0, 70.0])
    assert buffer.stale_updates == 3
    see_all(buffer)
    _, numbers, weights = buffer.sample(300, 1.0)
    weight = dict(zip(numbers.tolist(), weights.tolist(), strict=True))
    assert weight == pytest.approx({2: 1 / 3, 3: 1.0, 4: 1.0, 5: 1.0}, rel=1e-5)
    buffer.update_priorities([0], [1.0])
    assert buffer.stale_updates == 4


@both
def test_an_empty_update_changes_nothing(kind: str) -> None:
    buffer = filled(kind, 5, 5)
    buffer.update_priorities(np.zeros(0, np.int64), np.zeros(0))
    assert buffer.stale_updates == 0
    assert len(buffer.sample(3)[0]) == 3


UPDATES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=12)


@both
@given(
    capacity=st.integers(1, 8),
    steps=UPDATES,
    seed=st.integers(0, 2**16),
    alpha=st.sampled_from([0.3, 0.6, 1.0]),
)
@settings(max_examples=250, deadline=None)
def test_any_history_gives_the_weights_of_a_dictionary_of_priorities(
    kind: str, capacity: int, steps: Any, seed: int, alpha: float
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
        batch, numbers, weights = buffer.sample(9, 0.7)
        assert np.allclose(weights, twin.weights(numbers, 0.7), rtol=1e-5)
        assert [row.state for row in batch] == numbers.tolist()
        sampled.extend(numbers.tolist())
        chosen = rng.choice(sampled, size=updated)
        priorities = 10.0 ** rng.uniform(-3, 3, size=updated)
        buffer.update_priorities(chosen, priorities)
        twin.update(chosen, priorities)
        assert buffer.stale_updates == twin.stale
        if updated % 4 == 3:
            buffer = pickle.loads(pickle.dumps(buffer))


def test_weights_are_right_after_a_hundred_thousand_updates() -> None:
    """Sums kept by adding differences would have drifted by now."""
    buffer, twin = filled("prioritized", 300, 300, seed=2), Priorities(300, 0.6)
    for _ in range(300):
        twin.add()
    see_all(buffer)
    rng = np.random.default_rng(0)
    for _ in range(100):
        numbers = rng.integers(0, 300, size=1000)
        priorities = 10.0 ** rng.uniform(-6, 6, size=1000)
        buffer.update_priorities(numbers, priorities)
        twin.update(numbers, priorities)
    _see_all_weights(buffer, twin)
    small = np.full(300, 1e-6)
    buffer.update_priorities(np.arange(300), small)
    assert_frequencies(draw_counts(buffer, 0, 30_000), np.full(300, 1 / 300))


def _see_all_weights(buffer: Any, twin: Priorities) -> None:
    for _ in range(20):
        _, numbers, weights = buffer.sample(64, 1.0)
        assert np.allclose(weights, twin.weights(numbers, 1.0), rtol=1e-5)


@both
def test_priorities_and_generator_pickle(kind: str) -> None:
    buffer = filled(kind, 9, 14)
    see_all(buffer)
    buffer.update_priorities(np.arange(5, 14), np.arange(1.0, 10.0))
    buffer.update_beta(30_000)
    copy = pickle.loads(pickle.dumps(buffer))
    assert copy.beta == buffer.beta
    for _ in range(3):
        for a, b in zip(copy.sample(50)[1:], buffer.sample(50)[1:], strict=True):
            assert np.array_equal(a, b)
        for one in (copy, buffer):
            one.add(numbered(14))


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

    def add_all(buffer: Any) -> None:
        for row in rows:
            buffer.add(row)

    by_populate = numbers(lambda b: b.populate(20))
    assert by_populate == numbers(add_all) == numbers(lambda b: b.extend(rows))
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
@pytest.mark.parametrize("priority", [1e308, 1.7e308, 1e300, 5e-324, 1e-300])
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
            batch, indices, weights = buffer.sample(200, beta=beta)
            assert np.isfinite(weights).all()
            assert (weights >= 0.0).all()
            assert weights.max() == 1.0
            assert np.isin(indices, np.arange(len(buffer)) + buffer._table.first).all()
            assert len(batch) == 200


def test_priorities_may_be_tensors_with_gradients_and_of_any_float() -> None:
    buffer = filled("prioritized", 4, 4, 1.0)
    indices = torch.tensor([1, 2])
    buffer.update_priorities(indices, torch.tensor([2.0, 3.0], requires_grad=True))
    assert buffer._weights[np.arange(4)].tolist() == [1.0, 2.0, 3.0, 1.0]


@both
def test_sample_batch_is_the_batch_of_sample(kind: str) -> None:
    one, other = filled(kind, 9, 14), filled(kind, 9, 14)
    batch = one.sample_batch(20, beta=0.7)
    triple = other.sample(20, beta=0.7)
    assert_rows(batch, triple[0], GAMMA)
    assert np.array_equal(batch.indices, triple[1])
    assert np.array_equal(batch.weights, triple[2])
    assert triple[1] is triple[0].indices
    assert triple[2] is triple[0].weights
