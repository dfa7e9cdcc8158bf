"""The last steps of some environments, as arrays, and the windows cut from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from ptan.experience import _kernels
from ptan.experience.flags import ENDED, INT_REWARD, TERMINATED
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
from ptan.experience.rows import Row
from ptan.experience.transitions import Schema, Transitions

_CHUNK_BYTES = 2**20
_CHUNK_STEPS = 2048
_SMALL_BYTES = 2**14
_FEW = 4  # up to so many actions, one by one through a view beats a slice assignment

_Parts: TypeAlias = tuple[Array, Array, Array, Array, Array, Array]  # as `Transitions` takes them
_Flaw: TypeAlias = tuple[int, int, str, Any]  # step, environment, what it is, the bad value


@dataclass(frozen=True)
class Cut:
    """How a source cuts windows out of episodes.

    row_class  class of the rows
    joined     True: a window is one row with a discounted reward; False: a tuple of its steps
    n          steps of a window
    delta      distance between the starts of windows
    gamma      discount per step; None where rewards are not joined
    """

    row_class: type[Row]
    joined: bool
    n: int
    delta: int
    gamma: float | None


class Tape:
    """A ring of the newest steps of N environments.

    Step t of environment e lies at index (t mod ring)·N + e of every column. The observation there
    is the one the agent acted on; the one after an end lies ring·N further on, since the next index
    already holds the first observation of the next episode.

    Args:
        layout: layout of an observation.
        count: number of environments N.
        cut: how windows are cut.
    """

    def __init__(self, layout: Layout, count: int, cut: Cut) -> None:
        self.layout = layout
        self.count = count
        self.cut = cut
        self.leaves = leaves = leaves_of(layout)
        step_bytes = count * sum(leaf.dtype.itemsize * int(np.prod(leaf.shape)) for leaf in leaves)
        # The longest stretch of steps between two cuts; the ring also keeps the open windows.
        self.room = max(1, min(_CHUNK_STEPS, _CHUNK_BYTES // max(1, step_bytes)))
        self.ring = self.room + cut.n + 1
        size = self.ring * count
        self.frames = [np.empty((2 * size, *leaf.shape), leaf.dtype) for leaf in leaves]
        self._floats = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]
        self._float_values = [self.frames[i].reshape(2 * size, -1) for i in self._floats]
        # Compiled code knows no halves, long doubles or foreign byte orders.
        self._common = all(leaves[i].dtype in (np.float32, np.float64) for i in self._floats)
        # Several small arrays are written faster together than one by one.
        self._observation_block = (count, *leaves[0].shape)
        self.small = (
            type(layout) is Leaf
            and not (layout.scalar or layout.opaque)
            and 1 < count < step_bytes <= _SMALL_BYTES
        )
        self.flags = np.zeros(size, np.uint8)
        self.raw = np.zeros(size)
        # Single items are written through views: half the cost of NumPy's item assignment.
        self.flag_view: Any = memoryview(self.flags.data)
        self.raw_view: Any = memoryview(self.raw.data)
        self.set_reward(SCALAR_REWARD)
        self.actions = np.empty(0)
        self._action_view: Any = None
        rows = (self.room + cut.n) * count
        width = 1 if cut.joined else cut.n
        self._refs = np.empty((rows, width, 2), np.int32)
        self._lengths = np.empty(rows, np.int32)
        self._flags = np.empty(rows, np.uint8)
        self._discounts = np.empty(rows)
        self._episodes = np.empty((self.room * count, 3))
        gamma = cut.gamma if cut.gamma is not None else 1.0
        self._powers = np.array([gamma**k for k in range(cut.n + 1)])
        self.rewind()

    def rewind(self) -> None:
        """Forget all steps: the next one begins new episodes everywhere."""
        self.t = 0
        self._cut_to = 0
        self._progress = np.zeros((3, self.count), np.int64)
        self._returns = np.zeros(self.count)
        self._schema: Schema | None = None
        # What a broken environment or agent gave first must not bind the next stream.
        self.action_leaf: Leaf | None = None
        if self.reward_leaf.shape:
            self.set_reward(SCALAR_REWARD)

    @property
    def open_steps(self) -> int:
        """Steps that began windows which are not complete yet."""
        return int(self._progress[0].sum())

    # Writing. Names of errors: environment e, step t.

    def put(self, index: int, value: Any, what: str, env: int) -> None:
        """Write one observation.

        Raises:
            ValueError: it differs from the first one in shape, dtype or nesting.
        """
        layout = self.layout
        if type(layout) is Leaf:
            frames = self.frames[0]
            if not (
                value.__class__ is np.ndarray
                and value.shape == layout.shape
                and value.dtype == layout.dtype
            ):
                value = layout.convert(value, f"{what} of environment {env} at step {self.t}")
            frames[index] = value
        else:
            name = f"{what} of environment {env} at step {self.t}"
            for frames, part in zip(self.frames, flatten(layout, value, name), strict=True):
                frames[index] = part

    def put_listed(self, index: int, observations: list[Any]) -> None:
        """Write the observations of all environments, given one by one.

        Raises:
            ValueError: see `put`.
        """
        try:
            block = np.array(observations)
        except ValueError:  # of different shapes
            block = _NO_BLOCK
        frames = self.frames[0]
        if block.shape == self._observation_block and block.dtype == frames.dtype:
            frames[index : index + self.count] = block
            return
        for e, observation in enumerate(observations):
            self.put(index + e, observation, "observation", e)

    def put_final(self, index: int, value: Any, env: int) -> None:
        """Write the observation after the end of an episode or life at `index`."""
        self.put(self.ring * self.count + index, value, "final observation", env)

    def put_block(self, index: int, parts: Sequence[Any]) -> None:
        """Write the observations of all environments, given per leaf as (N, *shape)."""
        for leaf, frames, part in zip(self.leaves, self.frames, parts, strict=True):
            expected = (self.count, *leaf.shape)
            fits = leaf.opaque or (
                part.__class__ is np.ndarray
                and part.shape == expected
                and (part.dtype == leaf.dtype or np.can_cast(part.dtype, leaf.dtype, "safe"))
            )
            if not fits:
                raise ValueError(
                    f"observations at step {self.t} must be of shape {expected} and dtype "
                    f"{leaf.dtype}, like the first ones, got {part!r}"
                )
            frames[index : index + self.count] = part

    def set_reward(self, leaf: Leaf) -> None:
        """Fix the shape of rewards, before the first step."""
        self.reward_leaf = leaf
        width = int(np.prod(leaf.shape))
        self.rewards = np.zeros((self.ring * self.count, width))
        self.reward_view: Any = memoryview(self.rewards.reshape(-1).data)
        self._joined_rewards = np.empty(((self.room + self.cut.n) * self.count, width))

    def put_reward(self, index: int, reward: Any, env: int) -> int:
        """Write a reward that is no Python float; returns its flag.

        Raises:
            TypeError, ValueError: it is no number, or of another shape than the first one.
        """
        name = f"reward of environment {env} at step {self.t}"
        if getattr(reward, "shape", None) == ():  # a NumPy scalar, an array or tensor of one number
            reward = reward.item()
        try:
            leaf = reward_leaf(reward)
        except TypeError:
            raise TypeError(
                f"{name} must be a number or an array of numbers, got {reward!r}"
            ) from None
        if leaf.shape != self.reward_leaf.shape:
            if self.t or self.reward_leaf.shape:
                raise ValueError(f"{name} must be {self.reward_leaf}, got {reward!r}")
            self.set_reward(leaf)
        elif leaf.dtype != self.reward_leaf.dtype:
            # A row that does not fit the first one's dtype widens all that come with and after it.
            self.reward_leaf = replace(
                leaf, dtype=np.result_type(leaf.dtype, self.reward_leaf.dtype)
            )
            self._schema = None
        self.rewards[index] = np.ravel(reward)
        exact = isinstance(reward, (int, np.integer, np.bool_))
        return INT_REWARD if exact else 0

    def set_action(self, leaf: Leaf) -> Leaf:
        """Fix the shape of actions, before the first step."""
        self.action_leaf = leaf
        self.actions = np.zeros((self.ring * self.count, *leaf.shape), leaf.dtype)
        self._action_block = (self.count, *leaf.shape)
        self._action_view = None
        if leaf.scalar and leaf.dtype == np.int64 and self.count <= _FEW:
            self._action_view = memoryview(self.actions.data)
        return leaf

    def put_actions(self, actions: Any) -> None:
        """Write the actions of all environments for the step that comes.

        Raises:
            ValueError: they differ from the first ones in shape or dtype.
        """
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
                self.actions[base + e] = action
            return
        try:
            array = actions if actions.__class__ is np.ndarray else np.asarray(actions)
        except ValueError:  # a ragged list
            array = np.empty(0)
        if array.dtype != leaf.dtype or array.shape != self._action_block:
            self._check_actions(array, leaf, actions)
        self.actions[base : base + self.count] = array

    def _check_actions(self, array: Array, leaf: Leaf, given: Any) -> None:
        """Raise ValueError unless the actions fit the column without loss."""
        fits = array.shape == self._action_block and np.can_cast(array.dtype, leaf.dtype, "safe")
        if not fits:
            if not self.t:  # these are the first ones: other ones may follow
                self.action_leaf = None
            raise ValueError(f"actions must be {leaf} each, like the first one, got {given!r}")

    # Reading.

    def first_flaw(self) -> str | None:
        """What is not finite in the steps since the last cut, or None.

        Steps from the flawed one on are forgotten, so that no window holds it.
        """
        begin, end = self._cut_to, self.t
        if self._common and self._all_finite(begin, end):
            return None
        flaws = self._flaws(self.rewards, "reward", begin, end)
        for i in self._floats:
            found = self._flaws(self.frames[i], "observation", begin + 1, end + 1)
            flaws += [(t - 1, e, what, got) for t, e, what, got in found]
            flaws += self._flaws(self.frames[i], "final observation", begin, end, finals=True)
        if not flaws:
            return None
        self.t, e, what, got = min(flaws, key=lambda flaw: flaw[:2])
        return f"{what} of environment {e} at step {self.t} must be finite, got {got}"

    def _all_finite(self, begin: int, end: int) -> bool:
        """True if there is no flaw in the steps [begin, end): the usual case, at little cost."""
        finite, flags, ring = _kernels.steps_finite, self.flags, self.ring
        for values in self._float_values:
            if not finite(values, flags, begin, end, ring, 1):
                return False
        return bool(finite(self.rewards, flags, begin, end, ring, 0))

    def _flaws(
        self, column: Array, what: str, begin: int, end: int, *, finals: bool = False
    ) -> list[_Flaw]:
        """The first value in a column, or of the places after an end, that is not finite."""
        for step, part in self._spans(begin, end):
            places = np.ones(part.stop - part.start) if not finals else self.flags[part] & ENDED
            numbers = np.flatnonzero(places)
            values = column[finals * self.ring * self.count + part.start + numbers]
            finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            if not finite.all():
                row = int(finite.argmin())
                steps, env = divmod(int(numbers[row]), self.count)
                return [(step + steps, env, what, values[row])]
        return []

    def _spans(self, begin: int, end: int) -> list[tuple[int, slice]]:
        """The steps [begin, end) as slices of the ring, each with its first step."""
        count, first = self.count, begin % self.ring
        head = min(end - begin, self.ring - first)
        spans = [(begin, slice(first * count, (first + head) * count))]
        if begin + head < end:
            spans.append((begin + head, slice(0, (end - begin - head) * count)))
        return spans

    def check_reset(self) -> None:
        """Raise ValueError if an observation that the first step acts on is not finite."""
        for i in self._floats:
            for _, e, _, got in self._flaws(self.frames[i], "observation", 0, 1):
                raise ValueError(
                    f"observation of environment {e} after its reset must be finite, got {got}"
                )

    def cut_rows(self) -> tuple[Transitions | None, Array]:
        """The rows that the steps since the last cut complete, and the episodes they finish.

        Returns:
            The rows, whose arrays are valid until the next cut (None: not one), and an array
            (episodes, 3): return, steps, and how many of the rows come before its end.
        """
        cut = self.cut
        rows, finished = _kernels.cut_windows(
            (self._cut_to, self.t, self.ring),
            (cut.n, cut.delta, cut.joined),
            self._powers,
            self.flags,
            self.rewards,
            self.raw,
            self._progress,
            self._returns,
            self._refs,
            self._lengths,
            self._joined_rewards,
            self._discounts,
            self._flags,
            self._episodes,
        )
        self._cut_to = self.t
        return (self._transitions(rows) if rows else None), self._episodes[:finished]

    def _transitions(self, rows: int) -> Transitions:
        if self._schema is None:
            self._schema = self._make_schema()
        parts = self._joined(rows) if self.cut.joined else self._windows(rows)
        return Transitions(self._schema, *parts, {}, self._refs[:rows], self.frames)

    def _joined(self, rows: int) -> _Parts:
        """The columns of rows that are a window each, as `Transitions` takes them."""
        rewards = self._joined_rewards[:rows].reshape(rows, *self.reward_leaf.shape)
        return (
            self.actions.take(self._refs[:rows, 0, 0], axis=0),
            self._exact(rewards),
            self._discounts[:rows],
            self._lengths[:rows],
            self._flags[:rows],
            _NO_LENGTHS,
        )

    def _windows(self, rows: int) -> _Parts:
        """The columns of windows that stay sequences of steps, zero beyond their ends."""
        slots = self._refs[:rows, :, 0]
        beyond = slots < 0
        actions = self.actions.take(slots, axis=0)
        rewards = self.rewards.take(slots, axis=0).reshape(*slots.shape, *self.reward_leaf.shape)
        ends = self.flags.take(slots) & (ENDED | INT_REWARD)
        discounts = np.where(ends & TERMINATED, 0.0, np.nan)
        for column in (actions, rewards, discounts, ends):
            column[beyond] = 0
        steps = (~beyond).astype(np.int32)
        return actions, self._exact(rewards), discounts, steps, ends, self._lengths[:rows]

    def _exact(self, rewards: Array) -> Array:
        """Rewards in the dtype of the environment's own."""
        dtype = self._schema.reward.dtype if self._schema is not None else rewards.dtype
        return rewards if rewards.dtype == dtype else rewards.astype(dtype)

    def _make_schema(self) -> Schema:
        if self.action_leaf is None:
            raise RuntimeError("no step was taken yet")
        reward = self.reward_leaf
        if self.cut.joined and self.cut.n > 1 and reward.dtype.kind != "f":
            reward = Leaf(reward.shape, np.dtype(np.float64))
        windows = not self.cut.joined
        return Schema(self.cut.row_class, windows, self.layout, self.action_leaf, reward)


_NO_BLOCK = np.empty(0)
_NO_LENGTHS = np.empty(0, np.int32)
