"""What sources must deliver, recomputed by plain loops from the logs of scripted environments.

Shares no code with `ptan.experience`: it knows logs, lists, sums and counting only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ptan.conformance.scripted import Event, ScriptedEnv


@dataclass
class Segment:
    """A stretch of steps that windows may span: an episode, or the part of it up to a lost life."""

    env: int
    observations: list[Any]
    actions: list[Any] = field(default_factory=list)
    rewards: list[Any] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    flags: list[tuple[bool, bool]] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def ended(self) -> bool:
        """Whether its last step terminated, truncated or lost a life."""
        return bool(self.flags) and any(self.flags[-1])

    @property
    def goes_on(self) -> bool:
        """Whether the game goes on after it: only a life was lost, and nothing truncated."""
        return not self.ended or (bool(self.infos[-1].get("life_loss")) and not self.flags[-1][1])


@dataclass
class Window:
    """One row that a source must yield, and the vector step that completes it."""

    tick: int
    env: int
    start: int
    steps: int
    segment: Segment

    @property
    def stop(self) -> int:
        """The number of the observation after its last step."""
        return self.start + self.steps


@dataclass
class Game:
    """A finished episode as the statistics count it: lost lives do not end it."""

    tick: int
    env: int
    total: float
    steps: int


def segments_of(log: Sequence[Event], env: int, *, resets_are_steps: bool = False) -> list[Segment]:
    """The log of an environment, cut at resets and lost lives.

    `resets_are_steps`: in NEXT_STEP mode every reset but the first takes a vector step.
    """
    found: list[Segment] = []
    tick = 0
    for number, event in enumerate(log):
        if event.kind != "step":
            tick += resets_are_steps and number > 0
            if event.kind == "reset":
                found.append(Segment(env, [event.observation]))
            continue
        if found[-1].ended:
            # A life was lost: the next stretch begins at that same observation.
            found.append(Segment(env, [found[-1].observations[-1]]))
        segment = found[-1]
        segment.observations.append(event.observation)
        segment.actions.append(event.action)
        segment.rewards.append(event.reward)
        segment.ticks.append(tick)
        segment.flags.append((event.terminated, event.truncated))
        segment.infos.append(event.info)
        tick += 1
    return found


def windows_of(segment: Segment, n: int, delta: int = 1) -> list[Window]:
    """Windows of `n` steps at starts 0, d, 2d …, and all shorter tails once it has ended."""
    found = []
    for start in range(len(segment)):
        left = len(segment) - start
        if left >= n and start % delta == 0:
            tick = segment.ticks[start + n - 1]
            found.append(Window(tick, segment.env, start, n, segment))
        elif left < n and segment.ended:
            found.append(Window(segment.ticks[-1], segment.env, start, left, segment))
    return found


def expected_windows(
    envs: Sequence[ScriptedEnv], n: int, delta: int = 1, *, next_step: bool = False
) -> list[Window]:
    """All windows of all environments in the order in which a source must yield them."""
    found = [
        window
        for number, env in enumerate(envs)
        for segment in segments_of(env.log, number, resets_are_steps=next_step)
        for window in windows_of(segment, n, delta)
    ]
    return sorted(found, key=lambda window: (window.tick, window.env))


def games_of(envs: Sequence[ScriptedEnv], *, next_step: bool = False) -> list[Game]:
    """All finished games in the order in which they finished."""
    found = []
    for number, env in enumerate(envs):
        total, steps = 0.0, 0
        for segment in segments_of(env.log, number, resets_are_steps=next_step):
            for reward, info in zip(segment.rewards, segment.infos, strict=True):
                total += info.get("raw_reward", reward)
            steps += len(segment)
            if not segment.goes_on:
                found.append(Game(segment.ticks[-1], number, total, steps))
            if not segment.goes_on or not segment.ended:  # over, or broken off by a reset
                total, steps = 0.0, 0
    return sorted(found, key=lambda game: (game.tick, game.env))


def discounted(rewards: Sequence[Any], gamma: float) -> Any:
    """Reward plus gamma times the rest, from the last reward backwards."""
    total: Any = 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
    return total


def leaves(value: Any, name: str = "") -> list[tuple[str, np.ndarray[Any, Any]]]:
    """The arrays of an observation with their names, nested ones included."""
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{name}[{key!r}]")]
    if isinstance(value, tuple):
        return [leaf for i, part in enumerate(value) for leaf in leaves(part, f"{name}[{i}]")]
    return [(name, np.asarray(value))]


def same(one: Any, two: Any, rtol: float = 0.0) -> bool:
    """Whether two values are equal in structure, shapes and numbers, NaN equal to itself."""
    ours, theirs = dict(leaves(one)), dict(leaves(two))
    return ours.keys() == theirs.keys() and all(
        np.array_equal(a, b) or (a.shape == b.shape and _close(a, b, rtol))
        for a, b in ((ours[name], theirs[name]) for name in ours)
    )


def _close(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any], rtol: float) -> bool:
    numbers = one.dtype.kind in "biufc" and two.dtype.kind in "biufc"
    return numbers and np.allclose(one, two, rtol=rtol, atol=rtol / 10, equal_nan=True)
