"""Findings in plain words, which checks yield one by one; and which values are equal."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from ptan.common.types import Array


def different(what: str, found: object, right: object, why: str = "") -> Iterator[str]:
    """A finding unless both are equal, numbers within the rounding of float32."""
    if not same(found, right, rtol=1e-5):
        yield f"{what} is {found}, right is {right}{why}"


def guarded(what: str, check: Iterable[str]) -> Iterator[str]:
    """The findings of a check; an exception in it is one more, and its last."""
    try:
        yield from check
    except Exception as error:
        yield f"{what} raised {type(error).__name__}: {error}".splitlines()[0]


def report(found: Iterable[str]) -> list[str]:
    """Of findings that differ in numbers only the first, with a count of the others."""
    alike: dict[str, list[str]] = {}
    for text in found:
        alike.setdefault(re.sub(r"[\d.]+", "", text), []).append(text)
    more = {texts[0]: len(texts) - 1 for texts in alike.values()}
    return [f"{text} (and {n} more like it)" if n else text for text, n in more.items()]


def leaves(value: object, name: str = "") -> dict[str, Array]:
    """The arrays of an observation by their names, nested ones included."""
    if not isinstance(value, dict | tuple):
        return {name: np.asarray(value)}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    nested = [leaves(part, f"{name}[{key!r}]") for key, part in parts]
    return {leaf: array for found in nested for leaf, array in found.items()}


def same(one: object, two: object, rtol: float = 0.0) -> bool:
    """Whether two values are equal in structure, shapes and numbers, NaN equal to itself."""

    def equal(a: Array, b: Array) -> bool:
        if a.shape != b.shape or a.dtype.kind not in "biufc" or b.dtype.kind not in "biufc":
            return np.array_equal(a, b)
        return np.allclose(a, b, rtol=rtol, atol=rtol / 10, equal_nan=True)

    ours, theirs = leaves(one), leaves(two)
    return ours.keys() == theirs.keys() and all(equal(ours[name], theirs[name]) for name in ours)
