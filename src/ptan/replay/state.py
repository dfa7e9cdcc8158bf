"""The state of a row table as plain data: words, numbers and arrays.

* `table_state`, `table_from_state`: there and back
* `entries`, `array`, `whole`: parts of a state, checked as they are taken out
"""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ptan.common.checks import whole_number
from ptan.experience.flags import ENDED, INT_REWARD, KEEPS_LAST, NO_FINAL, TERMINATED
from ptan.experience.layout import (
    Array,
    Layout,
    Leaf,
    layout_words,
    layout_written,
    leaves_of,
)
from ptan.experience.rows import Experience, ExperienceFirstLast, Row
from ptan.experience.transitions import Schema
from ptan.replay.frames import FrameStore, Store
from ptan.replay.table import RowTable

_ROWS = (Experience, ExperienceFirstLast)
_STORED_FLAGS = ENDED | INT_REWARD | KEEPS_LAST | NO_FINAL
_SCALARS = (np.dtype(np.bool_), np.dtype(np.int64), np.dtype(np.float64))
_PARTS = ("schema", "first", "end", "width", "columns", "extras", "lengths", "stores")


def table_state(table: RowTable) -> dict[str, Any]:
    """The slots ever written, as views of the columns and stores.

    Raises:
        TypeError: a column holds Python objects.
    """
    schema = _schema_state(table)
    table.recover()
    used = min(table.end, table.capacity)
    return {
        "schema": schema,
        "first": table.first,
        "end": table.end,
        "width": table.width,
        "columns": {name: column[:used] for name, column in table.columns.items()},
        "extras": {name: column[:used] for name, column in table.extras.items()},
        "lengths": table.lengths[:used],
        "stores": [_store_state(store, used) for store in table.stores],
    }


def table_from_state(state: Any, capacity: int, row_class: type[Row] | None) -> RowTable:
    """A table of this capacity with the rows of a state, which stays as it is.

    Args:
        state: what `table_state` returned.
        capacity: rows in the ring.
        row_class: of the rows, where it is not one of this library.

    Raises:
        TypeError, ValueError: the state is broken, contradicts itself, or needs another class.
    """
    where = "state['rows']"
    parts = entries(state, _PARTS, where)
    schema = _schema(parts["schema"], row_class, f"{where}['schema']")
    end = whole(parts["end"], 1, 2**62, f"{where}['end']")
    first = whole(parts["first"], max(0, end - capacity), end, f"{where}['first']")
    width = whole(parts["width"], 1, 2**20 if schema.windows else 1, f"{where}['width']")
    try:
        table = RowTable(schema, capacity, width)
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"{where}['schema'] does not fit into memory: {error}") from None
    used = min(end, capacity)
    for kind, columns in (("columns", table.columns), ("extras", table.extras)):
        saved = entries(parts[kind], columns, f"{where}[{kind!r}]")
        for name, column in columns.items():
            part = column[:used]
            part[...] = array(saved[name], part.dtype, part.shape, f"{where}[{kind!r}][{name!r}]")
    lengths = table.lengths[:used]
    lengths[...] = array(parts["lengths"], lengths.dtype, lengths.shape, f"{where}['lengths']")
    table.first, table.end = first, end
    there = _check_columns(table, used, where)
    stores = parts["stores"]
    if not isinstance(stores, (list, tuple)) or len(stores) != len(table.stores):
        raise ValueError(f"{where}['stores'] must be a list of {len(table.stores)}")
    for i, (store, saved) in enumerate(zip(table.stores, stores, strict=True)):
        _load_store(store, saved, there, (first, end), f"{where}['stores'][{i}]")
    return table


