"""DQN and its six extensions: one algorithm with switches, to be driven by any loop."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ptan.actions import ArgmaxActionSelector, EpsilonGreedyActionSelector, Selector
from ptan.agent import DQNAgent, TargetNet, default_states_preprocessor
from ptan.agent.base import move_to
from ptan.algorithms import states
from ptan.algorithms.diagnostics import value_diagnostics
from ptan.algorithms.dqn_config import DQNConfig
from ptan.algorithms.optimizer import OptimizerStep
from ptan.algorithms.schedules import decaying, linear
from ptan.algorithms.seeds import seeded_layers, torch_generator
from ptan.collectors import Update
from ptan.collectors.replay import ReplayCollector
from ptan.common.bfloat16 import computes_in_bfloat16
from ptan.common.checks import whole_number
from ptan.common.types import Actions, Envs, Observations, SavedState, Space, State
from ptan.losses import Loss, categorical_loss, dqn_loss
from ptan.nn import NoisyFactorizedLinear, NoisyLinear, QNetwork, resample_noise
from ptan.replay.batch import Batch
from ptan.replay.buffer import ExperienceReplayBuffer
from ptan.replay.prioritized import PrioritizedReplayBuffer

__all__ = ["DQN"]

_COLLECTOR = 3  # first part of the spawn key of its seeds, after those of three other parts


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

        algorithm = DQN(env.observation_space, env.action_space)
        collector = algorithm.collector(env)
        for batch in collector:
            update = algorithm.update(batch)
            collector.after(update)

    All randomness comes from `config.seed`; with equal seeds, on one device, equal calls give equal
    numbers.

    Args:
        observation_space: Of one environment; or the shape of one observation.
        action_space: `Discrete`, of one environment; or the number of actions.
        config: All settings; None takes the defaults.
        device: Where the networks live.
        body: A module from observations to features, used as it is; None chooses one by the
            observation space.

    Raises TypeError for spaces or settings of the wrong kind, ValueError where no body fits the
    observations.
    """

    def __init__(
        self,
        observation_space: Space | tuple[int, ...],
        action_space: Space | int,
        config: DQNConfig | None = None,
        *,
        device: torch.device | str = "cpu",
        body: nn.Module | None = None,
    ) -> None:
        if not isinstance(config, DQNConfig | None):
            raise TypeError(f"config must be a DQNConfig, got {config!r}")
        self.config = config = DQNConfig() if config is None else config
        self.device = torch.device(device)
        self.mixed_precision = config.mixed_precision and computes_in_bfloat16(self.device)
        """Whether the networks are computed in bfloat16: asked for, and worth while here."""
        self.env_steps = 0
        self.updates = 0
        net_seed, selector_seed, noise_seed = np.random.SeedSequence(config.seed).spawn(3)
        self._collectors = 0

        # The network numbers actions from 0, and so do batches.
        self._env_actions: Callable[[Actions], Actions] | None = None
        if isinstance(action_space, spaces.Discrete):
            if action_space.start:
                self._env_actions = partial(np.add, int(action_space.start))
            action_space = spaces.Discrete(action_space.n)
        with seeded_layers(net_seed):
            self.net = _make_network(observation_space, action_space, config, body)
        self.net.to(self.device)
        if config.channels_last:
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.target = TargetNet(self.net)
        optimizer = torch.optim.Adam(
            self.net.parameters(),
            lr=config.learning_rate,
            eps=config.adam_eps,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.optimizers = {"q": OptimizerStep(optimizer, config.max_grad_norm)}

        self._noise = torch_generator(noise_seed, self.device)
        self._explore: EpsilonGreedyActionSelector | None = None
        if not config.noisy:
            rng = np.random.default_rng(selector_seed)
            self._explore = EpsilonGreedyActionSelector(config.eps_start, rng=rng)
        self._epsilons = linear(config.eps_start, config.eps_final, config.eps_steps)
        if config.eps_decay is not None:
            self._epsilons = decaying(config.eps_start, config.eps_final, config.eps_decay)
        self.agent = self._agent(self._acting_values, self._explore or ArgmaxActionSelector())

    # Acting.

    def collector(self, env: Envs, *, env_seed: int | None = None) -> ReplayCollector:
        """What gathers this algorithm's experience, with a buffer and generators of its own.

        Made for an algorithm that went through its warm-up already, as after a resume, it fills the
        buffer with the present agent's steps before it yields batches.
        """
        config = self.config
        key = (_COLLECTOR, self.env_steps, self._collectors)
        self._collectors += 1
        seeds = np.random.SeedSequence(config.seed, spawn_key=key).spawn(2)
        replay_rng, warm_up_rng = map(np.random.default_rng, seeds)
        size, betas = config.replay_size, (config.beta_start, config.beta_steps)
        buffer = (
            PrioritizedReplayBuffer(None, size, config.alpha, *betas, rng=replay_rng)
            if config.prioritized
            else ExperienceReplayBuffer(None, size, rng=replay_rng)
        )
        return ReplayCollector(
            env,
            self.agent,
            buffer,
            gamma=config.gamma,
            n_steps=config.n_steps,
            batch_size=config.batch_size,
            updates_per_step=1 / config.steps_per_update,
            warm_up=config.warm_up,
            action_space=spaces.Discrete(self.net.n_actions),
            env_actions=self._env_actions,
            rng=warm_up_rng,
            env_steps=self.env_steps,
            on_steps=self.on_steps,
            env_seed=config.seed if env_seed is None else env_seed,
        )

    def greedy_agent(self) -> DQNAgent:
        """A copy of the network as it is now, without noise and ε, for evaluation."""
        return self._agent(self._frozen().qvals, ArgmaxActionSelector())

    def on_steps(self, n_steps: int) -> None:
        """Count transitions made, over all environments, and set ε and step size accordingly."""
        self.env_steps += whole_number("n_steps", n_steps, least=0)
        config, step = self.config, max(0, self.env_steps - self.config.warm_up)
        if self._explore is not None:
            self._explore.epsilon = self._epsilons(step)
        if (final := config.learning_rate_final) is not None:
            rates = linear(config.learning_rate, final, config.learning_rate_steps)
            self.optimizers["q"].set_learning_rate(rates(step))

    @property
    def epsilon(self) -> float | None:
        """Probability of a random action now; None with noise, which explores in its place."""
        return None if self._explore is None else self._explore.epsilon

    # Learning.

    def update(self, batch: Batch) -> Update:
        """One gradient update from a batch of arrays or tensors.

        Its metrics are `loss` and, without noise, `epsilon`. Where the batch does not fit, losses
        raise ShapeError or TypeError, and nothing is learned.
        """
        if self.config.noisy:
            # The target's noise is independent of the online network's (their eq. 13). For the
            # action that a double target chooses, their eq. 15 draws a third noise; here it is the
            # online network's: one draw per network and update.
            resample_noise(self.net, self._noise)
            resample_noise(self.target.target_model, self._noise)
        loss = self.loss(batch)
        self.optimizers["q"](loss.value)
        self.updates += 1
        if self.updates % self.config.sync_every == 0:
            self.target.sync()
        metrics: dict[str, Tensor | float] = {"loss": loss.value.detach()}
        if self._explore is not None:
            metrics["epsilon"] = self._explore.epsilon
        return Update(metrics, loss.priorities)

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, with the noise as it is: for `update`, which raises the same."""
        rows = batch if isinstance(batch.rewards, Tensor) else batch.to(self.device)
        loss = categorical_loss if self.config.distributional else dqn_loss
        with self._precision():
            return loss(rows, self.net, self.target, double=self.config.double)

    def diagnostics(self, observations: Observations) -> dict[str, float]:
        """What the network, without noise, says of N observations: see `value_diagnostics`.

        Waits for the device. `adv` and `val` come with `dueling` or `double`.
        """
        parts = self.config.dueling or self.config.double
        with self._precision():
            return value_diagnostics(self._frozen(), observations, self.device, parts=parts)

    def return_distributions(self, observations: Observations) -> tuple[Tensor, Tensor] | None:
        """Distributions of returns after N observations, without noise; None unless distributional.

        Probabilities (N, A, n_atoms) and the returns that the atoms stand for, (n_atoms,), both on
        the device.
        """
        if not self.config.distributional:
            return None
        inputs = move_to(default_states_preprocessor(observations), self.device)
        net = self._frozen()
        with torch.no_grad(), self._precision():
            logits, _ = net.both(inputs)
        return net.apply_softmax(logits.float()), net.supports

    # State.

    def state_dict(self) -> State:
        """Networks, optimizer, counters and random generators; see `Algorithm`."""
        return states.save_parts(self._parts())

    def load_state_dict(self, state: SavedState) -> None:
        """Take over what `state_dict` returned for equal spaces and settings; see `Algorithm`.

        A noisy run that moves to another kind of device draws other noise from there on: the
        generators of two kinds have no common state.
        """
        states.load_parts(self._parts(), state)
        self.on_steps(0)

    def _parts(self) -> dict[str, states.Part]:
        parts = {
            "net": states.module(self.net),
            "target": states.module(self.target.target_model),
            "optimizer": states.optimizer(self.optimizers["q"].optimizer),
            "env_steps": states.counter(self, "env_steps"),
            "updates": states.counter(self, "updates"),
            "noise_rng": states.generator(self._noise),
        }
        if self._explore is not None:
            parts["selector_rng"] = states.generator(self._explore.rng)
        return parts

    # Inside.

    def _agent(self, values: Callable[..., Tensor], selector: Selector) -> DQNAgent:
        return DQNAgent(values, selector, self.device, env_actions=self._env_actions)

    def _acting_values(self, observations: Observations) -> Tensor:
        """Q (B, A) to act by; new noise for every step of the environments."""
        if self.config.noisy:
            resample_noise(self.net, self._noise)
        with self._precision():
            return self.net.qvals(observations).float()

    def _precision(self) -> AbstractContextManager[object]:
        """Where the networks are computed: bfloat16 needs no scaling of the loss."""
        if not self.mixed_precision:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _frozen(self) -> QNetwork:
        """A copy in evaluation mode: switching the network itself would show in training."""
        return copy.deepcopy(self.net).eval()


def _make_network(
    observations: Space | tuple[int, ...],
    actions: Space | int,
    config: DQNConfig,
    body: nn.Module | None,
) -> QNetwork:
    """The network that the settings want; its noise is drawn only when it is told to."""
    noisy_layer = NoisyFactorizedLinear if config.factorized_noise else NoisyLinear
    return QNetwork(
        observations,
        actions,
        dueling=config.dueling,
        noisy=config.noisy,
        distributional=config.distributional,
        n_atoms=config.n_atoms,
        v_min=config.v_min,
        v_max=config.v_max,
        hidden=config.hidden,
        body=body,
        noisy_layer=partial(noisy_layer, resample_on_forward=False),
    )
