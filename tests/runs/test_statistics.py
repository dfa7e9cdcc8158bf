"""Statistics of runs against brute force, tables and simulation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.runs.statistics import bootstrap_interval, half_interval, interquartile_mean


def middle_half(scores: list) -> float:
    """Every score four times, so that a quarter is a whole number of them; then drop whole ones."""
    copies = sorted(score for score in scores for _ in range(4))
    kept = copies[len(scores) : 3 * len(scores)]
    return float(sum(map(Fraction, kept)) / len(kept))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=25))
def test_the_interquartile_mean_keeps_exactly_half(scores: list[int]) -> None:
    assert interquartile_mean(scores) == pytest.approx(middle_half(scores), rel=1e-12, abs=1e-9)


def test_interquartile_means_by_hand() -> None:
    assert interquartile_mean([0, 1, 100]) == pytest.approx((0.25 * 0 + 1 + 0.25 * 100) / 1.5)
    assert interquartile_mean([9, 1, 2, 90]) == pytest.approx((2 + 9) / 2)
    assert interquartile_mean([-math.inf, 1, 3, math.inf]) == 2
    assert math.isnan(interquartile_mean([0, 1, 2, math.nan]))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_interquartile_mean_reduces_any_axis(axis: int) -> None:
    scores = np.random.default_rng(1).integers(-50, 50, (3, 5, 6))
    result = interquartile_mean(scores, axis)
    rows = np.moveaxis(scores, axis, -1)
    assert result.shape == rows.shape[:-1]
    for index in np.ndindex(*result.shape):
        assert result[index] == pytest.approx(middle_half(rows[index].tolist()), abs=1e-9)


def test_the_bootstrap_against_all_resamples_there_are() -> None:
    scores = [0.0, 1.0, 5.0, 6.0, 20.0]
    resamples = itertools.product(scores, repeat=len(scores))
    every = np.sort([middle_half(list(one)) for one in resamples])
    found = bootstrap_interval(scores, rng=3, resamples=20_000)
    assert found.estimate == pytest.approx(middle_half(scores))
    for value, probability in ((found.low, 0.025), (found.high, 0.975)):
        # The share of resamples below and up to the value must enclose the probability.
        below, up_to = np.mean(every < value - 1e-9), np.mean(every <= value + 1e-9)
        assert below - 0.01 <= probability <= up_to + 0.01


def test_seeds_fix_the_bootstrap() -> None:
    scores = np.random.default_rng(0).normal(size=9)
    first = bootstrap_interval(scores, rng=5)
    assert bootstrap_interval(scores, rng=np.random.default_rng(5)) == first
    assert bootstrap_interval(scores, rng=6, resamples=99)[1:] != first[1:]
    assert first.low < first.estimate < first.high


def test_bands_draw_whole_runs_and_end_where_a_run_ends() -> None:
    """Curves that differ by a constant have a band of constant width."""
    shape = np.sin(np.arange(10.0))
    band = bootstrap_interval(shape + np.array([[0.0], [1.0], [5.0]]), rng=0, resamples=200)
    for bound in (band.low, band.high):
        np.testing.assert_allclose(bound - shape, bound[0], atol=1e-12)
    assert band.low[0] < band.estimate[0] < band.high[0]
    curves = [[math.nan, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, math.nan]]
    for values in bootstrap_interval(curves, rng=0):
        assert np.isnan(values).tolist() == [True, False, False, True]


def test_one_run_has_no_interval_and_equal_ones_no_spread() -> None:
    one = bootstrap_interval([4.0], rng=0)
    assert (one.estimate, half_interval([4.0])) == (4.0, None)
    assert np.isnan(one[1:]).all()
    assert bootstrap_interval([5.0] * 4, rng=0) == (5.0, 5.0, 5.0)
    assert half_interval([500.0] * 10) == 0.0


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    # Two-sided 95 % quantiles as statistical tables print them.
    [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (120, 1.980)],
)
def test_intervals_of_a_mean_against_the_table(freedom: int, quantile: float) -> None:
    values = np.random.default_rng(freedom).normal(7.0, 3.0, freedom + 1)
    error = math.sqrt(sum((v - np.mean(values)) ** 2 for v in values) / freedom / (freedom + 1))
    half = half_interval(values)
    assert half is not None
    assert half / error == pytest.approx(quantile, abs=6e-4)
