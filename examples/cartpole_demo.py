"""Train a DQN, put together from ptan's blocks, until it solves CartPole: what `make demo` runs.

Solved means: the final network, acting greedily, keeps the pole up for 475 steps or more on average
over 20 episodes whose seeds it has never met. Training stops when it does so, with a margin, in 20
validation episodes, which have seeds of their own.

Leaves a TensorBoard log and a plot of the learning curve in `runs/cartpole-seed<S>-<time>`.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

import ptan

SOLVED = 475.0  # mean return over the test episodes
STOP_AT = 495.0  # mean return over the validation episodes
VALIDATION_SEEDS = range(1_000_000, 1_000_020)
TEST_SEEDS = range(2_000_000, 2_000_020)


@dataclass
class Status:
    """Where a training run stands."""

    steps: int = 0  # environment steps
    updates: int = 0  # of the network
    seconds: float = 0.0
    epsilon: float = 1.0
    loss: float = 0.0
    episodes: list[tuple[int, float]] = field(default_factory=list)  # (step, return), training
    validations: list[tuple[int, float]] = field(default_factory=list)  # (step, mean), greedy

    @property
    def mean_100(self) -> float:
        """Mean return of the last 100 training episodes, 0 before the first one."""
        return float(np.mean([r for _, r in self.episodes[-100:]])) if self.episodes else 0.0

    @property
    def good_enough(self) -> bool:
        """True if the latest validation says so."""
        return bool(self.validations) and self.validations[-1][1] >= STOP_AT


def make_network(seed: int) -> nn.Module:
    """Observations (B, 4) to action values (B, 2)."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)
    )


def dqn_loss(batch: ptan.experience.Batch, net: nn.Module, target: ptan.agent.TargetNet) -> Tensor:
    """Huber loss of double DQN: y = r + discount * Q_target(s', argmax_a Q(s', a))."""
    with torch.no_grad():
        best = net(batch.last_states).argmax(dim=1, keepdim=True)
    future = target(batch.last_states).gather(1, best).squeeze(1)
    values = net(batch.states).gather(1, batch.actions.unsqueeze(1)).squeeze(1)
    return smooth_l1_loss(values, batch.rewards + batch.discounts * future)


