"""Prioritized buffers filled with numbered rows, and their priorities in a dictionary."""

from typing import Any

import numpy as np
import pytest

from ptan.experience import PrioReplayBufferNaive, PrioritizedReplayBuffer

from .fakes import GAMMA, numbered

KINDS = ("naive", "prioritized")
both = pytest.mark.parametrize("kind", KINDS)


def new_buffer(kind: str, capacity: int, alpha: float = 0.6, seed: Any = 0) -> Any:
    if kind == "naive":
        return PrioReplayBufferNaive(None, capacity, alpha, gamma=GAMMA, rng=seed)
    return PrioritizedReplayBuffer(None, capacity, alpha, gamma=GAMMA, rng=seed)


def filled(kind: str, capacity: int, added: int, alpha: float = 0.6, seed: Any = 0) -> Any:
    buffer = new_buffer(kind, capacity, alpha, seed)
    buffer.extend(numbered(i) for i in range(added))
    return buffer


def see_all(buffer: Any) -> None:
    """Sample until every stored row has been given at least once."""
    seen: set[int] = set()
    while len(seen) < len(buffer):
        seen.update(buffer.sample(64)[1].tolist())


def draw_counts(buffer: Any, first: int, draws: int) -> np.ndarray:
    numbers = np.concatenate([buffer.sample(100)[1] for _ in range(draws // 100)])
    assert numbers.min() >= first
    return np.bincount(numbers - first, minlength=len(buffer))


class Priorities:
    """Priorities by row number, in a dictionary."""

    def __init__(self, capacity: int, alpha: float) -> None:
        self.capacity, self.alpha = capacity, alpha
        self.of: dict[int, float] = {}
        self.highest, self.added, self.stale = 1.0, 0, 0

    def add(self) -> None:
        self.of[self.added] = self.highest
        self.of.pop(self.added - self.capacity, None)
        self.added += 1

    def update(self, numbers: Any, priorities: Any) -> None:
        for number, priority in zip(numbers, priorities, strict=True):
            if int(number) not in self.of:
                self.stale += 1
                continue
            self.of[int(number)] = float(priority)
            self.highest = max(self.highest, float(priority))

    def probabilities(self) -> dict[int, float]:
        total = sum(p**self.alpha for p in self.of.values())
        return {number: p**self.alpha / total for number, p in self.of.items()}

    def weights(self, numbers: Any, beta: float) -> np.ndarray:
        probability = self.probabilities()
        raw = np.array([(len(self.of) * probability[int(n)]) ** -beta for n in numbers])
        return raw / raw.max()
