"""Small runs, what they say, and what they leave behind."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptan.algorithms import DQNConfig
from ptan.runs import Run, RunConfig, RunSettings
from ptan.runs.parts import Watcher

DQN_SETTINGS = DQNConfig(
    hidden=8, batch_size=4, replay_size=150, warm_up=60, eps_steps=100, sync_every=7, seed=5
)
SETTINGS = RunSettings(
    env_id="CartPole-v1",
    steps=400,
    threads=1,
    eval_episodes=0,
    diagnostics_every=20,
    checkpoint_every=0,
)


def config(dqn: DQNConfig = DQN_SETTINGS, **settings: Any) -> RunConfig:
    """Of a small DQN on CartPole."""
    return RunConfig(algorithm="dqn", settings=replace(SETTINGS, **settings), config=dqn)


class Listener(Watcher):
    """Notes what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def progress(self, run: Run, phase: str) -> None:
        assert phase in ("warm-up", "training", "evaluation")
        assert run.algorithm.env_steps <= run.settings.steps + 10

    def say(self, line: str) -> None:
        self.lines.append(line)

    def heard(self, words: str) -> bool:
        return any(words in line for line in self.lines)


def after(calls: int) -> Callable[[], bool]:
    """Says stop at the given call."""
    count = itertools.count(1)
    return lambda: next(count) >= calls


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines without the numbers that clocks give."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"]
        line.pop("train/fps", None)
    return [line for line in lines if line.keys() != {"env_steps"}]
