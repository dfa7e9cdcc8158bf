"""Turn observations, as environments give them, into the tensors that a model takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def default_states_preprocessor(states: Any) -> Any:
    """Make a batch of observations one tensor, keeping its dtype.

    Args:
        states: A *list* is a batch of observations: arrays, tensors, numbers, array-likes (lazy
            frames), dicts or tuples of these. Anything else is already batched, as a vector
            environment gives it: an array (B, ...), a tensor, or a dict or tuple of batched arrays.

    Returns:
        A tensor (B, ...); for dict and tuple observations a dict or tuple of tensors, nested as the
        observations are. Tensors are used as they are; where one writable array is all there is,
        the tensor shares its memory, so a model must not change its input in place.

    Raises:
        ValueError: no observations, or observations of different shapes or keys (the message names
            the first that differs).
        TypeError: a dtype that torch does not have, such as strings and objects.
    """
    return _to_tensors(states, None)


def float32_preprocessor(states: Any) -> Any:
    """Make a batch of observations float32 tensors; otherwise as `default_states_preprocessor`."""
    return _to_tensors(states, torch.float32)


def _to_tensors(states: Any, dtype: torch.dtype | None) -> Any:
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


def _stack(items: Sequence[Any], dtype: torch.dtype | None) -> Any:
    if not items:
        raise ValueError("observations must not be empty")
    first = items[0]
    if type(first) is np.ndarray:
        if len(items) == 1:
            return _to_tensor(first[None], dtype)
    elif isinstance(first, torch.Tensor):
        return _stack_tensors(items, dtype)
    elif isinstance(first, Mapping):
        _check_keys(items, set(first))
        return {key: _stack([item[key] for item in items], dtype) for key in first}
    elif isinstance(first, tuple):
        _check_keys(items, set(range(len(first))))
        return tuple(_stack([item[i] for item in items], dtype) for i in range(len(first)))
    try:
        # np.array costs a third of np.stack for small observations.
        array = np.array(items)
    except ValueError as error:
        raise _explain(items) or error from error
    return _to_tensor(array, dtype)


def _stack_tensors(items: Sequence[Any], dtype: torch.dtype | None) -> torch.Tensor:
    try:
        tensor = torch.stack(list(items))
    except RuntimeError as error:
        raise _explain(items) or error from error
    return tensor if dtype is None else tensor.to(dtype)


def _to_tensor(array: NDArray[Any], dtype: torch.dtype | None) -> torch.Tensor:
    # torch warns about read-only arrays and refuses negative strides and foreign byte orders.
    try:
        tensor = torch.from_numpy(array) if array.flags.writeable else _copy_to_tensor(array)
    except (TypeError, ValueError):
        tensor = _copy_to_tensor(array)
    return tensor if dtype is None else tensor.to(dtype)


def _copy_to_tensor(array: NDArray[Any]) -> torch.Tensor:
    native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    try:
        return torch.from_numpy(native)
    except TypeError:
        raise TypeError(
            f"observations of dtype {array.dtype} cannot become a tensor; give the agent a "
            "preprocessor of your own, or preprocessor=None to pass observations through"
        ) from None


def _check_keys(items: Sequence[Any], expected: set[Any]) -> None:
    for index, item in enumerate(items):
        keys = set(item) if isinstance(item, Mapping) else set(range(len(item)))
        if keys != expected:
            raise ValueError(
                f"observation {index} has the parts {sorted(keys, key=str)}, observation 0 has "
                f"{sorted(expected, key=str)}"
            )


def _explain(items: Sequence[Any]) -> ValueError | None:
    """The error for observations of different shapes, or None if that is not what is wrong."""
    expected = np.shape(items[0])
    for index, item in enumerate(items):
        if np.shape(item) != expected:
            return ValueError(
                f"observation {index} has shape {np.shape(item)}, observation 0 has {expected}"
            )
    return None
