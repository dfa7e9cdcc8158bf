"""State trees of buffers: what writing and reading them share.

* `entries`, `whole`, `real`, `array` …: parts of a state, checked as they are taken out
* `schema_state`, `schema_from_state`: what the rows of a buffer look like, in plain words
"""

import reprlib
from collections.abc import Collection, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

from ptan.experience.layout import Array, Layout, Leaf
from ptan.experience.rows import Experience, ExperienceFirstLast, Row
from ptan.experience.transitions import Schema

_ROW_KINDS: dict[str, type[Row]] = {
    "Experience": Experience,
    "ExperienceFirstLast": ExperienceFirstLast,
}
_KEY_TYPES = (str, int, bool, type(None))
_MOST_BYTES = 2**48  # of one value: more is a broken state, not an observation
_SCALARS = (np.dtype(np.bool_), np.dtype(np.int64), np.dtype(np.float64))


# Parts of a state.


def entries(value: Any, names: Collection[str], where: str) -> Mapping[Any, Any]:
    """A dict with exactly these entries.

    Raises:
        TypeError: no dict.
        ValueError: entries are missing, or nobody knows them.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a dict, got {shown(value)}")
    if value.keys() != set(names):
        raise ValueError(f"{where} must have the entries {list(names)}, got {list(value)}")
    return value


def check_equal(mine: Mapping[str, Any], saved: Mapping[Any, Any]) -> None:
    """Raise unless what a state says of its buffer is true of this one.

    Raises:
        ValueError: an entry of `mine` differs in value or type from that in `saved`.
    """
    for name, value in mine.items():
        if type(saved[name]) is not type(value) or saved[name] != value:
            raise ValueError(
                f"state must be of a buffer with {name}={value!r}, like this one, "
                f"got {name}={shown(saved[name])}"
            )


def whole(value: Any, least: int, most: int, where: str) -> int:
    """An int in [least, most].

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{where} must be an int, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{where} must be in [{least}, {most}], got {value}")
    return int(value)


def real(value: Any, least: float, most: float, where: str) -> float:
    """A float in [least, most].

    Raises:
        TypeError, ValueError: anything else.
    """
    if not isinstance(value, float):
        raise TypeError(f"{where} must be a float, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{where} must be in [{least}, {most}], got {value}")
    return float(value)


def array(value: Any, dtype: np.dtype[Any], shape: tuple[int | None, ...], where: str) -> Array:
    """An array of this dtype and shape; None stands for any length.

    Raises:
        TypeError: no array.
        ValueError: another dtype or shape.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{where} must be an array, got {shown(value)}")
    fits = len(shape) == value.ndim and all(
        wanted in (None, length) for wanted, length in zip(shape, value.shape, strict=True)
    )
    if value.dtype != dtype or not fits:
        lengths = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{where} must be {dtype} of shape ({lengths}), got {shown(value)}")
    return np.asarray(value)


def sequence(value: Any, where: str) -> list[Any]:
    """The items of a list or tuple.

    Raises:
        TypeError: neither of them.
    """
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{where} must be a list, got {shown(value)}")
    return list(value)


def shown(value: Any) -> str:
    """A value in an error text, however large it is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return reprlib.repr(value)


# What rows look like.


def schema_state(schema: Schema) -> dict[str, Any]:
    """The schema in words, numbers, lists and dicts.

    Raises:
        TypeError: rows hold something that only Python objects can hold; the text says where.
    """
    for name, layout in _fields(schema):
        for path, leaf in _leaf_paths(layout, name):
            if leaf.opaque:
                raise TypeError(
                    f"this buffer cannot be saved: {path} of its rows is kept as Python objects, "
                    "and only numbers and arrays of numbers can be saved"
                )
    base = Experience if issubclass(schema.row_class, Experience) else ExperienceFirstLast
    own = schema.row_class is not base
    return {
        "row_kind": base.__name__,
        "row_class": schema.row_class.__name__ if own else None,
        "windows": schema.windows,
        "state": _layout_state(schema.state),
        "action": _leaf_state(schema.action),
        "reward": _leaf_state(schema.reward),
        "extras": {name: _leaf_state(leaf) for name, leaf in schema.extras.items()},
    }


