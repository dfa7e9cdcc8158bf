"""A buffer and a plain list of rows that go through the same operations."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from ptan.experience import Experience

from .fakes import GAMMA, feed, make_buffer
from .oracles import PlainBuffer, Recipe, assert_holds, assert_sample, scribble

OPERATIONS = (
    "add",
    "extend",
    "populate",
    "populate_one",
    "refused",
    "sample",
    "pickle",
    "extend_own",
)


class Twins:
    """A buffer and a plain list that are given the same rows."""

    def __init__(self, kitchen: Any, buffer_kind: str, capacity: int) -> None:
        self.kitchen = kitchen
        self.served: list[Recipe] = []
        self.buffer = make_buffer(buffer_kind, feed(kitchen, self.served), capacity, GAMMA)
        self.plain = PlainBuffer(capacity)

    def do(self, operation: str, n: int) -> None:
        getattr(self, operation)(n)
        assert_holds(self.buffer, self.plain, GAMMA)

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
        for row in rows:
            scribble(row)

    def extend_own(self, n: int) -> None:
        rows = list(self.buffer)[:n]
        self.buffer.extend(rows)
        self.plain.extend(self.plain.rows[:n])

    def populate(self, n: int) -> None:
        if self.buffer.experience_source_iter is None:  # As after loading.
            self.buffer.experience_source_iter = feed(self.kitchen, self.served)
        before = len(self.served)
        self.buffer.populate(n)
        assert len(self.served) == before + n
        self._note(self.served[before:])

    def populate_one(self, n: int) -> None:
        for _ in range(n % 4):
            self.populate(1)

    def refused(self, n: int) -> None:
        if not self.plain.rows:
            return
        rows = [self.kitchen.recipe().make() for _ in range(n % 5)]
        last = rows[-1] if rows else self.kitchen.recipe().make()
        with pytest.raises((ValueError, TypeError)):
            self.buffer.extend([*rows, _spoiled(last, n), *rows])

    def sample(self, n: int) -> None:
        if self.plain.rows:
            assert_sample(self.buffer, self.plain, n + 1, GAMMA)

    def pickle(self, n: int) -> None:
        if n > 5:
            self.buffer = pickle.loads(pickle.dumps(self.buffer))


def _spoiled(row: Any, how: int) -> Any:
    """The row with one thing wrong; in a tuple of steps, the last step."""
    if isinstance(row, tuple):
        return (*row[:-1], _spoiled(row[-1], how))
    changes: list[dict[str, Any]] = [
        {"reward": row.reward * float("nan")},
        {"reward": np.zeros(5)},
        {"state": np.zeros((2, 5), np.float32)},
        {"action": {"a": 1}},
        {"truncated": True, "terminated": None, "final_state": None, **_ended(row)},
    ]
    return row._replace(**changes[how % len(changes)])


def _ended(row: Any) -> dict[str, Any]:
    return {"done": True} if isinstance(row, Experience) else {"last_state": None}


class Recorded:
    """Serves recorded recipes one after another, from the start again after the last."""

    def __init__(self, recipes: list[Recipe], start: int) -> None:
        self.endless = itertools.cycle(recipes)
        for _ in range(start):
            next(self.endless)

    def recipe(self) -> Recipe:
        return next(self.endless)
