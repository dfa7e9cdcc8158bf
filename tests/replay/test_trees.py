"""Segment trees against plain NumPy."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.common.utils import MinSegmentTree, SumSegmentTree
from refusals import INF, NAN, assert_tells, table

from .oracles import assert_frequencies

CAPACITIES = [1, 2, 15, 16, 17, 255, 256, 257, 1000, 4096, 4097]


def naive_find(leaves, x):
    cumulative = 0.0
    for index, value in enumerate(leaves):
        cumulative += value
        if cumulative > x:
            return index
    return int(np.flatnonzero(leaves)[-1])


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_sums_minima_and_finds_equal_plain_numpy(capacity):
    rng = np.random.default_rng(capacity)
    # Integers: every order of summation gives the same float64.
    leaves = rng.integers(0, 4, capacity).astype(np.float64)
    leaves[rng.integers(capacity)] = 7.0
    sums, minima = SumSegmentTree(capacity), MinSegmentTree(capacity)
    everywhere = np.arange(capacity)
    sums[everywhere] = leaves
    minima[everywhere] = leaves
    for start, end in rng.integers(0, capacity + 1, (100, 2)):
        start, end = min(start, end), max(start, end)
        assert sums.sum(start, end) == leaves[start:end].sum()
        assert minima.min(start, end) == leaves[start:end].min(initial=np.inf)
    assert sums.sum() == sums.total == leaves.sum()
    xs = np.concatenate([rng.random(100) * leaves.sum(), np.arange(0, leaves.sum() + 1)])
    expected = [naive_find(leaves, x) for x in xs]
    np.testing.assert_array_equal(sums.find_prefixsum_idx(xs), expected)
    np.testing.assert_array_equal(
        sums.find_prefixsum_idx(xs[:6].reshape(2, 3)).ravel(), expected[:6]
    )
    assert [sums.find_prefixsum_idx(x) for x in xs[:50]] == expected[:50]


@st.composite
def operations(draw):
    capacity = draw(st.integers(1, 600))
    index = st.integers(0, capacity - 1)
    value = st.integers(0, 1000).map(float)
    writes = st.lists(st.lists(st.tuples(index, value), min_size=1, max_size=40), max_size=8)
    return capacity, draw(writes)


@settings(max_examples=60, deadline=None)
@given(operations())
def test_any_sequence_of_writes_leaves_the_trees_equal_to_their_leaves(case):
    capacity, writes = case
    leaves, low = np.zeros(capacity), np.full(capacity, np.inf)
    sums, minima = SumSegmentTree(capacity), MinSegmentTree(capacity)
    for pairs in writes:
        for i, v in pairs:  # The last value of a repeated index counts.
            leaves[i] = low[i] = v
        if len(pairs) == 1:
            sums[pairs[0][0]] = minima[pairs[0][0]] = pairs[0][1]
        else:
            indices, values = np.array([i for i, _ in pairs]), np.array([v for _, v in pairs])
            sums[indices] = values
            minima[indices] = values
        middle = capacity // 2
        assert sums.sum() == sums.total == leaves.sum()
        assert sums.sum(middle) == leaves[middle:].sum()
        assert minima.min() == low.min()
        assert minima.min(0, middle) == low[:middle].min(initial=np.inf)
        if leaves.any():
            x = leaves.sum() * 0.6180339
            assert sums.find_prefixsum_idx(x) == naive_find(leaves, x)
    np.testing.assert_array_equal(sums[np.arange(capacity)], leaves)
    np.testing.assert_array_equal(minima[np.arange(capacity)], low)


def test_one_value_is_given_to_all_indices_and_none_to_none():
    tree = SumSegmentTree(10)
    tree[[1, 2]] = 0.5
    tree[np.array([], dtype=np.int64)] = np.array([])
    assert tree.total == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([0.0, 0.0, 1e-12, 0.1, 0.3, 1 / 3, 7.7, 1e9]), min_size=1, max_size=700
    ),
    st.integers(0, 2**32),
)
def test_a_leaf_of_zero_is_never_found(values, seed):
    leaves = np.array(values)
    if not leaves.any():
        leaves[-1] = 0.1
    tree = SumSegmentTree(leaves.size)
    tree[np.arange(leaves.size)] = leaves
    uniforms = np.random.default_rng(seed).random(200)
    boundaries = np.minimum(np.cumsum(leaves), tree.total)
    top = np.array([0.0, tree.total, np.nextafter(tree.total, 0)])
    for xs in (uniforms * tree.total, boundaries, top):
        assert (leaves[tree.find_prefixsum_idx(xs)] > 0).all()
    indices, drawn = tree.sample(np.append(uniforms, np.nextafter(1.0, 0)))
    np.testing.assert_array_equal(drawn, leaves[indices])
    assert (drawn > 0).all()


def test_root_equals_the_leaves_after_ten_million_updates():
    capacity, chunk = 50_001, 250
    rng = np.random.default_rng(7)
    tree = SumSegmentTree(capacity)
    for _ in range(10_000_000 // chunk):
        indices = rng.integers(0, capacity, chunk)
        tree.set_many(indices, rng.random(chunk) ** 8 * 1e6)
    exact = math.fsum(tree[np.arange(capacity)])
    assert tree.total == pytest.approx(exact, rel=1e-9, abs=0)
    assert tree.sum() == pytest.approx(exact, rel=1e-9, abs=0)


def test_draws_follow_the_values():
    rng = np.random.default_rng(3)
    values = rng.random(50) ** 2
    values[[0, 20, 49]] = 0.0
    tree = SumSegmentTree(50)
    tree[np.arange(50)] = values
    counts = np.bincount(tree.sample(rng.random(200_000))[0], minlength=50)
    assert counts[[0, 20, 49]].sum() == 0
    assert_frequencies(counts[values > 0], values[values > 0] / values.sum())


@pytest.mark.parametrize("kind", [SumSegmentTree, MinSegmentTree])
def test_pickled_trees_and_values_read_are_copies(kind):
    tree = kind(100)
    tree[np.arange(100)] = np.arange(100.0) + 1
    values, twin = tree[np.arange(100)], pickle.loads(pickle.dumps(tree))
    tree[50] = 0.5
    assert (values[50], twin[50], type(twin[50])) == (51.0, 51.0, float)
    twin[50] = 0.5
    np.testing.assert_array_equal(twin._tree, tree._tree)
    assert len(twin) == twin.capacity == 100


def test_memory_is_little_more_than_the_leaves():
    for capacity in (10_000, 1_000_000):
        assert SumSegmentTree(capacity)._tree.nbytes < 1.1 * 8 * capacity


def test_min_trees_take_negative_and_infinite_values():
    tree = MinSegmentTree(5)
    tree[[2, 3]] = [np.inf, -2.0]
    assert (tree.min(), tree.min(0, 3)) == (-2.0, np.inf)


def sets(index, value):
    return lambda tree: tree.__setitem__(index, value)


@table(
    ("capacity-0", lambda _: SumSegmentTree(0), ValueError, "capacity", "got 0", "at least 1"),
    ("capacity-bool", lambda _: SumSegmentTree(True), TypeError, "capacity", "True", "an int"),
    ("text", sets(1, "x"), ValueError, "value", "'x'", "numbers"),
    ("nan", sets(1, NAN), ValueError, "values", "got nan", r"in \[0, "),
    ("infinite", sets(1, INF), ValueError, "values", "got inf", r"in \[0, "),
    ("negative", sets([0, 1], [1.0, -1.0]), ValueError, "values", r"-1\.", r"in \[0, "),
    ("min-nan", lambda _: sets(1, NAN)(MinSegmentTree(3)), ValueError, "values", "nan", "in "),
    ("shape", sets([1, 2], [1.0, 2.0, 3.0]), ValueError, "value", "3.0", "shape of the indices"),
    ("read-after", lambda tree: tree[7], IndexError, "index", "got 7", r"\[0, 5\)"),
    ("read-before", lambda tree: tree[[0, -1]], IndexError, "index", "got -1", r"\[0, 5\)"),
    ("write-after", sets([0, 5], 1.0), IndexError, "index", "got 5", r"\[0, 5\)"),
    ("write-float", sets(1.5, 1.0), TypeError, "indices", "1.5", "integers"),
    ("write-bool", sets([True, False], 1.0), TypeError, "indices", "True", "integers"),
    ("start", lambda tree: tree.sum(-1, 3), ValueError, "start", "-1", "0 <= start"),
    ("end", lambda tree: tree.sum(0, 6), ValueError, "end", "end=6", "<= 5"),
    ("order", lambda _: MinSegmentTree(5).min(3, 2), ValueError, "start", "3", "start <= end"),
    ("below", lambda tree: tree.find_prefixsum_idx(-0.1), ValueError, "x", "-0.1", "total"),
    ("nowhere", lambda tree: tree.find_prefixsum_idx(NAN), ValueError, "x", "nan", "total"),
    ("above", lambda tree: tree.find_prefixsum_idx(np.array([1.0, 4.0])), ValueError, "x", "4",
     r"\[0, 3\.0\]"),
    ("empty", lambda _: SumSegmentTree(5).find_prefixsum_idx(0.0), ValueError, "nothing",
     "all values", "0"),
)  # fmt: skip
def test_trees_refuse_and_stay_as_they_were(case):
    tree = SumSegmentTree(5)
    tree[[1, 2]] = [2.0, 1.0]
    assert_tells(case, tree)
    assert tree[np.arange(5)].tolist() == [0.0, 2.0, 1.0, 0.0, 0.0]
    assert tree.total == 3.0
