"""Windows of up to n steps, cut from a tape as soon as its steps complete them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ptan.experience import _kernels
from ptan.experience.flags import ENDED, INT_REWARD, TERMINATED
from ptan.experience.layout import Array, Leaf
from ptan.experience.rows import ExperienceFirstLast, Row
from ptan.experience.tape import Tape
from ptan.experience.transitions import Schema, Transitions

# Batches hold rewards in float32: what is larger becomes infinite there.
_REWARD_LIMIT = float(np.finfo(np.float32).max)
_VALUE_LIMIT = float(np.finfo(np.float64).max)
_NO_LENGTHS = np.empty(0, np.int32)


@dataclass(frozen=True)
class WindowSpec:
    """How windows are cut out of episodes.

    n_step     steps of a window
    delta      distance between the starts of windows
    gamma      discount per step; None where rewards are not joined
    row_class  class of the rows
    joined     True: a window is one row with a discounted reward; False: a tuple of its steps
    """

    n_step: int = 1
    delta: int = 1
    gamma: float | None = None
    row_class: type[Row] = ExperienceFirstLast
    joined: bool = True


class WindowCutter:
    """Checks the new steps of a tape, and cuts the windows that they complete.

    Args:
        tape: the tape; it keeps the steps of open windows.
        spec: how windows are cut.
    """

    def __init__(self, tape: Tape, spec: WindowSpec) -> None:
        self.tape = tape
        self.spec = spec
        rows = (tape.room + spec.n_step) * tape.count
        width = 1 if spec.joined else spec.n_step
        self._refs = np.empty((rows, width, 2), np.int32)
        self._lengths = np.empty(rows, np.int32)
        self._flags = np.empty(rows, np.uint8)
        self._discounts = np.empty(rows)
        self._rewards = np.empty((rows, 1))
        self._episodes = np.empty((tape.room * tape.count, 3))
        gamma = 1.0 if spec.gamma is None else spec.gamma
        self._powers = np.array([gamma**k for k in range(spec.n_step + 1)])
        self.cut_to = tape.t
        # Per environment: steps of open windows, steps since the last end, steps of the episode.
        self.progress = np.zeros((3, tape.count), np.int64)
        self.returns = np.zeros(tape.count)

    @property
    def open_steps(self) -> int:
        """Steps that began windows which are not complete yet."""
        return int(self.progress[0].sum())

    @property
    def schema(self) -> Schema:
        """What the rows that are cut look like; known after the first step."""
        tape, spec = self.tape, self.spec
        if tape.schema is None:
            if tape.action_leaf is None:
                raise RuntimeError("no step was taken yet")
            reward = tape.reward_leaf
            if spec.joined and spec.n_step > 1 and reward.dtype.kind != "f":
                reward = Leaf(reward.shape, np.dtype(np.float64))
            parts = (tape.layout, tape.action_leaf, reward)
            tape.schema = Schema(spec.row_class, not spec.joined, *parts)
        return tape.schema

    def cut(self) -> tuple[Transitions | None, Array]:
        """The rows that the steps since the last cut complete, and the episodes they finish.

        Returns:
            The rows, whose arrays are valid until the next cut (None: not one), and an array
            (episodes, 3): return, steps, and how many of the rows come before its end.
        """
        tape, spec = self.tape, self.spec
        if self._rewards.shape[1] != tape.rewards.shape[1]:
            self._rewards = np.empty((len(self._refs), tape.rewards.shape[1]))
        rows, finished = _kernels.cut_windows(
            (self.cut_to, tape.t, tape.ring),
            (spec.n_step, spec.delta, spec.joined),
            self._powers,
            tape.flags,
            tape.rewards,
            tape.raw,
            self.progress,
            self.returns,
            self._refs,
            self._lengths,
            self._rewards,
            self._discounts,
            self._flags,
            self._episodes,
        )
        self.cut_to = tape.t
        return (self._record(rows) if rows else None), self._episodes[:finished]

    def _record(self, rows: int) -> Transitions:
        tape, reward = self.tape, self.schema.reward
        refs, lengths = self._refs[:rows], self._lengths[:rows]
        flags: Array
        if self.spec.joined:
            slots = refs[:, 0, 0]
            actions, rewards = tape.actions.take(slots, axis=0), self._rewards[:rows]
            discounts, flags = self._discounts[:rows], self._flags[:rows]
            steps, lengths = lengths, _NO_LENGTHS
        else:
            slots = refs[:, :, 0]
            beyond = slots < 0  # the end of a shorter window: all columns are zero there
            actions, rewards = tape.actions.take(slots, axis=0), tape.rewards.take(slots, axis=0)
            flags = tape.flags.take(slots) & (ENDED | INT_REWARD)
            discounts = np.where(flags & TERMINATED, 0.0, np.nan)
            for column in (actions, rewards, discounts, flags):
                column[beyond] = 0
            steps = (~beyond).astype(np.int32)
        rewards = rewards.reshape(*slots.shape, *reward.shape).astype(reward.dtype, copy=False)
        columns = (actions, rewards, discounts, steps, flags, lengths)
        return Transitions(self.schema, *columns, {}, refs, tape.frames)

    # Finiteness.

    def first_flaw(self, begin: int | None = None) -> str | None:
        """What is not finite in the steps since the last cut, or None.

        Steps from the flawed one on are forgotten, so that no window holds it.

        Args:
            begin: -1 looks at the observations after a reset, too.
        """
        tape, begin = self.tape, self.cut_to if begin is None else begin
        if self._all_finite(begin, tape.t) or not (flaws := list(self._flaws(begin, tape.t))):
            return None
        place, what, got = min(flaws, key=lambda flaw: flaw[0])
        step, env = begin + place // tape.count, place % tape.count
        tape.t = max(0, step)
        where = "after its reset" if step < 0 else f"at step {step}"
        right = "finite, also in float32" if what == "reward" else "finite"
        value = got.item() if got.size == 1 else got
        return f"{what} of environment {env} {where} must be {right}, got {value}"

    def _all_finite(self, begin: int, end: int) -> bool:
        """True if there is no flaw in the steps [begin, end): the usual case, at little cost."""
        tape, finite = self.tape, _kernels.steps_finite
        for values in tape.float_values:
            # Compiled code knows no halves and no long doubles.
            if values.dtype.itemsize not in (4, 8) or not finite(
                values, tape.flags, begin, end, tape.ring, 1, _VALUE_LIMIT
            ):
                return False
        return bool(finite(tape.rewards, tape.flags, begin, end, tape.ring, 0, _REWARD_LIMIT))

    def _flaws(self, begin: int, end: int) -> Iterator[tuple[int, str, Array]]:
        """The first bad value of every kind: its place among these steps, what it is, the value."""
        tape = self.tape
        slots, following = tape.slots(begin, end), tape.slots(begin + 1, end + 1)
        every, ended = np.arange(len(slots)), np.flatnonzero(tape.flags[slots] & ENDED)
        looks = [("reward", tape.rewards, every, slots)]
        for frames in tape.float_frames:
            finals = slots[ended] + tape.ring * tape.count
            looks.append(("observation", frames, every, following))
            looks.append(("final observation", frames, ended, finals))
        for what, column, places, rows in looks:
            limit = _REWARD_LIMIT if what == "reward" else np.finfo(column.dtype).max
            fine = np.abs(column[rows]) <= limit
            for i in np.flatnonzero(~fine.all(axis=tuple(range(1, fine.ndim))))[:1]:
                yield int(places[i]), what, column[rows[i]]
