"""Statistics of runs against brute force, tables and simulation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.runs.statistics import (
    bootstrap_band,
    bootstrap_interval,
    interquartile_mean,
    mean_interval,
)

SCORES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=25)


def middle_half(scores: list) -> float:
    """Every score four times, so that a quarter is a whole number of them; then drop whole ones."""
    copies = sorted(score for score in scores for _ in range(4))
    kept = copies[len(scores) : 3 * len(scores)]
    return float(sum(map(Fraction, kept)) / len(kept))


@given(SCORES)
def test_the_interquartile_mean_keeps_exactly_half(scores: list[int]) -> None:
    assert interquartile_mean(scores) == pytest.approx(middle_half(scores), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([7], 7),
        ([1, 3], 2),
        ([0, 1, 100], (0.25 * 0 + 1 + 0.25 * 100) / 1.5),
        ([9, 1, 2, 90], (2 + 9) / 2),
        ([0, 4, 8, 16, 99], (0.75 * 4 + 8 + 0.75 * 16) / 2.5),
        ([1, 2, 3, 4, 5, 6, 7, 1000], 4.5),
    ],
)
def test_interquartile_means_by_hand(scores: list[int], expected: float) -> None:
    assert interquartile_mean(scores) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_interquartile_mean_reduces_any_axis(axis: int) -> None:
    scores = np.random.default_rng(1).integers(-50, 50, (3, 5, 6))
    result = interquartile_mean(scores, axis)
    rows = np.moveaxis(scores, axis, -1)
    assert result.shape == rows.shape[:-1]
    for index in np.ndindex(*result.shape):
        assert result[index] == pytest.approx(middle_half(rows[index].tolist()), abs=1e-9)


def test_infinite_outliers_do_not_matter_and_nan_does() -> None:
    assert interquartile_mean([-math.inf, 1, 3, math.inf]) == 2
    assert math.isnan(interquartile_mean([0, 1, 2, math.nan]))
    assert np.isnan(interquartile_mean([[0, 1], [math.nan, 1]], 1)).tolist() == [False, True]


@pytest.mark.parametrize("scores", [[], np.zeros((3, 0))])
def test_no_scores_have_no_interquartile_mean(scores) -> None:
    with pytest.raises(ValueError, match="at least one"):
        interquartile_mean(scores)


def enumerated(tasks: list[list[float]]) -> list[float]:
    """The mean of every resample there is, each as probable as any other."""
    per_task = [list(itertools.product(task, repeat=len(task))) for task in tasks]
    resamples = itertools.product(*per_task)
    return [float(np.mean([x for part in resample for x in part])) for resample in resamples]


@pytest.mark.parametrize("tasks", [[[0.0, 1.0, 5.0, 6.0]], [[0.0, 1.0, 5.0], [100.0, 104.0]]])
@pytest.mark.parametrize("confidence", [0.5, 0.8])
def test_the_bootstrap_against_all_resamples_there_are(tasks, confidence: float) -> None:
    all_means = np.sort(enumerated(tasks))
    found = bootstrap_interval(tasks, np.mean, rng=3, confidence=confidence, resamples=40_000)
    assert found.estimate == pytest.approx(np.mean([score for task in tasks for score in task]))
    tail = (1 - confidence) / 2
    for value, probability in ((found.low, tail), (found.high, 1 - tail)):
        # The share of resamples below and up to the value must enclose the probability.
        below, up_to = np.mean(all_means < value - 1e-9), np.mean(all_means <= value + 1e-9)
        assert below - 0.01 <= probability <= up_to + 0.01


def test_tasks_are_strata() -> None:
    """Two tasks of constant scores: drawn together they would vary, by themselves they can't."""
    interval = bootstrap_interval([[0.0] * 5, [10.0] * 5], np.mean, rng=0)
    assert interval == (5.0, 5.0, 5.0)


def test_bootstrap_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2024)
    n_trials = 400
    hits = 0
    for _ in range(n_trials):
        scores = rng.normal(3.0, 2.0, 30)
        interval = bootstrap_interval(scores, rng=rng, confidence=0.9, resamples=500)
        hits += interval.low <= 3.0 <= interval.high
    # 0.9, less the optimism of percentile intervals of 30 runs, within 3 standard errors.
    assert 0.82 <= hits / n_trials <= 0.95


