"""The layout of a value: which arrays an observation, action or reward consists of.

A layout is a `Leaf`, or a dict or tuple of layouts. Storage keeps one column per leaf, in native
byte order. Tensors become arrays. Those that need a gradient stay objects, as everything does that
is no number: text, graphs, ragged lists. Objects are kept as given.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from operator import getitem
from typing import Any, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ptan.common.types import Array as Array

_SCALAR_DTYPES = {"b": np.dtype(np.bool_), "i": np.dtype(np.int64), "u": np.dtype(np.int64)}
_PYTHON_TYPES = {"b": bool, "i": int, "f": float}
_SHAPELESS = (spaces.Text, spaces.Graph, spaces.Sequence, spaces.OneOf)
_PLAIN_KINDS = frozenset("biufc")


@dataclass(frozen=True)
class Leaf:
    """One array of a value, or a Python scalar, or an object that is kept as given."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scalar: bool = False

    @property
    def opaque(self) -> bool:
        """True for objects that are kept as given."""
        return self.dtype.hasobject

    @property
    def nbytes(self) -> int:
        """Bytes of one value."""
        return self.dtype.itemsize * int(np.prod(self.shape))

    def convert(self, value: object, name: str) -> Any:
        """`value` as this leaf stores it; ValueError, with `name`, for another shape or dtype."""
        if type(value) is np.ndarray and not self.scalar and value.dtype == self.dtype:
            array = value
        elif (self.scalar and type(value) is _PYTHON_TYPES[self.dtype.kind]) or self.opaque:
            return value
        else:
            found = leaf_of(value)
            if found.opaque or found.scalar != self.scalar:
                raise ValueError(f"{name} must be {self}, like the first one, got {value!r}")
            array = as_array(value).astype(found.dtype, copy=False)
        if array.shape != self.shape or array.dtype != self.dtype:
            got = Leaf(array.shape, array.dtype, self.scalar)
            raise ValueError(f"{name} must be {self}, like the first one, got {got}")
        return array

    def column(self, values: Sequence[Any]) -> Array:
        """An array of `len(values)` values that `convert` returned."""
        if self.scalar:
            return np.array(values, self.dtype)
        out = np.empty((len(values), *self.shape), self.dtype)
        for i, value in enumerate(values):
            out[i] = value
        return out

    def __str__(self) -> str:
        if self.opaque:
            return "an object"
        if self.scalar:
            return f"a Python number ({self.dtype})"
        return f"an array of shape {self.shape} and dtype {self.dtype}"


Layout: TypeAlias = "Leaf | dict[Any, Layout] | tuple[Layout, ...]"

OPAQUE = Leaf((), np.dtype(object))
SCALAR_REWARD = Leaf((), np.dtype(np.float64), scalar=True)


def leaf_of(value: object) -> Leaf:
    """The leaf that fits a value that is neither a dict nor a tuple."""
    if isinstance(value, (bool, int, float, np.generic)):
        kind = np.asarray(value).dtype.kind
        if kind in "biuf":
            return Leaf((), _SCALAR_DTYPES.get(kind, np.dtype(np.float64)), scalar=True)
    if isinstance(value, Tensor) and value.requires_grad:
        return OPAQUE
    if isinstance(value, list) or hasattr(value, "__array__"):
        try:
            array = as_array(value)
        except (ValueError, TypeError, RuntimeError):  # a ragged list, a sparse tensor
            return OPAQUE
        if array.dtype.kind in _PLAIN_KINDS:
            native = array.dtype.isnative
            return Leaf(array.shape, array.dtype if native else array.dtype.newbyteorder("="))
    return OPAQUE


def as_array(value: object) -> Array:
    """A value as an array; tensors without a copy where that is possible."""
    if isinstance(value, Tensor):
        value = value.float() if value.dtype == torch.bfloat16 else value
        return np.asarray(value.numpy(force=True))
    return np.asarray(value)


def reward_leaf(reward: object, name: str = "reward") -> Leaf:
    """The leaf of a reward, float64 for scalars; TypeError for what is not of numbers."""
    leaf = leaf_of(reward)
    if leaf.opaque or leaf.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be a number or an array of numbers, got {reward!r}")
    return SCALAR_REWARD if leaf.scalar else leaf