def _check_columns(table: RowTable, used: int, where: str) -> Array:
    """Which steps are there, (used, L) bool, after a look at the columns that say so.

    Raises:
        ValueError: columns contradict one another, or hold what no row has.
    """
    slots = np.arange(used)
    here = table.first + (slots - table.first) % table.capacity < table.end
    lengths = table.lengths[:used] if table.schema.windows else np.ones(used, np.int32)
    there: Array = here[:, None] & (np.arange(table.width) < lengths[:, None])
    rewards, discounts, steps, flags = (
        table.columns[name][:used][here] for name in ("rewards", "discounts", "steps", "flags")
    )
    wrong = {
        "lengths": ((lengths < 1) | (lengths > table.width))[here],
        "steps": (steps.reshape(len(steps), table.width) > 0) != there[here],
        "discounts": (discounts < 0.0) | (discounts > np.where(flags & TERMINATED, 0.0, 1.0)),
        "flags": flags & ~np.uint8(_STORED_FLAGS),
        "rewards": ~np.isfinite(rewards[flags & INT_REWARD != 0]),
    }
    for name, values in wrong.items():
        if values.any():
            raise ValueError(f"{where} is broken: its {name!r} hold values that no row has")
    return there


def _store_state(store: Store, used: int) -> dict[str, Any]:
    """The frames and tables in use, as views; `used` slots of the ring were ever written.

    frames  (touched, bytes) uint8: those in use and those given back
    free    stack of the frames given back
    refs    (columns, used, k) int32: the frames of each row
    cache   (2^b,) int32: by it frames are found again
    """
    assert isinstance(store, FrameStore)
    free, touched, _ = store.counts.tolist()
    return {
        "frames": store.frames[:touched].view(np.uint8),
        "free": store.free[:free],
        "refs": store.refs[:, :used],
        "cache": store.cache,
    }


def _load_store(store: Store, state: Any, there: Array, rows: tuple[int, int], where: str) -> None:
    """Fill a new store of observations.

    Args:
        store: without rows.
        state: what `_store_state` returned.
        there: (used, L) bool, true where the row of a slot has a step, and so two observations.
        rows: numbers of the first row and of the one after the last.
        where: what the texts call the state.
    """
    assert isinstance(store, FrameStore)
    parts = entries(state, ("frames", "free", "refs", "cache"), where)
    refs = store.refs[:, : len(there)]
    word_bytes = store.frames.shape[1] * store.word.itemsize
    frames = array(parts["frames"], np.uint8, (None, word_bytes), f"{where}['frames']")
    touched = len(frames)
    refs[...] = array(parts["refs"], np.int32, refs.shape, f"{where}['refs']")
    cache = array(parts["cache"], np.int32, (None,), f"{where}['cache']")
    free = array(parts["free"], np.int32, (None,), f"{where}['free']")
    for name, table in (("refs", refs), ("cache", cache)):
        if ((table < -1) | (table >= touched)).any():
            raise ValueError(f"{where}[{name!r}] must be frame numbers in [-1, {touched})")
    if len(cache) == 0 or len(cache) & (len(cache) - 1):
        raise ValueError(f"{where}['cache'] must be as long as a power of two, got {len(cache)}")
    by_step = refs.reshape(-1, 2, len(there), store.k)
    if ((by_step >= 0) != there.T[:, None, :, None]).any():
        raise ValueError(f"{where}['refs'] must be frames where rows are, and -1 elsewhere")
    store.cache = cache.copy()
    store.fill(frames, rows)
    if not np.array_equal(np.sort(free), store.free[: store.counts[0]]):
        raise ValueError(f"{where}['free'] must be the frames that no row refers to, each once")
    store.free[: len(free)] = free


# What rows look like.


def _schema_state(table: RowTable) -> dict[str, Any]:
    schema = table.schema
    reward = Leaf(schema.reward.shape, table.columns["rewards"].dtype, schema.reward.scalar)
    return {
        "row_class": schema.row_class.__name__,
        "windows": schema.windows,
        "state": _words(schema.state, "state"),
        "action": _words(schema.action, "action"),
        "reward": _words(reward, "reward"),
        "extras": {name: _words(leaf, name) for name, leaf in schema.extras.items()},
    }


