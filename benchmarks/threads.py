"""Threads beside a busy neighbour: fixed numbers against `ThreadTuner`.

    python -m benchmarks.threads [--turn 2] [--turns 5] [--phases 6]

Updates of the network of Atari's DQN (batch 32, double, Adam). Phases on a quiet machine alternate
with phases in which another process keeps a core busy. In each, all sides take turns, so that what
else the machine does meets all of them.
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
from ptan.training.threads import ThreadTuner

BATCH = 32


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


class Side:
    """Training with a fixed number of threads, or with a tuned one; its clock stands between turns.

    Args:
        threads: The number; None tunes it.
    """

    def __init__(self, threads: int | None) -> None:
        self.name = "tuned" if threads is None else f"{threads} fixed"
        self.update, self.updates, self.seconds = make_update(), 0, 0.0
        self.began, self.threads = time.perf_counter(), threads or 1
        self.tuner = None if threads else ThreadTuner(report=print, clock=self.clock)

    def clock(self) -> float:
        """Seconds of its own turns."""
        return self.seconds + time.perf_counter() - self.began

    def turn(self, seconds: float) -> None:
        """Train for a while."""
        torch.set_num_threads(self.threads)
        self.began, end = time.perf_counter(), self.seconds + seconds
        while self.clock() < end:
            self.update()
            self.updates += 1
            if self.tuner is not None:
                self.tuner.record(Record(self.updates, self.updates, {}, []))
        self.seconds, self.threads = self.clock(), torch.get_num_threads()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turn", type=float, default=2.0, help="seconds of a side's turn")
    parser.add_argument("--turns", type=int, default=5, help="of each side in a phase")
    parser.add_argument("--phases", type=int, default=6, help="every second one is busy")
    options = parser.parse_args()
    most = ThreadTuner().most
    sides = [Side(1), Side(most), Side(None)]
    ratios = []
    for phase in range(options.phases):
        before = [(side.updates, side.seconds) for side in sides]
        with neighbour(busy=phase % 2 == 1):
            for turn in range(options.turns):
                for side in sides if turn % 2 == 0 else sides[::-1]:
                    side.turn(options.turn)
        speeds = [
            (side.updates - updates) / (side.seconds - seconds)
            for side, (updates, seconds) in zip(sides, before, strict=True)
        ]
        ratios.append(speeds[-1] / max(speeds[:-1]))
        told = ", ".join(f"{s.name} {speed:.1f}" for s, speed in zip(sides, speeds, strict=True))
        print(
            f"{'busy' if phase % 2 else 'quiet'}: {told} updates/s, tuned / better {ratios[-1]:.2f}"
        )
    totals = [side.updates / side.seconds for side in sides]
    told = ", ".join(f"{s.name} {speed:.1f}" for s, speed in zip(sides, totals, strict=True))
    print(f"all phases: {told} updates/s, tuned / better {totals[-1] / max(totals[:-1]):.2f}")
    print(f"median of the phases: tuned / better {median(ratios):.2f}")


if __name__ == "__main__":
    main()