def layout_of(value: object, space: object = None) -> Layout:
    """The layout of a value; named tuples, and values of spaces without a shape, are objects."""
    if isinstance(space, _SHAPELESS):
        return OPAQUE
    if isinstance(value, dict):
        return {key: layout_of(part, space_of(space, key)) for key, part in value.items()}
    if type(value) is tuple:
        return tuple(layout_of(part, space_of(space, i)) for i, part in enumerate(value))
    return OPAQUE if isinstance(value, tuple) else leaf_of(value)


def space_of(space: Any, key: object) -> Any:
    """The space of one part of a nested space; None where it is not known."""
    try:
        return space.spaces[key]
    except (AttributeError, KeyError, IndexError, TypeError):
        return None


# Walks through nested dicts and tuples.


def mapped(function: Callable[[Any], Any], nest: Any) -> Any:
    """Nested dicts and tuples with a function of every leaf in its place."""
    if isinstance(nest, dict):
        return {key: mapped(function, part) for key, part in nest.items()}
    if isinstance(nest, tuple):
        return tuple([mapped(function, part) for part in nest])
    return function(nest)


def parts_of(layout: Layout, nest: Any, part_of: Callable[..., Any] = getitem) -> list[Any]:
    """What equally nested values hold in place of each leaf; they are not checked."""
    if isinstance(layout, Leaf):
        return [nest]
    parts = layout.items() if isinstance(layout, dict) else enumerate(layout)
    return [leaf for key, part in parts for leaf in parts_of(part, part_of(nest, key), part_of)]


def leaves_of(layout: Layout) -> list[Leaf]:
    """The leaves of a layout, in the order of `flatten`."""
    return parts_of(layout, layout)


def leaf_order(layout: Layout, other: Layout) -> list[int]:
    """The number of each leaf of `layout` in an equal one, whose dicts may be in another order."""
    return parts_of(layout, unflatten(other, count()))


def flatten(layout: Layout, value: object, name: str) -> list[Any]:
    """The leaf values of `value`, as `convert` gives them; ValueError says where it differs."""
    if isinstance(layout, Leaf):
        return [layout.convert(value, name)]
    if isinstance(layout, dict):
        if not isinstance(value, dict) or value.keys() != layout.keys():
            raise ValueError(f"{name} must be a dict with keys {list(layout)}, got {value!r}")
        pairs = [(part, value[key], f"{name}[{key!r}]") for key, part in layout.items()]
    else:
        if not isinstance(value, tuple) or len(value) != len(layout):
            raise ValueError(f"{name} must be a tuple of {len(layout)} parts, got {value!r}")
        pairs = [(part, value[i], f"{name}[{i}]") for i, part in enumerate(layout)]
    return [leaf for part, inner, path in pairs for leaf in flatten(part, inner, path)]


def unflatten(layout: Layout, leaves: Iterable[Any]) -> Any:
    """The value whose leaf values are `leaves`: the inverse of `flatten`."""
    rest = iter(leaves)
    return mapped(lambda _: next(rest), layout)


def row_values(layout: Layout, columns: Sequence[Array]) -> list[Any]:
    """One value per row from the columns of a layout: Python scalars, array views or nests."""
    if isinstance(layout, Leaf):
        return leaf_values(layout, columns[0])
    parts = map(leaf_values, leaves_of(layout), columns)
    return [unflatten(layout, leaves) for leaves in zip(*parts, strict=True)]


def leaf_values(leaf: Leaf, column: Array) -> list[Any]:
    """The values in a column, which may have an axis of rows and one of steps."""
    axes = column.ndim - len(leaf.shape)
    if axes > 1:
        column = column.reshape(prod(column.shape[:axes]), *leaf.shape)
    return column.tolist() if leaf.scalar or leaf.opaque else list(column)


def layout_words(layout: Layout) -> dict[str, Any]:
    """A layout as numbers, text, lists and dicts; the order of keys is kept."""
    if isinstance(layout, dict):
        return {"dict": [[key, layout_words(part)] for key, part in layout.items()]}
    if isinstance(layout, tuple):
        return {"tuple": [layout_words(part) for part in layout]}
    return {"shape": list(layout.shape), "dtype": layout.dtype.str, "scalar": layout.scalar}


def layout_written(words: Mapping[str, Any]) -> Layout:
    """The layout of which these are the words."""
    if "dict" in words:
        return {key: layout_written(part) for key, part in words["dict"]}
    if "tuple" in words:
        return tuple(layout_written(part) for part in words["tuple"])
    return Leaf(tuple(map(int, words["shape"])), np.dtype(words["dtype"]), words["scalar"] is True)
