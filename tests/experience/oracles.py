"""What sources must yield, recomputed by plain loops from the logs of scripted environments.

Shares no code with `ptan.experience`: it knows logs, lists, sums and counting only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ptan.conformance.findings import same
from ptan.conformance.scripted import Event, ScriptedEnv


@dataclass
class Segment:
    """A stretch of steps that windows may span: an episode, or the part of it up to a lost life."""

    env: int
    observations: list[Any]
    actions: list[Any] = field(default_factory=list)
    rewards: list[Any] = field(default_factory=list)
    flags: list[tuple[bool, bool]] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    goes_on: bool = True  # the game, after the last step

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def ended(self) -> bool:
        """Whether its last step terminated, truncated or lost a life."""
        return bool(self.flags) and any(self.flags[-1])


class Window(NamedTuple):
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


class Game(NamedTuple):
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
    for tick, event in _timed(log, resets_are_steps):
        if event.kind == "reset":
            found.append(Segment(env, [event.observation]))
        elif event.kind == "step":
            if found[-1].ended:  # a life was lost: the next begins at that same observation
                found.append(Segment(env, [found[-1].observations[-1]]))
            segment = found[-1]
            segment.observations.append(event.observation)
            segment.actions.append(event.action)
            segment.rewards.append(event.reward)
            segment.flags.append((event.terminated, event.truncated))
            segment.ticks.append(tick)
            segment.goes_on = _goes_on(event)
    return found


def expected_windows(
    envs: Sequence[ScriptedEnv], n: int, delta: int = 1, *, next_step: bool = False
) -> list[Window]:
    """All windows of all environments in the order in which a source must yield them.

    They have `n` steps and start at steps 0, d, 2d …; all shorter tails follow a segment's end.
    """
    found = []
    for number, env in enumerate(envs):
        for segment in segments_of(env.log, number, resets_are_steps=next_step):
            for start in range(len(segment)):
                steps = min(n, len(segment) - start)
                if segment.ended if steps < n else start % delta == 0:
                    tick = segment.ticks[start + steps - 1]
                    found.append(Window(tick, number, start, steps, segment))
    return sorted(found, key=lambda window: window[:2])


def steps_of(env: ScriptedEnv, number: int) -> list[tuple[Any, ...]]:
    """All (state, action, reward, (terminated, truncated), true next state) of one environment."""
    return [
        (
            segment.observations[i],
            segment.actions[i],
            segment.rewards[i],
            segment.flags[i],
            segment.observations[i + 1],
        )
        for segment in segments_of(env.log, number)
        for i in range(len(segment))
    ]


def games_of(envs: Sequence[ScriptedEnv], *, next_step: bool = False) -> list[Game]:
    """All finished games in the order in which they finished."""
    found = []
    for number, env in enumerate(envs):
        for tick, event in _timed(env.log, next_step):
            if event.kind == "reset":
                total, steps = 0.0, 0
            elif event.kind == "step":
                total += event.info.get("raw_reward", event.reward)
                steps += 1
                if not _goes_on(event):
                    found.append(Game(tick, number, total, steps))
    return sorted(found, key=lambda game: game[:2])


def discounted(rewards: Sequence[Any], gamma: float) -> Any:
    """Reward plus gamma times the rest, from the last reward backwards."""
    total: Any = 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
    return total


def _timed(log: Sequence[Event], resets_are_steps: bool) -> Iterator[tuple[int, Event]]:
    """Events with the number of vector steps before them."""
    tick = 0
    for number, event in enumerate(log):
        yield tick, event
        tick += event.kind == "step" or (resets_are_steps and number > 0)


def _goes_on(event: Event) -> bool:
    """Whether the game goes on after a step: if it says terminated, only a life was lost."""
    return not event.truncated and (not event.terminated or bool(event.info.get("life_loss")))


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
