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

    Exactly half of the weight is kept: of 5 scores the middle ones weigh 0.75, 1 and 0.75. (A
    trimmed mean, as SciPy's, drops whole scores only.) Agarwal et al. 2021, "Deep Reinforcement
    Learning at the Edge of the Statistical Precipice", section 4.3.

    Takes numbers and an axis to reduce, None for all; with NaN among them the result is NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    values = values.reshape(-1) if axis is None else np.moveaxis(values, axis, -1)
    n_scores = values.shape[-1] if values.ndim else 0
    if n_scores == 0:
        raise ValueError(f"scores must hold at least one number, got shape {np.shape(scores)}")
    # Score i covers [i, i + 1); its weight is how much of that lies in the middle half.
    edges = np.clip(np.arange(n_scores + 1), n_scores / 4, 3 * n_scores / 4)
    weights = np.diff(edges) * (2 / n_scores)
    kept = weights > 0  # outliers of weight 0 may be infinite, and 0 · inf is NaN
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

    Each task keeps its number of runs in every resample. With few runs such intervals are somewhat
    too narrow: below 10 runs, read them as a lower limit. Agarwal et al. 2021, section 4.1; Efron
    1979.

    Args:
        scores: One score per run, (runs,); or a sequence of such, one for each task, of any
            lengths. Scores of different tasks must be on one scale.
        statistic: Of scores and an axis; applied to the runs of all tasks together.
        rng: A generator, or a seed for a fresh one.
        confidence: How probable it is that such an interval holds the true value.
        resamples: How many times the runs are drawn.

    Returns:
        The statistic of the scores, and its interval: NaN if a task has a single run.
    """
    tasks = _tasks(scores)
    options = _options(rng, confidence, resamples)
    estimate = float(statistic(np.concatenate(tasks), -1))
    if min(map(len, tasks)) == 1:
        return Interval(estimate, math.nan, math.nan)

    def of_all(*parts: Floats, axis: int) -> Any:
        return statistic(np.concatenate(parts, axis=axis), axis)

    found = _scipy_stats().bootstrap(tasks, of_all, **options).confidence_interval
    return Interval(estimate, float(found.low), float(found.high))


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
        curves: (runs, points), on a common grid. Points at which a run has no value (NaN) have
            neither estimate nor band: what remains there would be a choice of runs.
        statistic, rng, confidence, resamples: As for `bootstrap_interval`, at each point by itself.
    """
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"curves must have shape (runs, points), got {values.shape}")
    options = _options(rng, confidence, resamples)
    band = Band(*np.full((3, values.shape[1]), np.nan))
    known = ~np.isnan(values).any(axis=0)
    if not known.any():
        return band
    band.estimate[known] = statistic(values[:, known], 0)
    if len(values) > 1:
        found = _scipy_stats().bootstrap(
            (values[:, known],), lambda rows, axis: statistic(rows, axis), axis=0, **options
        )
        band.low[known], band.high[known] = found.confidence_interval
    return band


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """The confidence interval of a mean, by Student's t distribution.

    Exact for independent, normally distributed values; good for the means of many others.

    Takes values (n,), such as the returns of evaluation episodes. The interval of a single one is
    NaN: it says nothing about the spread.
    """
    sample = _scores("values", values)
    tail = (1 - _confidence(confidence)) / 2
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, math.nan, math.nan)
    stats = _scipy_stats()
    half = float(stats.t.ppf(1 - tail, len(sample) - 1) * stats.sem(sample))
    return Interval(mean, mean - half, mean + half)


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError('confidence intervals need SciPy: pip install "ptan[runs]"') from error
    return stats


def _options(rng: np.random.Generator | int, confidence: float, resamples: int) -> dict[str, Any]:
    """How SciPy's bootstrap is to draw."""
    return {
        "method": "percentile",
        "rng": as_generator(rng),
        "confidence_level": _confidence(confidence),
        "n_resamples": whole_number("resamples", resamples),
        "vectorized": True,
    }


def _confidence(confidence: float) -> float:
    if not 0.0 < number("confidence", confidence) < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return confidence


def _tasks(scores: Any) -> list[Floats]:
    """The scores of each task; plain numbers are one task."""
    if not len(scores):
        raise ValueError("scores must hold at least one run, got none")
    if np.ndim(scores[0]) == 0:
        return [_scores("scores", scores)]
    return [_scores(f"scores[{index}]", task) for index, task in enumerate(scores)]


def _scores(name: str, values: ArrayLike) -> Floats:
    """Finite numbers of shape (n,), n of at least 1."""
    result = np.asarray(values, dtype=np.float64)
    if result.ndim != 1 or len(result) == 0:
        raise ValueError(f"{name} must have shape (n,) with n of at least 1, got {result.shape}")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} must be finite, got {result.tolist()}")
    return result
