"""Observations as environments give them, on their way to the tape.

* `copied`: those that are kept as objects, with memory of their own
* `reconciled`: layout and observation brought together where they disagree on a dtype
* `one_of`, `some_of`: parts of a batch of them
"""

from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from torch import Tensor

from ptan.experience.layout import OPAQUE, Array, Layout, Leaf, leaf_of, space_of


def copied(value: Any) -> Any:
    """`value` as it is now, whatever an environment writes to its arrays and lists later."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = map(copied, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return [copied(part) for part in value] if isinstance(value, list) else value


def reconciled(layout: Layout, value: Any, space: Any, *, first: bool) -> tuple[Layout, Any]:
    """Layout and observation, brought together where they disagree on a dtype or a shape.

    Where the space has a dtype, the observation is cast to that of the layout, if both are of one
    kind. The first step may also change the layout to the dtype of the space: what a reset returns
    is often less exact. Where no space is known, arrays of varying shape are kept as objects.
    """
    if isinstance(layout, Leaf):
        return _reconciled_leaf(layout, value, space, first)
    if isinstance(layout, dict):
        if isinstance(value, dict) and value.keys() == layout.keys():
            both = {
                k: reconciled(layout[k], value[k], space_of(space, k), first=first) for k in layout
            }
            return {k: pair[0] for k, pair in both.items()}, {
                k: pair[1] for k, pair in both.items()
            }
    elif isinstance(value, tuple) and len(value) == len(layout):
        pairs = [
            reconciled(part, value[i], space_of(space, i), first=first)
            for i, part in enumerate(layout)
        ]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return layout, value


def _reconciled_leaf(layout: Leaf, value: Any, space: Any, first: bool) -> tuple[Leaf, Any]:
    found = leaf_of(value)
    if found.opaque or layout.opaque or found.scalar != layout.scalar:
        return layout, value
    if found.shape != layout.shape:
        return (OPAQUE, value) if space is None else (layout, value)
    dtype = getattr(space, "dtype", None)
    if dtype is None:
        return layout, value
    target = layout.dtype
    if first:
        target = leaf_of(dtype.type()).dtype if layout.scalar else dtype
    if not all(np.can_cast(one.dtype, target, "same_kind") for one in (found, layout)):
        return layout, value
    cast = np.asarray(found.convert(value, "observation")).astype(target)
    return replace(layout, dtype=target), cast.item() if layout.scalar else cast


# Batches of observations, as vector environments give them.


def one_of(batch: Any, env: int, space: Any) -> Any:
    """One environment's part of a batch."""
    return _map(lambda part: part[env], batch, space)


def some_of(batch: Any, envs: Array, space: Any) -> Any:
    """The parts of some environments, as a batch."""
    return _map(
        lambda part: tuple(part[e] for e in envs) if isinstance(part, tuple) else part[envs],
        batch,
        space,
    )


def _map(take: Any, batch: Any, space: Any) -> Any:
    if isinstance(batch, dict):
        return {key: _map(take, part, space_of(space, key)) for key, part in batch.items()}
    # A tuple is a batch of objects, such as text, unless the space is one of parts.
    if isinstance(batch, tuple) and (space is None or isinstance(space, spaces.Tuple)):
        return tuple(_map(take, part, space_of(space, i)) for i, part in enumerate(batch))
    return take(batch)


def batch_parts(layout: Layout, batch: Any) -> list[Any]:
    """The leaves of a batch, in the order of the layout."""
    if isinstance(layout, Leaf):
        return [batch]
    parts = layout.items() if isinstance(layout, dict) else enumerate(layout)
    return [leaf for key, part in parts for leaf in batch_parts(part, batch[key])]
