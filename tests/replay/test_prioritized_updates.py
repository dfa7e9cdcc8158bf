"""Priorities of numbered rows: which row gets which, what is refused, and their sums."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import GAMMA, RowKitchen, make_buffer, numbered
from .oracles import assert_frequencies
from .priorities import Priorities, both, draw_counts, filled, new_buffer, see_all


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


BAD_UPDATES = {
    "number not yet given": ([0, 8], [2.0, 2.0]),
    "negative number": ([0, -1], [2.0, 2.0]),
    "far number": ([2**40, 0], [2.0, 2.0]),
    "zero": ([4, 5], [2.0, 0.0]),
    "negative": ([4, 5], [2.0, -1.0]),
    "nan": ([4, 5], [2.0, float("nan")]),
    "infinite": ([4, 5], [2.0, float("inf")]),
    "too few priorities": ([4, 5], [2.0]),
    "too many priorities": ([4, 5], [2.0, 3.0, 4.0]),
    "column of priorities": ([4, 5], [[2.0], [3.0]]),
    "stale and wrong": ([0, 4], [2.0, float("nan")]),
}


@both
@pytest.mark.parametrize("case", BAD_UPDATES)
def test_a_bad_update_raises_and_changes_nothing(kind: str, case: str) -> None:
    buffer, twin = filled(kind, 5, 8), filled(kind, 5, 8)
    for one in (buffer, twin):
        see_all(one)
        one.update_priorities([3, 4, 5], [0.5, 1.5, 2.5])
    numbers, priorities = BAD_UPDATES[case]
    with pytest.raises((ValueError, IndexError), match=r"must be .*got"):
        buffer.update_priorities(numbers, priorities)
    with pytest.raises((ValueError, IndexError), match=r"must be .*got"):
        buffer.update_priorities(np.array(numbers), np.array(priorities))
    assert buffer.stale_updates == 0
    for one in (buffer, twin):
        one.add(numbered(8))
    for a, b in zip(buffer.sample(200)[1:], twin.sample(200)[1:], strict=True):
        assert np.array_equal(a, b)


@both
def test_row_numbers_must_be_whole(kind: str) -> None:
    buffer = filled(kind, 5, 5)
    see_all(buffer)
    with pytest.raises((ValueError, TypeError)):
        buffer.update_priorities([0.5], [1.0])


@both
def test_an_empty_update_changes_nothing(kind: str) -> None:
    buffer = filled(kind, 5, 5)
    buffer.update_priorities(np.zeros(0, np.int64), np.zeros(0))
    assert buffer.stale_updates == 0
    assert len(buffer.sample(3)[0]) == 3


@both
@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_an_impossible_alpha_raises(kind: str, alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        new_buffer(kind, 5, alpha)


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
