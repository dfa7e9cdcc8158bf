"""States of buffers in tests: two buffers that should be one, and every way to break a state."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from ptan.experience.rows import Row

from .fakes import (
    RowKitchen,
    Scored,
    TaggedStep,
    feed,
)
from .oracles import drawn, same

Path = tuple[Any, ...]


def assert_plain(tree: Any, where: str = "state") -> None:
    """The tree holds nothing but what a checkpoint can write."""
    if isinstance(tree, dict):
        assert type(tree) is dict, where
        for key, part in tree.items():
            assert type(key) in (str, int), f"{where}: key {key!r}"
            assert_plain(part, f"{where}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        assert type(tree) in (list, tuple), where
        for i, part in enumerate(tree):
            assert_plain(part, f"{where}[{i}]")
    elif isinstance(tree, np.ndarray):
        assert type(tree) is np.ndarray, where
        assert tree.dtype.kind in "biufc", where
    else:
        assert tree is None or type(tree) in (bool, int, float, str), f"{where}: {tree!r}"


def assert_same_tree(a: Any, b: Any, where: str = "state") -> None:
    """Equal to the bit, order of the entries included."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same_tree(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same_tree(x, y, f"{where}[{i}]")
    else:
        assert same(a, b), f"{where}: {a!r} is not {b!r}"


def arrays_in(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, np.ndarray):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [a for part in parts for a in arrays_in(part)] if isinstance(tree, (dict, list)) else []


def paths_in(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every part of the tree, the whole first."""
    yield path, tree
    if isinstance(tree, (dict, list, tuple)):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from paths_in(part, (*path, key))


def with_part(tree: Any, path: Path, part: Any) -> Any:
    """The tree with one part replaced; the others are shared with it."""
    if not path:
        return part
    copied = dict(tree) if isinstance(tree, dict) else list(tree)
    copied[path[0]] = with_part(tree[path[0]], path[1:], part)
    return copied


def broken_parts(part: Any, rng: np.random.Generator) -> Iterator[Any]:
    """Other things in the place of a part: other types, sizes and values."""
    yield from (None, "nonsense", 3, -1, 2.5, True, [], {}, [[]], np.zeros(2), object())
    if isinstance(part, dict):
        for key in part:
            yield {k: v for k, v in part.items() if k != key}
        yield {**part, "unknown": 1}
        yield {**part, 7: None}
        yield list(part.items())
    elif isinstance(part, (list, tuple)):
        yield from (part[:-1], part[1:], [*part, *part[:1]], list(part)[::-1], [None] * len(part))
    elif isinstance(part, np.ndarray):
        yield from _broken_arrays(part, rng)
    elif isinstance(part, float):
        yield from (float("nan"), float("inf"), -0.5, 0.0, 1.0, 1e300, -1e300)
    elif isinstance(part, int):
        yield from (part + 1, part - 1, not part, 2 * part + 5, 0, 2**31, 2**63, 10**40, -(10**40))
    elif isinstance(part, str):
        yield from ("", part + "x", part.upper(), part.encode())


def _broken_arrays(array: np.ndarray, rng: np.random.Generator) -> Iterator[Any]:
    yield array.tolist()
    yield array.astype(object)
    yield array.astype(array.dtype.newbyteorder())
    yield array.astype(np.float32 if array.dtype != np.float32 else np.float64)
    yield array.astype(np.int64 if array.dtype != np.int64 else np.int32)
    yield array.astype("S8")
    for axis in range(array.ndim):
        yield array.take(range(array.shape[axis] - 1), axis=axis, mode="clip")
        yield np.concatenate([array, array], axis=axis)
        yield np.flip(array, axis)
        yield array.take([], axis=axis)
    yield array[None]
    yield array.reshape(-1, 1)
    yield array.ravel()
    values: list[Any] = [0, 1, 2, 7]
    if array.dtype.kind == "f":
        values += [np.nan, np.inf, -np.inf, -1.0, 0.5, 1e30]
    elif array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        values += [limits.max, limits.min, limits.max // 2]
        values += [-1] if limits.min else []
    for value in values if array.size else []:
        yield np.full_like(array, value)
        for _ in range(3):
            changed = array.copy()
            changed.flat[rng.integers(array.size)] = value
            yield changed


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
        array[...] = 77  # a buffer that still reads it shows it
    return fresh
