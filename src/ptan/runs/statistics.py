"""What a handful of runs says: interquartile mean, bootstrap intervals, intervals of means."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "Interval", "bootstrap_interval", "half_interval", "interquartile_mean"]

Floats: TypeAlias = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and its 95 % confidence interval: numbers, or arrays along a curve.

    The ends are NaN where nothing can be said, as of a single run.
    """

    estimate: Floats
    low: Floats
    high: Floats


def interquartile_mean(scores: ArrayLike, axis: int = -1) -> Floats:
    """The mean of the middle half of the scores: as robust as a median, twice as efficient.

    Exactly half of the weight is kept: of 5 scores the middle ones weigh 0.75, 1 and 0.75. (A
    trimmed mean, as SciPy's, drops whole scores only.) With NaN among them the result is NaN.
    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
    section 4.3.
    """
    values = np.sort(np.moveaxis(np.asarray(scores, dtype=np.float64), axis, -1), axis=-1)
    n_scores = values.shape[-1]
    # Score i covers [i, i + 1); its weight is how much of that lies in the middle half.
    edges = np.clip(np.arange(n_scores + 1), n_scores / 4, 3 * n_scores / 4)
    weights = np.diff(edges) * (2 / n_scores)
    kept = weights > 0  # outliers of weight 0 may be infinite, and 0 · inf is NaN
    return np.where(np.isnan(values).any(axis=-1), np.nan, values[..., kept] @ weights[kept])


def bootstrap_interval(
    scores: ArrayLike, *, rng: np.random.Generator | int, resamples: int = 2_000
) -> Interval:
    """The interquartile mean over runs with its percentile bootstrap interval, by SciPy.

    Whole runs are drawn, the same at every point of their curves, so that a band is as smooth as
    they are. Below 10 runs such intervals are too narrow rather than too wide. Agarwal et al. 2021,
    section 4.1; Efron 1979.

    Args:
        scores: Finite, (runs,), or (runs, points) for curves on a common grid. Points at which a
            run has no value (NaN) have neither estimate nor interval.
        rng: A generator, or a seed for a fresh one.
        resamples: How many times the runs are drawn.
    """
    values = np.asarray(scores, dtype=np.float64)
    points = values.reshape(len(values), -1)
    estimate = interquartile_mean(points, 0)
    known = np.isfinite(estimate)
    low, high = np.full((2, len(estimate)), np.nan)
    if len(values) > 1 and known.any():
        found = _scipy_stats().bootstrap(
            (points[:, known],),
            interquartile_mean,
            axis=0,
            method="percentile",
            n_resamples=resamples,
            rng=np.random.default_rng(rng),
            vectorized=True,
        )
        low[known], high[known] = found.confidence_interval
    return Interval(*(part.reshape(values.shape[1:])[()] for part in (estimate, low, high)))


def half_interval(values: ArrayLike) -> float | None:
    """Half the width of the 95 % interval of the mean of values (n,), by Student's t; None for one.

    Exact for independent, normally distributed values; good for the means of many others.
    """
    n = np.size(values)
    if n == 1:
        return None
    stats = _scipy_stats()
    return float(stats.t.ppf(0.975, n - 1) * stats.sem(values))


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError('confidence intervals need SciPy: pip install "ptan[runs]"') from error
    return stats