def test_seeds_fix_the_bootstrap() -> None:
    scores = [1.0, 5.0, 2.0, 8.0, 3.0]
    first = bootstrap_interval(scores, rng=5)
    assert bootstrap_interval(scores, rng=np.random.default_rng(5)) == first
    assert bootstrap_interval(scores, rng=6, resamples=99) != bootstrap_interval(
        scores, rng=7, resamples=99
    )
    assert first.low < first.estimate < first.high


def test_one_run_has_no_interval() -> None:
    for interval in (bootstrap_interval([4.0], rng=0), mean_interval([4.0])):
        assert interval.estimate == 4.0
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_bands_are_intervals_at_each_point() -> None:
    curves = np.random.default_rng(0).normal(size=(40, 4)) + np.arange(4)
    band = bootstrap_band(curves, rng=1, resamples=4_000)
    for point in range(4):
        column = curves[:, point]
        assert band.estimate[point] == pytest.approx(middle_half(column.tolist()))
        alone = bootstrap_interval(column, rng=2, resamples=4_000)
        assert band.low[point] == pytest.approx(alone.low, abs=0.05)
        assert band.high[point] == pytest.approx(alone.high, abs=0.05)


def test_bands_draw_whole_runs() -> None:
    """Curves that differ by a constant have a band of constant width."""
    shape = np.sin(np.arange(10.0))
    band = bootstrap_band(shape + np.array([[0.0], [1.0], [5.0]]), rng=0, resamples=200)
    for bound in (band.low, band.high):
        np.testing.assert_allclose(bound - shape, bound[0], atol=1e-12)
    assert band.low[0] < band.estimate[0] < band.high[0]


def test_bands_end_where_a_run_ends() -> None:
    curves = [[math.nan, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, math.nan]]
    for values in bootstrap_band(curves, rng=0):
        assert np.isnan(values).tolist() == [True, False, False, True]
    single = bootstrap_band([[1.0, math.nan]], rng=0)
    assert single.estimate[0] == 1.0
    assert np.isnan(single.low).all()
    assert np.isnan(single.high).all()


@pytest.mark.parametrize(
    ("freedom", "confidence", "quantile"),
    [
        # Two-sided quantiles as statistical tables print them.
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (3, 0.99, 5.841),
        (4, 0.95, 2.776),
        (5, 0.9, 2.015),
        (9, 0.95, 2.262),
        (10, 0.99, 3.169),
        (29, 0.95, 2.045),
        (30, 0.95, 2.042),
        (120, 0.95, 1.980),
        (1000, 0.95, 1.962),
        (1, 0.5, 1.000),
    ],
)
def test_intervals_of_a_mean_against_the_table(freedom, confidence, quantile) -> None:
    values = np.random.default_rng(freedom).normal(7.0, 3.0, freedom + 1)
    estimate, low, high = mean_interval(values, confidence)
    error = math.sqrt(sum((v - np.mean(values)) ** 2 for v in values) / freedom / (freedom + 1))
    assert estimate == pytest.approx(np.mean(values))
    assert (high - estimate) / error == pytest.approx(quantile, abs=6e-4)
    assert estimate - low == pytest.approx(high - estimate)


def test_equal_values_have_no_spread() -> None:
    assert mean_interval([500.0] * 10) == (500.0, 500.0, 500.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([], rng=0), "scores"),
        (lambda: bootstrap_interval([[1.0], []], rng=0), r"scores\[1\]"),
        (lambda: bootstrap_interval([1.0, math.nan], rng=0), "finite"),
        (lambda: bootstrap_interval([1.0, 2.0], rng=0, confidence=1.0), "confidence"),
        (lambda: bootstrap_interval([1.0, 2.0], rng=0, resamples=0), "resamples"),
        (lambda: bootstrap_band([1.0, 2.0], rng=0), "curves"),
        (lambda: bootstrap_band(np.zeros((0, 3)), rng=0), "curves"),
        (lambda: mean_interval([]), "values"),
        (lambda: mean_interval([1.0, math.inf]), "values must be finite"),
        (lambda: mean_interval([1.0, 2.0], confidence=95.0), "confidence"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
