"""Rainbow on Pong (Hessel et al. 2018): the extensions of the programs before, all at once.

The preset `rainbow-pong` is dueling, noisy, prioritized and n-step; `rainbow-full` is also double
and distributional. A double target asks the online network twice, so that noise is drawn here
explicitly: once per acting step, and at each update once for either network.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

options = common.read_options("pong-rainbow", "rainbow-pong", "rainbow-full")
params, device = options.params, options.device
rng = np.random.default_rng(params.seed)

env = common.make_env(options)
net = ptan.nn.RainbowDQN(
    env.observation_space,
    env.action_space,
    distributional=params.distributional,
    n_atoms=params.n_atoms,
    v_min=params.v_min,
    v_max=params.v_max,
    noisy_layer=partial(ptan.nn.NoisyLinear, resample_on_forward=False),
).to(device)
target_net = ptan.agent.TargetNet(net)


def acting_values(observations: torch.Tensor) -> torch.Tensor:
    """Q to act by, with new noise for each step."""
    net.resample_noise()
    return net.qvals(observations)


agent = ptan.agent.DQNAgent(acting_values, ptan.actions.ArgmaxActionSelector(), device)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
buffer = ptan.experience.PrioritizedReplayBuffer(
    source, params.replay_size, params.alpha, params.beta_start, params.beta_steps, rng=rng
)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)
loss_of = ptan.losses.categorical_loss if params.distributional else ptan.losses.dqn_loss


def process_batch(engine: Engine, sample: tuple[Any, Any, Any]) -> dict[str, float | torch.Tensor]:
    """One environment step has been taken; one update of the network."""
    batch, indices, _ = sample  # the batch has the weights with it
    net.resample_noise()
    target_net.target_model.resample_noise()
    loss, priorities = loss_of(batch.to(device), net, target_net, double=params.double)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    buffer.update_priorities(indices, priorities.cpu().numpy())
    beta = buffer.update_beta(engine.state.iteration)
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach(), "beta": beta}


def measure(states: torch.Tensor) -> dict[str, float]:
    """`val`, `adv`: what states are worth, and what the best action adds; signal to noise."""
    mean = ptan.losses.mean_state_value
    value = mean(states, lambda part: net.qvals(part).mean(1, keepdim=True))
    snr = {f"snr_{i}": ratio for i, ratio in enumerate(net.noisy_layers_sigma_snr(), start=1)}
    return {"val": value, "adv": mean(states, net) - value, **snr}


engine = Engine(process_batch)
metrics = ["beta", "adv", "val", "snr_1", "snr_2", "snr_3", "snr_4"]
common.setup_ignite(engine, source, buffer, net, options, metrics, measure)
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net.eval().qvals, options)
