"""NumPy generators: made from an `rng` argument, and their state, to be saved and set again."""

import copy
from typing import Any

import numpy as np

__all__ = ["as_generator", "check_generator_state", "generator_state"]

# Positions in a generator's block of ready numbers, which NumPy sets without a look, and then reads
# memory that is not its own. Each may be as large as the block is long.
_POSITIONS = {"pos": 624, "buffer_pos": 4, "has_uint32": 1}


def as_generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """An `rng` argument as a generator: itself, one with a seed, or (None) a fresh one.

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
    """Where a generator stands: ints, strings and arrays, to be set as `bit_generator.state`."""
    return copy.deepcopy(dict(rng.bit_generator.state))


def check_generator_state(rng: np.random.Generator, state: Any, name: str = "rng") -> None:
    """Raise unless `rng`, which is not touched, can be brought to a state of `generator_state`.

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
    if not _fits(scratch.state, state):
        raise ValueError(f"{name} is no state of a {kind}: it has entries of other kinds or sizes")


def _fits(known: Any, given: Any, name: str = "") -> bool:
    if type(known) is not type(given):
        return False
    if isinstance(known, dict):
        entries = all(key in given and _fits(known[key], given[key], key) for key in known)
        return entries and len(known) == len(given)
    if isinstance(known, np.ndarray):
        return known.dtype == given.dtype and np.array_equal(known, given)
    return bool(known == given) and (name not in _POSITIONS or 0 <= given <= _POSITIONS[name])
