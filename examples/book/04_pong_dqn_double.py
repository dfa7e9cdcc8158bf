"""Double DQN on Pong (van Hasselt et al. 2016): one network chooses, the other one judges.

    y = r + discount · Q_target(s', argmax_a Q(s', a))

It tames the overestimation of `max`: compare `values` with those of the basic program.
"""

import numpy as np
import torch
from ignite.engine import Engine

import common
import ptan

options = common.read_options("pong-dqn-double", "pong")
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
    loss, _ = ptan.losses.dqn_loss(batch.to(device), net, target_net, double=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    tracker.frame(engine.state.iteration)
    if engine.state.iteration % params.sync_every == 0:
        target_net.sync()
    return {"loss": loss.detach(), "epsilon": selector.epsilon}


def measure(states: torch.Tensor) -> dict[str, float]:
    """`val`: what the states are worth on average over the actions; `adv`: what the best adds."""
    value = ptan.losses.mean_state_value(states, lambda part: net(part).mean(1, keepdim=True))
    return {"val": value, "adv": ptan.losses.mean_state_value(states, net) - value}


engine = Engine(process_batch)
common.setup_ignite(engine, source, buffer, net, options, ["epsilon", "adv", "val"], measure)
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
engine.run(batches, max_epochs=1, epoch_length=options.iterations)
common.test_greedily(net, options)
