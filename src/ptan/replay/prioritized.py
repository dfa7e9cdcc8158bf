"""Prioritized replay (Schaul et al. 2016).

* `PrioReplayBufferNaive`: O(n) per sample, to read and to compare with
* `PrioritizedReplayBuffer`: O(log n), on a sum tree
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ptan.common.checks import unit_interval, whole_number
from ptan.experience.layout import Array
from ptan.experience.rows import Row
from ptan.experience.transitions import Transitions
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.buffer import ExperienceReplayBuffer
from ptan.replay.saving import array, entries, real, whole
from ptan.replay.table import RowTable
from ptan.replay.trees import SumSegmentTree


class _Prioritized(ExperienceReplayBuffer, ABC):
    """What both buffers share: P(i) = p_i^α / Σ p^α, and w_i = (N·P(i))^-β / max w.

    New rows get the greatest priority seen so far, 1 at first.
    """

    _entries: ClassVar[tuple[str, ...]] = (*ExperienceReplayBuffer._entries, "priorities")

    def __init__(
        self,
        experience_source: Iterable[Any] | None,
        buffer_size: int,
        alpha: float,
        beta_start: float,
        beta_frames: int,
        *,
        gamma: float | None,
        rng: np.random.Generator | int | None,
    ) -> None:
        super().__init__(experience_source, buffer_size, gamma=gamma, rng=rng)
        self.alpha = unit_interval("alpha", alpha)
        self.beta_start = unit_interval("beta_start", beta_start)
        self.beta_frames = whole_number("beta_frames", beta_frames)
        self.beta = self.beta_start
        self.stale_updates = 0
        self._max_priority = 1.0
        self._unsettled = False  # an insertion was interrupted before its rows had priorities

    @property
    def beta(self) -> float:
        """How much of the bias is corrected where `sample` is given no beta, in [0, 1]."""
        return self._beta

    @beta.setter
    def beta(self, value: float) -> None:
        self._beta = unit_interval("beta", value)

    def sample(
        self, batch_size: int, beta: float | None = None
    ) -> tuple[Batch[Array], Array, Array]:
        """Draw rows in proportion to priority^α, with replacement.

        Args:
            batch_size: rows in the batch, exactly.
            beta: how much of the bias to correct, in [0, 1]; None takes the buffer's `beta`.

        Returns:
            The batch, the row numbers (B,) int64, and the importance weights (B,) float32.
        """
        batch = self.sample_batch(batch_size, beta)
        return batch, batch.indices, batch.weights  # type: ignore[return-value]

    def sample_batch(self, batch_size: int, beta: float | None = None) -> Batch[Array]:
        """The batch alone, which has the row numbers and weights as columns; see `sample`."""
        beta = self._beta if beta is None else unit_interval("beta", beta)
        self._span(batch_size)
        self._settle()
        slots, weights, total = self._draw(batch_size)
        numbers, corrections = _kernels.importance_weights(
            slots, weights, total, self._first, self._end, self.capacity, beta
        )
        return self._batch(numbers, corrections)

    def update_beta(self, frame: int) -> float:
        """Set β on the straight line from `beta_start` at 0 to 1 at `beta_frames`, and return it.

        Args:
            frame: environment steps so far.
        """
        try:
            share = frame / self.beta_frames
        except TypeError:
            raise TypeError(f"frame must be a number of at least 0, got {frame!r}") from None
        if not share >= 0.0:  # NaN is not
            raise ValueError(f"frame must be at least 0, got {frame}")
        self.beta = self.beta_start + min(1.0, share) * (1.0 - self.beta_start)
        return self.beta

    def update_priorities(self, indices: npt.ArrayLike, priorities: npt.ArrayLike) -> None:
        """Give rows new priorities.

        Rows that were overwritten since they were sampled are skipped and counted in
        `stale_updates`. Where an index stands twice, its last priority counts.

        Args:
            indices: (B,) row numbers, as `sample` returned them.
            priorities: (B,) positive and finite, such as |TD error| + a little.

        Raises:
            ValueError: wrong lengths, a priority that is not positive and finite, or a
                number that no row of this buffer ever had. Nothing is changed.
        """
        self._settle()
        numbers, values = _as_update(indices, priorities)
        end = self._end
        wrong, i = _kernels.flawed_update(numbers, values, end)
        if wrong == 1:
            raise ValueError(f"indices must be row numbers in [0, {end}), got {numbers[i]}")
        if wrong == 2:
            raise ValueError(f"priorities must be positive and finite, got {values[i]}")
        slots, weights, greatest = _kernels.weigh_update(
            numbers, values, self._first, self.capacity, self.alpha
        )
        self.stale_updates += len(numbers) - len(slots)
        self._max_priority = max(self._max_priority, greatest)
        self._set_weights(slots, weights)

    def insert(self, rows: Transitions) -> None:
        self._settle()
        begin, self._unsettled = self._end, True
        super().insert(rows)
        self._welcome(begin)
        self._unsettled = False

    def _extend_objects(self, items: list[Any]) -> None:
        self._settle()
        begin, self._unsettled = self._end, True
        super()._extend_objects(items)
        self._welcome(begin)
        self._unsettled = False

    def _welcome(self, begin: int) -> None:
        """The greatest priority for the rows from number `begin` on."""
        numbers = np.arange(max(begin, self._first), self._end)
        weight = self._max_priority**self.alpha
        self._set_weights(numbers % self.capacity, np.full(len(numbers), weight))

    def _settle(self) -> None:
        """After an interrupted insertion: no weight where no row is, and one where one is."""
        if not self._unsettled:
            return
        here = np.zeros(self.capacity, np.bool_)
        here[np.arange(self._first, self._end) % self.capacity] = True
        self._set_weights(np.flatnonzero(~here), np.zeros(int((~here).sum())))
        slots = np.flatnonzero(here)
        bare = slots[self._weights_of(slots) == 0.0]
        self._set_weights(bare, np.full(len(bare), self._max_priority**self.alpha))
        self._unsettled = False

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        self._settle()
        state["priorities"] = {
            "weights": self._weights_of(np.arange(min(self._end, self.capacity))),
            "greatest": float(self._max_priority),
            "beta": self._beta,
            "stale_updates": self.stale_updates,
        }
        return state

    def _settings(self) -> dict[str, Any]:
        priorities = ("alpha", "beta_start", "beta_frames")
        return {**super()._settings(), **{name: getattr(self, name) for name in priorities}}

    def _read_state(self, state: Mapping[str, Any], row_class: type[Row] | None) -> dict[str, Any]:
        changes = super()._read_state(state, row_class)
        where = "state['priorities']"
        names = ("weights", "greatest", "beta", "stale_updates")
        parts = entries(state["priorities"], names, where)
        greatest = real(parts["greatest"], 1.0, np.finfo(np.float64).max, f"{where}['greatest']")
        weights = self._checked_weights(parts["weights"], changes["_table"], greatest, where)
        return {
            **changes,
            **self._holding(weights),
            "_beta": real(parts["beta"], 0.0, 1.0, f"{where}['beta']"),
            "_max_priority": greatest,
            "_unsettled": False,
            "stale_updates": whole(parts["stale_updates"], 0, 2**62, f"{where}['stale_updates']"),
        }

    def _checked_weights(
        self, weights: Any, table: RowTable | None, greatest: float, where: str
    ) -> Array:
        """The saved p^α of all slots ever written: above 0 exactly where a row of `table` lies."""
        first, end = (0, 0) if table is None else (table.first, table.end)
        slots = np.arange(min(end, self.capacity))
        saved = array(weights, np.dtype(np.float64), slots.shape, f"{where}['weights']")
        present = first + (slots - first) % self.capacity < end
        # Two ways to raise to a power may differ in the last bits.
        most = greatest**self.alpha * (1.0 + 1e-9)
        if not (np.where(present, saved > 0.0, saved == 0.0) & (saved <= most)).all():
            raise ValueError(
                f"{where}['weights'] must be in (0, {most}] where rows are, and 0 elsewhere"
            )
        return saved

    @abstractmethod
    def _holding(self, weights: Array) -> dict[str, Any]:
        """The attributes that store p^α of the first slots, and 0 for the others."""

    @abstractmethod
    def _set_weights(self, slots: Array, weights: Array) -> None:
        """Store p^α of rows by slot."""

    @abstractmethod
    def _weights_of(self, slots: Array) -> Array:
        """p^α of rows by slot."""

    @abstractmethod
    def _draw(self, batch_size: int) -> tuple[Array, Array, float]:
        """Slots drawn in proportion to p^α, their p^α, and the sum of all."""


class PrioReplayBufferNaive(_Prioritized):
    """Prioritized replay as it reads in the paper: a list of priorities and a draw over all.

    Args:
        exp_source: an iterable of rows; None for rows fed by hand.
        buf_size: rows kept.
        prob_alpha: α, how much priorities matter; 0 is uniform.
        gamma, rng: see `ExperienceReplayBuffer`.
    """

    _kind = "naive prioritized"

    def __init__(
        self,
        exp_source: Iterable[Any] | None,
        buf_size: int,
        prob_alpha: float = 0.6,
        *,
        gamma: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(exp_source, buf_size, prob_alpha, 0.4, 100_000, gamma=gamma, rng=rng)
        self._weights = np.zeros(self.capacity)

    def _draw(self, batch_size: int) -> tuple[Array, Array, float]:
        total = self._weights.sum()
        slots = self.rng.choice(self.capacity, batch_size, p=self._weights / total)
        return slots, self._weights[slots], total

    def _set_weights(self, slots: Array, weights: Array) -> None:
        self._weights[slots] = weights

    def _weights_of(self, slots: Array) -> Array:
        return self._weights[slots]

    def _holding(self, weights: Array) -> dict[str, Any]:
        own = np.zeros(self.capacity)
        own[: len(weights)] = weights
        return {"_weights": own}


class PrioritizedReplayBuffer(_Prioritized):
    """Prioritized replay in O(log n) per row, on a sum tree in float64.

    Args:
        experience_source: an iterable of rows; None for rows fed by hand.
        buffer_size: rows kept.
        alpha: how much priorities matter; 0 is uniform.
        beta_start: β at frame 0: how much of the bias is corrected.
        beta_frames: environment steps until β is 1.
        gamma, rng: see `ExperienceReplayBuffer`.
    """

    _kind = "prioritized"

    def __init__(
        self,
        experience_source: Iterable[Any] | None,
        buffer_size: int,
        alpha: float,
        beta_start: float = 0.4,
        beta_frames: int = 100_000,
        *,
        gamma: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(
            experience_source, buffer_size, alpha, beta_start, beta_frames, gamma=gamma, rng=rng
        )
        self._tree = SumSegmentTree(self.capacity)

    def _draw(self, batch_size: int) -> tuple[Array, Array, float]:
        slots, weights = self._tree.sample(self.rng.random(batch_size))
        return slots, weights, self._tree.total

    def _set_weights(self, slots: Array, weights: Array) -> None:
        self._tree.set_many(slots, weights)

    def _weights_of(self, slots: Array) -> Array:
        return self._tree[slots]

    def _holding(self, weights: Array) -> dict[str, Any]:
        tree = SumSegmentTree(self.capacity)
        tree.set_many(np.arange(len(weights)), np.array(weights))
        return {"_tree": tree}


def _as_update(
    indices: npt.ArrayLike, priorities: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    try:
        numbers, values = np.asarray(indices), np.asarray(priorities, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "indices and priorities must be lists of numbers, "
            f"got indices={indices!r}, priorities={priorities!r}"
        ) from None
    if numbers.ndim != 1 or numbers.shape != values.shape:
        raise ValueError(
            "indices and priorities must be of one length, "
            f"got shapes {numbers.shape} and {values.shape}"
        )
    if numbers.dtype != np.int64:
        if numbers.size and numbers.dtype.kind not in "iu":
            raise ValueError(f"indices must be integers, got {indices!r}")
        numbers = numbers.astype(np.int64)
    return numbers, values
