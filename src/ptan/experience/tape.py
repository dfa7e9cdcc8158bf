"""The newest steps of some environments, as arrays."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ptan.common.types import Actions, Array, Observation, Observations, Space
from ptan.experience.flags import INT_REWARD
from ptan.experience.layout import (
    OPAQUE,
    SCALAR_REWARD,
    Layout,
    Leaf,
    flatten,
    leaf_of,
    leaves_of,
    mapped,
    parts_of,
    reward_leaf,
    space_of,
    unflatten,
)
from ptan.experience.transitions import Schema

_CHUNK_BYTES, _MIN_ROOM, _MAX_ROOM = 2**20, 16, 2048
_SMALL_BYTES = 2**14
_FEW = 4  # up to so many actions, one by one through a view beats a slice assignment
_NO_BLOCK = np.empty(0)


class Tape:
    """A ring of the newest steps of N environments.

    Step t of environment e lies at index (t mod ring)·N + e of every column. The observation there
    is the one the agent acted on; the one after an end lies ring·N further on, since the next index
    already holds the first observation of the next episode. Errors name environment e and step t.

    Args:
        layout: of an observation.
        count: number of environments N.
        kept: how many steps stay readable after a cut, for windows that are still open.
        space, action_space: of one environment. They settle dtypes on which values disagree.
    """

    def __init__(
        self,
        layout: Layout,
        count: int,
        kept: int,
        space: Space | None = None,
        action_space: Space | None = None,
    ) -> None:
        self.count = count
        self.schema: Schema | None = None  # of rows; it is made anew after shapes or dtypes changed
        self._spaces = parts_of(layout, space, space_of)
        settled = getattr(action_space, "dtype", None) is not None
        self._action_cast: Literal["safe", "same_kind"] = "same_kind" if settled else "safe"
        # The longest stretch of steps between two cuts; the ring also keeps the open windows.
        step_bytes = count * sum(leaf.nbytes for leaf in leaves_of(layout))
        self.room = min(_MAX_ROOM, max(_MIN_ROOM, _CHUNK_BYTES // max(1, step_bytes)))
        self.ring = self.room + kept + 1
        size = self.ring * count
        self.frames: list[Array] = []
        self._set_layout(layout)
        self.flags = np.zeros(size, np.uint8)
        self.raw = np.zeros(size)
        # Single items are written through views: half the cost of NumPy's item assignment.
        self.flag_view: Any = memoryview(self.flags.data)
        self.raw_view: Any = memoryview(self.raw.data)
        self.action_leaf: Leaf | None = None
        self.set_reward(SCALAR_REWARD)
        self.t = 0

    @property
    def newest(self) -> slice:
        """Where the step taken last lies in the columns, one entry per environment."""
        base = (self.t - 1) % self.ring * self.count
        return slice(base, base + self.count)

    def slots(self, begin: int, end: int) -> Array:
        """Where the steps [begin, end) of all environments lie in the columns."""
        steps = np.arange(begin, end) % self.ring * self.count
        return (steps[:, None] + np.arange(self.count)).ravel()

    # Observations.

    def _set_layout(self, layout: Layout) -> None:
        """Fix what observations look like; those on the tape are converted."""
        size = 2 * self.ring * self.count
        self.layout, self.leaves = layout, leaves_of(layout)
        if self.frames:
            self.frames = list(map(_converted, self.frames, self.leaves))
        else:
            self.frames = [np.empty((size, *leaf.shape), leaf.dtype) for leaf in self.leaves]
        self.float_frames = [f.reshape(size, -1) for f in self.frames if f.dtype.kind == "f"]
        # The usual observation, one array, is known at a glance.
        first = self.leaves[0]
        one_array = isinstance(layout, Leaf) and not (layout.scalar or layout.opaque)
        self._array_dtype = first.dtype if one_array else None
        self._array_shape = first.shape
        self._batch_shape = (self.count, *first.shape)
        # Several small arrays are written faster together than one by one.
        self.small = one_array and 1 < self.count < self.count * first.nbytes <= _SMALL_BYTES

    def put(self, index: int, value: Observation, what: str, env: int) -> None:
        """Write one observation; ValueError if it differs from the first one in what it is."""
        if (
            value.__class__ is np.ndarray
            and value.dtype is self._array_dtype
            and value.shape == self._array_shape
        ):
            self.frames[0][index] = value
            return
        name = f"{what} of environment {env} at step {self.t}"
        try:
            parts = flatten(self.layout, value, name)
        except ValueError:
            parts = self._reconciled(value, name)
        for frames, leaf, part in zip(self.frames, self.leaves, parts, strict=True):
            frames[index] = copied(part) if leaf.opaque else part

    def _reconciled(self, value: Observation, name: str) -> list[Any]:
        """The leaf values of an observation that disagrees with the layout on dtypes or shapes."""
        given = flatten(mapped(lambda _: OPAQUE, self.layout), value, name)
        pairs = [
            reconciled(leaf, part, space, first=self.t == 0)
            for leaf, part, space in zip(self.leaves, given, self._spaces, strict=True)
        ]
        layout = unflatten(self.layout, [leaf for leaf, _ in pairs])
        parts = flatten(layout, unflatten(layout, [part for _, part in pairs]), name)
        if layout != self.layout:
            self._set_layout(layout)
            self.schema = None
        return parts

    def put_listed(self, index: int, observations: Sequence[Observation]) -> None:
        """Write the observations of all environments, given one by one; see `put`."""
        block = _NO_BLOCK
        if self.small and observations[0].__class__ is np.ndarray:
            with suppress(ValueError):  # of different shapes
                block = np.array(observations)
        frames = self.frames[0]
        if block.dtype == frames.dtype and block.shape == self._batch_shape:
            frames[index : index + self.count] = block
            return
        for e, observation in enumerate(observations):
            self.put(index + e, observation, "observation", e)

    def put_batch(self, index: int, batch: Observations) -> bool:
        """Write a batch of observations, or False if its arrays must be put one by one.

        TypeError, KeyError or IndexError if it is not of N environments.
        """
        if (
            batch.__class__ is np.ndarray
            and batch.dtype is self._array_dtype
            and batch.shape == self._batch_shape
        ):
            self.frames[0][index : index + self.count] = batch
            return True
        parts = parts_of(self.layout, batch)
        if any(len(part) != self.count for part in parts):
            raise IndexError(index)
        for frames, part in zip(self.frames, parts, strict=True):
            known = part.__class__ is np.ndarray and not part.dtype.hasobject
            if not known or part.dtype != frames.dtype or part.shape[1:] != frames.shape[1:]:
                return False
            frames[index : index + self.count] = part
        return True

    def put_final(self, index: int, value: Observation, env: int) -> None:
        """Write the observation after the end of an episode or life at `index`."""
        self.put(self.ring * self.count + index, value, "final observation", env)

    # Rewards and actions.

    def set_reward(self, leaf: Leaf) -> None:
        """Fix the shape of rewards, before the first step."""
        self.reward_leaf = leaf
        self.rewards = np.zeros((self.ring * self.count, int(np.prod(leaf.shape))))
        self.reward_view: Any = memoryview(self.rewards.reshape(-1).data)
        self.schema = None

    def put_reward(self, index: int, reward: Any, env: int) -> int:
        """Write a reward that is no Python float, and return its flag.

        An array of one number counts as that number. TypeError or ValueError for anything else that
        is not like the first one.
        """
        name = f"reward of environment {env} at step {self.t}"
        leaf = reward_leaf(reward, name)
        if leaf.shape in ((), (1,)) and not leaf.scalar:
            reward, leaf = np.asarray(reward).item(), SCALAR_REWARD
        if leaf.shape != self.reward_leaf.shape:
            if self.t or env or self.reward_leaf.shape:
                raise ValueError(
                    f"{name} must be {self.reward_leaf}, like the first one, got {reward!r}"
                )
            self.set_reward(leaf)
        elif leaf.dtype != self.reward_leaf.dtype:
            wider = np.result_type(leaf.dtype, self.reward_leaf.dtype)
            self.reward_leaf, self.schema = replace(leaf, dtype=wider), None
        self.rewards[index] = np.ravel(reward)
        return INT_REWARD if isinstance(reward, (int, np.integer, np.bool_)) else 0

    def set_action(self, leaf: Leaf) -> Leaf:
        """Fix the shape of actions, before the first step."""
        self.action_leaf = leaf
        self.actions = np.zeros((self.ring * self.count, *leaf.shape), leaf.dtype)
        self._action_block = (self.count, *leaf.shape)
        self._action_view: Any = None
        if leaf.scalar and leaf.dtype == np.int64 and self.count <= _FEW:
            self._action_view = memoryview(self.actions.data)
        self.schema = None
        return leaf

    def put_actions(self, actions: Actions) -> None:
        """Write the actions of all environments; ValueError if they differ from the first ones."""
        leaf = self.action_leaf
        if leaf is None:
            leaf = self.set_action(leaf_of(actions[0]))
        base = self.t % self.ring * self.count
        if self._action_view is not None:
            try:
                for e, action in enumerate(actions):
                    self._action_view[base + e] = action
                return
            except (TypeError, ValueError):  # no int64: the checks below say what is wrong
                pass
        if leaf.opaque:
            for e, action in enumerate(actions):
                self.actions[base + e] = copied(action)
            return
        try:
            array = actions if actions.__class__ is np.ndarray else np.asarray(actions)
        except ValueError:  # a ragged list
            array = np.empty(0)
        if array.shape != self._action_block or not (
            array.dtype == leaf.dtype or np.can_cast(array.dtype, leaf.dtype, self._action_cast)
        ):
            if not self.t:  # these are the first ones: other ones may follow
                self.action_leaf = None
            raise ValueError(
                f"actions at step {self.t} must be {leaf} each, like the first one, "
                f"got {actions!r} of dtype {array.dtype}"
            )
        self.actions[base : base + self.count] = array


def _converted(frames: Array, leaf: Leaf) -> Array:
    """Stored observations in the dtype of another leaf, as single objects where that is opaque."""
    if leaf.opaque:
        return leaf.column(list(frames.copy()))
    with np.errstate(all="ignore"):  # places that were never written hold anything
        return frames.astype(leaf.dtype, copy=False)


def copied(value: Any) -> Any:
    """`value` as it is now, whatever an environment writes to its arrays and lists later."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = map(copied, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return [copied(part) for part in value] if isinstance(value, list) else value


def reconciled(leaf: Leaf, value: Any, space: object, *, first: bool) -> tuple[Leaf, Any]:
    """Leaf and value, brought together where they disagree on a dtype or a shape.

    Where the space has a dtype, the value is cast to that of the leaf, if both are of one kind; the
    first step may change the leaf to the space's, since resets are often less exact. Where there is
    no space, arrays of varying shape are kept as objects.
    """
    found = leaf_of(value)
    if found.opaque or leaf.opaque or found.scalar != leaf.scalar:
        return leaf, value
    if found.shape != leaf.shape:
        return OPAQUE if space is None else leaf, value
    dtype, target = getattr(space, "dtype", None), leaf.dtype
    if first and dtype is not None:
        target = leaf_of(dtype.type()).dtype if leaf.scalar else dtype
    castable = (np.can_cast(one.dtype, target, "same_kind") for one in (found, leaf))
    if dtype is None or not all(castable):
        return leaf, value
    cast = np.asarray(found.convert(value, "observation")).astype(target)
    return replace(leaf, dtype=target), cast.item() if leaf.scalar else cast
