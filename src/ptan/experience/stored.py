"""Sub-trajectories from episodes that were stored before."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ptan.common.checks import whole_number
from ptan.common.generators import as_generator
from ptan.experience.layout import flatten, layout_of
from ptan.experience.make_stepper import Truncation, checked_truncation
from ptan.experience.rows import Experience
from ptan.experience.stream import Source, SourceIterator


class ExperienceSourceBuffer(Source):
    """Endless random sub-trajectories of stored episodes.

    An episode is drawn uniformly from those that are long enough, then a start in it.

    Args:
        buffer: episodes, each a sequence of `Experience`.
        steps_count: steps of a sub-trajectory.
        truncation: "terminal" makes truncated steps terminated ones.
        check_finite: NaN or infinite rewards and observations raise ValueError.
        rng: a generator or seed; all that the draws depend on beside the episodes.

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
        self.update_buffer(buffer)

    def update_buffer(self, buffer: Sequence[Sequence[Experience]]) -> None:
        """Draw from other episodes from now on; after an error, from the ones before.

        Raises:
            ValueError, TypeError: see the class.
        """
        try:
            known = all(isinstance(step, Experience) for episode in buffer for step in episode)
            lengths = [len(episode) for episode in buffer]
        except TypeError:
            known = False
        if not known:
            raise TypeError(f"buffer must be a list of episodes of Experience, got {buffer!r}")
        for number, episode in enumerate(buffer if self.check_finite else ()):
            for index, step in enumerate(episode):
                _check_finite(step, f"of episode {number} at step {index}")
        usable = [episode for episode in buffer if len(episode) >= self.steps_count]
        if not usable:
            raise ValueError(
                f"buffer must hold an episode of at least steps_count={self.steps_count} steps, "
                f"the longest of {len(lengths)} has {max(lengths, default=0)}"
            )
        self.buffer, self._usable = buffer, usable

    def __iter__(self) -> Iterator[tuple[Experience, ...]]:
        return SourceIterator(self, self._draw)

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """Nothing: no episode is played here."""
        return []

    def _draw(self) -> tuple[Experience, ...]:
        episode = self._usable[self.rng.integers(len(self._usable))]
        start = int(self.rng.integers(len(episode) - self.steps_count + 1))
        terminal = self.truncation == "terminal"
        return tuple(
            replace(step, terminated=True, discount=0.0) if terminal and step.truncated else step
            for step in episode[start : start + self.steps_count]
        )


def _check_finite(step: Experience, where: str) -> None:
    for name in ("state", "reward", "final_state"):
        value = getattr(step, name)
        arrays = map(np.asarray, flatten(layout_of(value), value, name))
        if not all(np.isfinite(part).all() for part in arrays if part.dtype.kind in "fc"):
            raise ValueError(f"{name} {where} must be finite, got {value!r}")
