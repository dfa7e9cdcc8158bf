"""The training loop: the only one, for every algorithm and every driver."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from ptan.algorithms.protocol import Algorithm
from ptan.collectors import Collector

__all__ = ["Record", "process_function", "train"]

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Record:
    """Where training stands after an update, or after a number of steps without one.

    env_steps   environment steps so far
    updates     updates so far
    metrics     floats, and scalar tensors on the device, not waited for; empty without an update
    episodes    (return, steps) of the episodes finished since the last record
    updated     whether there was an update
    """

    env_steps: int
    updates: int
    metrics: dict[str, Tensor | float]
    episodes: list[tuple[float, int]]
    updated: bool = True


def train(
    algorithm: Algorithm[D], collector: Collector[D], *, look_every: int | None = None
) -> Iterator[Record]:
    """Train for as long as records, one per update, are asked for.

    Limits, tracking, evaluation and checkpoints belong to what consumes them:

        for record in train(algorithm, algorithm.collector(env)):
            if record.env_steps >= 100_000:
                break

    Between two records nothing is in progress: the loop may be left there, and taken up again by
    another call. With `look_every`, a record comes after so many environment steps at the latest,
    even if no update was due, as in a warm-up.
    """
    update = process_function(algorithm, collector)
    while True:
        data = next(collector) if look_every is None else collector.advance(look_every)
        metrics = {} if data is None else update(None, data)
        episodes = collector.pop_rewards_steps()
        yield Record(algorithm.env_steps, algorithm.updates, metrics, episodes, data is not None)


def process_function(
    algorithm: Algorithm[D], collector: Collector[D]
) -> Callable[[object, D], dict[str, Tensor | float]]:
    """The body of the loop, also for a PyTorch Ignite engine, which is driven by the collector.

        engine = Engine(process_function(algorithm, collector))
        engine.run(collector, epoch_length=10_000)

    `engine.state.output` holds the metrics. Finished episodes stay in the collector, for the
    handlers of `ptan.ignite`.
    """

    def process(engine: object, data: D) -> dict[str, Tensor | float]:  # noqa: ARG001
        update = algorithm.update(data)
        collector.after(update)
        return {**update.metrics, **collector.metrics}

    return process
