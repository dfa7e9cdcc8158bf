"""Showing a run while it goes on, and taking Ctrl-C as a request to stop."""

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ptan.cli.output import tell
from ptan.runs.parts import RunParts, Watcher

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Lines", "interruption", "watching"]

_SPAN = 10.0  # seconds that the speed looks back


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C or SIGTERM as a request, and the second one as a KeyboardInterrupt.

    Yields whether there was one, as a function. Other threads than the main one get no signals.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: object) -> None:  # noqa: ARG001
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
def watching(quiet: bool) -> Iterator[Watcher]:
    """What shows a run: nothing if quiet, a bar on a terminal, else a line now and then."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:
        console = None
    else:
        console = Console()
    if quiet or console is None or not console.is_terminal:
        yield Watcher() if quiet else Lines()
        return
    with Progress(
        TextColumn("{task.percentage:.0f}%"),  # as little as shows all on 80 columns
        BarColumn(bar_width=8),
        TextColumn("{task.description}", markup=False),
        console=console,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    ) as bar:
        yield _Bar(bar)


class Lines(Watcher):
    """Prints a line every few seconds, for files and pipes."""

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._shown = -every
        self._points: deque[tuple[float, int]] = deque()  # seconds of training, environment steps

    def progress(self, run: RunParts, phase: str, /) -> None:
        """Show where the run stands, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self._shown >= self._every or phase == "evaluation":
            self._shown = now
            self.show(run.algorithm.env_steps, run.settings.steps, self.described(run, phase))

    def described(self, run: RunParts, phase: str) -> str:
        """Phase, reward, mean reward, ε, speed and time left in a few words."""
        env_steps, points = run.algorithm.env_steps, self._points
        points.append((run.clock(), env_steps))
        while len(points) > 2 and points[1][0] < points[-1][0] - _SPAN:
            points.popleft()
        parts = [] if phase == "training" else [phase]
        if run.recent.returns:
            parts += [f"reward {run.recent.returns[-1]:.1f}", f"mean {run.recent.mean:.2f}"]
        if (epsilon := run.metrics.get("epsilon")) is not None:
            parts.append(f"ε {float(epsilon):.2f}")
        (begin, first), (end, last) = points[0], points[-1]
        if end > begin and last > first:
            speed = (last - first) / (end - begin)
            left = round(max(0, run.settings.steps - env_steps) / speed)
            (hours, minutes), seconds = divmod(left // 60, 60), left % 60
            text = f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{seconds:02d} min"
            parts += [f"{speed:,.0f} steps/s", f"{text} left"]
        return "  ".join(parts)

    def show(self, done: int, total: int, text: str) -> None:
        """Show how many environment steps are done, and more in words."""
        tell(f"{done:,}/{total:,} steps  {text}")

    def say(self, line: str, /) -> None:
        """Print the line."""
        tell(line)


class _Bar(Lines):
    """A progress bar at the foot of the terminal; lines go above it."""

    def __init__(self, bar: "Progress") -> None:
        super().__init__(every=0.1)
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def show(self, done: int, total: int, text: str) -> None:
        self._bar.update(self._task, completed=done, total=total, description=text)

    def say(self, line: str, /) -> None:
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
