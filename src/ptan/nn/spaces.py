"""What a network is told about its input and output: spaces, or plain shapes and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import TypeAlias

import numpy as np
import torch
from gymnasium import spaces

from ptan.common.types import Observations, Space

SpaceOrShape: TypeAlias = Space | Sequence[int]
"""The observation space of one environment, or the shape of one observation."""

SpaceOrCount: TypeAlias = Space | int
"""The `Discrete` action space of one environment, or its number of actions."""

# What divides the values of an image: near enough to 255, and exact in every floating type.
IMAGE_DIVISOR = 256


@dataclass(frozen=True)
class InputSpec:
    """How a network sees its observations.

    shape     of one observation; None where it is no single box of numbers (`Discrete`, `Dict` …),
              which only a body of the user's can take
    divisor   what values are divided by: 256 for an image, 1 for everything else
    space     for a plain shape None
    """

    shape: tuple[int, ...] | None
    divisor: int
    space: Space | None = None

    @property
    def is_image(self) -> bool:
        """Whether an observation has the three axes (channels, height, width)."""
        return self.shape is not None and len(self.shape) == 3


def read_observations(observations: SpaceOrShape) -> InputSpec:
    """How a network sees observations.

    Three axes are an image. Its values are in 0–255, unless the space says that none is above 1.
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


def count_actions(actions: SpaceOrCount) -> int:
    """The number of discrete actions, which must start at 0."""
    if isinstance(actions, spaces.Discrete):
        if actions.start != 0:
            raise ValueError(f"the action space must start at 0, got {actions}")
        return int(actions.n)
    if isinstance(actions, spaces.Space | bool):
        of_many = isinstance(actions, spaces.MultiDiscrete)
        hint = "; of a vector environment, take single_action_space" if of_many else ""
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


def zero_batch(space: Space, device: torch.device) -> Observations:
    """One observation of zeros as a batch (1, *shape), to see what a body makes of it."""
    if isinstance(space, spaces.Dict):
        return {key: zero_batch(part, device) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(zero_batch(part, device) for part in space.spaces)
    if space.shape is None or space.dtype is None:
        raise ValueError(f"observations must be arrays, or dicts or tuples of arrays, got {space}")
    return torch.from_numpy(np.zeros((1, *space.shape), dtype=space.dtype)).to(device)
