"""Compiled inner loops over the tape: checking steps and cutting windows.

Each kernel is plain Python under its decorator (`kernel.py_func`), which the tests run too.
Compiled code is cached on disk: only the first use on a machine waits for the compiler.
"""

from numba import njit

from ptan.experience.flags import ENDED, EPISODE_OVER, NO_TRANSITION, RAW_REWARD, TERMINATED
from ptan.experience.layout import Array


@njit(cache=True)
def steps_finite(
    values: Array, flags: Array, begin: int, end: int, ring: int, after: int, limit: float
) -> bool:
    """True if every value of the steps [begin, end) of a tape lies in [-limit, limit].

    Args:
        values: (ring·N, K) rewards, or (2·ring·N, K) observations.
        flags: (ring·N,) uint8 per step and environment.
        after: 0 for the values of the steps themselves; 1 for the observations that they led to:
            those that follow, and those beyond the ring where an episode ended.
        limit: finite; NaN lies outside of any limits.
    """
    envs = flags.shape[0] // ring
    for t in range(begin, end):
        for e in range(envs):
            row = (t + after) % ring * envs + e
            for k in range(values.shape[1]):
                if not abs(values[row, k]) <= limit:
                    return False
            slot = t % ring * envs + e
            if after and flags[slot] & ENDED:
                for k in range(values.shape[1]):
                    if not abs(values[ring * envs + slot, k]) <= limit:
                        return False
    return True


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
    """Cut the windows that some steps of a tape complete.

    Args:
        span: (begin, end, ring): the steps [begin, end) to read, and the length of the ring.
        cut: (n, delta, joined), see `WindowSpec`.
        powers: (n + 1,) float64 gamma**k for k = 0 … n.
        flags: (ring·N,) uint8 per step and environment.
        rewards: (ring·N, K) float64; raw: (ring·N,) float64, the game's own where flagged.
        progress: (3, N) int64 per environment: steps of windows still open, steps since its window
            origin (the last end), steps of the episode under way.
        returns: (N,) float64 reward of the episode under way.
        out_…: columns of `Transitions`; rewards (rows, K) of joined windows only.
        episodes: (episodes, 3) float64: return, steps, rows cut up to the episode's last one.

    Returns:
        How many rows and how many finished episodes were written.
    """
    begin, end, ring = span
    n, delta, joined = cut
    gamma = powers[1]
    envs = flags.shape[0] // ring
    rows = 0
    finished = 0
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
                returns[e] = 0.0
                progress[2, e] = 0
    return rows, finished
