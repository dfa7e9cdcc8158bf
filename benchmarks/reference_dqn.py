"""DQN for Atari in a single file, as one writes it to read it from top to bottom.

It follows the usual shape of single-file implementations (CleanRL's `dqn_atari.py`): one game in
Gymnasium's wrappers, a replay buffer of whole stacks in NumPy, one loop with everything in it,
float32 in PyTorch's default memory layout. `throughput` measures it; by itself it trains:

    python -m benchmarks.reference_dqn --steps 400000
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import ale_py
import gymnasium
import numpy as np
import torch
from gymnasium import wrappers
from torch import Tensor, nn
from torch.nn import functional

gymnasium.register_envs(ale_py)


@dataclass(frozen=True)
class Settings:
    """Times are in environment steps, the loop's only clock."""

    game: str = "PongNoFrameskip-v4"
    seed: int = 1
    gamma: float = 0.99
    learning_rate: float = 1e-4
    batch_size: int = 32
    replay_size: int = 20_000
    warm_up: int = 2_000
    steps_per_update: int = 4
    sync_every: int = 1_000
    eps_start: float = 1.0
    eps_final: float = 0.02
    eps_steps: int = 100_000


class Step(NamedTuple):
    """One turn of the loop; loss and episode_return are None where nothing was learned or ended."""

    env_steps: int
    loss: Tensor | None
    episode_return: float | None


class Network(nn.Module):
    """The network of Mnih et al. 2015: (B, 4, 84, 84) bytes to (B, n_actions) values."""

    def __init__(self, n_actions: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(3136, 512),
            nn.ReLU(),
            nn.Linear(512, n_actions),
        )

    def forward(self, stacks: Tensor) -> Tensor:
        """Values (B, n_actions) of stacks of bytes."""
        return self.layers(stacks / 255.0)


class Replay:
    """The newest `capacity` transitions, each with both of its stacks."""

    def __init__(self, capacity: int, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        self.states = np.zeros((capacity, *shape), np.uint8)
        self.next_states = np.zeros((capacity, *shape), np.uint8)
        self.actions = np.zeros(capacity, np.int64)
        self.rewards = np.zeros(capacity, np.float32)
        self.terminated = np.zeros(capacity, np.float32)
        self.capacity, self.added, self.rng = capacity, 0, rng

    def add(
        self, state: Any, action: int, reward: float, next_state: Any, terminated: bool
    ) -> None:
        """Put a transition in the place of the oldest."""
        slot = self.added % self.capacity
        self.states[slot], self.next_states[slot] = state, next_state
        self.actions[slot], self.rewards[slot] = action, reward
        self.terminated[slot] = terminated
        self.added += 1

    def sample(self, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """States, actions, rewards, next states, and 1.0 where the episode terminated."""
        slots = self.rng.integers(min(self.added, self.capacity), size=size)
        return (
            torch.from_numpy(self.states[slots]),
            torch.from_numpy(self.actions[slots]),
            torch.from_numpy(self.rewards[slots]),
            torch.from_numpy(self.next_states[slots]),
            torch.from_numpy(self.terminated[slots]),
        )


def make_env(game: str) -> Any:
    env: Any = wrappers.RecordEpisodeStatistics(gymnasium.make(game))
    env = wrappers.AtariPreprocessing(env, noop_max=30, terminal_on_life_loss=True)
    return wrappers.FrameStackObservation(wrappers.TransformReward(env, np.sign), 4)


def td_loss(net: nn.Module, target: nn.Module, batch: tuple[Tensor, ...], gamma: float) -> Tensor:
    states, actions, rewards, next_states, terminated = batch
    with torch.no_grad():
        best = target(next_states).max(dim=1).values
        wanted = rewards + gamma * best * (1.0 - terminated)
    values = net(states).gather(1, actions[:, None]).squeeze(1)
    return functional.mse_loss(values, wanted)


def train(settings: Settings) -> Iterator[Step]:
    """Train for as long as somebody asks for steps; PyTorch's global generator is seeded."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    env = make_env(settings.game)
    net, target = Network(env.action_space.n), Network(env.action_space.n)
    target.load_state_dict(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.learning_rate)
    replay = Replay(settings.replay_size, env.observation_space.shape, rng)

    state, _ = env.reset(seed=settings.seed)
    env_steps = 0
    while True:
        fallen = min(1.0, env_steps / settings.eps_steps)
        epsilon = settings.eps_start + fallen * (settings.eps_final - settings.eps_start)
        if rng.random() < epsilon:
            action = int(rng.integers(env.action_space.n))
        else:
            with torch.no_grad():
                action = int(net(torch.from_numpy(state)[None]).argmax())
        next_state, reward, terminated, truncated, info = env.step(action)
        replay.add(state, action, float(reward), next_state, terminated)
        state = env.reset()[0] if terminated or truncated else next_state
        env_steps += 1

        loss = None
        if env_steps > settings.warm_up and env_steps % settings.steps_per_update == 0:
            loss = td_loss(net, target, replay.sample(settings.batch_size), settings.gamma)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if env_steps % settings.sync_every == 0:
            target.load_state_dict(net.state_dict())
        episode_return = float(info["episode"]["r"]) if "episode" in info else None
        yield Step(env_steps, None if loss is None else loss.detach(), episode_return)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400_000, help="environment steps")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start, loss = time.perf_counter(), float("nan")
    for step in train(Settings(seed=arguments.seed)):
        loss = loss if step.loss is None else float(step.loss)
        if step.episode_return is not None:
            speed = step.env_steps / (time.perf_counter() - start)
            print(
                f"{step.env_steps}: return {step.episode_return:.0f}, last loss {loss:.4f}, "
                f"{speed:.0f} steps/s",
                flush=True,
            )
        if step.env_steps >= arguments.steps:
            break


if __name__ == "__main__":
    main()
