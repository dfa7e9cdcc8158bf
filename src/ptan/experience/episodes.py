"""Sub-trajectories from episodes that were stored before."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ptan.common.checks import whole_number
from ptan.common.generators import as_generator
from ptan.experience.rows import Experience
from ptan.experience.sources import EpisodeStatistics
from ptan.experience.stepping import Truncation, checked_truncation
from ptan.experience.stream import Runs, SourceIterator


class ExperienceSourceBuffer(EpisodeStatistics):
    """Endless random sub-trajectories of stored episodes.

    An episode is drawn uniformly from those that are long enough, then a start in it.

    Args:
        buffer: episodes, each a sequence of `Experience`.
        steps_count: steps of a sub-trajectory.
        truncation: "terminal" makes truncated steps terminated ones.
        check_finite: NaN or infinite rewards and observations raise ValueError.
        rng: a generator or seed.

    Raises:
        ValueError: no episode is long enough, or something in one is not finite.
        TypeError: `buffer` is no sequence of sequences of `Experience`.
    """

    def __init__(
        self,
        buffer: Sequence[Sequence[Experience]],
        steps_count: int = 1,
        *,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.steps_count = whole_number("steps_count", steps_count)
        self.truncation = checked_truncation(truncation)
        self.check_finite = check_finite
        self.rng = as_generator(rng)
        self._runs = Runs(lambda: None)
        self.update_buffer(buffer)

    def update_buffer(self, buffer: Sequence[Sequence[Experience]]) -> None:
        """Draw from other episodes from now on.

        Raises:
            ValueError: see the class; the episodes stay as they were.
        """
        try:
            longest = max((len(episode) for episode in buffer), default=0)
            known = all(isinstance(step, Experience) for episode in buffer for step in episode)
            count = len(buffer)
        except TypeError:
            known = False
        if not known:
            raise TypeError(f"buffer must be a list of episodes of Experience, got {buffer!r}")
        if self.check_finite:
            for number, episode in enumerate(buffer):
                _check_finite(episode, number)
        usable = [episode for episode in buffer if len(episode) >= self.steps_count]
        if not usable:
            raise ValueError(
                f"buffer must hold an episode of at least steps_count={self.steps_count} steps, "
                f"the longest of {count} has {longest}"
            )
        self.buffer = buffer
        self._usable = usable

    def state_dict(self) -> dict[str, Any]:
        """What the draws to come depend on beside the episodes: the state of the generator.

        Returns:
            A state tree of plain values and arrays.
        """
        return {"steps_count": self.steps_count, "rng": copy.deepcopy(self.rng.bit_generator.state)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Draw from now on as the source whose state it is, from equal episodes.

        Args:
            state: From `state_dict`; it is not changed.

        Raises:
            ValueError: it is of a source of other steps, or of another generator.
        """
        if state.get("steps_count") != self.steps_count or "rng" not in state:
            raise ValueError(f"state must be of a source with steps_count={self.steps_count}")
        try:
            self.rng.bit_generator.state = copy.deepcopy(state["rng"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"state must hold the state of a generator: {error!r}") from error

    def __iter__(self) -> Iterator[tuple[Experience, ...]]:
        return SourceIterator(self._runs, self._draw)

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        return []  # nothing is played here

    def _draw(self) -> tuple[Experience, ...]:
        episode = self._usable[self.rng.integers(len(self._usable))]
        start = int(self.rng.integers(len(episode) - self.steps_count + 1))
        steps = episode[start : start + self.steps_count]
        if self.truncation == "terminal":
            return tuple(_terminal(step) if step.truncated else step for step in steps)
        return tuple(steps)


def _terminal(step: Experience) -> Experience:
    return replace(step, terminated=True, discount=0.0)


def _check_finite(episode: Sequence[Experience], number: int) -> None:
    for index, step in enumerate(episode):
        for name in ("state", "reward", "final_state"):
            if not _all_finite(value := getattr(step, name)):
                raise ValueError(
                    f"{name} of episode {number} at step {index} must be finite, got {value!r}"
                )


def _all_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_all_finite, value.values()))
    if isinstance(value, tuple):
        return all(map(_all_finite, value))
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
