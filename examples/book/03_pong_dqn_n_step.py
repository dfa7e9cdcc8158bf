"""DQN with n-step targets on Pong (Sutton & Barto 2018, chapter 7): rewards travel back faster.

    y = r_1 + γ·r_2 + … + γ^(n-1)·r_n + γ^n · max_a Q_target(s_n, a)

The source cuts windows of n steps; a row's reward and discount are those of the steps it spans.
"""

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

options = common.read_options("pong-dqn-n-step", "pong", n_steps=4)
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
buffer = ptan.experience.ExperienceReplayBuffer(source, params.replay_size, rng=rng)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)


def process_batch(engine: Engine, batch: ptan.experience.Batch) -> dict[str, float | torch.Tensor]:
    """One environment step has been taken; one update of the network."""
    loss, _ = ptan.losses.dqn_loss(batch.to(device), net, target_net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    tracker.frame(engine.state.iteration)
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach(), "epsilon": selector.epsilon}


engine = Engine(process_batch)
common.setup_ignite(engine, source, buffer, net, options, ["epsilon"])
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net, options)
