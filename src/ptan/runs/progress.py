"""What a run tells its watcher while it goes on."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor

from ptan.algorithms.protocol import Algorithm
from ptan.training.tracking import EpisodeStatistics

__all__ = ["Clock", "Display", "Progress", "Watcher"]

_SPAN = 10.0  # seconds that the speed looks back


class Progress(NamedTuple):
    """Where a run stands.

    phase         "warm-up", "training" or "evaluation"
    env_steps     so far, of `steps` at most
    updates       so far
    last_reward   return of the last training episode; None before
    mean_reward   mean return of recent ones; None before
    epsilon       probability of a random action; None for algorithms without
    speed         environment steps per second, lately; None before it is known
    """

    phase: str
    env_steps: int
    steps: int
    updates: int
    last_reward: float | None
    mean_reward: float | None
    epsilon: float | None
    speed: float | None

    @property
    def seconds_left(self) -> float | None:
        """Until `steps` are reached at the present speed; None while that is not known."""
        return max(0, self.steps - self.env_steps) / self.speed if self.speed else None


class Watcher:
    """Shows what a run does: nothing, unless a subclass does."""

    def progress(self, progress: Progress, /) -> None:
        """Show where the run stands; called often."""

    def say(self, line: str, /) -> None:
        """Show one line about something that happened."""


class Display:
    """Tells a watcher where a run stands, ten times a second at most."""

    def __init__(self, watch: Watcher, steps: int, recent: EpisodeStatistics) -> None:
        self._watch, self._steps, self._recent = watch, steps, recent
        self._points: deque[tuple[float, int]] = deque()  # seconds, environment steps
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
        recent, epsilon = self._recent, metrics.get("epsilon")
        self._watch.progress(
            Progress(
                phase,
                algorithm.env_steps,
                self._steps,
                algorithm.updates,
                recent.last[0] if recent.last else None,
                recent.mean,
                None if epsilon is None else float(epsilon),
                self.speed(algorithm.env_steps, now),
            )
        )

    def speed(self, env_steps: int, now: float) -> float | None:
        """Environment steps per second over the last ten; None at the first call."""
        self._points.append((now, env_steps))
        while len(self._points) > 2 and self._points[1][0] < now - _SPAN:
            self._points.popleft()
        begin, first = self._points[0]
        return (env_steps - first) / (now - begin) if now > begin else None

    def forget_speed(self) -> None:
        """Begin anew, after time that was spent on something else."""
        self._points.clear()


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
