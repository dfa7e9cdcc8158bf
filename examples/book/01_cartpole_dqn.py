"""DQN on CartPole in a plain loop: the smallest program that has all the parts."""

import numpy as np
import torch

import common
import ptan

options = common.read_options("cartpole-dqn", "cartpole-textbook")
params, device = options.params, options.device
rng = np.random.default_rng(params.seed)

env = common.make_env(options)
net = ptan.nn.QMLP(env.observation_space, env.action_space, hidden=params.hidden).to(device)
target_net = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(params.eps_start, rng=rng)
agent = ptan.agent.DQNAgent(net, selector, device)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
buffer = ptan.experience.ExperienceReplayBuffer(source, params.replay_size, rng=rng)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)

writer = common.make_writer(options)
batches = ptan.experience.batch_generator(buffer, params.warm_up, params.batch_size)
for step, batch in zip(range(1, options.iterations + 1), batches, strict=False):
    loss, _ = ptan.losses.dqn_loss(batch.to(device), net, target_net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    selector.epsilon = max(params.eps_final, selector.epsilon * params.eps_decay)
    if step % params.sync_every == 0:
        target_net.sync()
    if step % 100 == 0:
        writer.add_scalar("train/loss", loss, step)
        writer.add_scalar("train/epsilon", selector.epsilon, step)

    episodes = source.pop_rewards_steps()
    for reward, steps in episodes:
        print(f"{step}: an episode of {steps} steps, reward {reward:.0f}")
        writer.add_scalar("episodes/reward", reward, step)
        writer.add_scalar("episodes/steps", steps, step)
    if any(reward > options.stop_reward for reward, _ in episodes):
        print(f"An episode of more than {options.stop_reward:.0f} after {step} steps")
        break
writer.close()
common.test_greedily(net, options)
