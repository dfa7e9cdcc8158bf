"""DQN on Pong from ptan's blocks, with the settings of the textbooks (Mnih et al. 2015).

On a CPU this takes hours; `--steps 2000 --initial 500` shows that it runs.
"""

import argparse
import time
from collections import deque

import ale_py
import gymnasium
import numpy as np
import torch
from torch import nn

import ptan

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=1_000_000, help="environment steps at most")
parser.add_argument("--initial", type=int, default=10_000, help="steps before the first update")
parser.add_argument("--every", type=int, default=4, help="environment steps per update")
parser.add_argument("--seed", type=int, default=123)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
options = parser.parse_args()


class Scale(nn.Module):
    """Bytes to numbers in [0, 1)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scale a batch of images."""
        return images.float() / 256


def make_network(n_actions: int) -> nn.Module:
    """Stacks of four frames (B, 4, 84, 84) uint8 to action values (B, A)."""
    return nn.Sequential(
        Scale(),
        nn.Conv2d(4, 32, kernel_size=8, stride=4),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=4, stride=2),
        nn.ReLU(),
        nn.Conv2d(64, 64, kernel_size=3, stride=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 512),
        nn.ReLU(),
        nn.Linear(512, n_actions),
    )


gymnasium.register_envs(ale_py)
torch.manual_seed(options.seed)
env = ptan.common.wrappers.wrap_dqn(gymnasium.make("PongNoFrameskip-v4"))
net = make_network(env.action_space.n).to(options.device)
target = ptan.agent.TargetNet(net)
selector = ptan.actions.EpsilonGreedyActionSelector(epsilon=1.0, rng=options.seed)
tracker = ptan.actions.EpsilonTracker(selector, eps_start=1.0, eps_final=0.02, eps_frames=100_000)
agent = ptan.agent.DQNAgent(net, selector, device=options.device)
source = ptan.experience.ExperienceSourceFirstLast(env, agent, gamma=0.99, env_seed=options.seed)
buffer = ptan.experience.ExperienceReplayBuffer(source, buffer_size=100_000, rng=options.seed)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

buffer.populate(options.initial)
rewards, begin = deque(maxlen=100), time.perf_counter()
for step in range(options.initial, options.steps, options.every):
    tracker.frame(step)
    buffer.populate(options.every)
    batch = buffer.sample(32).to(options.device)
    values = net(batch.states).gather(1, batch.actions.unsqueeze(1)).squeeze(1)
    future = target(batch.last_states).max(dim=1).values
    loss = nn.functional.mse_loss(values, batch.rewards + batch.discounts * future)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step // options.every % 1_000 == 0:
        target.sync()
    for reward, length in source.pop_rewards_steps():
        rewards.append(reward)
        speed = (step - options.initial) / (time.perf_counter() - begin)
        print(
            f"{step}: game of {length} steps, reward {reward:.0f}, mean {np.mean(rewards):.2f}, "
            f"ε {selector.epsilon:.2f}, {speed:.0f} steps/s",
            flush=True,
        )
    if len(rewards) == 100 and np.mean(rewards) > 18:
        print(f"solved in {step} environment steps")
        break
print(f"stopped; the buffer holds {len(buffer)} rows in {buffer.nbytes / 2**20:.0f} MiB")
