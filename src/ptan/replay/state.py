"""The state of a row table as plain data: words, numbers and arrays, there and back."""

from dataclasses import replace
from typing import Any

from ptan.common.checks import check_entries, saved_array, whole_number
from ptan.common.types import Array, SavedState, State
from ptan.experience.layout import Leaf, layout_words, layout_written, leaves_of
from ptan.experience.rows import Experience, ExperienceFirstLast, Row
from ptan.experience.transitions import Schema
from ptan.replay.frames import FrameStore
from ptan.replay.table import RowTable

_ROWS = (Experience, ExperienceFirstLast)
_NUMBERS = set("biufc")


def table_state(table: RowTable) -> State:
    """The slots ever written, as views of the columns and stores.

    Raises:
        TypeError: a column holds Python objects.
    """
    schema = table.schema
    layouts = {"state": schema.state, "action": schema.action, **schema.extras}
    for name, layout in layouts.items():
        if any(leaf.opaque for leaf in leaves_of(layout)):
            raise TypeError(
                f"this buffer cannot be saved: {name} of its rows is kept as Python objects, and "
                "only numbers and arrays of numbers can be saved"
            )
    table.recover()
    return {"schema": _schema_state(table), "width": table.width, **_parts(table)}


def table_from_state(state: SavedState, capacity: int, row_class: type[Row] | None) -> RowTable:
    """A table of this capacity with the rows of a state, which stays as it is.

    Args:
        state: what `table_state` returned.
        capacity: rows in the ring.
        row_class: of the rows, where it is not one of this library.

    Raises:
        TypeError, ValueError: the state is not of this form, or needs another class.
    """
    where = "state['rows']"
    check_entries(state, ("schema", "width", "first", "end", "slots", "stores"), where)
    schema = _schema(f"{where}['schema']", state["schema"], row_class)
    width = whole_number(f"{where}['width']", state["width"], most=2**20)
    try:
        table = RowTable(schema, capacity, width)
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"{where}['schema'] does not fit into memory: {error}") from None
    table.end = whole_number(f"{where}['end']", state["end"], most=2**62)
    oldest = max(0, table.end - capacity)
    table.first = whole_number(f"{where}['first']", state["first"], oldest, table.end)
    _fill(f"{where}['slots']", _parts(table)["slots"], state["slots"])
    stores = [store for store in table.stores if isinstance(store, FrameStore)]
    saved = state["stores"]
    if not isinstance(saved, (list, tuple)) or len(saved) != len(stores):
        raise ValueError(f"{where}['stores'] must be a list of {len(stores)}")
    for i, store in enumerate(stores):
        store.load(f"{where}['stores'][{i}]", saved[i], table.first, table.end)
    return table


def _parts(table: RowTable) -> State:
    used = min(table.end, table.capacity)
    return {
        "first": table.first,
        "end": table.end,
        "slots": {
            **{name: column[:used] for name, column in table.columns.items()},
            "lengths": table.lengths[:used],
            "extras": {name: column[:used] for name, column in table.extras.items()},
        },
        "stores": [s.state(used) for s in table.stores if isinstance(s, FrameStore)],
    }


def _fill(name: str, target: Any, saved: Any) -> None:
    """Copy saved arrays into those that must be like them."""
    if isinstance(target, dict):
        check_entries(saved, target, name)
        for key, part in target.items():
            _fill(f"{name}[{key!r}]", part, saved[key])
    else:
        array: Array = target
        array[...] = saved_array(name, saved, array.dtype, array.shape)


def _schema_state(table: RowTable) -> State:
    schema = table.schema
    reward = replace(schema.reward, dtype=table.columns["rewards"].dtype)  # it may have widened
    return {
        "row_class": schema.row_class.__name__,
        "windows": schema.windows,
        "state": layout_words(schema.state),
        "action": layout_words(schema.action),
        "reward": layout_words(reward),
        "extras": {name: layout_words(leaf) for name, leaf in schema.extras.items()},
    }


def _schema(name: str, words: SavedState, known: type[Row] | None) -> Schema:
    """The schema that `_schema_state` put into words; classes are never looked up by name."""
    check_entries(words, ("row_class", "windows", "state", "action", "reward", "extras"), name)
    title = words["row_class"]
    row_class = known or next((cls for cls in _ROWS if cls.__name__ == title), None)
    if row_class is None or row_class.__name__ != title or not issubclass(row_class, _ROWS):
        raise ValueError(
            f"row_class must be {title}, the class of the rows saved, got {known}: call "
            f"load_state_dict(state, row_class={title})"
        )
    added = row_class.field_names()[len(row_class._fields) :]
    check_entries(words["extras"], added, f"{name}['extras']")
    try:
        state, action, reward = (layout_written(words[n]) for n in ("state", "action", "reward"))
        extras = [layout_written(words["extras"][n]) for n in added]
    except (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError) as e:
        raise ValueError(f"{name} must say what the rows look like: {e!r}") from None
    leaves: list[Any] = [action, reward, *extras]
    kinds = {leaf.dtype.kind for leaf in leaves_of((state, *leaves))}
    if not kinds <= _NUMBERS or not all(isinstance(leaf, Leaf) for leaf in leaves):
        raise ValueError(f"{name} must be of arrays of numbers, got {words}")
    windows, added_leaves = words["windows"] is True, dict(zip(added, leaves[2:], strict=True))
    return Schema(row_class, windows, state, leaves[0], leaves[1], added_leaves)
