"""What every selector asks of its arguments: generators, numbers, scores."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Turn an `rng` argument into a generator.

    Args:
        rng: A generator (used as it is), a seed of at least 0, or None for a fresh generator seeded
            by the operating system.

    Returns:
        The generator. Two calls share one only if they were given the same.

    Raises:
        TypeError: rng is something else.
        ValueError: a negative seed.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer):
        raise TypeError(f"rng must be a numpy.random.Generator, an int or None, got {rng!r}")
    if rng < 0:
        raise ValueError(f"rng, as a seed, must be at least 0, got {rng}")
    return np.random.default_rng(rng)


def number(name: str, value: object) -> float:
    """A plain float, refusing booleans, which count as numbers in Python, and strings."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(value)


def unit_interval(name: str, value: object) -> float:
    """A probability or weight as a plain float; NaN is outside the interval."""
    result = number(name, value)
    if not 0.0 <= result <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return result


def not_negative(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A standard deviation: finite, at least 0, one number or an array of them."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of them, got {value!r}") from None
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(f"{name} must be finite and at least 0, got {value!r}")
    return array


def check_matrix(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores as a (B, A) array with A > 0, or ValueError."""
    if type(scores) is not np.ndarray:  # a subclass, a list, a CPU tensor
        try:
            scores = np.asarray(scores)
        except ValueError:
            raise ValueError(f"scores must be rows of one length, got {scores!r}") from None
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(
            f"scores must have shape (batch, actions) with at least one action, got {scores.shape}"
        )
    return scores


def check_scores(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores as a (B, A) array without NaN, or ValueError; TypeError if they are no numbers."""
    scores = check_matrix(scores)
    # A sum of squares is NaN exactly if an entry is (infinities stay infinite), and one such call
    # costs less than half of isnan().any().
    try:
        norm = np.vdot(scores, scores)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"scores must be numbers, got {scores!r}") from None
    if norm != norm:
        raise ValueError(f"scores must not be NaN, got {first_nan_row(scores)}")
    return scores


def checked_callable(name: str, value: Any) -> Any:
    """The value, if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {value!r}")
    return value


def first_nan_row(values: NDArray[Any]) -> str:
    """Where the first NaN is, for an error message."""
    row = int(np.isnan(values.reshape(len(values), -1)).any(axis=1).argmax())
    return f"{values[row].tolist()} in row {row}"
