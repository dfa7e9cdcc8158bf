"""DQN with prioritized replay on Pong (Schaul et al. 2016): surprising transitions come again.

    P(i) ~ |y − Q(s, a)|^α        weight_i ~ (N·P(i))^−β, β → 1

The loss weighs its rows by `batch.weights`; the new priorities are the errors without weights.
"""

from typing import Any

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

options = common.read_options("pong-dqn-prioritized", "pong")
params, device = options.params, options.device
rng = np.random.default_rng(params.seed)

env = common.make_env(options)
net = ptan.nn.DQNNet(env.observation_space, env.action_space).to(device)
target_net = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(params.eps_start, rng=rng)
tracker = ptan.actions.EpsilonTracker(
    selector, params.eps_start, params.eps_final, params.eps_steps
)
agent = ptan.agent.DQNAgent(net, selector, device)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
buffer = ptan.experience.PrioritizedReplayBuffer(
    source, params.replay_size, params.alpha, params.beta_start, params.beta_steps, rng=rng
)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)


def process_batch(engine: Engine, sample: tuple[Any, Any, Any]) -> dict[str, float | torch.Tensor]:
    """One environment step has been taken; one update of the network."""
    batch, indices, _ = sample  # the batch has the weights with it
    loss, priorities = ptan.losses.dqn_loss(batch.to(device), net, target_net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    buffer.update_priorities(indices, priorities.cpu().numpy())
    beta = buffer.update_beta(engine.state.iteration)
    tracker.frame(engine.state.iteration)
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach(), "epsilon": selector.epsilon, "beta": beta}


engine = Engine(process_batch)
common.setup_ignite(engine, source, buffer, net, options, ["epsilon", "beta"])
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net, options)
