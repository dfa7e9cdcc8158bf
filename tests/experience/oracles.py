"""What sources must yield, recomputed by plain loops from the environments' logs.

Shares no code with the sources: only lists, floats and counting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .envs import Event, ScriptedEnv


@dataclass
class Segment:
    """A stretch of steps that windows may span: an episode, or the part of it up to a lost life."""

    env: int
    observations: list[Any]
    actions: list[Any] = field(default_factory=list)
    rewards: list[Any] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    flags: list[tuple[bool, bool]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def ended(self) -> bool:
        return bool(self.flags) and any(self.flags[-1])


@dataclass
class Window:
    """One item a source must yield, and the vector step that completes it."""

    tick: int
    env: int
    start: int
    steps: int
    segment: Segment


@dataclass
class Game:
    """A finished episode as the statistics count it: lost lives do not end it."""

    tick: int
    env: int
    total: float
    steps: int


def segments_of(log: Sequence[Event], env: int, *, resets_are_steps: bool = False) -> list[Segment]:
    """Cuts a log at resets and lost lives.

    ``resets_are_steps``: a vector env in NEXT_STEP mode spends a vector step on every reset but
    the first.
    """
    found: list[Segment] = []
    tick = 0
    for number, event in enumerate(log):
        if event.kind != "step":
            if resets_are_steps and number > 0:
                tick += 1
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
        tick += 1
    return found


def windows_of(segment: Segment, n: int, delta: int = 1) -> list[Window]:
    """Windows of ``n`` steps at starts 0, d, 2d …, and all shorter tails once it has ended."""
    found = []
    length = len(segment)
    for start in range(length):
        left = length - start
        if left >= n:
            if start % delta == 0:
                tick = segment.ticks[start + n - 1]
                found.append(Window(tick, segment.env, start, n, segment))
        elif segment.ended:
            found.append(Window(segment.ticks[-1], segment.env, start, left, segment))
    return found


def expected_windows(
    envs: Sequence[ScriptedEnv], n: int, delta: int = 1, *, next_step: bool = False
) -> list[Window]:
    """All windows of all environments in the order in which a source must yield them."""
    found = []
    for number, env in enumerate(envs):
        for segment in segments_of(env.log, number, resets_are_steps=next_step):
            found.extend(windows_of(segment, n, delta))
    return sorted(found, key=lambda window: (window.tick, window.env))


def games_of(envs: Sequence[ScriptedEnv], *, next_step: bool = False) -> list[Game]:
    """All finished games in the order in which they finished."""
    found = []
    for number, env in enumerate(envs):
        tick, total, steps = 0, 0.0, 0
        for place, event in enumerate(env.log):
            if event.kind != "step":
                if next_step and place > 0:
                    tick += 1
                if event.kind == "reset":
                    total, steps = 0.0, 0
                continue
            total += event.info.get("raw_reward", event.reward)
            steps += 1
            lost_life = event.terminated and event.info.get("life_loss", False)
            # A truncation ends the game even where a life was lost in the same step.
            if event.truncated or (event.terminated and not lost_life):
                found.append(Game(tick, number, total, steps))
            tick += 1
    return sorted(found, key=lambda game: (game.tick, game.env))


def games_by_item(
    games: Sequence[Game], windows: Sequence[Window], items: int
) -> list[list[tuple[float, int]]]:
    """For each of the first ``items`` rows the games that appear when it is asked for: those
    that ended before the row was complete, or in the same vector step in an earlier environment.
    """
    found: list[list[tuple[float, int]]] = [[] for _ in range(items)]
    for game in games:
        for number, window in enumerate(windows[:items]):
            if (window.tick, window.env) > (game.tick, game.env):
                found[number].append((game.total, game.steps))
                break
    return found


def same(left: Any, right: Any) -> bool:
    """Equal by value and shape, through dicts and tuples."""
    if left is None or right is None:
        return left is right
    if isinstance(left, dict) or isinstance(right, dict):
        return (
            isinstance(left, dict)
            and isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(left[key], right[key]) for key in left)
        )
    if isinstance(left, tuple) or isinstance(right, tuple):
        return (
            isinstance(left, tuple)
            and isinstance(right, tuple)
            and len(left) == len(right)
            and all(same(one, other) for one, other in zip(left, right, strict=True))
        )
    return bool(np.array_equal(np.asarray(left), np.asarray(right)))


def discounted(rewards: Sequence[Any], gamma: float) -> Any:
    """Reward plus gamma times the rest, from the last reward backwards."""
    total: Any = 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
    return total


def ends(flags: tuple[bool, bool], truncation: str) -> tuple[bool, bool]:
    """(ended, terminated) of a step's flags under a truncation setting."""
    terminated, truncated = flags
    return terminated or truncated, terminated or (truncated and truncation == "terminal")


def check_first_last(row: Any, window: Window, gamma: float, truncation: str = "bootstrap") -> None:
    """Compares one ``ExperienceFirstLast`` with the window it must stand for."""
    segment, start, steps = window.segment, window.start, window.steps
    stop = start + steps
    flags = segment.flags[stop - 1]
    ended, terminated = ends(flags, truncation)
    after = segment.observations[stop]
    assert same(row.state, segment.observations[start])
    assert row.action == segment.actions[start]
    assert row.reward == discounted(segment.rewards[start:stop], gamma)
    assert type(row.reward) is float
    assert same(row.last_state, None if ended else after)
    assert same(row.final_state, after)
    assert row.terminated is terminated
    if truncation == "bootstrap":
        assert row.truncated is flags[1]
    assert row.steps == steps
    assert row.discount == (0.0 if terminated else gamma**steps)


def check_experience(row: Any, window: Window, truncation: str = "bootstrap") -> None:
    """Compares one tuple of ``Experience`` with the window it must stand for."""
    segment = window.segment
    assert isinstance(row, tuple)
    assert len(row) == window.steps
    for offset, item in enumerate(row):
        step = window.start + offset
        ended, terminated = ends(segment.flags[step], truncation)
        assert same(item.state, segment.observations[step])
        assert item.action == segment.actions[step]
        assert item.reward == segment.rewards[step]
        assert item.done is ended
        assert item.done_trunc is ended
        assert item.terminated is terminated
        if truncation == "bootstrap":
            assert item.truncated is segment.flags[step][1]
        assert item.steps == 1
        assert item.discount == (0.0 if terminated else None)
        assert same(item.final_state, segment.observations[step + 1])


def rollout_returns(
    rewards: Sequence[float],
    flags: Sequence[tuple[bool, bool]],
    after: Sequence[float],
    gamma: float,
    truncation: str = "bootstrap",
) -> list[float]:
    """Returns of one rollout; ``after`` holds the value of the true observation after each step."""
    returns = []
    for start in range(len(rewards)):
        total, weight = 0.0, 1.0
        for step in range(start, len(rewards)):
            total += weight * rewards[step]
            weight *= gamma
            ended, terminated = ends(flags[step], truncation)
            if ended or step == len(rewards) - 1:
                total += 0.0 if terminated else weight * after[step]
                break
        returns.append(total)
    return returns
