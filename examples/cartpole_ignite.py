"""DQN on CartPole under a PyTorch Ignite engine: the blocks of cartpole_dqn.py, another driver.

The engine brings events: a line per episode, TensorBoard in `runs/`, the stop when the smoothed
reward of the training episodes reaches 195, and whatever handler of yours is attached to it.
"""

import argparse

import gymnasium
import torch
from ignite.engine import Engine
from torch import nn

import ptan

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=50_000, help="environment steps at most")
parser.add_argument("--runs", default="runs", help="folder for TensorBoard logs")
options = parser.parse_args()

BATCH_SIZE = 64

env = gymnasium.make("CartPole-v1")
net = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
target = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(epsilon=1.0)
tracker = ptan.actions.EpsilonTracker(selector, eps_start=1.0, eps_final=0.05, eps_frames=10_000)
agent = ptan.agent.DQNAgent(net, selector)
source = ptan.experience.ExperienceSourceFirstLast(env, agent, gamma=0.99, steps_count=3)
buffer = ptan.experience.ExperienceReplayBuffer(source, buffer_size=50_000)
optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)


def update(engine: Engine, batch: ptan.experience.Batch) -> dict[str, float]:
    """One environment step has been taken; one update of the network."""
    batch = batch.to("cpu")
    values = net(batch.states)[range(BATCH_SIZE), batch.actions]
    future = target(batch.last_states).max(dim=1).values
    loss = nn.functional.smooth_l1_loss(values, batch.rewards + batch.discounts * future)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    target.alpha_sync(0.995)
    tracker.frame(engine.state.iteration)
    engine.state.metrics["epsilon"] = selector.epsilon
    return {"loss": loss.item()}


trainer = Engine(update)
ptan.ignite.setup_ignite(
    trainer,
    source,
    "cartpole-dqn",
    stop_reward=195,
    extra_metrics=["epsilon"],
    log_dir=options.runs,
)
batches = ptan.experience.batch_generator(buffer, initial=1_000, batch_size=BATCH_SIZE)
trainer.run(batches, max_epochs=1, epoch_length=options.steps)
