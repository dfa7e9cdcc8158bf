"""What a handful of runs says: interquartile mean, bootstrap intervals, the interval of a mean."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptan.common.checks import number, whole_number
from ptan.common.generators import as_generator

__all__ = [
    "Band",
    "Interval",
    "bootstrap_band",
    "bootstrap_interval",
    "interquartile_mean",
    "mean_interval",
]

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats, int], Any]
"""Of scores and the axis to reduce, such as `interquartile_mean` or `np.median`."""


class Interval(NamedTuple):
    """An estimate and its confidence interval; the ends are NaN where nothing can be said."""

    estimate: float
    low: float
    high: float


class Band(NamedTuple):
    """An estimate and its confidence interval at each point of a curve, each of shape (points,)."""

    estimate: Floats
    low: Floats
    high: Floats


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> Any:
    """The mean of the middle half of the scores: as robust as a median, twice as efficient.

    Exactly half of the weight is kept. Where a quarter of the scores is no whole number, the scores
    at the cut count in part: of 5 scores the middle ones weigh 0.75, 1 and 0.75. At multiples of 4
    this equals a 25 % trimmed mean that drops whole scores.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
    section 4.3.

    Args:
        scores: Numbers; with NaN among them the result is NaN.
        axis: Which axis to reduce; None takes all scores together.

    Returns:
        A float, or an array without the axis.

    Raises:
        ValueError: no scores.
    """
    values = np.asarray(scores, dtype=np.float64)
    values = values.reshape(-1) if axis is None else np.moveaxis(values, axis, -1)
    n_scores = values.shape[-1] if values.ndim else 0
    if n_scores == 0:
        raise ValueError(f"scores must hold at least one number, got shape {np.shape(scores)}")
    # Score i covers [i, i + 1); its weight is how much of that lies in the middle half.
    edges = np.clip(np.arange(n_scores + 1), n_scores / 4, 3 * n_scores / 4)
    weights = np.diff(edges) * (2 / n_scores)
    # Outliers of weight 0 may be infinite, and 0 · inf is NaN.
    kept = weights > 0
    result = np.sort(values, axis=-1)[..., kept] @ weights[kept]
    result = np.where(np.isnan(values).any(axis=-1), np.nan, result)
    return result if result.ndim else float(result)


def bootstrap_interval(
    scores: ArrayLike | Sequence[ArrayLike],
    statistic: Statistic = interquartile_mean,
    *,
    rng: np.random.Generator | int,
    confidence: float = 0.95,
    resamples: int = 2_000,
) -> Interval:
    """The confidence interval of a statistic of runs, by the stratified percentile bootstrap.

    Each task keeps its number of runs in every resample: its runs are drawn anew, with
    replacement, from its own. The ends are percentiles of the statistic over the resamples. With
    few runs such intervals are somewhat too narrow: below 10 runs, read them as a lower limit.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
    section 4.1; Efron 1979.

    Args:
        scores: One score per run: shape (runs,) for one task, or a sequence of such, one for each
            task, of any lengths. Scores of different tasks must be on one scale.
        statistic: Of scores and an axis; applied to the runs of all tasks together.
        rng: A generator, or a seed for a fresh one.
        confidence: How probable it is that such an interval holds the true value.
        resamples: How many times the runs are drawn.

    Returns:
        The statistic of the scores, and its interval: NaN if no task has more than one run.

    Raises:
        ValueError, TypeError: an argument of the wrong kind or outside its range, by name.
    """
    tasks = _tasks(scores)
    tail, n_resamples = _tail(confidence), whole_number("resamples", resamples)
    generator = as_generator(rng)
    estimate = float(statistic(np.concatenate(tasks), -1))
    if max(map(len, tasks)) == 1:
        return Interval(estimate, math.nan, math.nan)
    drawn = [task[generator.integers(len(task), size=(n_resamples, len(task)))] for task in tasks]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1), -1), [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))


def bootstrap_band(
    curves: ArrayLike,
    statistic: Statistic = interquartile_mean,
    *,
    rng: np.random.Generator | int,
    confidence: float = 0.95,
    resamples: int = 1_000,
) -> Band:
    """The confidence band of the learning curves of several runs, point by point.

    Whole runs are drawn, the same at every point, so that the band is as smooth as the curves.

    Args:
        curves: Shape (runs, points), on a common grid. Points at which a run has no value (NaN)
            have neither estimate nor band: what remains there would be a choice of runs.
        statistic: Of curves and an axis.
        rng: A generator, or a seed for a fresh one.
        confidence: At each point by itself.
        resamples: How many times the runs are drawn.

    Returns:
        The statistic at each point and its band, NaN where there is none.

    Raises:
        ValueError, TypeError: an argument of the wrong kind or outside its range, by name.
    """
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"curves must have shape (runs, points), got {values.shape}")
    tail, n_resamples = _tail(confidence), whole_number("resamples", resamples)
    n_runs, n_points = values.shape
    band = Band(*np.full((3, n_points), np.nan))
    drawn = as_generator(rng).integers(n_runs, size=(n_resamples, n_runs))
    for point in np.flatnonzero(~np.isnan(values).any(axis=0)):
        column = values[:, point]
        band.estimate[point] = statistic(column, -1)
        if n_runs > 1:
            resampled = statistic(column[drawn], -1)
            band.low[point], band.high[point] = np.quantile(resampled, [tail, 1 - tail])
    return band


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """The confidence interval of a mean, by Student's t distribution.

    Exact for independent, normally distributed values; good for the means of many others.

    Args:
        values: Shape (n,), such as the returns of evaluation episodes.
        confidence: How probable it is that such an interval holds the true mean.

    Returns:
        The mean and its interval: NaN for a single value, which says nothing about the spread.

    Raises:
        ValueError, TypeError: an argument of the wrong kind or outside its range, by name.
    """
    sample = _scores("values", values)
    tail = _tail(confidence)
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, math.nan, math.nan)
    error = float(sample.std(ddof=1)) / math.sqrt(len(sample))
    half = _t_quantile(1 - 2 * tail, len(sample) - 1) * error
    return Interval(mean, mean - half, mean + half)


def _t_quantile(inside: float, freedom: int) -> float:
    """Where |t| stays below with probability `inside`, for a whole number of degrees of freedom.

    Abramowitz & Stegun 1964, 26.7.3 and 26.7.4: finite sums in θ = atan(t / √freedom), which rise
    with θ, so that halving an interval of θ finds the place.
    """
    odd = freedom % 2
    # Odd: 1, 2/3, (2·4)/(3·5), …; even: 1, 1/2, (1·3)/(2·4), …; one per second degree of freedom.
    k = np.arange(1, (freedom - odd) // 2, dtype=np.float64)
    ratios = 2 * k / (2 * k + 1) if odd else (2 * k - 1) / (2 * k)
    coefficients = np.concatenate(([1.0], np.cumprod(ratios)))
    powers = 2.0 * np.arange(len(coefficients)) + odd

    def probability(theta: float) -> float:
        total = float(coefficients @ math.cos(theta) ** powers) * math.sin(theta)
        if not odd:
            return total
        return 2 / math.pi * (theta + (total if freedom > 1 else 0.0))

    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if probability(middle) < inside:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def _tail(confidence: float) -> float:
    """The probability on each side of an interval."""
    if not 0.0 < number("confidence", confidence) < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return (1 - confidence) / 2


def _tasks(scores: Any) -> list[Floats]:
    """The scores of each task; plain numbers are one task."""
    if len(scores) and np.ndim(scores[0]) == 0:
        return [_scores("scores", scores)]
    if not len(scores):
        raise ValueError("scores must hold at least one run, got none")
    return [_scores(f"scores[{index}]", task) for index, task in enumerate(scores)]


def _scores(name: str, values: ArrayLike) -> Floats:
    """Finite numbers of shape (n,), n of at least 1."""
    result = np.asarray(values, dtype=np.float64)
    if result.ndim != 1 or len(result) == 0:
        raise ValueError(f"{name} must have shape (n,) with n of at least 1, got {result.shape}")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} must be finite, got {result.tolist()}")
    return result
