"""Selectors against naive samplers and chi-square tests."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plain import CHI2_999, chi_square
from ptan.actions import (
    ActionSelector,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    ProbabilityActionSelector,
)
from refusals import NAN, assert_tells, table


class FirstAction(ActionSelector):
    """Returns the same array every time, as a careless selector might."""

    def __init__(self, size):
        self.actions = np.zeros(size, dtype=np.int64)
        self.actions.flags.writeable = False

    def __call__(self, scores):
        return self.actions


# All selectors; what each of them keeps.
SELECTORS = {
    "argmax": ArgmaxActionSelector,
    "epsilon-greedy": lambda rng=0: EpsilonGreedyActionSelector(0.5, rng=rng),
    "random": lambda rng=0: EpsilonGreedyActionSelector(1.0, rng=rng),
    "wrapping": lambda rng=0: EpsilonGreedyActionSelector(
        0.5, ProbabilityActionSelector(rng=1), rng=rng
    ),
    "probability": lambda rng=0: ProbabilityActionSelector(rng=rng),
}
all_selectors = pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS)
score_arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.float16, np.int64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.integers(-5, 5),
)


@all_selectors
def test_selectors_return_new_int64_actions_and_do_not_change_scores(make):
    for rows in (0, 1, 8):
        scores = np.full((rows, 3), 1 / 3, np.float32)
        scores.flags.writeable = False
        actions = make()(scores)
        assert (actions.shape, actions.dtype) == ((rows,), np.int64)
        assert actions.flags.writeable
        assert set(actions.tolist()) <= {0, 1, 2}


@all_selectors
@pytest.mark.parametrize("shape", [(3,), (), (2, 0), (2, 3, 4)])
def test_scores_of_another_form_raise_naming_the_shape(make, shape):
    with pytest.raises(ValueError, match=r"\(batch, actions\)") as caught:
        make()(np.ones(shape))
    assert str(shape) in str(caught.value)


@all_selectors
@pytest.mark.parametrize("shape", [(1, 3), (2, 3)])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_nan_score_raises_wherever_it_is(make, shape, column):
    for dtype in (np.float16, np.float32, np.float64):
        scores = np.zeros(shape, dtype)
        scores[:, 0] = 1
        scores[-1, column] = np.nan
        with pytest.raises(ValueError, match=rf"row {shape[0] - 1}") as caught:
            make()(scores)
        assert "nan" in str(caught.value)


@pytest.mark.parametrize("make", list(SELECTORS.values())[1:], ids=list(SELECTORS)[1:])
def test_a_seed_repeats_a_run_and_default_generators_differ(make):
    scores = np.full((100, 4), 0.25)
    first, second, other = (make(seed)(scores) for seed in (3, np.int64(3), 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    a, b = make(None), make(None)
    assert a.rng is not b.rng
    assert not np.array_equal(a(scores), b(scores))


@all_selectors
def test_selectors_pickle_with_their_generators(make):
    scores, selector = np.full((50, 3), 1 / 3), make()
    twin = pickle.loads(pickle.dumps(selector))
    assert np.array_equal(twin(scores), copy.deepcopy(selector)(scores))


@given(score_arrays, st.integers(0, 2**32 - 1))
def test_argmax_is_the_first_of_the_best_and_so_is_epsilon_zero(scores, seed):
    expected = [row.index(max(row)) for row in scores.tolist()]
    assert ArgmaxActionSelector()(scores).tolist() == expected
    assert EpsilonGreedyActionSelector(0.0, rng=seed)(scores).tolist() == expected
    random = EpsilonGreedyActionSelector(1.0, rng=seed)(scores)
    assert 0 <= random.min() <= random.max() < scores.shape[1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_infinite_and_huge_scores_are_scores(dtype):
    huge = np.finfo(dtype).max
    scores = np.array([[-np.inf, 0], [np.inf, huge], [-np.inf, -np.inf], [-huge, huge]], dtype)
    assert ArgmaxActionSelector()(scores).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("batch", [1, 16])
def test_random_rows_are_uniform_over_all_actions(epsilon, batch):
    selector = EpsilonGreedyActionSelector(epsilon, rng=7)
    scores = np.tile(np.array([0.0, 3.0, 1.0, 2.0]), (batch, 1))
    actions = np.concatenate([selector(scores) for _ in range(16_000 // batch)])
    expected = np.full(4, epsilon / 4)
    expected[1] += 1 - epsilon
    assert chi_square(actions, expected) < CHI2_999[3]


def test_rows_explore_independently_of_one_another():
    selector = EpsilonGreedyActionSelector(0.5, FirstAction(2), rng=3)
    pairs = Counter(tuple(selector(np.zeros((2, 2))).tolist()) for _ in range(8000))
    flat = np.repeat([0, 1, 2, 3], [pairs[0, 0], pairs[0, 1], pairs[1, 0], pairs[1, 1]])
    # Each row is 1 with probability 0.5 · 0.5.
    assert chi_square(flat, [9 / 16, 3 / 16, 3 / 16, 1 / 16]) < CHI2_999[3]


def test_one_row_draws_the_same_numbers_as_a_batch_would():
    generator = np.random.default_rng(11)
    selector = EpsilonGreedyActionSelector(0.5, rng=11)
    for _ in range(200):
        is_random = generator.random(1)[0] < 0.5
        expected = int(generator.random(1)[0] * 3) if is_random else 1
        assert selector(np.array([[0.0, 1.0, 0.0]])).tolist() == [expected]


@pytest.mark.parametrize("batch", [1, 5])
def test_the_array_of_the_inner_selector_is_never_written(batch):
    inner = FirstAction(batch)
    selector = EpsilonGreedyActionSelector(1.0, inner, rng=0)
    results = [selector(np.zeros((batch, 4))) for _ in range(20)]
    assert inner.actions.tolist() == [0] * batch
    assert any(result.any() for result in results)
    assert not any(np.shares_memory(result, inner.actions) for result in results)


@pytest.mark.parametrize("returned", [[1, 0], np.array([1, 0], dtype=np.int32)])
def test_an_inner_selector_may_return_a_list_or_a_smaller_integer_type(returned):
    actions = EpsilonGreedyActionSelector(0.0, lambda scores: returned)(np.zeros((2, 2)))
    assert actions.tolist() == [1, 0]
    assert actions.dtype == np.int64


def test_the_inner_selector_draws_the_same_numbers_at_any_epsilon():
    scores = np.full((4, 3), 1 / 3)
    inner = [ProbabilityActionSelector(rng=5) for _ in range(2)]
    for epsilon, selector in zip((0.0, 1.0), inner, strict=True):
        EpsilonGreedyActionSelector(epsilon, selector, rng=0)(scores)
    assert inner[0](scores).tolist() == inner[1](scores).tolist()


@pytest.mark.parametrize("epsilon", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_epsilon_takes_any_number_in_range_and_takes_effect_at_once(epsilon):
    selector = EpsilonGreedyActionSelector()
    assert selector.epsilon == 0.05
    selector.epsilon = epsilon
    assert selector.epsilon == epsilon
    assert type(selector.epsilon) is float
    selector.epsilon *= 0.5
    assert selector.epsilon == epsilon / 2


def epsilon(value):
    """A selector that was given a good epsilon and then another, which must change nothing."""

    def set_it():
        selector = EpsilonGreedyActionSelector(0.25)
        try:
            selector.epsilon = value
        finally:
            assert selector.epsilon == 0.25

    return set_it


def inner(returned):
    return lambda: EpsilonGreedyActionSelector(0.0, lambda scores: returned)(np.zeros((2, 2)))


NO_ACTIONS = {
    "three": np.zeros(3, int),
    "matrix": np.zeros((2, 1), int),
    "number": np.zeros(()),
    "floats": np.array([0.5, 1.0]),
    "bools": np.array([True, False]),
}


@table(
    *((f"inner-{name}", inner(returned), ValueError, "the inner selector",
       f"got {returned.dtype} of shape", "must return 2 integers")
      for name, returned in NO_ACTIONS.items()),
    ("epsilon-negative", epsilon(-0.1), ValueError, "epsilon", "got -0.1", r"in \[0, 1\]"),
    ("epsilon-nan", epsilon(NAN), ValueError, "epsilon", "got nan", r"in \[0, 1\]"),
    ("epsilon-text", epsilon("0.5"), TypeError, "epsilon", "'0.5'", "a number"),
    ("epsilon-at-first", lambda: EpsilonGreedyActionSelector(-1), ValueError, "epsilon",
     "got -1", r"in \[0, 1\]"),
    ("abstract", ActionSelector, TypeError, "ActionSelector", "abstract", "__call__"),
    ("argmax-none", lambda: ArgmaxActionSelector()(None), ValueError, "scores", r"got \(\)",
     r"\(batch, actions\)"),
    ("inner", lambda: EpsilonGreedyActionSelector(0.1, 3), TypeError, "selector", "got 3",
     "callable"),
)  # fmt: skip
def test_selectors_refuse(case):
    assert_tells(case)


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any), min_size=1),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 1000),
)
def test_sampling_agrees_with_a_loop_and_never_takes_a_zero(weights, dtype, seed):
    rows = np.array([[w / sum(row) for w in row] for row in weights], dtype)
    actions = ProbabilityActionSelector(rng=seed)(rows)
    uniform = np.random.default_rng(seed).random(len(rows))
    for action, row, u in zip(actions.tolist(), rows.tolist(), uniform.tolist(), strict=True):
        sums = [sum(row[: i + 1]) for i in range(len(row))]
        assert action == next(i for i, total in enumerate(sums) if total > u * sums[-1])
        assert row[action] > 0


class Extreme(np.random.Generator):
    """A generator whose uniform numbers are all the same."""

    def __init__(self, value):
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, size=None):
        return np.full(size, self.value)


@pytest.mark.parametrize("value", [0.0, 1.0 - 2.0**-53])
def test_the_extreme_uniform_numbers_take_the_outermost_possible_actions(value):
    selector = ProbabilityActionSelector(rng=Extreme(value))
    thirds = np.float32(1 / 3)
    rows = np.array([[0, thirds, thirds, thirds, 0], [0, 0.1, 0.7, 0.2, 0]], np.float32)
    rows = np.concatenate([rows, np.float32(1.0003) * rows, np.float32(0.9996) * rows])
    assert set(selector(rows).tolist()) == ({1} if value == 0.0 else {3})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([np.nan, 1.0], "got .*nan"),
        ([np.inf, 0.0], "got .*inf"),
        ([np.inf, -np.inf], "got .*inf"),
        ([-0.5, 1.5], "must not be negative"),
        ([-1e-9, 1.0], "must not be negative"),
        ([0.0, 0.0], "must sum to 1, got .* a sum of 0"),
        ([0.5, 0.502], "must sum to 1, got .* a sum of 1.002"),
    ],
)
@pytest.mark.parametrize("position", [0, 2])
def test_a_row_that_is_no_distribution_raises_naming_it(row, message, position):
    rows = np.full((3, 2), 0.5)
    rows[position] = row
    with pytest.raises(ValueError, match=f"row {position} .*{message}"):
        ProbabilityActionSelector()(rows)
