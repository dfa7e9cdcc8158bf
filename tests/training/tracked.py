"""Fakes for trackers, and what they should write, worked out again from the records."""

import numpy as np
import torch

from ptan.training.loop import Record


class Clock:
    """Moves when it is told to, never by itself."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryLog:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.images: list[tuple[int, str, np.ndarray]] = []

    def scalars(self, step, values, /) -> None:
        self.lines.append((step, dict(values)))

    def image(self, step, name, pixels, /) -> None:
        self.images.append((step, name, pixels))

    def points(self, tag: str) -> list[tuple[int, float]]:
        return [(step, values[tag]) for step, values in self.lines if tag in values]


class Rows:
    """A collector that has `count` observations (i, −i)."""

    def __init__(self, count: int = 1) -> None:
        self.count = count

    def held_out(self, n, rng, /) -> np.ndarray:
        numbers = rng.choice(self.count, min(n, self.count), replace=False).astype(np.float32)
        return np.stack([numbers, -numbers], axis=1)


class Silent:
    """An algorithm that cannot be asked anything."""


class Asked:
    """Says what it was asked about."""

    def __init__(self, asked_before: int = 0) -> None:
        self.asked_before = asked_before
        self.seen: list[np.ndarray] = []
        self.shown: list[np.ndarray] = []

    def diagnostics(self, states) -> dict[str, float]:
        self.seen.append(states.copy())
        count = self.asked_before + len(self.seen)
        return {"values": float(np.mean(states, dtype=np.float64)), "snr_1": count}

    def return_distributions(self, states):
        self.shown.append(states.copy())
        chances = torch.eye(5)[torch.arange(3)].expand(len(states), 3, 5)
        return chances, torch.linspace(-2.0, 2.0, 5)


def expected_lines(
    records: list[Record], times: list[float], *, window: int, every: int
) -> list[tuple[int, dict[str, float]]]:
    """What a tracker should write of episodes and training, in order.

    times[i]: seconds from the tracker's making to record i.
    """
    lines: list[tuple[int, dict[str, float]]] = []
    returns: list[float] = []
    line_at, line_steps, line_time = -1, records[0].env_steps, times[0]
    for i, record in enumerate(records):
        for reward, steps in record.episodes:
            returns.append(reward)
            mean = np.mean(returns[-window:])
            values = {"reward": reward, "steps": steps, "mean_reward": mean}
            lines.append((record.env_steps, {f"episodes/{k}": v for k, v in values.items()}))
        if record.updates % every:
            continue
        since = records[line_at + 1 : i + 1]
        losses = [float(r.metrics["loss"]) for r in since if "loss" in r.metrics]
        values = {k: float(v) for k, v in record.metrics.items() if k != "loss"}
        if losses:
            values["avg_loss"] = np.mean(losses)
        if record.env_steps > line_steps and times[i] > line_time:
            values["fps"] = (record.env_steps - line_steps) / (times[i] - line_time)
        line_at, line_steps, line_time = i, record.env_steps, times[i]
        if values:
            lines.append((record.env_steps, {f"train/{k}": v for k, v in values.items()}))
    return lines
