"""NumPy generators: made from an `rng` argument, and their state, to be saved and set again."""

import copy
import reprlib

import numpy as np

from ptan.common.checks import whole_number

__all__ = ["as_generator", "check_generator_state", "generator_state"]


def as_generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """An `rng` argument as a generator: itself, one with a seed, or (None) a fresh one."""
    if rng is not None and not isinstance(rng, np.random.Generator):
        rng = whole_number("rng, unless it is a numpy.random.Generator or None,", rng, 0)
    return np.random.default_rng(rng)


def generator_state(rng: np.random.Generator) -> dict[str, object]:
    """Where a generator stands: ints, strings and arrays, to be set as `bit_generator.state`."""
    return copy.deepcopy(dict(rng.bit_generator.state))


def check_generator_state(rng: np.random.Generator, state: object, name: str = "rng") -> None:
    """Raise ValueError unless `rng`, which is not touched, can be brought to such a state."""
    scratch = copy.deepcopy(rng.bit_generator)
    kind = scratch.state["bit_generator"]
    try:
        scratch.state = state  # type: ignore[assignment]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        given = reprlib.repr(state)
        text = f"{name} must be a state of {kind}, like the present one, got {given}"
        raise ValueError(text) from None
