"""Runs contestants in turn, each in a process of its own, and compares them round by round.

A question is a module with a `CONTESTANTS` dictionary. A contestant's factory takes the settings of
a case as keywords and returns a function that does one slice of work and returns the figure for it
(seconds, steps per second, bytes). Slices of all contestants alternate, so that a machine that
slows down slows all of them, and ratios are taken within a round.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import peers

Slice = Callable[[], float]
Case = dict[str, Any]

# One thread everywhere: the question is what a library costs, not how many cores it takes.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
CLOCK = "PTAN_BENCH_CLOCK"


@dataclass(frozen=True)
class Contestant:
    """A library (or a hand-written loop) that answers a question.

    Attributes:
        environment: where it is installed: "ours", "peers" or "ancestor".
        factory: the settings of a case -> the function that runs one slice.
        process: contestants with the same word share a process.
    """

    environment: str
    factory: Callable[..., Slice]
    process: str


@dataclass(frozen=True)
class Finding:
    """One line of the results: what was measured, against which bound, and whether it holds."""

    question: str
    case: str
    measured: str
    bound: str = ""
    holds: bool | None = None


@dataclass(frozen=True)
class Ratio:
    """Figures of one contestant over another's, round by round: the median and the extremes."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def ratio(figures: list[float], others: list[float]) -> Ratio:
    """Figures over others', pair by pair."""
    pairs = [mine / other for mine, other in zip(figures, others, strict=True)]
    return Ratio(statistics.median(pairs), min(pairs), max(pairs))


def now() -> float:
    """Seconds on the chosen clock: wall time, or the processor time of this process."""
    return time.process_time() if os.environ.get(CLOCK) == "cpu" else time.perf_counter()


class Worker:
    """A process that holds contestants of one question and runs a slice when told.

    Args:
        module: the question.
        environment: where the contestants are installed.
        root: the checkout whose benchmarks and library it runs.
    """

    def __init__(self, module: str, environment: str, root: Path = peers.ROOT) -> None:
        code = f"from benchmarks.arena import serve; serve({module!r})"
        self._process = subprocess.Popen(
            [peers.python(environment), "-W", "ignore", "-c", code],
            cwd=root,
            env={**os.environ, **THREADS, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, case: Case) -> float:
        """One slice of a contestant; the first call for a case also sets it up."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, case]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker of {name} ended, see its traceback above")
        return float(json.loads(answer))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Arena:
    """The running processes of one question."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._contestants: dict[str, Contestant] = importlib.import_module(module).CONTESTANTS
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            worker.close()

    def ask(self, name: str, case: Case) -> float:
        """One slice of one contestant."""
        contestant = self._contestants[name]
        if contestant.process not in self._workers:
            self._workers[contestant.process] = Worker(self._module, contestant.environment)
        return self._workers[contestant.process].ask(name, case)

    def rounds(self, names: list[str], case: Case, repeats: int) -> dict[str, list[float]]:
        """Figures of each contestant, one per round; the order turns round every time."""
        figures: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            self.ask(name, case)
        for index in range(repeats):
            for name in names if index % 2 == 0 else reversed(names):
                figures[name].append(self.ask(name, case))
        return figures


def serve(module: str) -> None:
    """Answer requests on standard input with figures on standard output: a worker's main loop."""
    import torch

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not reach the answers
    contestants: dict[str, Contestant] = importlib.import_module(module).CONTESTANTS
    slices: dict[str, Slice] = {}
    for request in sys.stdin:
        name, case = json.loads(request)
        if request not in slices:
            slices[request] = contestants[name].factory(**case)
        answers.write(json.dumps(slices[request]()) + "\n")
        answers.flush()


def speed(loop: Iterator[int]) -> Slice:
    """Units per second of a generator that yields how many units each of its turns did."""

    def measure() -> float:
        start = now()
        units = next(loop)
        return units / (now() - start)

    return measure


def seconds(call: Callable[[], object], calls: int) -> Slice:
    """Seconds per call of a function."""

    def measure() -> float:
        start = now()
        for _ in range(calls):
            call()
        return (now() - start) / calls

    return measure
