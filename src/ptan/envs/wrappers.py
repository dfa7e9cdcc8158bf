"""Small wrappers of observations: channels first, and stacks of the newest ones."""

from collections import deque
from typing import Any, SupportsFloat, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import FrameStackObservation, TransformObservation

from ptan.common.checks import whole_number
from ptan.common.types import Action, Array, Env, Info, Observation

__all__ = ["BufferWrapper", "FrameStack1D", "ImageToPyTorch"]

Reset: TypeAlias = tuple[Observation, Info]
Step: TypeAlias = tuple[Observation, SupportsFloat, bool, bool, Info]
Wrapper: TypeAlias = gymnasium.Wrapper[Observation, Action, Observation, Action]
ObservationWrapper: TypeAlias = gymnasium.ObservationWrapper[Array, Action, Array]


class ImageToPyTorch(ObservationWrapper):
    """Moves the channels of images to the front: (height, width, C) to (C, height, width).

    Raises ValueError unless observations are a `Box` of three axes.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        space = _box_with(env, 3)
        low, high = self.observation(space.low), self.observation(space.high)
        self.observation_space = Box(low, high, dtype=low.dtype)

    def observation(self, observation: Array) -> Array:
        """The image with its channels first."""
        return np.ascontiguousarray(np.moveaxis(observation, 2, 0))


class BufferWrapper(ObservationWrapper):
    """Joins the last `n_steps` observations along their first axis, oldest first.

    Images (C, height, width) become (n_steps · C, height, width). After a reset the places before
    the first observation hold the lowest value of the observation space (0 where it has no bound).
    Raises ValueError for observations without an axis in a `Box`.
    """

    def __init__(self, env: Env, n_steps: int) -> None:
        super().__init__(env)
        space = _box_with(env)
        self._n_steps = whole_number("n_steps", n_steps)
        low, high = (np.concatenate([bound] * n_steps) for bound in (space.low, space.high))
        self.observation_space = Box(low, high, dtype=low.dtype)
        self._padding = np.where(np.isfinite(space.low), space.low, 0).astype(space.dtype)
        self.buffer: deque[Array] = deque(maxlen=n_steps)

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:
        """Reset the environment and begin a new stack."""
        self.buffer.extend([self._padding] * self._n_steps)
        return super().reset(seed=seed, options=options)

    def observation(self, observation: Array) -> Array:
        """The newest observation joined to those before it."""
        self.buffer.append(np.array(observation))
        return np.concatenate(self.buffer)


class FrameStack1D(FrameStackObservation[Any, Any, Any]):
    """Stacks the last k vector observations: (n,) becomes (k, n), oldest first.

    After a reset the first observation fills all k places. Raises ValueError for observations that
    are no vectors in a `Box`.
    """

    def __init__(self, env: Env, k: int) -> None:
        space = _box_with(env, 1)
        # The stack keeps the arrays it is given: an environment may write into its own again.
        super().__init__(TransformObservation(env, np.array, space), whole_number("k", k))


def _box_with(env: Env, axes: int | None = None) -> Box:
    space = env.observation_space
    if not isinstance(space, Box) or not space.shape or axes not in (None, len(space.shape)):
        wanted = "at least one axis" if axes is None else f"{axes} axes"
        raise ValueError(f"observations must be in a Box of {wanted}, got {space}")
    return space
