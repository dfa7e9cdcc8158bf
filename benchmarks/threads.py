"""Threads beside a busy neighbour: fixed numbers against `ThreadTuner`.

    python -m benchmarks.threads [--seconds 8] [--phases 4] [--rounds 3]

Updates of the network of Atari's DQN (batch 32, double, Adam). Phases on a quiet machine alternate
with phases in which another process keeps a core busy. Each round runs all sides in turn.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch

from ptan.agent import TargetNet
from ptan.experience import Batch, ExperienceFirstLast
from ptan.losses import dqn_loss
from ptan.nn import DQNNet
from ptan.training.loop import Record
from ptan.training.threads import ThreadTuner, torch_threads

BATCH = 32
TUNED = "tuned"


def make_update() -> Callable[[], None]:
    """A gradient update, always on one batch."""
    torch.manual_seed(0)
    frames = np.random.default_rng(0).integers(0, 256, (BATCH + 1, 4, 84, 84), dtype=np.uint8)
    pairs = pairwise(frames)
    rows = [ExperienceFirstLast(state, i % 6, 1.0, after) for i, (state, after) in enumerate(pairs)]
    batch = Batch.from_rows(rows, gamma=0.99).to("cpu")
    net = DQNNet((4, 84, 84), 6)
    target, optimizer = TargetNet(net), torch.optim.Adam(net.parameters(), 1e-4)

    def update() -> None:
        loss = dqn_loss(batch, net, target, double=True).value
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


@contextmanager
def neighbour(busy: bool) -> Any:
    """Another process that keeps a core busy meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def speeds(side: int | str, options: argparse.Namespace) -> list[float]:
    """Updates per second in each phase; every second one is busy."""
    update, updates, found = make_update(), 0, []
    with torch_threads(side if isinstance(side, int) else 1):
        tuner = ThreadTuner(report=print) if side == TUNED else None
        for phase in range(options.phases):
            with neighbour(busy=phase % 2 == 1):
                begin, first = time.perf_counter(), updates
                while (passed := time.perf_counter() - begin) < options.seconds:
                    update()
                    updates += 1
                    if tuner is not None:
                        tuner.record(Record(updates, updates, {}, []))
                found.append((updates - first) / passed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of a phase")
    parser.add_argument("--phases", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides = [1, ThreadTuner().most, TUNED]
    totals: dict[int | str, list[float]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            found = speeds(side, options)
            totals[side].append(sum(found) / len(found))
            phases = "  ".join(f"{speed:6.1f}" for speed in found)
            print(f"round {number + 1}, threads {side}: {phases} updates/s (quiet, busy, …)")
    for side in sides:
        print(f"threads {side}: median {median(totals[side]):.1f} updates/s")
    fixed = [max(both) for both in zip(*(totals[side] for side in sides[:-1]), strict=True)]
    ratios = [tuned / best for tuned, best in zip(totals[TUNED], fixed, strict=True)]
    print(f"tuned / better fixed number: median {median(ratios):.2f} of {sorted(ratios)}")


if __name__ == "__main__":
    main()
