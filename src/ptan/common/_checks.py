"""What the helpers of this folder ask of their arguments."""

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
