"""What every loss asks of its arguments: tensors, shapes, precision."""

from typing import TypeAlias

import torch
from torch import Tensor

from ptan.experience import Batch

Axes: TypeAlias = tuple[int | str, ...]
"""A shape; a word stands for any length of at least 1."""

# Prioritized buffers refuse a priority of 0: the row could never be drawn again.
MIN_PRIORITY = 1e-8


class ShapeError(ValueError):
    """A tensor has another shape than the loss needs; broadcasting would hide it."""


def check_batch(batch: Batch[Tensor]) -> int:
    """The number of rows of a batch of tensors, one step or n-step return per row."""
    if not isinstance(getattr(batch, "rewards", None), Tensor):
        found = type(batch).__name__
        hint = " that holds NumPy arrays: call batch.to(device)" if found == "Batch" else ""
        raise TypeError(
            "batch must be a ptan.experience.Batch that holds tensors, such as "
            f"Batch.from_rows(rows).to(device), got a {found}{hint}"
        )
    n_rows = len(batch)
    shaped("batch.rewards", batch.rewards, (n_rows,))
    shaped("batch.discounts", batch.discounts, (n_rows,))
    if batch.weights is not None:
        shaped("batch.weights", batch.weights, (n_rows,))
    return n_rows


def shaped(name: str, value: object, *allowed: Axes) -> Tensor:
    """A tensor of one of these shapes; half precision as float32, other types as they are.

    Networks may run under autocast; differences of their outputs, and the squares, may not.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if value.shape not in allowed and not any(_fits(value, axes) for axes in allowed):
        right = " or ".join(
            f"({', '.join(map(str, axes))}{',' if len(axes) == 1 else ''})" for axes in allowed
        )
        raise ShapeError(f"{name} must have shape {right}, got {tuple(value.shape)}")
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def _fits(tensor: Tensor, axes: Axes) -> bool:
    return tensor.ndim == len(axes) and all(
        size > 0 if isinstance(axis, str) else size == axis
        for size, axis in zip(tensor.shape, axes, strict=True)
    )


def alike(**tensors: Tensor) -> list[Tensor]:
    """Tensors that all have the shape of the first; half precision as float32."""
    shape = tuple(getattr(next(iter(tensors.values())), "shape", ()))
    return [shaped(name, tensor, shape) for name, tensor in tensors.items()]


def one_value_per_row(name: str, output: object, n_rows: int) -> Tensor:
    """One number per row from a network whose last layer gives (B, 1) or (B,): shape (B,)."""
    return shaped(name, output, (n_rows,), (n_rows, 1)).reshape(n_rows)


def discrete_actions(actions: Tensor, n_rows: int) -> Tensor:
    """Actions as int64 (B,), to gather with."""
    shaped("actions", actions, (n_rows,))
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
        n_actions = per_action.shape[1]
        for row, action in enumerate(actions.tolist() if actions.is_cpu else ()):
            if not 0 <= action < n_actions:
                text = f"actions must be in [0, {n_actions}), got {action} in row {row}"
                raise ValueError(text) from None
        raise


def weighted_mean(per_row: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over the batch, weighted where the batch has weights."""
    return (per_row if weights is None else per_row * weights).mean()


def as_priorities(errors: Tensor) -> Tensor:
    """Errors that are at least 0 as the priorities that prioritized buffers take."""
    return errors.detach().clamp_min(MIN_PRIORITY)
