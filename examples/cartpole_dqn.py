"""DQN on CartPole from ptan's blocks: the program of the README."""

import gymnasium
from torch import nn, optim

import ptan

env = gymnasium.make("CartPole-v1")
net = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
target = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(epsilon=1.0)
tracker = ptan.actions.EpsilonTracker(selector, eps_start=1.0, eps_final=0.05, eps_frames=10_000)
agent = ptan.agent.DQNAgent(net, selector)
source = ptan.experience.ExperienceSourceFirstLast(env, agent, gamma=0.99, steps_count=3)
buffer = ptan.experience.ExperienceReplayBuffer(source, buffer_size=50_000)
optimizer = optim.Adam(net.parameters(), lr=5e-4)
batches = ptan.experience.batch_generator(buffer, initial=1_000, batch_size=64)

for step, batch in zip(range(50_000), batches, strict=False):
    tracker.frame(step)
    batch = batch.to("cpu")
    values = net(batch.states)[range(64), batch.actions]
    future = target(batch.last_states).max(dim=1).values
    loss = nn.functional.smooth_l1_loss(values, batch.rewards + batch.discounts * future)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    target.alpha_sync(0.995)
    for reward, steps in source.pop_rewards_steps():
        print(f"step {step}: an episode of {steps} steps, reward {reward:.0f}")
