"""DQN and its six extensions: one algorithm with switches, to be driven by any loop."""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ptan.actions import ArgmaxActionSelector
from ptan.agent import DQNAgent, TargetNet, default_states_preprocessor
from ptan.agent.base import move_to
from ptan.algorithms.diagnostics import value_diagnostics
from ptan.algorithms.dqn_config import DQNConfig
from ptan.algorithms.exploration import EpsilonSchedule
from ptan.algorithms.networks import make_network
from ptan.algorithms.seeds import seeded_layers, torch_generator
from ptan.algorithms.states import (
    check_generators,
    check_same_tensors,
    fitted_optimizer_state,
)
from ptan.common.bfloat16 import computes_in_bfloat16
from ptan.common.checks import whole_number
from ptan.experience import (
    Batch,
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
)
from ptan.losses import Loss, categorical_loss, dqn_loss
from ptan.nn import QNetwork, resample_noise

__all__ = ["DQN", "Learned", "Metrics"]

Metrics = dict[str, Tensor | float]
"""What an update tells, by name. Tensors are scalars on the device, so that nobody waits for it."""


class Learned(NamedTuple):
    """What one gradient update leaves behind.

    metrics      see `Metrics`
    priorities   (B,) positive floats, without gradient, for a prioritized buffer
    """

    metrics: Metrics
    priorities: Tensor


