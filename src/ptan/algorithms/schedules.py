"""Numbers that change with the environment steps: exploration, step sizes."""

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Schedule", "decaying", "linear"]

Schedule: TypeAlias = Callable[[int], float]
"""The value at a step, counted from where the schedule begins."""


def linear(start: float, final: float, steps: int) -> Schedule:
    """A straight line from `start` at 0 to exactly `final` at `steps`, constant after."""
    return lambda step: final if step >= steps else start + step / steps * (final - start)


def decaying(start: float, final: float, factor: float) -> Schedule:
    """`start` times `factor` per step, down to `final`; constant where it starts below that."""
    floor = min(final, start)
    return lambda step: max(floor, start * factor**step)
