"""What a network is told about its input and output: spaces, or plain shapes and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

__all__ = ["InputSpec", "count_actions", "read_observations", "zero_batch"]

# What divides the values of an image: near enough to 255, and exact in every floating type.
IMAGE_DIVISOR = 256


@dataclass(frozen=True)
class InputSpec:
    """How a network sees its observations.

    Args:
        shape: Shape of one observation, or None for observations that are no single box of
            numbers (`Discrete`, `Dict` and so on), which only a body of the user's can take.
        divisor: Values are divided by it: 256 for an image, 1 for everything else.
        space: The space; for a plain shape None.
    """

    shape: tuple[int, ...] | None
    divisor: int
    space: spaces.Space[Any] | None = None

    @property
    def is_image(self) -> bool:
        """Whether an observation has the three axes (channels, height, width)."""
        return self.shape is not None and len(self.shape) == 3


def read_observations(observations: spaces.Space[Any] | Sequence[int]) -> InputSpec:
    """Understand the observation space of one environment, or the shape of one observation.

    Three axes are an image. Its values are in 0–255, unless the space says that none is above 1.

    Raises:
        TypeError: neither a space nor a shape.
        ValueError: a box or shape without axes, or with an empty one.
    """
    space = observations if isinstance(observations, spaces.Space) else None
    if space is not None and not isinstance(space, spaces.Box):
        return InputSpec(None, 1, space)
    sizes = space.shape if isinstance(space, spaces.Box) else observations
    try:
        shape = tuple(index(size) for size in sizes)  # type: ignore[union-attr]
    except TypeError:
        raise TypeError(
            "the observation space or input_shape must be a gymnasium space or the shape of one "
            f"observation, such as (4, 84, 84), got {observations!r}"
        ) from None
    if not shape or min(shape) < 1:
        raise ValueError(
            f"observations must have at least one axis and no empty one, got shape {shape}"
        )
    in_unit_range = isinstance(space, spaces.Box) and bool((space.high <= 1).all())
    return InputSpec(shape, IMAGE_DIVISOR if len(shape) == 3 and not in_unit_range else 1, space)


def count_actions(actions: spaces.Space[Any] | int) -> int:
    """The number of actions of a `Discrete` space of one environment; or that number itself.

    Raises:
        TypeError: another space, or no number.
        ValueError: fewer than one action, or a space that does not start at 0.
    """
    if isinstance(actions, spaces.Discrete):
        if actions.start != 0:
            raise ValueError(f"the action space must start at 0, got {actions}")
        return int(actions.n)
    if isinstance(actions, spaces.Space | bool):
        hint = ""
        if isinstance(actions, spaces.MultiDiscrete):
            hint = "; of a vector environment, take single_action_space"
        raise TypeError(f"the action space must be Discrete, got {actions}{hint}")
    try:
        n_actions = index(actions)
    except TypeError:
        raise TypeError(
            f"n_actions must be an int or a Discrete action space, got {actions!r}"
        ) from None
    if n_actions < 1:
        raise ValueError(f"n_actions must be at least 1, got {n_actions}")
    return n_actions


def zero_batch(space: spaces.Space[Any], device: torch.device) -> Any:
    """One observation of zeros as a batch (1, *shape), to see what a body makes of it.

    Raises:
        ValueError: a space whose observations are neither arrays nor dicts or tuples of them.
    """
    if isinstance(space, spaces.Dict):
        return {key: zero_batch(part, device) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(zero_batch(part, device) for part in space.spaces)
    if space.shape is None or space.dtype is None:
        raise ValueError(f"observations must be arrays, or dicts or tuples of arrays, got {space}")
    return torch.from_numpy(np.zeros((1, *space.shape), dtype=space.dtype)).to(device)
