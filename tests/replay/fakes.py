"""Rows, environments and agents with known contents, for the replay tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.experience.envs import Episode, ScriptedEnv

from ptan.agent import BaseAgent
from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
)

from .oracles import Recipe

GAMMA = 0.9


@dataclass(frozen=True)
class Scored(ExperienceFirstLast):
    """A row with two fields of its own."""

    score: float
    trace: np.ndarray


@dataclass(frozen=True)
class TaggedStep(Experience):
    """A step with a field of its own."""

    tag: int


def make_buffer(kind: str, source: Any, capacity: int, gamma: float | None = None, seed: int = 0):
    if kind == "naive":
        return PrioReplayBufferNaive(source, capacity, gamma=gamma, rng=seed)
    if kind == "prioritized":
        return PrioritizedReplayBuffer(source, capacity, 0.6, gamma=gamma, rng=seed)
    return ExperienceReplayBuffer(source, capacity, gamma=gamma, rng=seed)


BUFFERS = ("uniform", "naive", "prioritized")


def numbered(number: int, **fields: Any) -> ExperienceFirstLast:
    """A row that carries its number in every field."""
    return ExperienceFirstLast(number, number % 3, float(number), number + 1, **fields)


class RowKitchen:
    """Makes random rows of one kind, as recipes, from few frames so that most are shared."""

    OBSERVATIONS = ("int", "vector", "stack", "image", "dict", "tuple")
    KINDS = (*OBSERVATIONS, "scored", "step", "steps", "tagged_steps", "vector_reward")

    def __init__(self, kind: str, seed: int, *, with_discount: bool = False) -> None:
        self.kind = kind
        self.with_discount = with_discount
        self.rng = np.random.default_rng(seed)
        frame = self.rng.integers(0, 255, (16, 16), dtype=np.uint8)
        # Frames that differ in one byte only: a fingerprint alone must not be believed.
        self.pool = np.stack([frame] * 7)
        for i in range(1, 7):
            self.pool[i, self.rng.integers(16), self.rng.integers(16)] ^= np.uint8(1 << i)

    def recipe(self) -> Recipe:
        if self.kind in ("steps", "tagged_steps"):
            return Recipe(tuple, [self._step() for _ in range(self.rng.integers(1, 5))])
        return self._step() if self.kind == "step" else self._first_last()

    def _first_last(self) -> Recipe:
        end = self.rng.choice(["none", "none", "none", "terminated", "truncated"])
        fields = {
            "state": self.observation(),
            "action": self._action(),
            "reward": self._reward(),
            "last_state": self.observation() if end == "none" else None,
            "steps": int(self.rng.integers(1, 5)),
        }
        if end == "truncated":
            fields |= {"truncated": True, "final_state": self.observation()}
        if self.with_discount:
            fields["discount"] = 0.0 if end == "terminated" else float(self.rng.random())
        if self.kind != "scored":
            return Recipe(ExperienceFirstLast, fields)
        own = {"score": float(self.rng.normal()), "trace": self.rng.normal(size=(2,))}
        return Recipe(Scored, fields | own)

    def _step(self) -> Recipe:
        end = self.rng.choice(["none", "none", "none", "terminated", "truncated"])
        fields = {
            "state": self.observation(),
            "action": self._action(),
            "reward": self._reward(),
            "done": bool(end != "none"),
            "truncated": bool(end == "truncated"),
        }
        if end == "truncated" or (end == "none" and self.rng.random() < 0.7):
            fields["final_state"] = self.observation()
        if self.with_discount:
            fields["discount"] = 0.0 if end == "terminated" else float(self.rng.random())
        if self.kind != "tagged_steps":
            return Recipe(Experience, fields)
        return Recipe(TaggedStep, fields | {"tag": int(self.rng.integers(9))})

    def observation(self) -> Any:
        kind = self.kind
        if kind == "int":
            return int(self.rng.integers(0, 4))
        if kind in ("stack", "steps", "scored"):
            return self._stack(3)
        if kind == "image":
            return np.tile(self._stack(2)[1], (2, 2))
        if kind == "dict":
            return {"camera": self._stack(2), "where": {"at": self._vector(), "by": self._stack(1)}}
        if kind == "tuple":
            return (self._vector(), self._stack(4).astype(np.int32), self._vector())
        return self._vector()

    def _vector(self) -> np.ndarray:
        return self.rng.choice([0.0, -0.0, 1.5, -2.25, 1e-30], size=3).astype(np.float32)

    def _stack(self, k: int) -> np.ndarray:
        return self.pool[self.rng.integers(0, len(self.pool), size=k)]

    def _action(self) -> Any:
        if self.kind in ("vector", "tuple"):
            return self.rng.normal(size=2).astype(np.float32)
        return int(self.rng.integers(0, 5))

    def _reward(self) -> Any:
        if self.kind == "vector_reward":
            return self.rng.normal(size=(2,)).astype(np.float32)
        # Whole numbers come as int, as many environments give them; the column widens later.
        return int(self.rng.integers(-3, 4)) if self.rng.random() < 0.7 else self.rng.normal()


class CycleAgent(BaseAgent):
    """Takes actions 0, 1, 0, 1 … whatever it sees; never calls the base class's constructor."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, observations: Any, agent_states: Any = None) -> Any:
        leaf = observations
        while isinstance(leaf, (dict, tuple)):
            leaf = next(iter(leaf.values())) if isinstance(leaf, dict) else leaf[0]
        self.calls += 1
        actions = (self.calls + np.arange(len(leaf))) % 2
        states = [None] * len(leaf) if agent_states is None else agent_states
        return actions, states


class RandomAgent(BaseAgent):
    """Random actions that depend on the seed and the number of calls only."""

    def __init__(self, n_actions: int, seed: int = 0) -> None:
        self.n_actions = n_actions
        self.rng = np.random.default_rng(seed)

    def __call__(self, observations: Any, agent_states: Any = None) -> Any:
        actions = self.rng.integers(0, self.n_actions, size=len(observations))
        return actions, [None] * len(observations)


def scripted_env(kind: str = "vector", index: int = 0) -> ScriptedEnv:
    """Episodes of known lengths that end by termination and by truncation in turn."""
    plan = [
        Episode((4, 1, 6, 2, 3)[number % 5], ("truncated", "terminated")[number % 2])
        for number in range(index, index + 10)
    ]
    return ScriptedEnv(plan, index, kind)


def feed(kitchen: RowKitchen, served: list[Recipe]) -> Iterator[Any]:
    """An endless source of rows that notes in `served` the recipe of each row it gave."""
    while True:
        served.append(kitchen.recipe())
        yield served[-1].make()