def schema_from_state(state: Any, known: type[Row] | None, where: str) -> Schema:
    """The schema that `schema_state` put into words.

    Args:
        state: its words.
        known: the class of the rows, where it is not one of this library.
        where: what the texts call the state.

    Raises:
        TypeError, ValueError: the words make no schema, or the class is not known or another one.
    """
    names = ("row_kind", "row_class", "windows", "state", "action", "reward", "extras")
    parts = entries(state, names, where)
    kind, windows, extras = parts["row_kind"], parts["windows"], parts["extras"]
    if not isinstance(kind, str) or kind not in _ROW_KINDS:
        raise ValueError(f"{where}['row_kind'] must be one of {list(_ROW_KINDS)}, got {kind!r}")
    if not isinstance(windows, bool) or (windows and kind != "Experience"):
        raise ValueError(f"{where}['windows'] must be a bool, false for {kind}, got {windows!r}")
    row_class = _row_class(_ROW_KINDS[kind], parts["row_class"], known, where)
    added = row_class.field_names()[len(row_class._fields) :]
    extras = entries(extras, added, f"{where}['extras']")
    reward = _leaf(parts["reward"], f"{where}['reward']")
    if reward.dtype.kind not in "biuf" or (reward.scalar and reward.dtype != np.float64):
        raise ValueError(f"{where}['reward'] must be of real numbers, got {reward}")
    return Schema(
        row_class=row_class,
        windows=windows,
        state=_layout(parts["state"], f"{where}['state']"),
        action=_leaf(parts["action"], f"{where}['action']"),
        reward=reward,
        extras={name: _leaf(extras[name], f"{where}['extras'][{name!r}]") for name in added},
    )


def _row_class(kind: type[Row], name: str | None, known: type[Row] | None, where: str) -> type[Row]:
    """The class that a state names; classes are never looked up by name."""
    if name is None:
        if known is not None and known is not kind:
            raise ValueError(
                f"row_class must be {kind.__name__}, like the rows saved, got {known.__name__}"
            )
        return kind
    if not isinstance(name, str):
        raise TypeError(f"{where}['row_class'] must be a name or None, got {shown(name)}")
    if known is None:
        raise ValueError(
            f"the rows saved are of class {name}, a subclass of {kind.__name__}: "
            f"give that class, load_state_dict(state, row_class={name})"
        )
    if known.__name__ != name or not issubclass(known, kind) or known is kind:
        raise ValueError(
            f"row_class must be {name}, a subclass of {kind.__name__}, like the rows saved, "
            f"got {known.__name__}"
        )
    return known


def _fields(schema: Schema) -> Iterator[tuple[str, Layout]]:
    yield from (("state", schema.state), ("action", schema.action), ("reward", schema.reward))
    yield from schema.extras.items()


def _leaf_paths(layout: Layout, path: str) -> Iterator[tuple[str, Leaf]]:
    if isinstance(layout, Leaf):
        yield path, layout
        return
    for key, part in layout.items() if isinstance(layout, dict) else enumerate(layout):
        yield from _leaf_paths(part, f"{path}[{key!r}]")


def _layout_state(layout: Layout) -> dict[str, Any]:
    if isinstance(layout, Leaf):
        return _leaf_state(layout)
    if isinstance(layout, tuple):
        return {"tuple": [_layout_state(part) for part in layout]}
    for key in layout:
        if type(key) not in _KEY_TYPES:
            raise TypeError(
                f"this buffer cannot be saved: its observations have the key {key!r}, and only "
                "text, ints, bools and None can be saved as keys"
            )
    # A list of pairs: the order of the parts is that of the stores.
    return {"dict": [[key, _layout_state(part)] for key, part in layout.items()]}


def _layout(state: Any, where: str) -> Layout:
    if not isinstance(state, Mapping) or state.keys() not in ({"dict"}, {"tuple"}):
        return _leaf(state, where)
    if "tuple" in state:
        parts = sequence(state["tuple"], where)
        return tuple(_layout(part, f"{where}[{i}]") for i, part in enumerate(parts))
    layout: dict[Any, Layout] = {}
    for pair in sequence(state["dict"], where):
        key, part = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (object(), 0)
        if type(key) not in _KEY_TYPES or key in layout:
            raise ValueError(
                f"{where} must be pairs of a key and a layout, each key once, got {shown(pair)}"
            )
        layout[key] = _layout(part, f"{where}[{key!r}]")
    return layout


def _leaf_state(leaf: Leaf) -> dict[str, Any]:
    return {"shape": list(leaf.shape), "dtype": leaf.dtype.str, "scalar": leaf.scalar}


def _leaf(state: Any, where: str) -> Leaf:
    parts = entries(state, ("shape", "dtype", "scalar"), where)
    lengths = sequence(parts["shape"], f"{where}['shape']")
    shape = tuple(whole(n, 0, _MOST_BYTES, f"{where}['shape']") for n in lengths)
    text, scalar = parts["dtype"], parts["scalar"]
    dtype = _dtype(text)
    if dtype is None or prod(shape) * dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"{where} must be an array of numbers, got {shown(dict(parts))}")
    if not isinstance(scalar, bool) or (scalar and (shape or dtype not in _SCALARS)):
        raise ValueError(f"{where}['scalar'] must be a bool that fits the rest, got {scalar!r}")
    return Leaf(shape, dtype, scalar)


def _dtype(text: Any) -> np.dtype[Any] | None:
    """The dtype of numbers that a text names exactly; None if there is none."""
    try:
        dtype = np.dtype(text) if isinstance(text, str) else None
    except (TypeError, ValueError, SyntaxError):
        return None
    known = dtype is not None and dtype.kind in "biufc" and dtype.str == text
    return dtype if known else None
