"""Segment trees against plain NumPy."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.common.utils import MinSegmentTree, SumSegmentTree
from ptan.replay import _tree_kernels as kernels
from refusals import NAN, assert_tells, table

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
    assert sums.total == leaves.sum()
    np.testing.assert_array_equal(sums[everywhere], leaves)
    for start, end in rng.integers(0, capacity + 1, (100, 2)):
        start, end = min(start, end), max(start, end)
        assert sums.sum(start, end) == leaves[start:end].sum()
        assert minima.min(start, end) == leaves[start:end].min(initial=np.inf)
    assert sums.sum() == leaves.sum()
    assert minima.min() == leaves.min()
    xs = np.concatenate([rng.random(100) * leaves.sum(), np.arange(0, leaves.sum() + 1)])
    expected = [naive_find(leaves, x) for x in xs]
    np.testing.assert_array_equal(sums.find_prefixsum_idx(xs), expected)
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
        indices = np.array([i for i, _ in pairs])
        values = np.array([v for _, v in pairs])
        for i, v in pairs:
            leaves[i] = low[i] = v
        if len(pairs) == 1:
            sums[pairs[0][0]] = minima[pairs[0][0]] = pairs[0][1]
        else:
            sums[indices] = values
            minima[indices] = values
        assert sums.sum() == sums.total == leaves.sum()
        assert minima.min() == low.min()
        middle = capacity // 2
        assert sums.sum(middle) == leaves[middle:].sum()
        assert minima.min(0, middle) == low[:middle].min(initial=np.inf)
        if leaves.any():
            x = leaves.sum() * 0.6180339
            assert sums.find_prefixsum_idx(x) == naive_find(leaves, x)
    np.testing.assert_array_equal(sums[np.arange(capacity)], leaves)
    np.testing.assert_array_equal(minima[np.arange(capacity)], low)


def test_last_value_of_a_repeated_index_wins():
    tree = SumSegmentTree(10)
    tree[np.array([3, 5, 3])] = np.array([1.0, 2.0, 4.0])
    assert (tree[3], tree[5], tree.total) == (4.0, 2.0, 6.0)


def test_one_value_is_given_to_all_indices():
    tree = SumSegmentTree(10)
    tree[[1, 2]] = 0.5
    assert tree.total == 1.0
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
        found = tree.find_prefixsum_idx(xs)
        assert (leaves[found] > 0).all()
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


def test_the_total_itself_finds_the_last_value_above_zero():
    tree = SumSegmentTree(40)
    tree[[3, 20, 33]] = 2.0
    assert tree.find_prefixsum_idx(6.0) == 33


def test_draws_follow_the_values():
    rng = np.random.default_rng(3)
    values = rng.random(50) ** 2
    values[[0, 20, 49]] = 0.0
    tree = SumSegmentTree(50)
    tree[np.arange(50)] = values
    draws = 200_000
    indices, _ = tree.sample(rng.random(draws))
    counts = np.bincount(indices, minlength=50)
    assert counts[[0, 20, 49]].sum() == 0
    expected = (values / values.sum() * draws)[values > 0]
    chi2 = ((counts[values > 0] - expected) ** 2 / expected).sum()
    assert chi2 < 81.4  # 99.9 % quantile of chi-square with 46 degrees of freedom


@pytest.mark.parametrize("capacity", [1, 40, 300])
def test_kernels_agree_with_their_uncompiled_functions(capacity, monkeypatch):
    rng = np.random.default_rng(1)
    trees = [kernels.empty_tree(capacity, minima) for minima in (False, True)]
    plain = [kernels.empty_tree(capacity, minima)[0] for minima in (False, True)]
    batches = [(rng.integers(0, capacity, n), rng.random(n)) for n in (1, 5, 64)]
    uniforms, range_ = rng.random(20), (capacity // 3, capacity)
    for minima, (tree, offsets) in enumerate(trees):
        for batch in batches:
            kernels.set_leaves(tree, offsets, *batch, bool(minima))
    (compiled, offsets), (low, _) = trees
    found, drawn = kernels.sample(compiled, offsets, uniforms)
    same = kernels.find(compiled, offsets, uniforms * compiled[-1])
    total = kernels.reduce_range(compiled, offsets, *range_, False)
    least = kernels.reduce_range(low, offsets, *range_, True)
    for name in ("_node", "_descend"):
        monkeypatch.setattr(kernels, name, getattr(kernels, name).py_func)
    for minima, tree in enumerate(plain):
        for batch in batches:
            kernels.set_leaves.py_func(tree, offsets, *batch, bool(minima))
        np.testing.assert_array_equal(tree, trees[minima][0])
    plain_found, plain_drawn = kernels.sample.py_func(plain[0], offsets, uniforms)
    np.testing.assert_array_equal(plain_found, found)
    np.testing.assert_array_equal(plain_drawn, drawn)
    again = kernels.find.py_func(plain[0], offsets, uniforms * plain[0][-1])
    np.testing.assert_array_equal(again, same)
    assert kernels.reduce_range.py_func(plain[0], offsets, *range_, False) == total
    assert kernels.reduce_range.py_func(low, offsets, *range_, True) == least


@pytest.mark.parametrize("kind", [SumSegmentTree, MinSegmentTree])
def test_pickled_tree_is_equal_and_independent(kind):
    tree = kind(100)
    tree[np.arange(100)] = np.arange(100.0) + 1
    twin = pickle.loads(pickle.dumps(tree))
    tree[50] = 0.5
    assert twin[50] == 51.0
    twin[50] = 0.5
    np.testing.assert_array_equal(twin._tree, tree._tree)
    assert len(twin) == twin.capacity == 100


def test_memory_is_little_more_than_the_leaves():
    for capacity in (10_000, 1_000_000):
        assert SumSegmentTree(capacity)._tree.nbytes < 1.1 * 8 * capacity


def test_values_read_from_a_tree_are_copies():
    tree = SumSegmentTree(4)
    values = tree[np.arange(4)]
    values[:] = 5.0
    assert tree.total == 0.0
    assert isinstance(tree[2], float)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_sum_tree_refuses_values_and_stays_as_it_was(bad):
    tree = SumSegmentTree(5)
    tree[1] = 2.0
    with pytest.raises(ValueError, match=r"in \[0, "):
        tree[1] = bad
    with pytest.raises(ValueError, match=r"in \[0, "):
        tree[np.array([0, 1])] = np.array([1.0, bad])
    assert (tree[0], tree[1], tree.total) == (0.0, 2.0, 2.0)


def test_min_tree_takes_negative_and_infinite_values_but_no_nan():
    tree = MinSegmentTree(5)
    tree[3] = -2.0
    tree[2] = np.inf
    assert tree.min() == -2.0
    assert tree.min(0, 3) == np.inf
    with pytest.raises(ValueError, match="NaN"):
        tree[3] = np.nan
    assert tree.min() == -2.0


@pytest.mark.parametrize("index", [-1, 5, np.array([0, 5]), np.array([-1])])
def test_indices_outside_raise(index):
    tree = SumSegmentTree(5)
    with pytest.raises(IndexError, match=r"\[0, 5\)"):
        tree[index]
    with pytest.raises(IndexError, match=r"\[0, 5\)"):
        tree[index] = 1.0
    assert tree.total == 0.0


def test_indices_must_be_integers_and_values_must_fit_them():
    tree = SumSegmentTree(5)
    with pytest.raises(TypeError, match="integers"):
        tree[1.5]
    with pytest.raises(TypeError, match="integers"):
        tree[np.array([True, False])] = 1.0
    with pytest.raises(ValueError, match="shape"):
        tree[np.array([1, 2])] = np.array([1.0, 2.0, 3.0])
    assert tree.total == 0.0


@pytest.mark.parametrize("bounds", [(-1, 3), (3, 2), (0, 6), (6, 6), (0, -1)])
def test_ranges_outside_raise(bounds):
    with pytest.raises(ValueError, match="start"):
        SumSegmentTree(5).sum(*bounds)
    with pytest.raises(ValueError, match="start"):
        MinSegmentTree(5).min(*bounds)


@pytest.mark.parametrize("x", [-0.1, 3.1, np.nan, np.array([1.0, 4.0])])
def test_prefix_sums_outside_the_total_raise(x):
    tree = SumSegmentTree(5)
    tree[2] = 3.0
    with pytest.raises(ValueError, match="total"):
        tree.find_prefixsum_idx(x)


def test_find_in_an_empty_tree_raises():
    with pytest.raises(ValueError, match="all values"):
        SumSegmentTree(5).find_prefixsum_idx(0.0)


@pytest.mark.parametrize("capacity", [0, -3])
def test_capacity_must_be_positive(capacity):
    with pytest.raises(ValueError, match="capacity"):
        SumSegmentTree(capacity)


@pytest.mark.parametrize("capacity", [2.0, "3", True])
def test_capacity_must_be_an_int(capacity):
    with pytest.raises(TypeError, match="capacity"):
        MinSegmentTree(capacity)


@table(
    ("capacity-bool", lambda: SumSegmentTree(True), TypeError, "capacity", "got True", "an int"),
    ("sum-text", lambda: SumSegmentTree(4).__setitem__(1, "x"), ValueError, "value", "'x'",
     "numbers"),
    ("sum-nan", lambda: SumSegmentTree(4).__setitem__(1, NAN), ValueError, "values", "got nan",
     r"in \[0, "),
    ("index-read", lambda: SumSegmentTree(4)[7], IndexError, "index", "got 7", r"\[0, 4\)"),
)  # fmt: skip
def test_trees_refuse(case):
    assert_tells(case)
