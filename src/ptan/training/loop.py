"""The way of the data, once around: environment steps into a buffer, then one update."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ptan.experience import ExperienceReplayBuffer

__all__ = ["Algorithm", "EpisodeSource", "Record", "process_function", "run", "train_step"]


class _Pace(Protocol):
    """The settings that a loop reads."""

    @property
    def warm_up(self) -> int:
        """Environment steps before the first update."""

    @property
    def steps_per_update(self) -> int:
        """Environment steps from one update to the next."""


class Algorithm(Protocol):
    """What a loop needs of an algorithm that learns from a buffer, such as `DQN`."""

    @property
    def config(self) -> _Pace:
        """The settings."""

    @property
    def env_steps(self) -> int:
        """Environment steps so far."""

    @property
    def updates(self) -> int:
        """Gradient updates so far."""

    def on_steps(self, n_steps: int, /) -> None:
        """Count environment steps."""

    def update(self, buffer: Any, /) -> dict[str, Tensor | float]:
        """Sample from the buffer and make one gradient update; returns metrics."""


class EpisodeSource(Protocol):
    """Whatever can tell which episodes have ended, such as every experience source."""

    def pop_rewards_steps(self) -> Iterable[tuple[float, int]]:
        """Undiscounted return and length of every episode finished since the last call."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where a run stands after an update.

    env_steps   environment steps so far
    updates     gradient updates so far
    metrics     of this update: floats, and scalar tensors on the device, which nobody waited for
    episodes    (return, steps) of the episodes finished since the last record
    """

    env_steps: int
    updates: int
    metrics: dict[str, Tensor | float]
    episodes: list[tuple[float, int]]


def train_step(algorithm: Algorithm, buffer: ExperienceReplayBuffer) -> dict[str, Tensor | float]:
    """Collect the steps that are due, then update once.

    The first call also makes the steps of the warm-up, all those that are missing.

    Args:
        algorithm: Has made the source that fills the buffer.
        buffer: Filled by the algorithm's agent.

    Returns:
        The metrics of the update.
    """
    missing = algorithm.config.warm_up - algorithm.env_steps
    # Two calls: the steps after the warm-up are the first whose ε may have moved.
    for n_steps in (max(0, missing), algorithm.config.steps_per_update):
        buffer.populate(n_steps)
        algorithm.on_steps(n_steps)
    return algorithm.update(buffer)


def run(
    algorithm: Algorithm, source: EpisodeSource, buffer: ExperienceReplayBuffer
) -> Iterator[Record]:
    """Train for as long as somebody asks for records.

    Limits, tracking, evaluation and checkpoints belong to whoever consumes them:

        for record in run(algorithm, source, buffer):
            if record.env_steps >= 100_000:
                break

    Args:
        algorithm: What is trained; a run that was loaded goes on where it was.
        source: Of one or many environments; asked for finished episodes.
        buffer: Takes its rows from the source.

    Yields:
        A record per update, for ever.
    """
    while True:
        metrics = train_step(algorithm, buffer)
        episodes = list(source.pop_rewards_steps())
        yield Record(algorithm.env_steps, algorithm.updates, metrics, episodes)


def process_function(
    algorithm: Algorithm, buffer: ExperienceReplayBuffer
) -> Callable[[Any, Any], dict[str, Tensor | float]]:
    """The same step for a PyTorch Ignite engine: `Engine(process_function(algorithm, buffer))`.

    The engine's data is not looked at; `engine.run(epoch_length=10_000)` makes 10,000 updates.
    `engine.state.output` holds the metrics. Finished episodes stay in the source, for the handlers
    of `ptan.ignite`.

    Args:
        algorithm: What is trained.
        buffer: Filled by the algorithm's agent.

    Returns:
        A function of the engine and a batch.
    """

    def process(engine: Any, data: Any) -> dict[str, Tensor | float]:  # noqa: ARG001
        return train_step(algorithm, buffer)

    return process
