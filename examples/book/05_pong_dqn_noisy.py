"""DQN with noisy networks on Pong (Fortunato et al. 2018): learned noise explores in place of ε.

In training mode each pass through the network draws its noise: once per acting step, and at each
update once for either network. Held-out states and the test at the end see no noise.
"""

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

options = common.read_options("pong-dqn-noisy", "pong")
params, device = options.params, options.device
rng = np.random.default_rng(params.seed)

env = common.make_env(options)
net = ptan.nn.NoisyDQN(env.observation_space, env.action_space).to(device)
target_net = ptan.agent.TargetNet(net)
agent = ptan.agent.DQNAgent(net, ptan.actions.ArgmaxActionSelector(), device)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
buffer = ptan.experience.ExperienceReplayBuffer(source, params.replay_size, rng=rng)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)


def process_batch(engine: Engine, batch: ptan.experience.Batch) -> dict[str, float | torch.Tensor]:
    """One environment step has been taken; one update of the network."""
    loss, _ = ptan.losses.dqn_loss(batch.to(device), net, target_net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach()}


def measure(_states: torch.Tensor) -> dict[str, float]:
    """Signal to noise of the noisy layers: it rises as the network grows sure."""
    return {f"snr_{i}": ratio for i, ratio in enumerate(net.noisy_layers_sigma_snr(), start=1)}


engine = Engine(process_batch)
common.setup_ignite(engine, source, buffer, net, options, ["snr_1", "snr_2"], measure)
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net.eval(), options)
