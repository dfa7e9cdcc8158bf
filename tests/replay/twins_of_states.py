"""What two buffers that should be one show, do and load."""

import copy
from typing import Any

import numpy as np

from ptan.experience.rows import Row

from .fakes import (
    RowKitchen,
    Scored,
    TaggedStep,
    feed,
)
from .oracles import drawn
from .state_trees import arrays_in, assert_plain

ROW_CLASSES = {"scored": Scored, "tagged_steps": TaggedStep}
OPERATIONS = ("extend", "populate", "sample", "update", "beta", "extend_own", "add")

Command = tuple[str, Any]


def seen(row: Any) -> Any:
    """Everything a row shows, as a tree."""
    if isinstance(row, Row):
        return {"class": type(row).__name__, **row.__dict__}
    return tuple(seen(step) for step in row)


def contents(buffer: Any) -> dict[str, Any]:
    """What a buffer shows without drawing from it."""
    shown = {
        "rows": [seen(row) for row in buffer],
        "slots": [seen(row) for row in buffer.buffer],
        "length": len(buffer),
        "pos": buffer.pos,
        "gamma": buffer.gamma,
    }
    if hasattr(buffer, "beta"):
        shown |= {"beta": buffer.beta, "stale": buffer.stale_updates}
    return shown


def sampled(buffer: Any, n: int) -> dict[str, Any]:
    """A batch with all of its columns."""
    batch = drawn(buffer.sample(n))
    names = ["states", "actions", "rewards", "last_states", "dones", "steps", "indices", "weights"]
    names += ["discounts", "lengths", *buffer._table.schema.extras]
    return {"rows": [seen(row) for row in batch]} | {name: getattr(batch, name) for name in names}


class Player:
    """Does the same things to several buffers, each fed by a source of its own."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed
        self.kitchen = RowKitchen(kind, seed)

    def source(self, skip: int = 0) -> Any:
        rows = feed(RowKitchen(self.kind, self.seed + 1), [])
        for _ in range(skip):
            next(rows)
        return rows

    def command(self, operation: str, n: int) -> Command:
        """An operation with all that chance has to say about it."""
        if operation in ("extend", "add"):
            return operation, [self.kitchen.recipe() for _ in range(n if operation != "add" else 1)]
        if operation == "update":
            rng = np.random.default_rng(n)
            return operation, (rng.random(n), 10.0 ** rng.uniform(-3, 3, n))
        return operation, n

    def do(self, buffer: Any, command: Command) -> Any:
        operation, what = command
        if operation in ("extend", "add"):
            return buffer.extend(recipe.make() for recipe in what)
        if operation == "populate":
            return buffer.populate(what)
        if operation == "extend_own":
            return buffer.extend(list(buffer)[:what])
        if operation == "sample" and len(buffer):
            return sampled(buffer, what + 1)
        if operation == "update" and len(buffer) and hasattr(buffer, "update_priorities"):
            return buffer.update_priorities((what[0] * buffer._table.end).astype(np.int64), what[1])
        if operation == "beta" and hasattr(buffer, "update_beta"):
            return buffer.update_beta(what * 10_000)
        return None


def loaded(buffer: Any, fresh: Any, kind: str = "") -> Any:
    """`fresh` with the state of `buffer`, by way of a copy that takes no part in anything later."""
    state = copy.deepcopy(buffer.state_dict())
    assert_plain(state)
    fresh.load_state_dict(state, row_class=ROW_CLASSES.get(kind))
    for array in arrays_in(state):
        array[...] = 77  # whoever still reads it will notice
    return fresh
