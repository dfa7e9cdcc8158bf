"""Prioritized replay (Schaul et al. 2016)."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ptan.common.checks import (
    check_at_least,
    check_entries,
    saved_array,
    unit_interval,
    whole_number,
)
from ptan.common.types import Array, Item, SavedState, State
from ptan.experience.rows import Row
from ptan.experience.transitions import Transitions
from ptan.replay import _kernels
from ptan.replay.batch import Batch
from ptan.replay.buffer import ExperienceReplayBuffer
from ptan.replay.compat import ObjectRing
from ptan.replay.table import RowTable
from ptan.replay.trees import SumSegmentTree, greatest_value

Numbers = npt.ArrayLike | Tensor


class PlainWeights:
    """The weights of all slots in an array, with the calls of `SumSegmentTree`; O(n) per draw."""

    def __init__(self, capacity: int) -> None:
        self.values = np.zeros(capacity)

    def __getitem__(self, slots: Array) -> Array:
        return self.values[slots]

    def set_many(self, slots: Array, weights: Array) -> None:
        """Set the weights of some slots."""
        self.values[slots] = weights

    def sample(self, uniforms: Array) -> tuple[Array, Array]:
        """Slots drawn in proportion to their weights, and these."""
        sums = self.values.cumsum()
        slots = np.searchsorted(sums, uniforms * sums[-1], side="right")
        slots = np.minimum(slots, np.flatnonzero(self.values)[-1])  # rounding may go beyond
        return slots, self.values[slots]


class PrioritizedReplayBuffer(ExperienceReplayBuffer):
    """Prioritized replay in O(log n) per row, on a sum tree in float64.

    P(i) = p_i^α / Σ p^α, and w_i = (N·P(i))^-β / max w. New rows get the greatest priority seen so
    far, 1 at first.

    Args:
        experience_source: an iterable of rows; None for rows fed by hand.
        buffer_size: rows kept.
        alpha: how much priorities matter; 0 is uniform.
        beta_start: β at frame 0: how much of the bias is corrected.
        beta_frames: environment steps until β is 1.
        gamma, rng: see `ExperienceReplayBuffer`.
    """

    _kind = "prioritized"
    _new_weights: ClassVar[type[SumSegmentTree] | type[PlainWeights]] = SumSegmentTree

    def __init__(
        self,
        experience_source: Iterable[Item] | None,
        buffer_size: int,
        alpha: float,
        beta_start: float = 0.4,
        beta_frames: int = 100_000,
        *,
        gamma: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(experience_source, buffer_size, gamma=gamma, rng=rng)
        self.alpha = unit_interval("alpha", alpha)
        self.beta_start = unit_interval("beta_start", beta_start)
        self.beta_frames = whole_number("beta_frames", beta_frames)
        self.beta = self.beta_start
        self.stale_updates = 0
        self._max_priority = 1.0
        self._unsettled = False  # an insertion was interrupted before its rows had priorities
        self._weights = self._new_weights(self.capacity)  # p^α by slot, 0 where no row is

    @property
    def beta(self) -> float:
        """How much of the bias is corrected where `sample` is given no beta, in [0, 1]."""
        return self._beta

    @beta.setter
    def beta(self, value: float) -> None:
        self._beta = unit_interval("beta", value)

    def update_beta(self, frame: int) -> float:
        """Set β on the line from `beta_start` at frame 0 to 1 at `beta_frames`, and return it."""
        check_at_least("frame", frame, 0)
        share = min(1.0, frame / self.beta_frames)
        self.beta = self.beta_start + share * (1.0 - self.beta_start)
        return self.beta

    def sample(
        self, batch_size: int, beta: float | None = None
    ) -> tuple[Batch[Array], Array, Array]:
        """The batch of `sample_batch`, its row numbers (B,) int64 and weights (B,) float32."""
        batch = self.sample_batch(batch_size, beta)
        assert batch.indices is not None
        assert batch.weights is not None
        return batch, batch.indices, batch.weights

    def sample_batch(self, batch_size: int, beta: float | None = None) -> Batch[Array]:
        """A batch of rows drawn in proportion to priority^α, with replacement.

        Args:
            batch_size: rows in the batch, exactly.
            beta: how much of the bias the weights correct, in [0, 1]; None takes the buffer's.
        """
        beta = self._beta if beta is None else unit_interval("beta", beta)
        table = self._filled(batch_size)
        if self._unsettled:
            self._settle()
        slots, weights = self._weights.sample(self.rng.random(batch_size))
        numbers, corrections = _kernels.importance_weights(
            slots, weights, table.first, self.capacity, beta
        )
        return table.batch(numbers, corrections)

    def update_priorities(self, indices: Numbers, priorities: Numbers) -> None:
        """Give rows new priorities.

        Rows that were overwritten since they were sampled are skipped and counted in
        `stale_updates`. Where an index stands twice, its last priority counts.

        Args:
            indices: (B,) row numbers, as `sample` returned them.
            priorities: (B,) positive and finite, such as |TD error| + a little. Priorities near the
                largest float are refused: their sum would be infinite.

        Raises:
            ValueError: wrong lengths, a priority that is not positive and finite, or a number that
                no row of this buffer ever had. Nothing is changed.
        """
        if self._unsettled:
            self._settle()
        numbers, values = _as_update(indices, priorities)
        first, end = (0, 0) if self._table is None else (self._table.first, self._table.end)
        limit = greatest_value(self.capacity)
        wrong, i, slots, weights, greatest = _kernels.weigh_update(
            numbers, values, first, end, self.capacity, self.alpha, limit
        )
        if wrong == 1:
            raise ValueError(f"indices must be row numbers in [0, {end}), got {numbers[i]}")
        if wrong == 2:
            raise ValueError(
                f"priorities must be positive and finite, and to the power alpha at most "
                f"{limit:.3g}, got {values[i]}"
            )
        self.stale_updates += len(numbers) - len(slots)
        self._max_priority = max(self._max_priority, greatest)
        self._weights.set_many(slots, weights)

    def _append(self, table: RowTable | ObjectRing, rows: Transitions | Sequence[Item]) -> None:
        if self._unsettled:
            self._settle()
        begin, self._unsettled = table.end, True
        super()._append(table, rows)
        slots = np.arange(max(begin, table.first), table.end) % self.capacity
        self._weights.set_many(slots, np.full(len(slots), self._max_priority**self.alpha))
        self._unsettled = False

    def _settle(self) -> None:
        """After an interrupted insertion: no weight where no row is, and one where one is."""
        slots, here = np.arange(self.capacity), self._present(self._table)
        weights: Array = np.asarray(self._weights[slots])
        new = np.where(weights > 0.0, weights, self._max_priority**self.alpha)
        self._weights.set_many(slots, np.where(here, new, 0.0))
        self._unsettled = False

    def _present(self, table: RowTable | ObjectRing | None) -> Array:
        """In which slots (capacity,) rows of a table lie."""
        here = np.zeros(self.capacity, np.bool_)
        if table is not None:
            here[np.arange(table.first, table.end) % self.capacity] = True
        return here

    def state_dict(self) -> State:
        """As `ExperienceReplayBuffer.state_dict`, with priorities and β."""
        state = super().state_dict()
        if self._unsettled:
            self._settle()
        used = 0 if self._table is None else min(self._table.end, self.capacity)
        state["priorities"] = {
            "weights": self._weights[np.arange(used)],
            "greatest": float(self._max_priority),
            "beta": self._beta,
            "stale_updates": self.stale_updates,
        }
        return state

    def _settings(self) -> State:
        priorities = ("alpha", "beta_start", "beta_frames")
        return {**super()._settings(), **{name: getattr(self, name) for name in priorities}}

    def _read_state(self, state: SavedState, row_class: type[Row] | None, *more: str) -> State:
        changes = super()._read_state(state, row_class, "priorities", *more)
        table, where, saved = changes["_table"], "state['priorities']", state["priorities"]
        check_entries(saved, ("weights", "greatest", "beta", "stale_updates"), where)
        used = 0 if table is None else min(table.end, self.capacity)
        weights = saved_array(f"{where}['weights']", saved["weights"], np.float64, (used,))
        here, most = self._present(table)[:used], greatest_value(self.capacity)
        if not ((weights > 0.0) == here).all() or not (np.abs(weights) <= most).all():
            raise ValueError(f"{where}['weights'] must be above 0 where rows are, and 0 elsewhere")
        check_at_least(f"{where}['greatest']", saved["greatest"], 1.0)
        loaded = self._new_weights(self.capacity)
        loaded.set_many(np.arange(used), weights.copy())
        stale = saved["stale_updates"]
        return {
            **changes,
            "_weights": loaded,
            "_beta": unit_interval(f"{where}['beta']", saved["beta"]),
            "_max_priority": float(saved["greatest"]),
            "_unsettled": False,
            "stale_updates": whole_number(f"{where}['stale_updates']", stale, least=0),
        }


class PrioReplayBufferNaive(PrioritizedReplayBuffer):
    """Prioritized replay as it reads in the paper: a list of priorities and a draw over all, O(n).

    Args:
        exp_source: an iterable of rows; None for rows fed by hand.
        buf_size: rows kept.
        prob_alpha: α, how much priorities matter; 0 is uniform.
        gamma, rng: see `ExperienceReplayBuffer`.
    """

    _kind = "naive prioritized"
    _new_weights = PlainWeights

    def __init__(
        self,
        exp_source: Iterable[Item] | None,
        buf_size: int,
        prob_alpha: float = 0.6,
        *,
        gamma: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(exp_source, buf_size, prob_alpha, gamma=gamma, rng=rng)


def _as_update(indices: Numbers, priorities: Numbers) -> tuple[Array, Array]:
    """Both as arrays, int64 and float64, of one length."""
    indices = indices.numpy(force=True) if isinstance(indices, Tensor) else indices
    priorities = priorities.numpy(force=True) if isinstance(priorities, Tensor) else priorities
    numbers, values = np.asarray(indices), np.asarray(priorities)
    if numbers.ndim != 1 or numbers.shape != values.shape:
        raise ValueError(
            "indices and priorities must be of one length, "
            f"got shapes {numbers.shape} and {values.shape}"
        )
    if numbers.dtype != np.int64 or values.dtype != np.float64:
        if numbers.size and not (numbers.dtype.kind in "iu" and values.dtype.kind in "biuf"):
            text = f"got {indices!r} and {priorities!r}"
            raise ValueError(f"indices must be integers and priorities numbers, {text}")
        numbers, values = numbers.astype(np.int64), values.astype(np.float64)
    return numbers, values
