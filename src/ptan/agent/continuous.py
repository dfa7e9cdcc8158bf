"""Agents for continuous actions: DDPG's noisy deterministic policy and SAC's stochastic one."""

import numpy as np
import torch
from numpy.typing import ArrayLike

from ptan.actions import ActionBounds, OrnsteinUhlenbeckProcess, Selector, as_generator
from ptan.actions.policy import AgentStates, PolicyStep
from ptan.agent.base import (
    Model,
    NetworkAgent,
    Preprocessor,
    States,
    check_rows,
    pair_of,
    to_numpy,
)
from ptan.agent.preprocessing import float32_preprocessor


class DDPGAgent(NetworkAgent):
    """Acts on a deterministic policy, with noise to explore (Lillicrap et al. 2016, section 3).

    The position of an `OrnsteinUhlenbeckProcess` is the agent state: one per environment, None at
    the start of an episode.

    Args:
        model: Observations to actions (B, *action shape), in the environment's own units.
        device, preprocessor: As for all agents.
        noise: An `OrnsteinUhlenbeckProcess`; or `GaussianNoise` or any other function from actions
            to actions, which then keeps no agent state; None is a fresh default process.
        low, high: Bounds of the actions, as `action_space.low` and `.high`.
        explore: False leaves the noise out. Settable at any time.
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
        self.noise = OrnsteinUhlenbeckProcess() if noise is None else noise
        if not (callable(noise) or isinstance(self.noise, OrnsteinUhlenbeckProcess)):
            raise TypeError(
                f"noise must be callable, an OrnsteinUhlenbeckProcess or None, got {noise!r}"
            )
        self.bounds = ActionBounds(low, high)
        self.explore = explore

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        output, states, n_rows = self._asked(observations, agent_states)
        actions = to_numpy(output)
        check_rows(actions, n_rows, "the model")
        noise = self.noise if self.explore else None
        if isinstance(noise, OrnsteinUhlenbeckProcess):
            positions = noise.step(states, actions.shape)
            actions = (actions + positions).astype(actions.dtype, copy=False)
            states = list(positions)
        elif noise is not None:
            actions = np.asarray(noise(actions))
            check_rows(actions, n_rows, "the noise")
        # The critic judges what the environment was given, so that is what is learned from.
        clipped = self.bounds.clip(actions)
        return PolicyStep(clipped, clipped, states, {})


class SACAgent(NetworkAgent):
    """Acts on a Gaussian squashed by tanh (Haarnoja et al. 2018, appendix C).

        action = low + (tanh(mean + exp(log_std)·N(0, 1)) + 1)·(high − low)/2

    A step's `actions`, what is stored and learned from, are those in [-1, 1] that the tanh gives;
    its `env_actions`, which calling the agent returns too, are stretched to the bounds.

    Args:
        model: Observations to a pair (mean, log_std), each (B, *action shape), before the tanh.
        device, preprocessor: As for all agents.
        low, high: Bounds of the actions, finite, as `action_space.low` and `.high`.
        deterministic: True for evaluation: tanh(mean), nothing is drawn from `rng`. Settable
            at any time.
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

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        output, states, n_rows = self._asked(observations, agent_states)
        mean, log_std = map(to_numpy, pair_of(output, "mean, log_std"))
        check_rows(mean, n_rows, "the model")
        if not self.deterministic:
            noise = self.rng.standard_normal(mean.shape).astype(mean.dtype, copy=False)
            mean = mean + np.exp(log_std) * noise
        actions = np.tanh(mean)
        return PolicyStep(actions, self.bounds.from_unit(actions), states, {})