def _schema(words: Any, known: type[Row] | None, where: str) -> Schema:
    """The schema that `_schema_state` put into words; classes are never looked up by name."""
    names = ("row_class", "windows", "state", "action", "reward", "extras")
    parts = entries(words, names, where)
    name = parts["row_class"]
    row_class = known or next((cls for cls in _ROWS if cls.__name__ == name), None)
    if row_class is None or row_class.__name__ != name or not issubclass(row_class, _ROWS):
        raise ValueError(
            f"row_class must be {name}, the class of the rows saved, got {known}: call "
            f"load_state_dict(state, row_class={name})"
        )
    added = row_class.field_names()[len(row_class._fields) :]
    extras = entries(parts["extras"], added, f"{where}['extras']")
    try:
        schema = Schema(
            row_class=row_class,
            windows=parts["windows"] is True,
            state=_layout(parts["state"]),
            action=_leaf(parts["action"]),
            reward=_leaf(parts["reward"]),
            extras={name: _leaf(leaf) for name, leaf in extras.items()},
        )
    except (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError) as e:
        raise ValueError(f"{where} must say what the rows look like: {e!r}") from None
    single = schema.windows and not issubclass(row_class, Experience)
    if single or schema.reward.dtype.kind not in "biuf":
        raise ValueError(f"{where} must be of rows with rewards that are numbers, got {schema}")
    return schema


def _words(layout: Layout, path: str) -> dict[str, Any]:
    """A layout in words, numbers, lists and dicts.

    Raises:
        TypeError: something in it cannot be saved.
    """
    if isinstance(layout, Leaf) and layout.opaque:
        raise TypeError(
            f"this buffer cannot be saved: {path} of its rows is kept as Python objects, and "
            "only numbers and arrays of numbers can be saved"
        )
    if not isinstance(layout, Leaf):
        parts = layout.items() if isinstance(layout, dict) else enumerate(layout)
        for key, part in parts:
            if type(key) not in (str, int, bool, type(None)):
                raise TypeError(
                    f"this buffer cannot be saved: its observations have the key {key!r}, and only "
                    "text, ints, bools and None can be saved as keys"
                )
            _words(part, f"{path}[{key!r}]")
    return layout_words(layout)


def _layout(words: Any) -> Layout:
    layout = layout_written(words)
    if _words(layout, "") != words:
        raise ValueError(f"no nested arrays: {words!r}")
    for leaf in leaves_of(layout):
        unknown = leaf.dtype.kind not in "biufc"
        if unknown or (leaf.scalar and (leaf.shape or leaf.dtype not in _SCALARS)):
            raise ValueError(f"no array of numbers: {leaf}")
    return layout


def _leaf(words: Any) -> Leaf:
    leaf = _layout(words)
    if not isinstance(leaf, Leaf):
        raise ValueError(f"no array of numbers: {words!r}")
    return leaf


# Parts of a state.


def entries(value: Any, names: Iterable[str], where: str) -> Mapping[Any, Any]:
    """A dict with exactly these entries."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a dict, got {reprlib.repr(value)}")
    if value.keys() != set(names):
        raise ValueError(f"{where} must have the entries {list(names)}, got {list(value)}")
    return value


def whole(value: Any, least: int, most: int, where: str) -> int:
    """An int in [least, most]."""
    if whole_number(where, value, least) > most:
        raise ValueError(f"{where} must be at most {most}, got {value}")
    return int(value)


def array(value: Any, dtype: npt.DTypeLike, shape: tuple[int | None, ...], where: str) -> Array:
    """An array of this dtype and shape; None stands for any length."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{where} must be an array, got {reprlib.repr(value)}")
    wanted = [n if m is None else m for m, n in zip(shape, value.shape, strict=False)]
    if value.dtype != dtype or len(shape) != value.ndim or tuple(wanted) != value.shape:
        raise ValueError(
            f"{where} must be {np.dtype(dtype)} of shape {shape}, "
            f"got {value.dtype} of shape {value.shape}"
        )
    return value
