"""Segment trees: sums and minima over changing values, and draws in proportion to them.

Both are the base of prioritized replay (Schaul et al. 2016, appendix B.2.1).
"""

import sys
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike

from ptan.common.checks import whole_number
from ptan.replay import _tree_kernels as kernels
from ptan.replay._tree_kernels import Floats, Ints

__all__ = ["MinSegmentTree", "SumSegmentTree"]

# A prefix sum this much (relatively) above the total is taken for the total: rounding, not a bug.
_ROUNDING = 1e-6


def greatest_value(capacity: int) -> float:
    """The greatest value that a sum tree takes: the sum of so many is finite."""
    return sys.float_info.max / (2.0 * capacity)


class _SegmentTree:
    """What both trees share: float64 leaves, read and written by index or array of indices."""

    _minima: ClassVar[bool]

    def __init__(self, capacity: int) -> None:
        self.capacity = whole_number("capacity", capacity)
        kernels.warm()
        self._tree, self._offsets = kernels.empty_tree(self.capacity, self._minima)
        self._range = (-np.inf, np.inf) if self._minima else (0.0, greatest_value(self.capacity))

    def __len__(self) -> int:
        return self.capacity

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: Ints | list[int]) -> Floats: ...
    def __getitem__(self, index: Any) -> float | Floats:
        """The value of one leaf, or a new float64 array of values for an array of indices."""
        values: Floats = self._tree[self._checked_indices(index)]
        return float(values) if values.ndim == 0 else values

    def __setitem__(self, index: int | ArrayLike, value: ArrayLike) -> None:
        """Set one leaf or many; where an index stands twice, its last value counts.

        Raises:
            IndexError: an index outside [0, capacity).
            ValueError: a value that this tree cannot hold, or not one value per index.
        """
        indices = self._checked_indices(index)
        try:
            values = np.broadcast_to(np.asarray(value, np.float64), indices.shape)
        except (TypeError, ValueError):
            raise ValueError(
                f"value must be numbers in the shape of the indices {indices.shape}, got {value!r}"
            ) from None
        low, high = self._range
        if not ((values >= low) & (values <= high)).all():
            raise ValueError(f"values must be in [{low:g}, {high:.3g}], got {values}")
        self.set_many(np.ravel(indices), np.array(values).ravel())

    def set_many(self, indices: Ints, values: Floats) -> None:
        """Set leaves (n,) int64 to values (n,) float64, for callers that have checked both."""
        kernels.set_leaves(self._tree, self._offsets, indices, values, self._minima)

    def _checked_indices(self, index: int | ArrayLike) -> Ints:
        indices = np.asarray(index)
        if indices.size and not np.issubdtype(indices.dtype, np.integer):
            raise TypeError(f"indices must be integers, got {index!r}")
        wrong = indices[(indices < 0) | (indices >= self.capacity)]
        if wrong.size:
            raise IndexError(f"index must be in [0, {self.capacity}), got {wrong.flat[0]}")
        return indices.astype(np.int64, copy=False)

    def _reduce(self, start: int, end: int | None) -> float:
        """The sum or minimum of the values in [start, end)."""
        end = self.capacity if end is None else end
        if not 0 <= start <= end <= self.capacity:
            raise ValueError(
                f"start and end must satisfy 0 <= start <= end <= {self.capacity}, "
                f"got start={start}, end={end}"
            )
        return float(
            kernels.reduce_range(self._tree, self._offsets, int(start), int(end), self._minima)
        )


class SumSegmentTree(_SegmentTree):
    """Values >= 0, all 0 at first, with sums over ranges and draws in proportion to the values.

    Setting, summing and finding take O(log capacity). Sums are float64 and do not drift: every
    node is recomputed from its children whenever one of them changes.

    Args:
        capacity: number of values, at least 1.

    Raises:
        ValueError: capacity below 1.
    """

    _minima = False

    @property
    def total(self) -> float:
        """Sum of all values."""
        return float(self._tree[-1])

    def sum(self, start: int = 0, end: int | None = None) -> float:
        """Sum of the values in [start, end); `end=None` means up to the last.

        Raises:
            ValueError: unless 0 <= start <= end <= capacity.
        """
        return self._reduce(start, end)

    @overload
    def find_prefixsum_idx(self, x: float) -> int: ...
    @overload
    def find_prefixsum_idx(self, x: Floats) -> Ints: ...
    def find_prefixsum_idx(self, x: float | Floats) -> int | Ints:
        """The smallest index i with sum(0 … i) > x, or an int64 array of them for an array.

        A value of 0 is never found; the total itself finds the last value above it.

        Args:
            x: prefix sums in [0, total], a number or an array of any shape.

        Raises:
            ValueError: x negative, NaN or above the total, or all values are 0.
        """
        sums = np.asarray(x, np.float64)
        total = self.total
        if total <= 0.0:
            raise ValueError("nothing to find: all values of the tree are 0")
        if not ((sums >= 0.0) & (sums <= total * (1.0 + _ROUNDING))).all():
            raise ValueError(f"x must be in [0, {total}] (the total), got {x}")
        found: Ints = kernels.descend(self._tree, self._offsets, sums.flatten())
        return int(found[0]) if sums.ndim == 0 else found.reshape(sums.shape)

    def sample(self, uniforms: Floats) -> tuple[Ints, Floats]:
        """Draw indices (n,) int64 in proportion to their values; these and the values (n,) float64.

        `uniforms` (n,) float64 in [0, 1) are not checked; the total must be above 0.
        """
        indices, values = kernels.sample(self._tree, self._offsets, uniforms)
        return indices, values


class MinSegmentTree(_SegmentTree):
    """Values, all infinite at first, with minima over ranges in O(log capacity).

    Args:
        capacity: number of values, at least 1.

    Raises:
        ValueError: capacity below 1.
    """

    _minima = True

    def min(self, start: int = 0, end: int | None = None) -> float:
        """Minimum of the values in [start, end), infinity if there are none.

        Raises:
            ValueError: unless 0 <= start <= end <= capacity.
        """
        return self._reduce(start, end)
