"""What sampling gives: rows and columns of the same experience."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic

import numpy as np
import torch
from typing_extensions import TypeVar

from ptan.common.checks import unit_interval
from ptan.common.types import Array, Item, Observations
from ptan.experience.coding import decode, encode, schema_of
from ptan.experience.flags import TERMINATED, TRUNCATED
from ptan.experience.layout import Leaf, unflatten
from ptan.experience.transitions import Transitions

T = TypeVar("T", default=Any)
"""What columns are: `numpy.ndarray`, or `torch.Tensor` after `to`."""


class Batch(Sequence[Item], Generic[T]):
    """A sequence of B rows that is also a set of columns; it never aliases a buffer.

    A target is always `rewards + discounts * V(last_states)`: the discount is gamma to the steps a
    row spans, and 0 after termination. Columns of windows (tuples of `Experience`) have a second
    axis of L steps and are zero beyond `lengths`.

    states       (B, *obs)          observations before the action, nested as the environment's
    actions      (B, *action)       int64 if discrete
    rewards      (B, *reward)       float32, summed over the row's own steps
    last_states  (B, *obs)          observations after; the state itself where it terminated,
                                    or where a row made by hand does not say
    dones        (B,) bool          terminated
    terminated   (B,) bool          the same
    truncated    (B,) bool          cut off: its last state has a value
    discounts    (B,) float32       gamma**steps, 0 where terminated
    steps        (B,) int64         environment steps that each row spans
    lengths      (B,) int64         steps of each window; None for single rows
    indices      (B,) int64         row numbers since the buffer began; None without a buffer
    weights      (B,) float32       importance weights; None unless prioritized

    A field that a row class added is a column under its own name. Items that are no rows have no
    columns: reading one raises AttributeError. Reading `discounts` raises ValueError where a row
    made by hand has none and gamma was not given. Columns are made when they are first read.

    transitions  the exact record behind the columns (rewards as stored, discounts in float64);
                 None for items that are no rows
    """

    transitions: Transitions | None
    states: Observations
    actions: Any
    rewards: T
    last_states: Observations
    dones: T
    terminated: T
    truncated: T
    discounts: T
    steps: T
    lengths: T | None
    indices: T | None
    weights: T | None

    def __init__(
        self,
        transitions: Transitions | None,
        *,
        items: list[Item] | None = None,
        indices: Any = None,
        weights: Any = None,
        device: torch.device | None = None,
    ) -> None:
        self.transitions = transitions
        self._items = items
        self._device = device
        self.indices = indices if device is None else self._tensors(indices)
        self.weights = weights if device is None else self._tensors(weights)

    def fill(self, dones: Array, discounts: Array | None) -> None:
        """Make the usual columns of single rows at once, with two that are at hand."""
        rows, count = self.transitions, len(dones)
        columns: Any = self
        assert rows is not None
        if type(rows.schema.state) is Leaf:
            block = rows.frames[0]
            columns.states, columns.last_states = block[:count], block[count:]
        columns.actions, columns.steps, columns.dones = rows.actions, rows.steps, dones
        columns.rewards = rows.rewards.astype(np.float32)
        if discounts is not None:
            columns.discounts = discounts

    @classmethod
    def from_rows(cls, rows: Iterable[Item], *, gamma: float | None = None) -> "Batch[Array]":
        """A batch of the given rows.

        Args:
            rows: rows of one class, tuples of `Experience`, or any other objects.
            gamma: discount per step of rows that know none.

        Raises:
            ValueError, TypeError: no rows, rows that differ in class, shape or dtype, or gamma
                outside [0, 1].
        """
        items = list(rows)
        if not items:
            raise ValueError("rows must hold at least one row, got none")
        if gamma is not None:
            unit_interval("gamma", gamma)
        schema = schema_of(items[0])
        record = None if schema is None else encode(schema, items, gamma).gather()
        return Batch(record, items=items)

    def to(self, device: torch.device | str) -> "Batch[torch.Tensor]":
        """The same batch with tensors on `device`; uint8 stays uint8."""
        return Batch(
            self.transitions,
            items=self._items,
            indices=self.indices,
            weights=self.weights,
            device=torch.device(device),
        )

    # Rows.

    def __len__(self) -> int:
        return len(self._items or ()) if self.transitions is None else len(self.transitions)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._rows)

    @property
    def _rows(self) -> list[Item]:
        if self._items is None:
            self._items = [] if self.transitions is None else decode(self.transitions)
        return self._items

    def __repr__(self) -> str:
        return f"Batch of {len(self)} rows"

    # Columns.

    def __getattr__(self, name: str) -> Any:
        """The column of this name, where it was not made yet."""
        make, rows = _COLUMNS.get(name), self.__dict__.get("transitions")
        if make is not None and rows is not None:
            value = make(rows)
        elif rows is not None and name in rows.extras:
            value = rows.extras[name]
        elif make is not None:
            raise AttributeError(f"items that are no rows have no columns, so no {name!r}")
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._device is not None:
            value = self._tensors(value)
        setattr(self, name, value)
        return value

    def _tensors(self, value: Any) -> Any:
        """A column, nested or None, as tensors."""
        if isinstance(value, dict):
            return {key: self._tensors(part) for key, part in value.items()}
        if isinstance(value, tuple):
            return tuple(self._tensors(part) for part in value)
        if value is None or value.dtype == object:
            return value
        return torch.as_tensor(value, device=self._device)


def _observations(rows: Transitions, after: int) -> Observations:
    parts = rows.observations(after)
    if rows.schema.windows:
        beyond = rows.steps == 0
        for part in parts:
            part[beyond] = None if part.dtype.hasobject else 0
    return unflatten(rows.schema.state, parts)


def _discounts(rows: Transitions) -> Array:
    if np.isnan(rows.discounts).any():
        raise ValueError(
            "gamma is not known: give the buffer or Batch.from_rows a gamma, or the rows a discount"
        )
    return rows.discounts.astype(np.float32)


_COLUMNS: dict[str, Callable[[Transitions], Any]] = {
    "states": lambda rows: _observations(rows, 0),
    "actions": lambda rows: rows.actions,
    "rewards": lambda rows: rows.rewards.astype(np.float32),
    "last_states": lambda rows: _observations(rows, 1),
    "dones": lambda rows: rows.flags & TERMINATED != 0,
    "terminated": lambda rows: rows.flags & TERMINATED != 0,
    "truncated": lambda rows: rows.flags & TRUNCATED != 0,
    "discounts": _discounts,
    "steps": lambda rows: rows.steps.astype(np.int64),
    "lengths": lambda rows: rows.lengths.astype(np.int64) if rows.schema.windows else None,
}


def unpack_batch(
    batch: Batch[Any] | Iterable[Item],
) -> tuple[Observations, Array, Array, Array, Observations]:
    """Arrays (states, actions, rewards, dones, last_states) of a batch or of a list of rows.

    `dones` is true where a row terminated. A truncated row is not done: its `last_states` entry is
    the true final observation, to bootstrap from.

    Raises:
        ValueError, TypeError: no rows, or rows that differ in class, shape or dtype.
    """
    if not isinstance(batch, Batch):
        batch = Batch.from_rows(batch)
    return batch.states, batch.actions, batch.rewards, batch.dones, batch.last_states
