"""Validators of arguments, whose errors name argument, value and what would be right.

Each raises TypeError for another kind of value and ValueError for one outside its range. Booleans
are no numbers here, and NaN is outside every range.
"""

import math
import reprlib
import sys
import warnings
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def whole_number(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """An int of at least `least`, and at most `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int of at least {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}, got {value}")
    return int(value)


def checked_seed(env_seed: object) -> int | None:
    """A seed of environments, if any: an int of at least 0."""
    return None if env_seed is None else whole_number("env_seed", env_seed, 0)


def number(name: str, value: object, right: str = "a number") -> float:
    """A plain float, which may be NaN or infinite; `right` is what an error says it must be."""
    if value.__class__ is float:  # nearly always, and the check below is slow
        return value
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {right}, got {value!r}")
    return float(value)


def unit_interval(name: str, value: object) -> float:
    """A probability or weight as a plain float."""
    result = number(name, value, "a number in [0, 1]")
    if not 0.0 <= result <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return result


def check_at_least(name: str, value: object, least: float) -> None:
    """Raise unless a value is a finite number of at least `least`."""
    if not least <= number(name, value) < math.inf:
        raise ValueError(f"{name} must be finite and at least {least:g}, got {value}")


def check_finite(name: str, value: object) -> None:
    """Raise unless a value is a finite number."""
    if not math.isfinite(number(name, value)):
        raise ValueError(f"{name} must be finite, got {value}")


def check_above_zero(name: str, value: object) -> None:
    """Raise unless a value is a finite number above 0."""
    if not 0.0 < number(name, value) < math.inf:
        raise ValueError(f"{name} must be finite and above 0, got {value}")


def checked_callable(name: str, value: object) -> Any:
    """The value, if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {value!r}")
    return value


def finite_array(name: str, value: ArrayLike, least: float = -math.inf) -> NDArray[np.float64]:
    """A number or array of them as a float64 array, finite and nowhere below `least`."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of them, got {value!r}") from None
    if not (np.isfinite(array).all() and (array >= least).all()):
        also = "" if least == -math.inf else f" and at least {least:g}"
        raise ValueError(f"{name} must be finite{also}, got {value!r}")
    return array


def check_entries(state: object, expected: Iterable[str], name: str = "state") -> None:
    """Raise unless a saved state, or part of one, is a dict with these entries."""
    if not isinstance(state, Mapping):
        raise TypeError(f"{name} must be a dict, got {reprlib.repr(state)}")
    if state.keys() != set(expected):
        raise ValueError(f"{name} must have the entries {sorted(expected)}, got {[*state]}")


def saved_array(
    name: str, value: object, dtype: DTypeLike, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """An array out of a saved state, of this dtype and shape; None stands for any length."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array, got {reprlib.repr(value)}")
    wanted = tuple(n if m is None else m for m, n in zip(shape, value.shape, strict=False))
    if value.dtype != dtype or value.ndim != len(shape) or wanted != value.shape:
        raise ValueError(
            f"{name} must be {np.dtype(dtype)} of shape {shape}, "
            f"got {value.dtype} of shape {value.shape}"
        )
    return value


def warn_user(text: str) -> None:
    """Issue a UserWarning that points at the first caller outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("ptan."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
