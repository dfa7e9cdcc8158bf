"""Small wrappers of observations: channels first, and stacks of the newest ones."""

from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import FrameStackObservation, TransformObservation

from ptan.common.checks import whole_number

__all__ = ["BufferWrapper", "FrameStack1D", "ImageToPyTorch"]

AnyEnv = gymnasium.Env[Any, Any]
ObservationWrapper = gymnasium.ObservationWrapper[Any, Any, Any]


class ImageToPyTorch(ObservationWrapper):
    """Moves the channels of images to the front: (height, width, C) to (C, height, width).

    Raises:
        ValueError: observations are no `Box` of three axes.
    """

    def __init__(self, env: AnyEnv) -> None:
        super().__init__(env)
        space = _box_of(env)
        if len(space.shape) != 3:
            raise ValueError(f"observations must be (height, width, C), got {space.shape}")
        low, high = (np.moveaxis(bound, 2, 0) for bound in (space.low, space.high))
        self.observation_space = Box(low, high, dtype=_dtype_of(space))

    def observation(self, observation: Any) -> Any:
        """The image with its channels first."""
        return np.ascontiguousarray(np.moveaxis(observation, 2, 0))


class BufferWrapper(ObservationWrapper):
    """Joins the last `n_steps` observations along their first axis, oldest first.

    Images (C, height, width) become (n_steps · C, height, width). After a reset the places before
    the first observation hold the lowest value of the observation space (0 where it has no bound).

    Raises:
        ValueError: n_steps below 1, or observations without an axis in a `Box`.
    """

    def __init__(self, env: AnyEnv, n_steps: int) -> None:
        super().__init__(env)
        space = _box_of(env)
        self._n_steps = whole_number("n_steps", n_steps)
        if not space.shape:
            raise ValueError("observations must have an axis to stack along, got a scalar")
        low, high = (np.concatenate([bound] * n_steps) for bound in (space.low, space.high))
        self.observation_space = Box(low, high, dtype=_dtype_of(space))
        self._padding = np.where(np.isfinite(space.low), space.low, 0).astype(space.dtype)
        self.buffer: deque[Any] = deque(maxlen=n_steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin a new stack."""
        obs, info = self.env.reset(seed=seed, options=options)
        self.buffer.extend([self._padding] * self._n_steps)
        return self.observation(obs), info

    def observation(self, observation: Any) -> Any:
        """The newest observation joined to those before it."""
        self.buffer.append(np.array(observation))
        return np.concatenate(self.buffer)


class FrameStack1D(FrameStackObservation[Any, Any, Any]):
    """Stacks the last k vector observations: (n,) becomes (k, n), oldest first.

    After a reset the first observation fills all k places.

    Raises:
        ValueError: observations of another shape, or k below 1.
    """

    def __init__(self, env: AnyEnv, k: int) -> None:
        shape = env.observation_space.shape
        if shape is None or len(shape) != 1:
            raise ValueError(f"observations must have one axis, got the shape {shape}")
        whole_number("k", k)
        # The stack keeps the arrays it is given: an environment may write into its own again.
        super().__init__(TransformObservation(env, np.array, env.observation_space), k)


def _box_of(env: AnyEnv) -> Box:
    if not isinstance(env.observation_space, Box):
        raise ValueError(f"observations must be in a Box, got {env.observation_space}")
    return env.observation_space


def _dtype_of(space: Box) -> Any:
    return space.dtype
