"""Showing a run while it goes on: a progress bar, plain lines, or nothing."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ptan.cli.output import tell
from ptan.runs.watching import Progress, Silent, Watcher

__all__ = ["Lines", "described", "watching"]

_SECONDS = 5.0


@contextmanager
def watching(quiet: bool, steps: int) -> Iterator[Watcher]:
    """What shows a run: nothing if quiet, a bar on a terminal with rich, else a line now and then.

    Args:
        quiet: Show nothing.
        steps: Where the bar ends.
    """
    if quiet:
        yield Silent()
        return
    try:
        from rich.console import Console
    except ImportError:
        yield Lines()
        return
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    with _bar(console) as bar:
        yield _Bar(bar, steps)


def described(progress: Progress) -> str:
    """Reward, mean reward, ε and speed in a few words."""
    parts = []
    if progress.last_reward is not None and progress.mean_reward is not None:
        parts.append(f"reward {progress.last_reward:.1f}")
        parts.append(f"mean {progress.mean_reward:.2f}")
    if progress.epsilon is not None:
        parts.append(f"ε {progress.epsilon:.2f}")
    if progress.speed is not None:
        parts.append(f"{progress.speed:,.0f} steps/s")
    if progress.phase != "training":
        parts.insert(0, progress.phase)
    return "  ".join(parts)


class Lines:
    """Prints a line every few seconds, for files and pipes.

    Args:
        seconds: From one line to the next.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._shown = -seconds

    def progress(self, progress: Progress) -> None:
        """Print where the run stands, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self._shown < self._seconds:
            return
        self._shown = now
        left = progress.seconds_left
        end = "" if left is None else f"  {_duration(left)} left"
        tell(f"{progress.env_steps:,}/{progress.steps:,} steps  {described(progress)}{end}")

    def say(self, line: str) -> None:
        """Print the line."""
        tell(line)


class _Bar:
    """A progress bar at the foot of the terminal; lines go above it."""

    def __init__(self, bar: Any, steps: int) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=steps, left="")

    def progress(self, progress: Progress) -> None:
        left = progress.seconds_left
        self._bar.update(
            self._task,
            completed=progress.env_steps,
            total=progress.steps,
            description=described(progress),
            left="" if left is None else f"{_duration(left)} left",
        )

    def say(self, line: str) -> None:
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _bar(console: Any) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.percentage:.0f}%"),  # as little as shows all on 80 columns
        BarColumn(bar_width=8),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[left]}"),
        console=console,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    )


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as people write them."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes}:{whole % 60:02d} min" if minutes else f"{whole} s"
