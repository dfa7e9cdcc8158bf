"""What every loss asks of its arguments: tensors, shapes, precision."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ptan.experience import Batch


class ShapeError(ValueError):
    """A tensor has another shape than the loss needs; broadcasting would hide it."""


class Transitions(NamedTuple):
    """The columns that all bootstrapped losses read, as tensors.

    states       (B, *obs)       one tensor, or nested ones
    actions      (B, *action)
    rewards      (B,)
    discounts    (B,)            γ^steps, 0 after termination
    last_states  (B, *obs)
    weights      (B,) or None
    """

    states: Any
    actions: Tensor
    rewards: Tensor
    discounts: Tensor
    last_states: Any
    weights: Tensor | None

    def targets(self, next_values: Tensor) -> Tensor:
        """Bootstrapped returns r + discount · V(s'), shape (B,)."""
        return self.rewards + self.discounts * next_values

    def mean(self, per_row: Tensor) -> Tensor:
        """The mean over the batch, weighted where the batch has weights."""
        return (per_row if self.weights is None else per_row * self.weights).mean()


def transitions(batch: Batch) -> Transitions:
    """The columns of a batch of single rows, as tensors (B,).

    Raises:
        TypeError: the batch is no `Batch`, or still holds NumPy arrays.
        ShapeError: windows or vector rewards.
        ValueError: the rows' discounts are not known.
    """
    columns: Any = batch
    if not isinstance(getattr(columns, "rewards", None), Tensor):
        found = type(batch).__name__
        hint = " that holds NumPy arrays: call batch.to(device)" if found == "Batch" else ""
        raise TypeError(
            "batch must be a ptan.experience.Batch that holds tensors, such as "
            f"Batch.from_rows(rows).to(device), got a {found}{hint}"
        )
    shape = (len(columns),)
    check_shape("batch.rewards", columns.rewards, shape)
    check_shape("batch.discounts", columns.discounts, shape)
    weights = columns.weights
    if weights is not None:
        check_shape("batch.weights", weights, shape)
    return Transitions(
        columns.states,
        columns.actions,
        columns.rewards,
        columns.discounts,
        columns.last_states,
        weights,
    )


def discrete_actions(actions: Tensor, n_rows: int) -> Tensor:
    """Actions as int64 (B,), to gather with."""
    check_shape("actions", actions, (n_rows,))
    if actions.is_floating_point():
        raise TypeError(f"actions must be integers, got {actions.dtype}")
    return actions.long()


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    """Raise ShapeError unless a tensor has exactly this shape."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.shape != expected:
        raise ShapeError(f"{name} must have shape {expected}, got {tuple(tensor.shape)}")


def check_same_shape(**tensors: Tensor) -> None:
    """Raise ShapeError unless all tensors have the shape of the first."""
    (first, reference), *others = tensors.items()
    if not isinstance(reference, Tensor):
        raise TypeError(f"{first} must be a tensor, got {type(reference).__name__}")
    for name, tensor in others:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if tensor.shape != reference.shape:
            raise ShapeError(
                f"{name} must have the shape of {first}, {tuple(reference.shape)}, "
                f"got {tuple(tensor.shape)}"
            )


def check_matrix(name: str, output: Any, n_rows: int, axes: str = "actions") -> Tensor:
    """A network's output (B, ...) with one axis for each word in `axes`, in full precision."""
    if not isinstance(output, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(output).__name__}")
    n_axes = 1 + len(axes.split(", "))
    if output.ndim != n_axes or len(output) != n_rows or 0 in output.shape:
        raise ShapeError(f"{name} must have shape ({n_rows}, {axes}), got {tuple(output.shape)}")
    return full_precision(output)


def row_values(name: str, output: Any, n_rows: int) -> Tensor:
    """One number per row from a network whose last layer gives (B, 1) or (B,): shape (B,)."""
    if not isinstance(output, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(output).__name__}")
    if output.shape == (n_rows, 1):
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


def unit_interval(name: str, value: float) -> float:
    """A factor in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return value


def positive(name: str, value: float) -> float:
    """A number above 0."""
    if not value > 0.0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return value
