"""Compiled walks over trees with 16 children per node.

A tree is one float64 array. The leaves come first, then one level after the other, the root last.
`offsets[k]` is where level k begins (level 0 are the leaves), so the children of node j of level
k + 1 are the 16 entries from `offsets[k] + 16 * j`. Levels are padded to whole nodes with the
neutral element (0 for sums, infinity for minima).

All queries of one call walk down together, level by level: their cache misses then overlap.
"""

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FANOUT = 16
_LINE = 8  # float64 values in a cache line


def level_offsets(capacity: int) -> Ints:
    """Where each level begins in the tree's array; the last entry is the root's place."""
    offsets = [0]
    nodes = capacity
    while True:
        nodes = -(-nodes // FANOUT)
        offsets.append(offsets[-1] + nodes * FANOUT)
        if nodes == 1:
            return np.array(offsets, np.int64)


@njit(cache=True)
def _node(tree: Floats, first: int, minima: bool) -> float:
    """The sum or minimum of the children from `first` on."""
    if minima:
        return float(tree[first : first + FANOUT].min())
    # Four chains of additions instead of one: shorter to wait for, and rounding less.
    a = (tree[first] + tree[first + 1]) + (tree[first + 2] + tree[first + 3])
    b = (tree[first + 4] + tree[first + 5]) + (tree[first + 6] + tree[first + 7])
    c = (tree[first + 8] + tree[first + 9]) + (tree[first + 10] + tree[first + 11])
    d = (tree[first + 12] + tree[first + 13]) + (tree[first + 14] + tree[first + 15])
    return float((a + b) + (c + d))


@njit(cache=True)
def set_leaves(tree: Floats, offsets: Ints, indices: Ints, values: Floats, minima: bool) -> None:
    """Write leaves in order, then recompute every node above them from its children.

    Recomputing, not adding differences, keeps rounding errors from growing with the updates.
    """
    for j in range(indices.size):
        tree[indices[j]] = values[j]
    for level in range(1, offsets.size):
        below, here = offsets[level - 1], offsets[level]
        nodes = (here - below) // FANOUT
        if nodes <= indices.size:
            for node in range(nodes):
                tree[here + node] = _node(tree, below + FANOUT * node, minima)
        else:
            for j in range(indices.size):
                node = indices[j] >> (4 * level)
                tree[here + node] = _node(tree, below + FANOUT * node, minima)


@njit(cache=True)
def reduce_range(tree: Floats, offsets: Ints, start: int, end: int, minima: bool) -> float:
    """Sum or minimum of the leaves in [start, end); 0 or infinity if there are none."""
    result = np.inf if minima else 0.0
    level = 0
    while start < end:
        # Ends that are not on a node's border are taken here, the whole nodes one level up.
        while start < end and start % FANOUT != 0:
            value = tree[offsets[level] + start]
            result = min(result, value) if minima else result + value
            start += 1
        while start < end and end % FANOUT != 0:
            end -= 1
            value = tree[offsets[level] + end]
            result = min(result, value) if minima else result + value
        start //= FANOUT
        end //= FANOUT
        level += 1
    return result


@njit(cache=True)
def descend(tree: Floats, offsets: Ints, rest: Floats) -> Ints:
    """For each prefix sum x the smallest leaf i with sum(0 … i) > x; `rest` (n,) is used up."""
    nodes = np.zeros(rest.size, np.int64)
    touched = 0.0
    for level in range(offsets.size - 2, -1, -1):
        below = offsets[level]
        if level < 2:
            # Ask for all cache lines before waiting for the first: a quarter less at 1e7 leaves.
            for j in range(rest.size):
                first = below + FANOUT * nodes[j]
                touched += tree[first] + tree[first + _LINE]
        for j in range(rest.size):
            first = below + FANOUT * nodes[j]
            left = rest[j]
            last_positive = -1
            child = 0
            while child < FANOUT:
                weight = tree[first + child]
                if left < weight:
                    break
                if weight > 0.0:
                    last_positive = child
                left -= weight
                child += 1
            if child == FANOUT:
                # Rounding carried it past the end: it belongs to the last leaf with any weight,
                # here and on all levels below.
                child = last_positive
                left = np.inf
            rest[j] = left
            nodes[j] = FANOUT * nodes[j] + child
    if touched < 0.0:  # Never so; without a use the compiler would drop the reads above.
        nodes[:] = 0
    return nodes


@njit(cache=True)
def sample(tree: Floats, offsets: Ints, uniforms: Floats) -> tuple[Ints, Floats]:
    """Leaves drawn in proportion to their values, and these values."""
    rest = uniforms * tree[tree.size - 1]
    indices = descend(tree, offsets, rest)
    for j in range(indices.size):
        rest[j] = tree[indices[j]]
    return indices, rest


def empty_tree(capacity: int, minima: bool) -> tuple[Floats, Ints]:
    """A tree whose leaves all hold the neutral element, and its level offsets."""
    offsets = level_offsets(capacity)
    size = int(offsets[-1]) + 1
    # Zeroed memory is only committed where it is written: a large buffer costs as it fills.
    memory = np.zeros(size + _LINE)
    # The 16 children of a node then fill two cache lines and never touch a third.
    start = -(memory.ctypes.data // memory.itemsize) % _LINE
    tree: Floats = memory[start : start + size]
    if minima:
        tree[:] = np.inf
    return tree, offsets


@cache
def warm() -> None:
    """Compile the kernels, or load them from disk, once, before they are needed in a loop."""
    tree, offsets = empty_tree(1, False)
    set_leaves(tree, offsets, np.zeros(1, np.int64), np.ones(1), False)
    reduce_range(tree, offsets, 0, 1, False)
    sample(tree, offsets, np.zeros(1))
