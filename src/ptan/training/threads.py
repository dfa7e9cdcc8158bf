"""How many threads PyTorch uses: two beside a busy process may be many times slower than one."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from statistics import fmean

import torch
from torch import Tensor

from ptan.common.checks import whole_number
from ptan.training.callbacks import Callback
from ptan.training.loop import Record

__all__ = ["ThreadTuner", "is_small", "torch_threads"]

_WINDOW = 12  # updates that tell how fast it goes
_TRIAL = 11  # updates under another number; the first does not count
_SLOWED = 1.3  # times as long as usual: something has changed
_GAIN = 0.9  # more threads must need less than this share of the time
_EXCESS = 2  # updates' time that a trial may lose
_SHARE = 0.05  # of the time that trials may lose
_REST = 100  # updates' time between two trials at least


def is_small(parameters: Iterable[Tensor]) -> bool:
    """Whether one thread is best for a network: few weights, and none of convolutions."""
    sizes = [math.inf if one.ndim > 2 else one.numel() for one in parameters]
    return sum(sizes) <= 300_000


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ThreadTuner(Callback):
    """Sets the number of PyTorch's threads while training, by timing the updates themselves.

    The time from one update to the next, acting and stepping included, is compared with that under
    half as many threads when updates have become slow, as another process may have begun, and under
    twice as many now and then. A trial that goes badly is given up at once; all of them together
    lose some 5 % of the time at most. `report` is told each change.

    Sums of floats depend on the number: runs that are to be repeated to the bit need a fixed one.
    """

    def __init__(
        self,
        start: int = 1,
        most: int | None = None,
        *,
        report: Callable[[str], None] = lambda line: None,  # noqa: ARG005
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        affinity = getattr(os, "sched_getaffinity", None)  # what this process may use
        processors = len(affinity(0)) if affinity else os.cpu_count()
        self.most = whole_number("most", processors if most is None else most)
        self.threads = min(whole_number("start", start), self.most)
        """As chosen; PyTorch uses another number during a trial."""
        self._report, self._clock = report, clock
        self._trial: int | None = None
        self._times: deque[float] = deque(maxlen=_WINDOW)  # under the present number
        self._present = math.inf  # seconds of an update before the trial
        self._usual = 0.0  # seconds of an update under the choice; 0 before the first window
        self._rest_until = -math.inf
        self._began: float | None = None
        torch.set_num_threads(self.threads)

    def on_update(self, record: Record, /) -> None:  # noqa: ARG002
        now = self._clock()
        if self._began is not None and self.most > 1:
            self._times.append(now - self._began)
            if self._trial is not None:
                self._judge(self._trial, now)
            elif len(self._times) == _WINDOW:
                self._watch(now)
        self._began = now

    def on_evaluation(self, *_: object) -> None:
        self._began = None  # this is no time of an update

    on_checkpoint = on_evaluation

    def on_end(self, reason: str, /) -> None:  # noqa: ARG002
        self._use(self.threads)

    def _watch(self, now: float) -> None:
        """Try fewer threads if updates have become slow, and more if the last trial is long ago."""
        present = _typical(self._times)
        usual, self._usual = self._usual, 0.9 * (self._usual or present) + 0.1 * present
        if self.threads > 1 and present > _SLOWED * usual:
            self._usual = present  # from here on, if the trial changes nothing
            self._use((self.threads + 1) // 2, present)
        elif self.threads < self.most and now >= self._rest_until:
            self._use(min(2 * self.threads, self.most), present)

    def _judge(self, trial: int, now: float) -> None:
        """End the trial if it has shown enough."""
        count, present = len(self._times), self._present
        excess = sum(self._times) - count * present
        if excess <= _EXCESS * present and count < _TRIAL:
            return
        found = _typical([*self._times][1:]) if count == _TRIAL else math.inf
        if found < present * (_GAIN if trial > self.threads else 1.0):
            times = f"an update takes {1000 * found:.1f} ms instead of {1000 * present:.1f}"
            self._report(f"threads: {trial} instead of {self.threads}, {times}")
            self.threads, self._usual = trial, found
        else:
            self._rest_until = now + max(excess / _SHARE, _REST * present)
        self._use(self.threads)

    def _use(self, threads: int, present: float = math.inf) -> None:
        """Begin a trial of other threads than those chosen, or end it."""
        self._trial = None if threads == self.threads else threads
        self._present = present
        self._times.clear()
        torch.set_num_threads(threads)


def _typical(seconds: Iterable[float]) -> float:
    """The mean of all but the longest, which may be that of a log or a reset."""
    return fmean(sorted(seconds)[:-1])
