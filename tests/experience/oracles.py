"""What sources must yield: the comparisons of the tests over `ptan.conformance.oracles`."""

from collections.abc import Sequence
from typing import Any

from ptan.conformance.findings import same
from ptan.conformance.oracles import (
    Game,
    Segment,
    Window,
    discounted,
    expected_windows,
    games_of,
    segments_of,
)

__all__ = [
    "Game",
    "Segment",
    "Window",
    "discounted",
    "expected_windows",
    "games_of",
    "same",
    "segments_of",
]


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
