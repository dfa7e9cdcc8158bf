"""The newest steps of some environments, as arrays."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from ptan.experience.flags import INT_REWARD
from ptan.experience.layout import (
    SCALAR_REWARD,
    Array,
    Layout,
    Leaf,
    flatten,
    leaf_of,
    leaves_of,
    reward_leaf,
)
from ptan.experience.observations import batch_parts, copied, reconciled
from ptan.experience.transitions import Schema

_CHUNK_BYTES = 2**20
_MAX_ROOM = 2048
_MIN_ROOM = 16
_SMALL_BYTES = 2**14
_FEW = 4  # up to so many actions, one by one through a view beats a slice assignment
_NO_BLOCK = np.empty(0)


class Tape:
    """A ring of the newest steps of N environments.

    Step t of environment e lies at index (t mod ring)·N + e of every column. The observation there
    is the one the agent acted on; the one after an end lies ring·N further on, since the next index
    already holds the first observation of the next episode.

    Args:
        layout: layout of an observation.
        count: number of environments N.
        kept: how many steps stay readable after a cut, for windows that are still open.
        space: observation space of one environment, None where there is none. It settles dtypes on
            which observations disagree.
        action_dtype: dtype of the action space, None where it has none; likewise for actions.
    """

    def __init__(
        self, layout: Layout, count: int, kept: int, space: Any = None, action_dtype: Any = None
    ) -> None:
        self.count = count
        self.schema: Schema | None = None  # of rows; it is made anew after shapes or dtypes changed
        self._space = space
        self._action_dtype = action_dtype
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
        self.actions = np.empty(0)
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

    # Observations. Errors name environment e and step t.

    def _set_layout(self, layout: Layout) -> None:
        """Fix what observations look like; those on the tape are converted."""
        size = 2 * self.ring * self.count
        old, leaves = self.frames, leaves_of(layout)
        self.layout = layout
        self.leaves = leaves
        if old:
            self.frames = [_converted(f, leaf) for f, leaf in zip(old, leaves, strict=True)]
        else:
            self.frames = [np.empty((size, *leaf.shape), leaf.dtype) for leaf in leaves]
        self.float_frames = [frames for frames in self.frames if frames.dtype.kind == "f"]
        self.float_values = [frames.reshape(size, -1) for frames in self.float_frames]
        # The usual observation, one array, is known at a glance.
        first = leaves[0]
        one_array = isinstance(layout, Leaf) and not (layout.scalar or layout.opaque)
        self._array_dtype = first.dtype if one_array else None
        self._array_shape = first.shape
        self._batch_shape = (self.count, *first.shape)
        # Several small arrays are written faster together than one by one.
        self.small = one_array and 1 < self.count < self.count * first.nbytes <= _SMALL_BYTES

    def put(self, index: int, value: Any, what: str, env: int) -> None:
        """Write one observation; ValueError if it differs from the first one in what it is."""
        if (
            value.__class__ is np.ndarray
            and value.dtype is self._array_dtype
            and value.shape == self._array_shape
        ):
            self.frames[0][index] = value
            return
        layout = self.layout
        name = f"{what} of environment {env} at step {self.t}"
        try:
            parts = flatten(layout, value, name)
        except ValueError:
            layout, value = reconciled(layout, value, self._space, first=self.t == 0)
            parts = flatten(layout, value, name)
            if layout != self.layout:
                self._set_layout(layout)
                self.schema = None
        for frames, leaf, part in zip(self.frames, self.leaves, parts, strict=True):
            frames[index] = copied(part) if leaf.opaque else part

    def put_listed(self, index: int, observations: Sequence[Any]) -> None:
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

    def put_batch(self, index: int, batch: Any) -> bool:
        """Write a batch of observations; False if its arrays must be put one by one.

        TypeError, KeyError or IndexError if it is not of N environments.
        """
        if (
            batch.__class__ is np.ndarray
            and batch.dtype is self._array_dtype
            and batch.shape == self._batch_shape
        ):
            self.frames[0][index : index + self.count] = batch
            return True
        parts = batch_parts(self.layout, batch)
        if any(len(part) != self.count for part in parts):
            raise IndexError(index)
        pairs = list(zip(self.frames, parts, strict=True))
        for frames, part in pairs:
            known = part.__class__ is np.ndarray and not part.dtype.hasobject
            if not known or part.dtype != frames.dtype or part.shape[1:] != frames.shape[1:]:
                return False
        for frames, part in pairs:
            frames[index : index + self.count] = part
        return True

    def put_final(self, index: int, value: Any, env: int) -> None:
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

        An array of one number counts as that number. TypeError or ValueError for what is no number,
        or of another shape than the first one.
        """
        name = f"reward of environment {env} at step {self.t}"
        leaf = reward_leaf(reward, name)
        if leaf.shape in ((), (1,)) and not leaf.scalar:
            reward, leaf = np.asarray(reward).item(), SCALAR_REWARD
        if leaf.shape != self.reward_leaf.shape:
            if self.t or self.reward_leaf.shape:
                raise ValueError(
                    f"{name} must be {self.reward_leaf}, like the first one, got {reward!r}"
                )
            self.set_reward(leaf)
        elif leaf.dtype != self.reward_leaf.dtype:
            # A row that does not fit the first one's dtype widens all that come with and after it.
            dtype = np.result_type(leaf.dtype, self.reward_leaf.dtype)
            self.reward_leaf = replace(leaf, dtype=dtype)
            self.schema = None
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

    def put_actions(self, actions: Any) -> None:
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
            except TypeError:  # no ints: the checks below say what is wrong
                pass
        if leaf.opaque:
            for e, action in enumerate(actions):
                self.actions[base + e] = copied(action)
            return
        try:
            array = actions if actions.__class__ is np.ndarray else np.asarray(actions)
        except ValueError:  # a ragged list
            array = np.empty(0)
        if array.dtype != leaf.dtype or array.shape != self._action_block:
            self._check_actions(array, leaf, actions)
        self.actions[base : base + self.count] = array

    def _check_actions(self, array: Array, leaf: Leaf, given: Any) -> None:
        """Raise ValueError unless the actions fit the column, without loss or as the space says."""
        settled = self._action_dtype is not None
        castable = np.can_cast(array.dtype, leaf.dtype, "same_kind" if settled else "safe")
        if array.shape == self._action_block and castable:
            return
        if not self.t:  # these are the first ones: other ones may follow
            self.action_leaf = None
        raise ValueError(
            f"actions at step {self.t} must be {leaf} each, like the first one, "
            f"got {given!r} of dtype {array.dtype}"
        )


def _converted(frames: Array, leaf: Leaf) -> Array:
    """Stored observations in the dtype of another leaf, as single objects where that is opaque."""
    if leaf.opaque and frames.dtype != leaf.dtype:
        out = np.empty(len(frames), leaf.dtype)
        out[:] = list(frames.copy())
        return out
    with np.errstate(all="ignore"):  # places that were never written hold anything
        return frames.astype(leaf.dtype, copy=False)
