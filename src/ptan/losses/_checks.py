"""What every loss asks of its arguments: tensors, shapes, precision."""

from typing import Any

import torch
from torch import Tensor

from ptan.experience import Batch


class ShapeError(ValueError):
    """A tensor has another shape than the loss needs; broadcasting would hide it."""


def check_batch(batch: Batch[Tensor]) -> int:
    """The number of rows of a batch of tensors, one step or n-step return per row.

    Raises:
        TypeError: the batch is no `Batch`, or still holds NumPy arrays.
        ShapeError: windows or vector rewards.
        ValueError: the rows' discounts are not known.
    """
    if not isinstance(getattr(batch, "rewards", None), Tensor):
        found = type(batch).__name__
        hint = " that holds NumPy arrays: call batch.to(device)" if found == "Batch" else ""
        raise TypeError(
            "batch must be a ptan.experience.Batch that holds tensors, such as "
            f"Batch.from_rows(rows).to(device), got a {found}{hint}"
        )
    shape = (len(batch),)
    check_shape("batch.rewards", batch.rewards, shape)
    check_shape("batch.discounts", batch.discounts, shape)
    if batch.weights is not None:
        check_shape("batch.weights", batch.weights, shape)
    return len(batch)


def weighted_mean(per_row: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over the batch, weighted where the batch has weights."""
    return (per_row if weights is None else per_row * weights).mean()


def discrete_actions(actions: Tensor, n_rows: int) -> Tensor:
    """Actions as int64 (B,), to gather with."""
    check_shape("actions", actions, (n_rows,))
    if actions.is_floating_point():
        raise TypeError(f"actions must be integers, got {actions.dtype}")
    return actions.long()


def of_actions(per_action: Tensor, actions: Tensor) -> Tensor:
    """What a network says of one action per row: (B, actions, …) to (B, …).

    Raises:
        ValueError: an action is out of range. Looked for only after PyTorch's own check failed, so
            it costs nothing; on a GPU, where a look would wait, PyTorch stops with an assertion.
    """
    index = actions.view(-1, *[1] * (per_action.ndim - 1)).expand(-1, 1, *per_action.shape[2:])
    try:
        return per_action.gather(1, index).squeeze(1)
    except (IndexError, RuntimeError):
        if actions.is_cpu:
            _check_range(actions, per_action.shape[1])
        raise


def _check_range(actions: Tensor, n_actions: int) -> None:
    for row, action in enumerate(actions.tolist()):
        if not 0 <= action < n_actions:
            raise ValueError(f"actions must be in [0, {n_actions}), got {action} in row {row}")


def check_tensor(name: str, value: Any) -> Tensor:
    """The value, if it is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    return value


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    """Raise ShapeError unless a tensor has exactly this shape."""
    if check_tensor(name, tensor).shape != expected:
        raise ShapeError(f"{name} must have shape {expected}, got {tuple(tensor.shape)}")


def check_same_shape(**tensors: Tensor) -> None:
    """Raise ShapeError unless all tensors have the shape of the first."""
    first, expected = "", torch.Size()
    for name, tensor in tensors.items():
        shape = check_tensor(name, tensor).shape
        if not first:
            first, expected = name, shape
        elif shape != expected:
            raise ShapeError(
                f"{name} must have the shape of {first}, {tuple(expected)}, got {tuple(shape)}"
            )


def check_matrix(name: str, output: Any, n_rows: int, axes: str = "actions") -> Tensor:
    """A network's output (B, ...) with one axis for each word in `axes`, in full precision."""
    check_tensor(name, output)
    n_axes = 1 + len(axes.split(", "))
    if output.ndim != n_axes or len(output) != n_rows or 0 in output.shape:
        raise ShapeError(f"{name} must have shape ({n_rows}, {axes}), got {tuple(output.shape)}")
    return full_precision(output)


def row_values(name: str, output: Any, n_rows: int) -> Tensor:
    """One number per row from a network whose last layer gives (B, 1) or (B,): shape (B,)."""
    if check_tensor(name, output).shape == (n_rows, 1):
        output = output.squeeze(1)
    if output.shape != (n_rows,):
        raise ShapeError(
            f"{name} must have shape ({n_rows},) or ({n_rows}, 1), got {tuple(output.shape)}"
        )
    return full_precision(output)


def full_precision(tensor: Tensor) -> Tensor:
    """Half precision as float32; float32 and float64 as they are.

    Networks may run under autocast; differences of values, and their squares, may not.
    """
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
