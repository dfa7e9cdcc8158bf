"""What sources must deliver, recomputed by plain loops from the logs of scripted environments.

Shares no code with `ptan.experience`: it knows logs, lists, sums and counting only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
