"""Compiled inner loops over rows: storing, gathering and weighing them.

Compiled code is cached on disk: only the first use on a machine waits for the compiler.
"""

import numpy as np
from numba import njit

from ptan.experience.flags import TERMINATED
from ptan.experience.layout import Array

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)


@njit(cache=True)
def _fingerprint(frame: Array) -> int:
    """A 64-bit hash of a frame's words, four lanes at a time."""
    size = frame.shape[0]
    a = b = c = d = _PRIME
    whole = size - size % 4
    for i in range(0, whole, 4):
        a = (a ^ np.uint64(frame[i])) * _PRIME
        b = (b ^ np.uint64(frame[i + 1])) * _MIX
        c = (c ^ np.uint64(frame[i + 2])) * _PRIME
        d = (d ^ np.uint64(frame[i + 3])) * _MIX
        if i & 28 == 28:
            a ^= a >> _SHIFT
            b ^= b >> _SHIFT
            c ^= c >> _SHIFT
            d ^= d >> _SHIFT
    for i in range(whole, size):
        a = (a ^ np.uint64(frame[i])) * _PRIME
        a ^= a >> _SHIFT
    h = (a ^ (b >> _SHIFT)) * _PRIME ^ (c ^ (d >> _SHIFT)) * _MIX ^ b ^ d
    h ^= h >> _SHIFT
    h *= _PRIME
    return int(h >> np.uint64(32))


@njit(cache=True)
def _same(a: Array, b: Array) -> bool:
    for i in range(a.shape[0]):
        if a[i] != b[i]:
            return False
    return True


@njit(cache=True)
def insert_rows(
    first_row: int,
    done: int,
    words: Array,
    source: Array,
    flags: Array,
    refs: Array,
    frames: Array,
    last_row: Array,
    free: Array,
    cache: Array,
    counts: Array,
    memo: Array,
    stamp: Array,
) -> int:
    """Store rows `done`, `done + 1` … of `source`, each distinct frame once.

    Args:
        first_row: number of the first row of `source`; at most `capacity` rows.
        done: rows of it that are stored already.
        words: (M, k, W) observations as k frames of W machine words.
        source: (R, L, 2) numbers of observations, -1 for none.
        flags: (R, L) uint8; a terminated step refers to its own state twice.
        refs: (2L, capacity, k) int32 frames of each stored row.
        frames: (F, W) words, `last_row` (F,) number of the newest row that uses a frame, -1 free.
        free: (F,) stack of freed frames; counts: (frames on that stack, frames ever used, calls).
        cache: (2^b,) int32 lossy table from fingerprint to frame.
        memo: (M, k) int32 frames of an observation seen in this call, where `stamp` (M,) says so.

    Returns:
        How many rows of `source` are stored. Fewer than R: there was no room for another frame.
    """
    columns, capacity, k = refs.shape
    mask = cache.shape[0] - 1
    if done == 0:
        counts[2] += 1
    call = counts[2]
    for r in range(done, source.shape[0]):
        row = first_row + r
        slot = row % capacity
        for c in range(columns):  # Frames whose newest user leaves the ring are given back.
            for j in range(k):
                frame = refs[c, slot, j]
                if frame >= 0 and last_row[frame] == row - capacity:
                    last_row[frame] = -1
                    free[counts[0]] = frame
                    counts[0] += 1
        if counts[0] + frames.shape[0] - counts[1] < columns * k:
            return r
        for c in range(columns):
            i = c // 2
            number = -1
            if i < source.shape[1]:
                number = source[r, i, c % 2]
                if c % 2 == 1 and (number < 0 or flags[r, i] & TERMINATED):
                    number = source[r, i, 0]
            if number < 0:
                for j in range(k):
                    refs[c, slot, j] = -1
                continue
            if stamp[number] == call:
                for j in range(k):
                    frame = memo[number, j]
                    refs[c, slot, j] = frame
                    last_row[frame] = row
                continue
            for j in range(k):
                content = words[number, j]
                entry = _fingerprint(content) & mask
                frame = cache[entry]
                if frame < 0 or last_row[frame] < 0 or not _same(frames[frame], content):
                    if counts[0] > 0:
                        counts[0] -= 1
                        frame = free[counts[0]]
                    else:
                        frame = counts[1]
                        counts[1] += 1
                    frames[frame] = content
                    cache[entry] = frame
                refs[c, slot, j] = frame
                memo[number, j] = frame
                last_row[frame] = row
            stamp[number] = call
    return len(source)


@njit(cache=True)
def draw_rows(uniforms: Array, first: int, count: int) -> Array:
    """Row numbers drawn uniformly from [first, first + count), from uniforms in [0, 1)."""
    numbers = np.empty(uniforms.shape[0], np.int64)
    for i in range(uniforms.shape[0]):
        numbers[i] = first + int(uniforms[i] * count)
    return numbers


@njit(cache=True)
def gather_scalars(
    numbers: Array,
    discounts: Array,
    steps: Array,
    flags: Array,
    out_slots: Array,
    out_discounts: Array,
    out_discounts32: Array,
    out_steps: Array,
    out_flags: Array,
    out_dones: Array,
) -> bool:
    """Copy three columns of rows by number; True if all of the discounts are known (not NaN)."""
    known = True
    for i in range(numbers.shape[0]):
        slot = numbers[i] % flags.shape[0]
        out_slots[i] = slot
        out_discounts[i] = discounts[slot]
        out_discounts32[i] = discounts[slot]
        out_steps[i] = steps[slot]
        out_flags[i] = flags[slot]
        out_dones[i] = flags[slot] & TERMINATED != 0
        known = known and discounts[slot] == discounts[slot]
    return known


@njit(cache=True)
def weigh_update(
    numbers: Array,
    priorities: Array,
    first: int,
    end: int,
    capacity: int,
    alpha: float,
    limit: float,
) -> tuple[int, int, Array, Array, float]:
    """Check an update; slots and priority^alpha of those of its rows that are in [first, end).

    Returns:
        What is wrong, and where (0: nothing; 1: numbers[i] is no row number below `end`; 2:
        priorities[i] is not in (0, inf), or its power above `limit`), slots, weights, and the
        greatest priority.
    """
    slots = np.empty(numbers.shape[0], np.int64)
    weights = np.empty(numbers.shape[0], np.float64)
    kept = 0
    greatest = 0.0
    for i in range(numbers.shape[0]):
        if numbers[i] < 0 or numbers[i] >= end:
            return 1, i, slots, weights, greatest
        priority = priorities[i]
        weight = priority**alpha if 0.0 < priority < np.inf else np.inf
        if not weight <= limit:
            return 2, i, slots, weights, greatest
        if numbers[i] >= first:
            slots[kept] = numbers[i] % capacity
            weights[kept] = weight
            greatest = max(greatest, priority)
            kept += 1
    return 0, 0, slots[:kept], weights[:kept], greatest


@njit(cache=True)
def importance_weights(
    slots: Array, weights: Array, first: int, capacity: int, beta: float
) -> tuple[Array, Array]:
    """Row numbers of drawn slots, and (N P(i))^-beta over the greatest of them, float32.

    N and the sum of all weights cancel: what remains is (least weight of the draw / weight)^beta.
    """
    numbers = np.empty(slots.shape[0], np.int64)
    corrections = np.empty(slots.shape[0], np.float32)
    least = weights.min()
    for i in range(slots.shape[0]):
        numbers[i] = first + (slots[i] - first) % capacity
        corrections[i] = (least / weights[i]) ** beta
    return numbers, corrections
