"""What every selector asks of its scores."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


def first_nan_row(values: NDArray[Any]) -> str:
    """Where the first NaN is, for an error message."""
    row = int(np.isnan(values.reshape(len(values), -1)).any(axis=1).argmax())
    return f"{values[row].tolist()} in row {row}"
