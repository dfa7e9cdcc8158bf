"""Turn observations, as environments give them, into the tensors that a model takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ptan.common.types import Array, Observation, Observations


def default_states_preprocessor(states: Observations) -> Any:
    """Make a batch of observations one tensor, keeping its dtype.

    A *list* is a batch of observations: arrays, tensors, numbers, array-likes (lazy frames), dicts
    or tuples of these. Anything else is already batched, as a vector environment gives it: an array
    (B, ...), a tensor, or a dict or tuple of batched arrays.

    Returns:
        A tensor (B, ...); for dict and tuple observations a dict or tuple of tensors, nested as the
        observations are. Tensors are used as they are; where one writable array is all there is,
        the tensor shares its memory, so a model must not change its input in place.

    Raises:
        ValueError: no observations, or observations of different shapes.
        TypeError: a dtype that torch does not have, such as strings and objects.
    """
    return _to_tensors(states, None)


def float32_preprocessor(states: Observations) -> Any:
    """Make a batch of observations float32 tensors; otherwise as `default_states_preprocessor`."""
    return _to_tensors(states, torch.float32)


def _to_tensors(states: Observations, dtype: torch.dtype | None) -> Any:
    if isinstance(states, list):
        return _stack(states, dtype)
    if type(states) is np.ndarray:
        return _to_tensor(states, dtype)
    if isinstance(states, torch.Tensor):
        return states if dtype is None else states.to(dtype)
    if isinstance(states, Mapping):
        return {key: _to_tensors(value, dtype) for key, value in states.items()}
    if isinstance(states, tuple):
        return tuple(_to_tensors(value, dtype) for value in states)
    return _to_tensor(np.asarray(states), dtype)


def _stack(items: Sequence[Observation], dtype: torch.dtype | None) -> Any:
    if not items:
        raise ValueError("observations must not be empty")
    first = items[0]
    if type(first) is np.ndarray:
        if len(items) == 1:
            return _to_tensor(first[None], dtype)
    elif isinstance(first, torch.Tensor):
        return _to_tensors(torch.stack(list(items)), dtype)
    elif isinstance(first, Mapping):
        return {key: _stack([item[key] for item in items], dtype) for key in first}
    elif isinstance(first, tuple):
        return tuple(_stack(parts, dtype) for parts in zip(*items, strict=True))
    try:
        # np.array costs a third of np.stack for small observations.
        array = np.array(items)
    except ValueError as error:
        shapes = sorted({np.shape(item) for item in items})
        raise ValueError(f"observations must have one shape, got {shapes}") from error
    return _to_tensor(array, dtype)


def _to_tensor(array: Array, dtype: torch.dtype | None) -> torch.Tensor:
    # torch warns about read-only arrays and refuses negative strides and foreign byte orders.
    try:
        tensor = torch.from_numpy(array) if array.flags.writeable else _copy_to_tensor(array)
    except (TypeError, ValueError):
        tensor = _copy_to_tensor(array)
    return tensor if dtype is None else tensor.to(dtype)


def _copy_to_tensor(array: Array) -> torch.Tensor:
    native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    try:
        return torch.from_numpy(native)
    except TypeError:
        raise TypeError(
            f"observations of dtype {array.dtype} cannot become a tensor; give the agent a "
            "preprocessor of your own, or preprocessor=None to pass observations through"
        ) from None