class DQN:
    """Deep Q-learning (Mnih et al. 2015), with any of six extensions.

    * `n_steps`: n-step targets (Sutton & Barto 2018, chapter 7)
    * `double`: van Hasselt et al. 2016
    * `noisy`: Fortunato et al. 2018, with noise of its own for each acting step, and for each
      network at each update
    * `prioritized`: Schaul et al. 2016
    * `dueling`: Wang et al. 2016
    * `distributional`: Bellemare et al. 2017

    All together are Rainbow (Hessel et al. 2018).

    The object has networks, optimiser, exploration and counters, but no loop: whoever drives it
    fills a buffer with `agent`'s steps, tells `on_steps` how many they were, and calls `update`.
    `ptan.training.run` is the plain loop. All randomness comes from `config.seed`; with equal
    seeds, on one device, equal calls give equal numbers.

    Args:
        observation_space: Of one environment; or the shape of one observation.
        action_space: `Discrete`, of one environment; or the number of actions.
        config: All settings; None takes the defaults.
        device: Where the networks live.
        body: A module from observations to features, used as it is; None chooses one by the
            observation space.

    Raises:
        TypeError: spaces or settings of the wrong kind.
        ValueError: no body fits the observations.
    """

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        config: DQNConfig | None = None,
        *,
        device: torch.device | str = "cpu",
        body: nn.Module | None = None,
    ) -> None:
        if not isinstance(config, DQNConfig | None):
            raise TypeError(f"config must be a DQNConfig, got {config!r}")
        self.config = config = DQNConfig() if config is None else config
        self.device = torch.device(device)
        seeds = np.random.SeedSequence(config.seed).spawn(4)
        self._buffer_seeds = seeds[2]
        with seeded_layers(seeds[0]):
            self.net = make_network(observation_space, action_space, config, body)
        self.net.to(self.device)
        if config.channels_last:
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mixed_precision = config.mixed_precision and computes_in_bfloat16(self.device)
        """Whether the networks are computed in bfloat16: asked for, and worth while here."""
        self.target = TargetNet(self.net)
        self.optimizer = torch.optim.Adam(
            self.net.parameters(),
            lr=config.learning_rate,
            eps=config.adam_eps,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self._noise = torch_generator(seeds[3], self.device)
        self.env_steps = 0
        self.updates = 0
        rng = np.random.default_rng(seeds[1])
        self._explore = None if config.noisy else EpsilonSchedule(config, rng)
        selector = ArgmaxActionSelector() if self._explore is None else self._explore.selector
        self.agent = DQNAgent(self._acting_values, selector, self.device)

    # Acting.

    def make_source(self, env: Any, env_seed: int | None = None) -> ExperienceSourceFirstLast:
        """The source of this algorithm's experience: its agent, discount and number of steps.

        Args:
            env: One environment, a list of them, or a `VectorEnv`.
            env_seed: Environment i gets this + i at its first reset; None takes `config.seed`.

        Returns:
            The source.
        """
        config = self.config
        seed = config.seed if env_seed is None else env_seed
        return ExperienceSourceFirstLast(
            env, self.agent, config.gamma, config.n_steps, env_seed=seed
        )

    def make_buffer(self, source: Any) -> ExperienceReplayBuffer:
        """The buffer that `update` samples: uniform or prioritized.

        Args:
            source: Any iterable of rows, usually from `make_source`; None for rows fed by hand.

        Returns:
            An empty buffer.

        Raises:
            ValueError: the source cuts other windows than this algorithm's settings say.
        """
        config = self.config
        for theirs, ours in (("gamma", "gamma"), ("steps_count", "n_steps")):
            wanted = getattr(config, ours)
            if (found := getattr(source, theirs, wanted)) != wanted:
                raise ValueError(f"the source's {theirs} must be {ours}={wanted}, got {found}")
        rng = np.random.default_rng(self._buffer_seeds.spawn(1)[0])
        if not config.prioritized:
            return ExperienceReplayBuffer(source, config.replay_size, gamma=config.gamma, rng=rng)
        return PrioritizedReplayBuffer(
            source,
            config.replay_size,
            config.alpha,
            config.beta_start,
            config.beta_steps,
            gamma=config.gamma,
            rng=rng,
        )

    def greedy_agent(self) -> DQNAgent:
        """An agent for evaluation: a copy of the network as it is now, without noise and ε.

        Training goes on without changing it, nor does it change anything in training.
        """
        return DQNAgent(self._frozen().qvals, ArgmaxActionSelector(), self.device)

    def on_steps(self, n_steps: int) -> None:
        """Count environment steps, and set ε and step size for what follows.

        Args:
            n_steps: Steps made since the last call, over all environments.

        Raises:
            ValueError, TypeError: no whole number of at least 0.
        """
        self.env_steps += whole_number("n_steps", n_steps, least=0)
        self._move_schedules()

    @property
    def epsilon(self) -> float | None:
        """Probability of a random action now; None with noise, which explores in its place."""
        return None if self._explore is None else self._explore.epsilon

    # Learning.

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, with the noise as it is. Changes nothing.

        Args:
            batch: Of arrays or tensors, from a buffer or `Batch.from_rows`.

        Returns:
            The scalar with gradient, and the priorities (B,).

        Raises:
            ShapeError, TypeError: a batch that does not fit; see `ptan.losses`.
        """
        columns: Any = batch
        rows = batch if isinstance(columns.rewards, Tensor) else batch.to(self.device)
        loss = categorical_loss if self.config.distributional else dqn_loss
        with self._precision():
            return loss(rows, self.net, self.target, double=self.config.double)

    def learn(self, batch: Batch) -> Learned:
        """One gradient update from a batch that somebody else has sampled.

        Args:
            batch: As for `loss`.

        Returns:
            Metrics and priorities.

        Raises:
            ShapeError, TypeError: see `loss`. The weights are unchanged.
        """
        config = self.config
        if config.noisy:
            # The target's noise is independent of the online network's (their eq. 13). For the
            # action that a double target chooses, their eq. 15 draws a third noise; here it is the
            # online network's: one draw per network and update.
            resample_noise(self.net, self._noise)
            resample_noise(self.target.target_model, self._noise)
        loss = self.loss(batch)
        self.optimizer.zero_grad()
        loss.value.backward()  # type: ignore[no-untyped-call]
        if config.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), config.max_grad_norm)
        self.optimizer.step()
        self.updates += 1
        if self.updates % config.sync_every == 0:
            self.target.sync()
        metrics: Metrics = {"loss": loss.value.detach()}
        if self._explore is not None:
            metrics["epsilon"] = self._explore.epsilon
        return Learned(metrics, loss.priorities)

    def update(self, buffer: ExperienceReplayBuffer) -> Metrics:
        """One update: sample, learn, and hand the new priorities to a prioritized buffer.

        Args:
            buffer: Not empty; of the kind that `make_buffer` makes.

        Returns:
            Metrics: `loss`; `epsilon` without noise; `beta` with priorities.

        Raises:
            TypeError: a uniform buffer where the settings say prioritized, or the reverse.
            ValueError: the buffer is empty.
        """
        if not self.config.prioritized:
            batch = buffer.sample(self.config.batch_size)
            if not isinstance(batch, Batch):
                raise TypeError("buffer must be uniform, as prioritized is False: see make_buffer")
            return self.learn(batch).metrics
        if not isinstance(buffer, PrioritizedReplayBuffer | PrioReplayBufferNaive):
            raise TypeError(
                "buffer must be a PrioritizedReplayBuffer, as prioritized is True, "
                f"got {type(buffer).__name__}"
            )
        beta = buffer.update_beta(self._steps_after_warm_up)
        batch, indices, _ = buffer.sample(self.config.batch_size)
        metrics, priorities = self.learn(batch)
        buffer.update_priorities(indices, priorities.cpu().numpy())
        metrics["beta"] = beta
        return metrics

    def diagnostics(self, states: Any) -> dict[str, float]:
        """What the network, without noise, thinks of held-out states. Waits for the device.

        Args:
            states: (N, *obs) array or tensor, or a list of observations.

        Returns:
            `values`; `adv` and `val` with `dueling` or `double`; `snr_1`, `snr_2` … with `noisy`:
            see `value_diagnostics`.
        """
        parts = self.config.dueling or self.config.double
        with self._precision():
            return value_diagnostics(self._frozen(), states, self.device, parts=parts)

    def return_distributions(self, states: Any) -> tuple[Tensor, Tensor] | None:
        """What the network, without noise, thinks that returns from some states may be.

        Args:
            states: (N, *obs) array or tensor, or a list of observations.

        Returns:
            Probabilities (N, A, n_atoms) and the returns that the atoms stand for, (n_atoms,), both
            on the device; None unless distributional.
        """
        if not self.config.distributional:
            return None
        observations = move_to(default_states_preprocessor(states), self.device)
        net = self._frozen()
        with torch.no_grad(), self._precision():
            logits, _ = net.both(observations)
        return net.apply_softmax(logits.float()), net.supports

    # State.

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to go on as if never stopped, except the buffer's rows.

        As in PyTorch, it shares memory with the networks: save or copy it before training goes on.

        Returns:
            Networks, optimiser, counters and states of the random generators.
        """
        return {
            "net": self.net.state_dict(),
            "target": self.target.target_model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "selector_rng": None if self._explore is None else self._explore.rng_state,
            "noise_rng": self._noise.get_state(),
            "noise_device": self.device.type,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned for equal spaces and settings.

        A noisy run that moves to another kind of device draws other noise from there on: the
        generators of two kinds have no common state.

        Args:
            state: The state; it is not changed.

        Raises:
            ValueError: it belongs to another network or has other entries. Nothing is changed.
        """
        expected = self.state_dict()
        if state.keys() != expected.keys():
            raise ValueError(f"state must have the entries {sorted(expected)}, got {sorted(state)}")
        for name in ("net", "target"):
            check_same_tensors(name, state[name], expected[name])
        if (state["selector_rng"] is None) != self.config.noisy:
            raise ValueError(f"state must be of a run with noisy={self.config.noisy}")
        env_steps = whole_number("env_steps", state["env_steps"], least=0)
        updates = whole_number("updates", state["updates"], least=0)
        optimizer = fitted_optimizer_state(self.optimizer, state["optimizer"])
        selector = None if self._explore is None else self._explore.selector.rng
        check_generators(state, selector, self._noise)
        self.optimizer.load_state_dict(optimizer)
        self.net.load_state_dict(state["net"])
        self.target.target_model.load_state_dict(state["target"])
        self.env_steps, self.updates = env_steps, updates
        if self._explore is not None:
            self._explore.rng_state = state["selector_rng"]
        if state["noise_device"] == self.device.type:
            self._noise.set_state(state["noise_rng"].cpu())
        self._move_schedules()

    # Inside.

    @property
    def _steps_after_warm_up(self) -> int:
        return max(0, self.env_steps - self.config.warm_up)

    def _move_schedules(self) -> None:
        """Set what changes with the environment steps."""
        config, step = self.config, self._steps_after_warm_up
        if self._explore is not None:
            self._explore.move_to(step)
        if config.learning_rate_final is not None:
            done = min(1.0, step / config.learning_rate_steps)
            change = config.learning_rate_final - config.learning_rate
            for group in self.optimizer.param_groups:
                group["lr"] = config.learning_rate + done * change

    def _acting_values(self, observations: Any) -> Tensor:
        """Q (B, A) to act by; new noise for every step of the environments."""
        if self.config.noisy:
            resample_noise(self.net, self._noise)
        with self._precision():
            return self.net.qvals(observations).float()

    def _precision(self) -> AbstractContextManager[Any]:
        """Where the networks are computed: bfloat16 needs no scaling of the loss."""
        if not self.mixed_precision:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _frozen(self) -> QNetwork:
        """A copy in evaluation mode: switching the network itself would show in training."""
        return copy.deepcopy(self.net).eval()