def train(net: nn.Module, seed: int, max_steps: int = 150_000) -> Iterator[Status]:
    """Train `net` in place until a validation, every 1,000 environment steps, is good enough.

    Yields the status, one object all along, every 100 environment steps.
    """
    explore = ptan.actions.EpsilonGreedyActionSelector(epsilon=1.0, rng=seed)
    tracker = ptan.actions.EpsilonTracker(explore, eps_start=1.0, eps_final=0.05, eps_frames=10_000)
    agent = ptan.agent.DQNAgent(net, explore)
    envs = [gymnasium.make("CartPole-v1") for _ in range(8)]
    source = ptan.experience.ExperienceSourceFirstLast(
        envs, agent, gamma=0.99, steps_count=3, env_seed=1_000 * seed
    )
    buffer = ptan.experience.ExperienceReplayBuffer(source, buffer_size=50_000, rng=seed)
    target = ptan.agent.TargetNet(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)

    status, begin = Status(), time.perf_counter()
    buffer.populate(1_000)
    status.steps = 1_000
    while status.steps < max_steps and not status.good_enough:
        tracker.frame(status.steps)
        buffer.populate(4)
        status.steps += 4
        loss = dqn_loss(buffer.sample(128).to("cpu"), net, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        target.alpha_sync(0.99)
        status.updates += 1
        if status.steps % 100 == 0:
            status.episodes += [(status.steps, r) for r in source.pop_total_rewards()]
            status.loss, status.epsilon = loss.item(), explore.epsilon
            if status.steps % 1_000 == 0 and status.mean_100 > 100:  # hopeless before
                mean = float(np.mean(evaluate(net, VALIDATION_SEEDS)))
                status.validations.append((status.steps, mean))
            status.seconds = time.perf_counter() - begin
            yield status


def evaluate(net: nn.Module, seeds: range) -> list[float]:
    """Greedy returns of one episode per seed."""
    agent = ptan.agent.DQNAgent(net, ptan.actions.ArgmaxActionSelector())
    envs = [gymnasium.make("CartPole-v1") for _ in seeds]
    return ptan.training.evaluate(envs, agent, len(seeds), seeds.start)


def train_visibly(net: nn.Module, seed: int, max_steps: int, folder: Path) -> Status:
    """Train with a progress bar and a TensorBoard log in `folder`."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from torch.utils.tensorboard import SummaryWriter

    columns = (
        TextColumn("{task.completed:,} steps"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    status, logged = Status(), 0
    with SummaryWriter(str(folder)) as writer, Progress(*columns) as bar:
        task = bar.add_task("filling the buffer", total=max_steps)
        for status in train(net, seed, max_steps):
            speed = status.steps / status.seconds
            reward = status.episodes[-1][1] if status.episodes else 0.0
            text = f"reward {reward:3.0f}  mean {status.mean_100:5.1f}  ε {status.epsilon:.2f}"
            bar.update(task, completed=status.steps, description=f"{text}  {speed:,.0f} steps/s")
            for step, episode_return in status.episodes[logged:]:
                writer.add_scalar("episode/reward", episode_return, step)
            logged = len(status.episodes)
            if status.steps % 1_000 == 0:
                writer.add_scalar("episode/reward_100", status.mean_100, status.steps)
                writer.add_scalar("train/loss", status.loss, status.steps)
                writer.add_scalar("train/epsilon", status.epsilon, status.steps)
                writer.add_scalar("train/steps_per_second", speed, status.steps)
                for step, mean in status.validations[-1:]:
                    writer.add_scalar("validation/reward", mean, step)
        bar.update(task, total=status.steps)
    return status


def plot(status: Status, title: str, path: Path) -> None:
    """Draw the learning curve."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    if status.episodes:
        axes.plot(*zip(*status.episodes, strict=True), ".", ms=3, alpha=0.4, label="training")
    if status.validations:
        axes.plot(*zip(*status.validations, strict=True), lw=2, label="greedy, mean of 20")
    axes.axhline(SOLVED, ls="--", lw=1, color="gray", label="solved")
    axes.set(xlabel="environment steps", ylabel="episode reward", title=title)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main(arguments: list[str]) -> int:
    """Train, test, report; the exit status is 0 if CartPole is solved."""
    parser = argparse.ArgumentParser(description="Train a DQN on CartPole until it is solved.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-steps", type=int, default=150_000, help="environment steps")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the results")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # a network this small is slower on two
    folder = options.runs / f"cartpole-seed{options.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    net = make_network(options.seed)
    status = train_visibly(net, options.seed, options.max_steps, folder)
    returns = evaluate(net, TEST_SEEDS)
    solved = bool(np.mean(returns) >= SOLVED)
    verdict = "solved" if solved else "not solved"
    plot(status, f"DQN on CartPole-v1, seed {options.seed}: {verdict}", folder / "learning.png")

    print(f"CartPole-v1 is {verdict}: greedy reward {np.mean(returns):.1f}, mean of {len(returns)}")
    print(f"  unseen episodes (worst {min(returns):.0f}; {SOLVED:.0f} is solved, 500 the most).")
    print(f"Trained in {status.seconds:.0f} s: {status.steps:,} environment steps, ", end="")
    print(f"{status.updates:,} updates, {len(status.episodes)} episodes;")
    print(f"  mean of the last 100 training episodes, with exploration: {status.mean_100:.1f}.")
    print(f"TensorBoard log: {folder}  (.venv/bin/tensorboard --logdir {options.runs})")
    print(f"Plot:            {folder / 'learning.png'}")
    return 0 if solved else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
