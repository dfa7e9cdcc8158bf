"""Callbacks: objects that follow training from outside."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ptan.algorithms.protocol import Algorithm
from ptan.collectors import Collector
from ptan.training.loop import Record

__all__ = ["Callback", "Callbacks", "EvaluationResult", "Training"]


class Training(Protocol):
    """What callbacks see of the training that they follow; `ptan.runs.Run` is one."""

    algorithm: Algorithm[Any]
    collector: Collector[Any]

    def stop(self, reason: str, /) -> None:
        """Ask for the end of training, after the present update."""


class EvaluationResult(Protocol):
    """Returns of greedy episodes, such as `ptan.runs.evaluation.Evaluation`."""

    @property
    def mean(self) -> float:
        """Mean return."""


class Callback:
    """Follows training; each method does nothing unless a subclass says what.

    `record` is called with what the plain loop yields; a run of `ptan.runs` calls all methods.
    """

    def on_start(self, training: Training, /) -> None:
        """Training begins, or goes on after it was resumed."""

    def on_episode(self, env_steps: int, reward: float, steps: int, /) -> None:
        """A training episode has ended, in the warm-up too: its undiscounted return and length."""

    def on_update(self, record: Record, /) -> None:
        """The algorithm was updated. The record's episodes have gone to `on_episode` before."""

    def on_evaluation(self, env_steps: int, evaluation: EvaluationResult, /) -> None:
        """The policy was evaluated greedily, in environments of its own."""

    def on_checkpoint(self, env_steps: int, path: Path, /) -> None:
        """A checkpoint was saved, in a folder of its own."""

    def on_end(self, reason: str, /) -> None:
        """Training is over, for a reason such as "steps", "stop_reward" or "interrupted"."""

    def record(self, record: Record) -> None:
        """Take a record of the loop: `on_episode` for each episode, then `on_update` if due."""
        for reward, steps in record.episodes:
            self.on_episode(record.env_steps, reward, steps)
        if record.updated:
            self.on_update(record)


_EVENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Callbacks(Callback):
    """Several callbacks as one, called in their order; objects with any of `Callback`'s methods.

    Raises:
        TypeError: one of them has none of these methods.
    """

    def __init__(self, callbacks: Iterable[object]) -> None:
        callbacks = list(callbacks)
        for one in callbacks:
            if not any(callable(getattr(one, name, None)) for name in _EVENTS):
                raise TypeError(
                    f"callbacks must have any of the methods {', '.join(_EVENTS)}, got {one!r}"
                )
        for name in _EVENTS:
            methods = [getattr(one, name) for one in callbacks if hasattr(one, name)]
            setattr(self, name, partial(_call_all, methods))


def _call_all(methods: Iterable[Any], *arguments: object) -> None:
    for method in methods:
        method(*arguments)
