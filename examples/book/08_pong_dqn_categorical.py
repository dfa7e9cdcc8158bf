"""Categorical DQN on Pong (Bellemare et al. 2017): the distribution of the return, not its mean.

    target = projection onto the atoms of r + discount · Z_target(s', argmax_a E[Z_target(s', a)])

TensorBoard shows the distributions of four states under "images".
"""

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

DRAW_EVERY = 10_000  # iterations, beginning at the 100th

options = common.read_options("pong-dqn-categorical", "pong")
params, device = options.params, options.device
rng = np.random.default_rng(params.seed)

env = common.make_env(options)
net = ptan.nn.DistributionalDQN(
    env.observation_space,
    env.action_space,
    n_atoms=params.n_atoms,
    v_min=params.v_min,
    v_max=params.v_max,
).to(device)
target_net = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(params.eps_start, rng=rng)
tracker = ptan.actions.EpsilonTracker(
    selector, params.eps_start, params.eps_final, params.eps_steps
)
agent = ptan.agent.DQNAgent(net.qvals, selector, device)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
buffer = ptan.experience.ExperienceReplayBuffer(source, params.replay_size, rng=rng)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)


def process_batch(engine: Engine, batch: ptan.experience.Batch) -> dict[str, float | torch.Tensor]:
    """One environment step has been taken; one update of the network."""
    loss, _ = ptan.losses.categorical_loss(batch.to(device), net, target_net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    tracker.frame(engine.state.iteration)
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach(), "epsilon": selector.epsilon}


def measure(states: torch.Tensor) -> dict[str, float]:
    """No numbers, but pictures of what the network expects in four states."""
    if engine.state.iteration % DRAW_EVERY == 100:
        common.draw_distributions(writer, net, states[:4], engine.state.iteration)
    return {}


engine = Engine(process_batch)
writer = common.setup_ignite(engine, source, buffer, net, options, ["epsilon"], measure)
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net.qvals, options)
