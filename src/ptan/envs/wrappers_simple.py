"""Wrappers for vector observations."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import FrameStackObservation, TransformObservation

from ptan.common.checks import whole_number

__all__ = ["FrameStack1D"]


class FrameStack1D(FrameStackObservation[Any, Any, Any]):
    """Stacks the last k vector observations: (n,) becomes (k, n), oldest first.

    After a reset the first observation fills all k places.

    Args:
        env: environment with observations of one axis.
        k: number of observations to stack, at least 1.

    Raises:
        ValueError: observations of another shape, or k below 1.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], k: int) -> None:
        shape = env.observation_space.shape
        if shape is None or len(shape) != 1:
            raise ValueError(f"observations must have one axis, got the shape {shape}")
        whole_number("k", k)
        # The stack keeps the arrays it is given: an environment may write into its own again.
        super().__init__(TransformObservation(env, np.array, env.observation_space), k)
