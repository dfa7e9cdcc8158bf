"""Showing a run while it goes on, and taking Ctrl-C as a request to stop."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ptan.cli.output import tell
from ptan.runs.progress import Progress, Watcher

__all__ = ["Lines", "described", "interruption", "watching"]


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C or SIGTERM as a request, and the second one as a KeyboardInterrupt.

    Yields whether there was one, as a function. Other threads than the main one get no signals.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:  # noqa: ARG001
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def watching(quiet: bool, steps: int) -> Iterator[Watcher]:
    """What shows a run: nothing if quiet, a bar on a terminal, else a line now and then."""
    if quiet:
        yield Watcher()
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar
    except ImportError:
        yield Lines()
        return
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    with Bar(
        TextColumn("{task.percentage:.0f}%"),  # as little as shows all on 80 columns
        BarColumn(bar_width=8),
        TextColumn("{task.description}", markup=False),
        console=console,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    ) as bar:
        yield _Bar(bar, steps)


def described(progress: Progress) -> str:
    """Phase, reward, mean reward, ε, speed and time left in a few words."""
    parts = [] if progress.phase == "training" else [progress.phase]
    if progress.last_reward is not None and progress.mean_reward is not None:
        parts += [f"reward {progress.last_reward:.1f}", f"mean {progress.mean_reward:.2f}"]
    if progress.epsilon is not None:
        parts.append(f"ε {progress.epsilon:.2f}")
    if progress.speed is not None:
        parts.append(f"{progress.speed:,.0f} steps/s")
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        left = f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{seconds:02d} min"
        parts.append(f"{left} left")
    return "  ".join(parts)


class Lines(Watcher):
    """Prints a line every few seconds, for files and pipes."""

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._shown = -seconds

    def progress(self, progress: Progress, /) -> None:
        """Print where the run stands, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self._shown >= self._seconds:
            self._shown = now
            tell(f"{progress.env_steps:,}/{progress.steps:,} steps  {described(progress)}")

    def say(self, line: str, /) -> None:
        """Print the line."""
        tell(line)


class _Bar(Watcher):
    """A progress bar at the foot of the terminal; lines go above it."""

    def __init__(self, bar: Any, steps: int) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=steps)

    def progress(self, progress: Progress, /) -> None:
        done, total = progress.env_steps, progress.steps
        self._bar.update(self._task, completed=done, total=total, description=described(progress))

    def say(self, line: str, /) -> None:
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
