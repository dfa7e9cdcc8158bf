"""NumPy generators: made from an `rng` argument, and their state, to be saved and set again."""

import copy
from typing import Any

import numpy as np

__all__ = ["as_generator", "check_generator_state", "generator_state"]

# Positions in a generator's block of ready numbers, which NumPy sets without a look, and then reads
# memory that is not its own. Each may be as large as the block is long.
_POSITIONS = {"pos": 624, "buffer_pos": 4, "has_uint32": 1}


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


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Where the generator stands: a new dict of ints, strings and arrays.

    `rng.bit_generator.state = state` brings a generator of the same kind there.
    """
    return copy.deepcopy(dict(rng.bit_generator.state))


def check_generator_state(rng: np.random.Generator, state: Any, name: str = "rng") -> None:
    """Raise unless `rng` can be brought to a state; `rng` itself is not touched.

    Args:
        rng: the generator that is meant to go on from there.
        state: what `generator_state` returned.
        name: what the texts call the state.

    Raises:
        TypeError: the state is no dict.
        ValueError: it belongs to another kind of generator, or is none at all.
    """
    if not isinstance(state, dict):
        raise TypeError(f"{name} must be a dict, got {type(state).__name__}")
    kind = rng.bit_generator.state["bit_generator"]
    named = state.get("bit_generator")
    if not isinstance(named, str) or named != kind:
        raise ValueError(
            f"{name} must be of a generator of kind {kind}, like the present one, got {named!r}"
        )
    scratch = copy.deepcopy(rng.bit_generator)
    try:
        scratch.state = state
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is no state of a {kind}: {error}") from None
    # NumPy reads what it knows and rounds what does not fit: only what it gives back is certain.
    if not (_equal(scratch.state, state) and _in_bounds(state)):
        raise ValueError(f"{name} is no state of a {kind}: it has entries of other kinds or sizes")


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return bool(a == b)


def _in_bounds(state: dict[str, Any]) -> bool:
    for name, value in state.items():
        if isinstance(value, dict) and not _in_bounds(value):
            return False
        if name in _POSITIONS and not 0 <= value <= _POSITIONS[name]:
            return False
    return True
