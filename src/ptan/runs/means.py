"""By what means a run is made: threads of PyTorch, and logs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ptan.algorithms.protocol import Algorithm
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder, damaged
from ptan.runs.settings import RunSettings
from ptan.runs.state import RunState
from ptan.training.logs import JsonLinesLog, Log, TensorBoardLog
from ptan.training.threads import ThreadTuner, is_small, torch_threads

__all__ = ["chosen_threads", "opened_logs"]

Say = Callable[[str], None]


@contextmanager
def chosen_threads(
    settings: RunSettings, state: RunState, algorithm: Algorithm[Any], say: Say
) -> Iterator[list[ThreadTuner]]:
    """A fixed number of PyTorch's threads inside, or a callback that adapts it, in a list.

    Exact runs keep one, as sums depend on it, and so do small networks and other devices.
    """
    parameters = [one for step in algorithm.optimizers.values() for one in step.parameters()]
    elsewhere = any(one.device.type != "cpu" for one in parameters)
    fixed = settings.threads or (settings.exact and state.threads)
    if not fixed and (settings.exact or elsewhere or is_small(parameters)):
        fixed = 1
    with torch_threads(fixed or state.threads or 1):
        tuner = [] if fixed else [ThreadTuner(state.threads or 1, report=say)]
        state.threads = torch.get_num_threads()
        say(f"threads: {state.threads}" + ("" if fixed else ", to be adapted"))
        yield tuner


@contextmanager
def opened_logs(folder: RunFolder, cut: int | None, say: Say) -> Iterator[list[Log]]:
    """The logs of a run; of one that goes on, without what is later than `cut` steps."""
    with ExitStack() as opened:
        try:
            logs: list[Log] = [JsonLinesLog(folder.metrics, truncate_after=cut)]
        except ValueError as error:
            raise RunError(damaged(folder.metrics, error)) from error
        opened.callback(logs[0].close)
        try:
            logs.append(TensorBoardLog(folder.tensorboard, truncate_after=cut))
            opened.callback(logs[1].close)
        except ImportError as missing:
            say(f"no TensorBoard log: {missing}")
        yield logs
