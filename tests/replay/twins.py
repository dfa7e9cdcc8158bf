"""A buffer and a plain list of rows that go through the same operations."""

import copy
import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from ptan.experience import Experience

from .fakes import GAMMA, feed, make_buffer
from .oracles import (
    PlainBuffer,
    Recipe,
    assert_holds,
    assert_invariants,
    assert_sample,
    is_steps,
    same,
    scribble,
)

OPERATIONS = (
    "add", "extend", "populate", "refused", "sample", "pickle", "extend_own", "reload", "update"
)  # fmt: skip


class Twins:
    """A buffer and a plain list that are given the same rows."""

    def __init__(self, kitchen: Any, buffer_kind: str, capacity: int) -> None:
        self.kitchen, self.kind = kitchen, buffer_kind
        self.served: list[Recipe] = []
        self.buffer = make_buffer(buffer_kind, feed(kitchen, self.served), capacity, GAMMA)
        self.plain = PlainBuffer(capacity)

    def do(self, operation: str, n: int) -> None:
        getattr(self, operation)(n)
        assert_holds(self.buffer, self.plain, GAMMA)
        assert_invariants(self.buffer)

    def _note(self, recipes: list[Recipe]) -> None:
        self.plain.extend(recipe.make() for recipe in recipes)

    def add(self, n: int) -> None:
        recipe = self.kitchen.recipe()
        row = recipe.make()
        self.buffer.add(row)
        self._note([recipe])
        scribble(row)

    def extend(self, n: int) -> None:
        recipes = [self.kitchen.recipe() for _ in range(n)]
        rows = [recipe.make() for recipe in recipes]
        self.buffer.extend(rows)
        self._note(recipes)
        scribble(tuple(rows))

    def extend_own(self, n: int) -> None:
        self.buffer.extend(list(self.buffer)[:n])
        self.plain.extend(self.plain.rows[:n])

    def populate(self, n: int) -> None:
        if self.buffer.experience_source_iter is None:  # As after loading.
            self.buffer.experience_source_iter = feed(self.kitchen, self.served)
        before = len(self.served)
        self.buffer.populate(n)
        assert len(self.served) == before + n
        self._note(self.served[before:])

    def refused(self, n: int) -> None:
        if self.plain.rows:
            rows = [self.kitchen.recipe().make() for _ in range(n % 5 + 1)]
            with pytest.raises((ValueError, TypeError)):
                self.buffer.extend([*rows, _spoiled(rows[-1], n), *rows])

    def sample(self, n: int) -> None:
        if self.plain.rows:
            assert_sample(self.buffer, self.plain, n + 1, GAMMA)

    def update(self, n: int) -> None:
        if self.kind != "uniform":
            numbers = np.arange(self.plain.first, self.plain.added)[:n]
            self.buffer.update_priorities(numbers, 0.5 + numbers % 3)
            self.buffer.update_beta(1000 * n)

    def pickle(self, n: int) -> None:
        self.buffer = pickle.loads(pickle.dumps(self.buffer))

    def reload(self, n: int) -> None:
        fresh = make_buffer(self.kind, None, self.plain.capacity, GAMMA, seed=n)
        self.buffer = reloaded(self.buffer, fresh, self.plain.rows)


def _spoiled(row: Any, how: int) -> Any:
    """The row with one thing wrong; in a tuple of steps, the last step."""
    if isinstance(row, tuple):
        return (*row[:-1], _spoiled(row[-1], how))
    ended = {"done": True} if isinstance(row, Experience) else {"last_state": None}
    changes: list[dict[str, Any]] = [
        {"reward": row.reward * float("nan")},
        {"reward": np.zeros(5)},
        {"state": np.zeros((2, 5), np.float32)},
        {"action": {"a": 1}},
        {"truncated": True, "terminated": None, "final_state": None, **ended},
    ]
    return row._replace(**changes[how % len(changes)])


def reloaded(buffer: Any, fresh: Any, rows: Any = ()) -> Any:
    """`fresh` with the state of `buffer`, of which a copy is loaded and then spoiled."""
    state = copy.deepcopy(buffer.state_dict())
    _make_read_only(state)
    kept = copy.deepcopy(state)
    row_class = type(rows[0][0] if is_steps(rows[0]) else rows[0]) if rows else None
    fresh.load_state_dict(state, row_class=row_class)
    assert same(state, kept), "loading changed the state"
    for array in arrays_in(state):
        array.flags.writeable = True
        array[...] = 77  # a buffer that still reads it shows it
    return fresh


def _make_read_only(tree: Any, where: str = "state") -> None:
    """Make the arrays read-only, and check that all else is what a checkpoint can write."""
    if isinstance(tree, (dict, list)):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            assert type(key) in (str, int), f"{where}: key {key!r}"
            _make_read_only(part, f"{where}[{key!r}]")
    elif isinstance(tree, np.ndarray):
        assert tree.dtype.kind in "biufc", where
        tree.flags.writeable = False
    else:
        assert tree is None or type(tree) in (bool, int, float, str), f"{where}: {tree!r}"


def arrays_in(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, np.ndarray):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [array for part in parts for array in arrays_in(part)]


class Recorded:
    """Serves recorded recipes one after another, from the start again after the last."""

    def __init__(self, recipes: list[Recipe], start: int) -> None:
        self.endless = itertools.cycle(recipes)
        for _ in range(start):
            next(self.endless)

    def recipe(self) -> Recipe:
        return next(self.endless)
