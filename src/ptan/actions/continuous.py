"""Noise and bounds for continuous actions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptan.actions.discrete import ActionSelector, first_nan_row
from ptan.common.checks import check_above_zero, finite_array, number
from ptan.common.generators import as_generator
from ptan.common.types import Array


class ActionBounds:
    """The lowest and highest value of each part of a continuous action.

    Args:
        low: Number or array that broadcasts to the action's shape, e.g. `action_space.low`.
        high: The same, above `low` everywhere. Both may be infinite.

    Raises:
        ValueError: low is not below high, or NaN.
    """

    def __init__(self, low: ArrayLike = -1.0, high: ArrayLike = 1.0) -> None:
        self.low = np.asarray(low, dtype=np.float64)
        self.high = np.asarray(high, dtype=np.float64)
        if not np.all(self.low < self.high):
            raise ValueError(f"low must be below high everywhere, got low={low!r}, high={high!r}")

    @property
    def finite(self) -> bool:
        """Whether no bound is infinite."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    def clip(self, actions: Array) -> Array:
        """Limit actions (B, *action shape) to the bounds: a new array of the same dtype.

        Raises:
            ValueError: an action is NaN, or the bounds do not fit the shape.
        """
        clipped: Array = np.clip(actions, self.low, self.high)
        if clipped.shape != actions.shape:
            raise ValueError(
                f"bounds of shape {self.low.shape} do not fit actions of shape {actions.shape}"
            )
        if np.isnan(clipped).any():
            raise ValueError(f"actions must not be NaN, got {first_nan_row(clipped)}")
        return clipped.astype(actions.dtype, copy=False)

    def from_unit(self, actions: Array) -> Array:
        """Stretch actions (B, *action shape) from [-1, 1], where a tanh leaves them, to the bounds.

        Returns a new array of the same dtype, inside the bounds to the last bit.
        """
        if not self.finite:
            raise ValueError(f"bounds must be finite, got low={self.low}, high={self.high}")
        scaled = self.low + (actions + 1.0) * (0.5 * (self.high - self.low))
        return self.clip(scaled.astype(actions.dtype, copy=False))


class GaussianNoise(ActionSelector):
    """Adds independent normal noise to deterministic continuous actions (Fujimoto et al. 2018).

    Args:
        sigma: Standard deviation, in units of the action: a finite number of at least 0 or an array
            that broadcasts to the action's shape. Settable at any time.
        low, high: Bounds of the noisy action, as for `ActionBounds`; none by default.
    """

    def __init__(
        self,
        sigma: ArrayLike,
        low: ArrayLike = -np.inf,
        high: ArrayLike = np.inf,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.sigma = sigma
        self.bounds = ActionBounds(low, high)
        self.rng = as_generator(rng)

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Standard deviation of the noise."""
        return self._sigma

    @sigma.setter
    def sigma(self, value: ArrayLike) -> None:
        self._sigma = finite_array("sigma", value, least=0)

    def __call__(self, scores: Array) -> Array:
        """Actions (B, *action shape) with noise, clipped: a new array of the same dtype."""
        noise = self.rng.standard_normal(scores.shape) * self._sigma
        return self.bounds.clip((scores + noise).astype(scores.dtype, copy=False))


class OrnsteinUhlenbeckProcess:
    """Noise that drifts: each value stays near the one before and is pulled back to mu.

        x' = x + theta·(mu − x)·dt + sigma·√dt·N(0, 1)

    (Uhlenbeck and Ornstein 1930; for exploration: Lillicrap et al. 2016, sections 3 and 7, whose
    values are the defaults.) The object holds no position: x belongs to the agent state, one per
    environment, and is handed in and out.

    Args:
        theta: Strength of the pull, at least 0; theta·dt must stay below 2, or x diverges.
        sigma: Strength of the noise, at least 0: a number or an array like the action.
        dt: Length of a step, above 0.
        mu: Where x starts and returns to: a number or an array like the action.
    """

    def __init__(
        self,
        theta: float = 0.15,
        sigma: ArrayLike = 0.2,
        dt: float = 1.0,
        mu: ArrayLike = 0.0,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.theta = number("theta", theta)
        self.dt = number("dt", dt)
        check_above_zero("dt", dt)
        if not 0 <= self.theta * self.dt < 2:
            raise ValueError(f"theta·dt must be in [0, 2), got theta={theta}, dt={dt}")
        self.sigma = finite_array("sigma", sigma, least=0)
        self.mu = finite_array("mu", mu)
        self.rng = as_generator(rng)

    def step(
        self, states: Sequence[Array | None] | Array | None, shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Move every environment's x by one step: a new array of `shape`, (B, *action shape).

        `states` has one x per environment, each of the action's shape; None, for one environment or
        for all, starts at mu. States that do not fit `shape` raise ValueError.
        """
        x = np.empty(shape, dtype=np.float64)
        x[...] = self.mu
        if states is not None and len(states) != len(x):
            raise ValueError(
                f"agent states must be one per environment, got {len(states)} noise states "
                f"for {len(x)} environments"
            )
        for row, state in enumerate(() if states is None else states):
            if state is None:
                continue
            if np.shape(state) != shape[1:]:
                raise ValueError(
                    f"noise state {row} must be of the action's shape {shape[1:]}, got "
                    f"{np.shape(state)}"
                )
            x[row] = state
        noise = self.rng.standard_normal(shape) * self.sigma
        result: NDArray[np.float64] = x + self.theta * (self.mu - x) * self.dt
        result += noise * self.dt**0.5
        return result
