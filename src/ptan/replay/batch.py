"""What sampling gives: rows and columns of the same experience."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import torch

from ptan.experience.coding import decode, encode
from ptan.experience.columns import Columns, Schema
from ptan.experience.flags import TERMINATED
from ptan.experience.layout import Array, Leaf, row_values, unflatten

_IS_TERMINATED = np.array([bits & TERMINATED != 0 for bits in range(256)])


class Batch(Sequence[Any]):
    """A sequence of B rows that is also a set of columns, cut loose from its buffer.

    A target is always `rewards + discounts * V(last_states)`: the discount is gamma to the steps a
    row spans, and 0 after termination. Columns of windows (tuples of `Experience`) have a second
    axis of L steps and are zero beyond `lengths`.

    states       (B, *obs)          observations before the action
    actions      (B, *action)       int64 if discrete
    rewards      (B, *reward)       float32, summed over the row's own steps
    last_states  (B, *obs)          observations after; the state itself where it terminated,
                                    or where a row made by hand does not say
    dones        (B,) bool          terminated
    discounts    (B,) float32       gamma**steps, 0 where terminated
    steps        (B,) int64         environment steps that each row spans
    lengths      (B,) int64         steps of each window; None for single rows
    indices      (B,) int64         row numbers since the buffer began; None without a buffer
    weights      (B,) float32       importance weights; None unless prioritized

    A field that a row class added is a column under its own name. Items that are no rows have no
    columns: reading one raises AttributeError.
    """

    # Arrays of single rows, the usual case, are all set at once. Tensors, and the columns of
    # windows, are made when they are first read, by `__getattr__`.
    __slots__ = (
        "_columns",
        "_device",
        "_indices",
        "_items",
        "_observations",
        "_weights",
        "actions",
        "discounts",
        "dones",
        "indices",
        "last_states",
        "lengths",
        "rewards",
        "states",
        "steps",
        "weights",
    )

    # Arrays, or tensors after `to`; nested where observations are.
    states: Any
    actions: Any
    rewards: Any
    last_states: Any
    dones: Any
    discounts: Any
    steps: Any
    lengths: Any
    indices: Any
    weights: Any

    def __init__(
        self,
        columns: Columns | None,
        observations: list[Array],
        *,
        items: list[Any] | None = None,
        indices: Array | None = None,
        weights: Array | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._columns = columns
        self._observations = observations
        self._items = items
        self._indices = indices
        self._weights = weights
        self._device = device
        if columns is not None and device is None and not columns.schema.windows:
            self._set_columns(columns)

    def _set_columns(self, columns: Columns) -> None:
        """All columns of single rows, as arrays."""
        blocks = self._observations
        if type(columns.schema.state) is Leaf:
            block = blocks[0]
            self.states, self.last_states = block[0], block[1]
        else:
            self.states = unflatten(columns.schema.state, [block[0] for block in blocks])
            self.last_states = unflatten(columns.schema.state, [block[1] for block in blocks])
        self.indices, self.weights = self._indices, self._weights
        self.actions = columns.actions
        self.rewards = columns.rewards.astype(np.float32)
        self.dones = _IS_TERMINATED.take(columns.ends)
        self.steps = columns.steps.astype(np.int64, copy=False)
        if columns.discounts32 is not None:
            self.discounts = columns.discounts32

    @classmethod
    def from_rows(cls, rows: Iterable[Any], *, gamma: float | None = None) -> "Batch":
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
        if gamma is not None and not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma must be in [0, 1], got {gamma}")
        schema = Schema.of(items[0])
        if schema is None:
            return cls(None, [], items=items)
        chunk = encode(schema, items, gamma)
        after = np.where(chunk.refs[..., 1] < 0, chunk.refs[..., 0], chunk.refs[..., 1])
        numbers = np.stack([chunk.refs[..., 0], after], axis=-1).reshape(len(items), -1).T
        observations = [frames.take(numbers, axis=0) for frames in chunk.frames]
        return cls(chunk.columns, observations, items=items)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch with tensors on `device`; uint8 stays uint8."""
        return Batch(
            self._columns,
            self._observations,
            items=self._items,
            indices=self._indices,
            weights=self._weights,
            device=torch.device(device),
        )

    # Rows.

    def __len__(self) -> int:
        if self._columns is None:
            return len(self._items or ())
        return len(self._columns)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    @property
    def _rows(self) -> list[Any]:
        if self._items is None:
            self._items = decode_gathered(self._known("rows"), self._observations)
        return self._items

    # Columns.

    def _make_states(self) -> Any:
        """Observations before the action (B, *obs)."""
        return self._nest("states", 0)

    def _make_last_states(self) -> Any:
        """Observations after the row's steps (B, *obs); where terminated, the state itself."""
        return self._nest("last_states", 1)

    def _make_actions(self) -> Any:
        """Actions (B, *action)."""
        return self._tensor(self._known("actions").actions)

    def _make_rewards(self) -> Any:
        """Rewards over the row's steps (B, *reward) float32."""
        return self._tensor(self._known("rewards").rewards.astype(np.float32))

    def _make_dones(self) -> Any:
        """True where the row terminated (B,) bool."""
        return self._tensor((self._known("dones").ends & TERMINATED).view(np.bool_))

    def _make_discounts(self) -> Any:
        """gamma**steps, 0 where terminated (B,) float32.

        Raises:
            ValueError: a row made by hand has no discount and nobody named gamma.
        """
        discounts = self._known("discounts").discounts
        if np.isnan(discounts).any():
            raise ValueError(
                "gamma is not known: give the buffer or Batch.from_rows a gamma, or the rows a "
                "discount"
            )
        return self._tensor(discounts.astype(np.float32))

    def _make_steps(self) -> Any:
        """Environment steps that each row spans (B,) int64."""
        return self._tensor(self._known("steps").steps.astype(np.int64))

    def _make_lengths(self) -> Any:
        """Steps of each window (B,) int64, None for single rows."""
        columns = self._known("lengths")
        if not columns.schema.windows:
            return None
        return self._tensor(columns.lengths.astype(np.int64))

    def _make_indices(self) -> Any:
        """Row numbers counted since the buffer began (B,) int64, None without a buffer."""
        return None if self._indices is None else self._tensor(self._indices)

    def _make_weights(self) -> Any:
        """Importance weights (B,) float32, None unless the sampling was prioritized."""
        return None if self._weights is None else self._tensor(self._weights)

    def __getattr__(self, name: str) -> Any:
        make = _MAKERS.get(name)
        if make is not None:
            value = make(self)
            setattr(self, name, value)
            return value
        if not name.startswith("_") and self._columns is not None and name in self._columns.extras:
            return self._tensor(self._columns.extras[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"Batch of {len(self)} rows"

    def _known(self, name: str) -> Columns:
        if self._columns is None:
            raise AttributeError(f"items that are no rows have no columns, so no {name!r}")
        return self._columns

    def _tensor(self, column: Array) -> Any:
        if self._device is None or column.dtype.hasobject:
            return column
        return torch.from_numpy(column).to(self._device)

    def _nest(self, name: str, offset: int) -> Any:
        columns = self._known(name)
        parts = observation_columns(columns, self._observations, offset)
        return unflatten(columns.schema.state, [self._tensor(part) for part in parts])


_MAKERS: dict[str, Callable[[Batch], Any]] = {
    name.removeprefix("_make_"): make
    for name, make in vars(Batch).items()
    if name.startswith("_make_")
}


def observation_columns(columns: Columns, blocks: list[Array], offset: int) -> list[Array]:
    """Per leaf the observations before (offset 0) or after (1) the steps: (B, …) or (B, L, …)."""
    if not columns.schema.windows:
        return [block[offset] for block in blocks]
    beyond = columns.steps == 0
    parts = []
    for block in blocks:
        part = np.ascontiguousarray(np.moveaxis(block[offset::2], 0, 1))
        part[beyond] = None if part.dtype.hasobject else 0
        parts.append(part)
    return parts


def decode_gathered(columns: Columns, blocks: list[Array]) -> list[Any]:
    """The items behind gathered columns; terminated rows have no final state."""
    layout = columns.schema.state
    if not columns.schema.windows:
        before, after = ([block[offset] for block in blocks] for offset in (0, 1))
    else:
        before, after = (
            [part.reshape(-1, *part.shape[2:]) for part in observation_columns(columns, blocks, i)]
            for i in (0, 1)
        )
    terminated = (columns.ends.ravel() & TERMINATED).tolist()
    finals = [
        None if over else value
        for over, value in zip(terminated, row_values(layout, after), strict=True)
    ]
    return decode(columns, row_values(layout, before), finals)


def unpack_batch(batch: Batch | Iterable[Any]) -> tuple[Any, Any, Any, Any, Any]:
    """Arrays (states, actions, rewards, dones, last_states) of a batch or of a list of rows.

    `dones` is true where a row terminated. A truncated row is not done: its `last_states` entry is
    the true final observation, to bootstrap from.

    Raises:
        ValueError, TypeError: no rows, or rows that differ in class, shape or dtype.
    """
    if not isinstance(batch, Batch):
        batch = Batch.from_rows(batch)
    return batch.states, batch.actions, batch.rewards, batch.dones, batch.last_states
