"""Windows of up to n steps, cut from a tape as soon as its steps complete them."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from ptan.common.types import Array
from ptan.experience.flags import (
    ENDED,
    EPISODE_OVER,
    INT_REWARD,
    NO_TRANSITION,
    RAW_REWARD,
    TERMINATED,
)
from ptan.experience.layout import Leaf
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
    """Checks the new steps of a tape, and cuts the windows that they complete."""

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
        self.returns = np.zeros(tape.count)  # of the episode

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

        Rows are valid until the next cut (None: not one). The episodes are an array (E, 3): return,
        steps, and how many of the rows come before the end.
        """
        tape, spec = self.tape, self.spec
        if self._rewards.shape[1] != tape.rewards.shape[1]:
            self._rewards = np.empty((len(self._refs), tape.rewards.shape[1]))
        rows, finished = cut_windows(
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

    def _after(self, begin: int, end: int) -> Array:
        """Where the observations after the steps [begin, end) lie, final ones included."""
        tape = self.tape
        slots = tape.slots(max(begin, 0), end)
        finals = slots[tape.flags[slots] & ENDED != 0] + tape.ring * tape.count
        return np.concatenate([tape.slots(begin + 1, end + 1), finals])

    def first_flaw(self, begin: int | None = None) -> str | None:
        """What is not finite in the steps since the last cut, or None.

        Steps from the flawed one on are forgotten, so that no window holds it. `begin=-1` looks at
        the observations after a reset, too.
        """
        tape, begin = self.tape, self.cut_to if begin is None else begin
        end, ring, found = tape.t, tape.ring, []
        if (row := find_flaw(tape.rewards, tape.flags, begin, end, ring, 0, _REWARD_LIMIT)) >= 0:
            found.append((row, 0, tape.rewards))
        for values in tape.float_frames:
            if values.dtype.itemsize in (4, 8):
                row = find_flaw(values, tape.flags, begin, end, ring, 1, _VALUE_LIMIT)
            elif np.isfinite(values[self._after(begin, end)]).all():
                continue
            else:  # compiled code knows no halves and no long doubles
                limit = np.finfo(values.dtype).max
                row = find_flaw.py_func(values, tape.flags, begin, end, ring, 1, limit)
            if row >= 0:
                found.append((row, 1, values))
        if not found:
            return None
        flaws = []
        for row, after, values in found:
            final, slot = divmod(row, ring * tape.count)
            at, env = divmod(slot, tape.count)
            step = begin + (at - (after - final) - begin) % ring
            what = "final observation" if final else "observation" if after else "reward"
            flaws.append((step, env, what, values[row]))
        step, env, what, got = min(flaws, key=lambda flaw: flaw[:2])
        tape.t = max(0, step)
        where = "after its reset" if step < 0 else f"at step {step}"
        right = "finite, also in float32" if what == "reward" else "finite"
        value = got.item() if got.size == 1 else got
        return f"{what} of environment {env} {where} must be {right}, got {value}"


# Loops over the tape, compiled. Tests run their plain Python, too: `py_func`.


@njit(cache=True)
def find_flaw(
    values: Array, flags: Array, begin: int, end: int, ring: int, after: int, limit: float
) -> int:
    """The first row of the steps [begin, end) with a value outside ±limit, or NaN; -1 for none.

    Args:
        values: (ring·N, K) rewards, or (2·ring·N, K) observations.
        flags: (ring·N,) uint8 per step and environment.
        begin, end, ring: the steps, and the length of the ring.
        after: 0 for values of the steps themselves; 1 for the observations that they led to: those
            that follow, and those beyond the ring where an episode ended.
        limit: finite.
    """
    envs: int = flags.shape[0] // ring
    for t in range(begin, end):
        for e in range(envs):
            row = (t + after) % ring * envs + e
            for k in range(values.shape[1]):
                if not abs(values[row, k]) <= limit:
                    return row
            slot = t % ring * envs + e
            if after and flags[slot] & ENDED:
                for k in range(values.shape[1]):
                    if not abs(values[ring * envs + slot, k]) <= limit:
                        return ring * envs + slot
    return -1


@njit(cache=True)
def cut_windows(
    span: tuple[int, int, int],
    cut: tuple[int, int, bool],
    powers: Array,
    flags: Array,
    rewards: Array,
    raw: Array,
    progress: Array,
    returns: Array,
    out_refs: Array,
    out_lengths: Array,
    out_rewards: Array,
    out_discounts: Array,
    out_flags: Array,
    episodes: Array,
) -> tuple[int, int]:
    """Cut the windows that some steps of a tape complete: how many rows, and finished episodes.

    Args:
        span: (begin, end, ring): the steps [begin, end) to read, and the length of the ring.
        cut: (n, delta, joined), see `WindowSpec`.
        powers: (n + 1,) float64 gamma**k for k = 0 … n.
        flags: (ring·N,) uint8 per step and environment.
        rewards: (ring·N, K) float64; raw: (ring·N,) float64, the game's own where flagged.
        progress, returns: of environments, see `WindowCutter`.
        out_…: columns of `Transitions`; rewards (rows, K) of joined windows only.
        episodes: (E, 3) float64: return, steps, rows cut up to the episode's last one.
    """
    begin, end, ring = span
    n, delta, joined = cut
    gamma = powers[1]
    envs = flags.shape[0] // ring
    rows, finished = 0, 0
    for t in range(begin, end):
        for e in range(envs):
            slot = (t % ring) * envs + e
            flag = flags[slot]
            if flag & NO_TRANSITION:
                continue
            if flag & RAW_REWARD:
                returns[e] += raw[slot]
            else:
                for k in range(rewards.shape[1]):
                    returns[e] += rewards[slot, k]
            for i in range(3):
                progress[i, e] += 1
            ended = flag & ENDED
            # A window closes when it has n steps; at an end all open ones do, oldest first.
            while progress[0, e] == n or (ended and progress[0, e] > 0):
                size = progress[0, e]
                progress[0, e] -= 1
                if size == n and (progress[1, e] - size) % delta != 0:
                    continue
                first = t - size + 1
                # The observation after an end has a place of its own, beyond the ring.
                after = (ring * envs + slot) if ended else ((t + 1) % ring) * envs + e
                out_lengths[rows] = size
                out_flags[rows] = ended
                out_discounts[rows] = 0.0 if ended & TERMINATED else powers[size]
                if joined:
                    for k in range(rewards.shape[1]):
                        reward = 0.0
                        for u in range(t, first - 1, -1):
                            reward = rewards[(u % ring) * envs + e, k] + gamma * reward
                        out_rewards[rows, k] = reward
                    out_refs[rows, 0, 0] = (first % ring) * envs + e
                    out_refs[rows, 0, 1] = after
                else:
                    out_refs[rows] = -1
                    for i in range(size):
                        out_refs[rows, i, 0] = ((first + i) % ring) * envs + e
                        out_refs[rows, i, 1] = ((first + i + 1) % ring) * envs + e
                    out_refs[rows, size - 1, 1] = after
                rows += 1
            if ended:
                progress[1, e] = 0
            if flag & EPISODE_OVER:
                episodes[finished, 0] = returns[e]
                episodes[finished, 1] = progress[2, e]
                episodes[finished, 2] = rows
                finished += 1
                returns[e], progress[2, e] = 0.0, 0
    return rows, finished
