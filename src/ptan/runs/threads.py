"""How many threads PyTorch should use: measured, because more are often slower."""

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from ptan.experience import Batch, ExperienceFirstLast

__all__ = ["Choice", "choose_threads", "torch_threads"]

SMALL_NETWORK = 300_000
"""Parameters up to which sharing the work costs more than doing it, with vector observations."""

_WARM_UP, _UPDATES = 2, 5
_HOPELESS = 2 * (_WARM_UP + _UPDATES)  # updates of the best so far that a trial may take
_GAIN = 0.9  # more threads must need less than this share of the time


class Choice(NamedTuple):
    """A number of threads, and why.

    threads        to use
    reason         in words
    milliseconds   of one update by number of threads, if that was measured
    """

    threads: int
    reason: str
    milliseconds: Mapping[int, float] = MappingProxyType({})

    def __str__(self) -> str:
        return f"{self.threads} ({self.reason})"


def choose_threads(
    make_algorithm: Callable[[], Any],
    observation_space: Any,
    action_space: Any,
    most: int | None = None,
) -> Choice:
    """Choose by timing updates of a throw-away copy on made-up observations.

    Threads help large networks on idle processors, and hurt on busy ones: two threads beside
    another busy process are several times slower than one. So it is measured where and when the run
    begins.

    Args:
        make_algorithm: Makes an algorithm like the run's: with `net`, `device`, `config.batch_size`
            and `update(batch)`. Called only if there is something to measure.
        observation_space: Of one environment.
        action_space: Of one environment.
        most: Threads at most; None takes the processors that this process may use.

    Returns:
        One thread for small networks and on other devices than the CPU; else the smallest number
        that no larger one beats by 10 % or more, with the times.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    most = most or available or 1
    algorithm = make_algorithm()
    n_parameters = sum(parameter.numel() for parameter in algorithm.net.parameters())
    images = len(getattr(observation_space, "shape", None) or ()) > 1
    if most == 1:
        return Choice(1, "there is one processor")
    if algorithm.device.type != "cpu":
        return Choice(1, f"the network lives on {algorithm.device.type}")
    if n_parameters <= SMALL_NETWORK and not images:
        return Choice(1, "a small network")
    batch = _made_up_batch(algorithm, observation_space, action_space)
    times: dict[int, float] = {}
    best = 1
    for threads in _candidates(most):
        with torch_threads(threads):
            times[threads] = _milliseconds(
                lambda: algorithm.update(batch), times.get(best, math.inf)
            )
        if times[threads] < _GAIN * times[best]:
            best = threads
    measured = ", ".join(f"{number}: {ms:.1f} ms" for number, ms in times.items())
    return Choice(best, f"an update takes, by threads, {measured}", times)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _candidates(most: int) -> list[int]:
    """1, 2, 4 … and the most."""
    numbers = [1]
    while numbers[-1] * 2 <= most:
        numbers.append(numbers[-1] * 2)
    return numbers if numbers[-1] == most else [*numbers, most]


def _made_up_batch(algorithm: Any, observation_space: Any, action_space: Any) -> Batch:
    observations, actions = copy.deepcopy(observation_space), copy.deepcopy(action_space)
    observations.seed(0)
    actions.seed(0)
    rows = [
        ExperienceFirstLast(observations.sample(), actions.sample(), 0.0, observations.sample())
        for _ in range(algorithm.config.batch_size)
    ]
    return Batch.from_rows(rows, gamma=algorithm.config.gamma)


def _milliseconds(update: Callable[[], Any], best: float) -> float:
    """The median time of an update, after some that warm up; of fewer, where it is hopeless.

    On a busy machine an update on several threads can take a hundred times as long as on one.
    """
    times: list[float] = []
    while len(times) < _WARM_UP + _UPDATES and 1_000 * sum(times) < _HOPELESS * best:
        begin = time.perf_counter()
        update()
        times.append(time.perf_counter() - begin)
    return 1_000 * float(np.median(times[_WARM_UP:] or times))
