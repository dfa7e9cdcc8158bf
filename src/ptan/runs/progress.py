"""What a run tells its watcher while it goes on."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from ptan.algorithms.protocol import Algorithm
from ptan.training.tracking import EpisodeStatistics

__all__ = ["Clock", "Display", "Progress", "Silent", "Speed", "Watcher"]


class Progress(NamedTuple):
    """Where a run stands.

    phase         "warm-up", "training" or "evaluation"
    env_steps     so far
    steps         where training ends at the latest
    updates       gradient updates so far
    episodes      finished training episodes so far
    last_reward   return of the last one; None before
    mean_reward   mean return of recent ones; None before
    epsilon       probability of a random action; None for algorithms without
    speed         environment steps per second, lately; None before it is known
    """

    phase: str
    env_steps: int
    steps: int
    updates: int
    episodes: int
    last_reward: float | None
    mean_reward: float | None
    epsilon: float | None
    speed: float | None

    @property
    def seconds_left(self) -> float | None:
        """Until `steps` are reached at the present speed; None while that is not known."""
        return max(0, self.steps - self.env_steps) / self.speed if self.speed else None


class Watcher(Protocol):
    """Shows what a run does."""

    def progress(self, progress: Progress, /) -> None:
        """Show where the run stands; called often."""

    def say(self, line: str, /) -> None:
        """Show one line about something that happened."""


class Silent:
    """A watcher that shows nothing."""

    def progress(self, progress: Progress, /) -> None:
        """Show nothing."""

    def say(self, line: str, /) -> None:
        """Show nothing."""


class Speed:
    """Environment steps per second over the last `span` seconds."""

    def __init__(self, span: float = 10.0) -> None:
        self._span = span
        self._points: deque[tuple[float, int]] = deque()

    def add(self, env_steps: int, now: float) -> None:
        """Take a point: environment steps so far, at a time in seconds of any clock."""
        self._points.append((now, env_steps))
        while len(self._points) > 2 and self._points[1][0] < now - self._span:
            self._points.popleft()

    def forget(self) -> None:
        """Begin anew, after time that was spent on something else."""
        self._points.clear()

    @property
    def value(self) -> float | None:
        """Environment steps per second; None before there are two points."""
        if len(self._points) < 2:
            return None
        (begin, first), (end, last) = self._points[0], self._points[-1]
        return (last - first) / (end - begin) if end > begin else None


class Display:
    """Tells a watcher where a run stands, ten times a second at most."""

    def __init__(self, watch: Watcher, steps: int, recent: EpisodeStatistics) -> None:
        self._watch, self._steps, self._recent = watch, steps, recent
        self.speed = Speed()
        self._shown = -1.0

    def show(
        self,
        phase: str,
        algorithm: Algorithm[Any],
        metrics: Mapping[str, Tensor | float],
        *,
        at_once: bool = False,
    ) -> None:
        """Show the phase, counters, and ε among the metrics of the newest update."""
        now = time.perf_counter()
        if now - self._shown < 0.1 and not at_once:
            return
        self._shown = now
        self.speed.add(algorithm.env_steps, now)
        recent, epsilon = self._recent, metrics.get("epsilon")
        self._watch.progress(
            Progress(
                phase,
                algorithm.env_steps,
                self._steps,
                algorithm.updates,
                recent.count,
                recent.last[0] if recent.last else None,
                recent.mean,
                None if epsilon is None else float(epsilon),
                self.speed.value,
            )
        )


class Clock:
    """Seconds since it was made; as a function, without those that were paused."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._paused = 0.0

    @property
    def seconds(self) -> float:
        """All of them."""
        return time.perf_counter() - self._begin

    def __call__(self) -> float:
        """Those that were not paused."""
        return self.seconds - self._paused

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count what happens inside."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - begin
