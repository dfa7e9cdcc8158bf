"""Agents for continuous actions: DDPG's noisy deterministic policy and SAC's stochastic one."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ptan.actions import ActionBounds, OrnsteinUhlenbeckProcess, Selector, as_generator
from ptan.actions.policy import AgentStates, PolicyStep
from ptan.agent.base import (
    Model,
    NetworkAgent,
    Preprocessor,
    States,
    batch_size,
    check_rows,
    pair_of,
    to_numpy,
    unchanged,
)
from ptan.agent.preprocessing import float32_preprocessor


class DDPGAgent(NetworkAgent):
    """Acts on a deterministic policy, with noise to explore (Lillicrap et al. 2016, section 3).

    The position of an `OrnsteinUhlenbeckProcess` is the agent state: one per environment, None at
    the start of an episode.

    Args:
        model: Observations to actions (B, *action shape), in the environment's own units.
        device: Where the model lives.
        preprocessor: Observations to the model's input; None passes them through.
        noise: An `OrnsteinUhlenbeckProcess`; or `GaussianNoise` or any other function from actions
            to actions, which then keeps no agent state; None is a fresh default process.
        low: Lower bound of the actions, as `action_space.low`.
        high: Upper bound.
        explore: False leaves the noise out. Settable at any time.

    Raises:
        ValueError: low is not below high.
    """

    def __init__(
        self,
        model: Model,
        device: torch.device | str = "cpu",
        preprocessor: Preprocessor | None = float32_preprocessor,
        *,
        noise: OrnsteinUhlenbeckProcess | Selector | None = None,
        low: ArrayLike = -1.0,
        high: ArrayLike = 1.0,
        explore: bool = True,
    ) -> None:
        super().__init__(model, device, preprocessor)
        self.noise: OrnsteinUhlenbeckProcess | Selector = (
            OrnsteinUhlenbeckProcess() if noise is None else noise
        )
        if not (callable(noise) or isinstance(self.noise, OrnsteinUhlenbeckProcess)):
            raise TypeError(
                f"noise must be callable, an OrnsteinUhlenbeckProcess or None, got {noise!r}"
            )
        self.bounds = ActionBounds(low, high)
        self.explore = explore

    def __call__(self, observations: States, agent_states: AgentStates = None) -> tuple[Any, Any]:
        """Choose an action for every environment.

        Args:
            observations: A list of B observations, or a batched array.
            agent_states: B positions of the noise, arrays of the action's shape or None.

        Returns:
            (B, *action shape) actions within the bounds, and B agent states: the new positions of
            the noise; without such noise the given states, or None each.

        Raises:
            ValueError: the model did not return B actions, or one is NaN, or the bounds or agent
                states do not fit the actions.
        """
        n_rows = batch_size(observations)
        actions = to_numpy(self._forward(observations))
        check_rows(actions, n_rows, "the model")
        if not self.explore:
            return self.bounds.clip(actions), unchanged(agent_states, n_rows)
        if isinstance(self.noise, OrnsteinUhlenbeckProcess):
            positions = self.noise.step(agent_states, actions.shape)
            noisy = (actions + positions).astype(actions.dtype, copy=False)
            return self.bounds.clip(noisy), list(positions)
        noisy = np.asarray(self.noise(actions))
        check_rows(noisy, n_rows, "the noise")
        return self.bounds.clip(noisy), unchanged(agent_states, n_rows)


class SACAgent(NetworkAgent):
    """Acts on a Gaussian squashed by tanh (Haarnoja et al. 2018, appendix C).

        action = low + (tanh(mean + exp(log_std)·N(0, 1)) + 1)·(high − low)/2

    Args:
        model: Observations to a pair (mean, log_std), each (B, *action shape), before the tanh.
        device: Where the model lives.
        preprocessor: Observations to the model's input; None passes them through.
        low: Lower bound of the actions, as `action_space.low`.
        high: Upper bound.
        deterministic: True for evaluation: tanh(mean), nothing is drawn. Settable at any time.
        rng: A generator, a seed for one, or None for a generator of its own.

    Raises:
        ValueError: low is not below high, or a bound is infinite.
    """

    def __init__(
        self,
        model: Model,
        device: torch.device | str = "cpu",
        preprocessor: Preprocessor | None = float32_preprocessor,
        *,
        low: ArrayLike = -1.0,
        high: ArrayLike = 1.0,
        deterministic: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(model, device, preprocessor)
        self.bounds = ActionBounds(low, high)
        if not self.bounds.finite:
            raise ValueError(f"low and high must be finite, got low={low!r}, high={high!r}")
        self.deterministic = deterministic
        self.rng = as_generator(rng)

    def __call__(self, observations: States, agent_states: AgentStates = None) -> tuple[Any, Any]:
        """Choose an action for every environment.

        Args:
            observations: A list of B observations, or a batched array.
            agent_states: B agent states, which are handed back unchanged.

        Returns:
            (B, *action shape) actions within the bounds, and B agent states: None each if none
            were given.

        Raises:
            ValueError: the model did not return B rows, mean and log_std differ in shape, an action
                is NaN, or the bounds do not fit the actions.
        """
        unit_actions = self._unit_actions(observations)
        states = unchanged(agent_states, len(unit_actions))
        return self.bounds.from_unit(unit_actions), states

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        """Choose as above; stored and learned from are the actions in [-1, 1], before scaling."""
        unit_actions = self._unit_actions(observations)
        states = unchanged(agent_states, len(unit_actions))
        return PolicyStep(unit_actions, self.bounds.from_unit(unit_actions), states, {})

    def _unit_actions(self, observations: States) -> NDArray[Any]:
        n_rows = batch_size(observations)
        pair = pair_of(self._forward(observations), "mean, log_std")
        mean, log_std = to_numpy(pair[0]), to_numpy(pair[1])
        check_rows(mean, n_rows, "the model")
        if log_std.shape != mean.shape:
            raise ValueError(
                f"mean and log_std must have one shape, got {mean.shape} and {log_std.shape}"
            )
        if not self.deterministic:
            noise = self.rng.standard_normal(mean.shape).astype(mean.dtype, copy=False)
            mean = mean + np.exp(log_std) * noise
        unit_actions: NDArray[Any] = np.tanh(mean)
        return unit_actions
