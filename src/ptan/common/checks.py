"""Validators of arguments; their errors name argument, value and what would be right."""

import math
from numbers import Real
from typing import Any

import numpy as np


def whole_number(name: str, value: object, least: int = 1) -> int:
    """An int of at least `least`; booleans, which count as ints in Python, are refused.

    Raises:
        TypeError: the value is no int.
        ValueError: it is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int of at least {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


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


def check_switch(name: str, value: object) -> None:
    """Raise unless a value is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def checked_callable(name: str, value: Any) -> Any:
    """The value, if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {value!r}")
    return value
