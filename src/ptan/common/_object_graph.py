# ruff: noqa: ARG002 - kinds share one interface
"""Objects that refer to one another, taken apart into plain data and put together again.

A *graph* is a plain tree: a table of nodes, and roots. A value in it is written

* as itself, if it is None, a bool, int, float, str or a common NumPy scalar,
* as a tuple of values, if it is a tuple,
* as {"node": number} else, so that what was one object before is one object afterwards.

What can be a node, and how, is said in `_object_kinds` and `_object_owners`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

State = dict[str, Any]
"""A state tree: nested dicts, lists and tuples of plain values and arrays."""

_LEAVES = frozenset([type(None), bool, int, float, str])
_PLAIN_ONLY = "only numbers, text, arrays, tensors and containers of them can"


class CannotSave(TypeError):  # noqa: N818 - says what it is
    """Something that is part of a state can't be turned into plain data; the text says what."""


class Kind:
    """A kind of object: how it becomes a node, and a node becomes it."""

    name: ClassVar[str]
    plain: ClassVar[bool] = True  # its node says all: nothing of it must exist before loading
    kept: ClassVar[bool] = False  # loading changes the existing object, where there is one

    def handles(self, value: Any) -> bool:
        """Whether the value is of this kind."""
        return False

    def save(self, value: Any, encoder: "Encoder", path: str) -> State:
        """The node of a value. `path` names the value in errors.

        Raises:
            CannotSave: it is, or holds, something that is no plain data.
        """
        raise cannot_save(value, path)

    def pairs(self, node: State, live: Any) -> "Iterable[tuple[Any, Any]] | None":
        """What the node refers to, each with its counterpart; None if `live` is none of the node.

        Raises:
            ValueError: it must be one, and is not.
        """
        return None

    def make(self, node: State, decoder: "Decoder") -> Any:
        """A new object out of a node, for the time being without what `fill` adds.

        Raises:
            ValueError: no such thing can be made.
        """
        raise ValueError(f"state holds a {describe(node)} that has no counterpart now")

    def fill(self, made: Any, node: State, decoder: "Decoder") -> None:
        """Add the parts of a new object, which may refer to the object itself."""

    def plan(self, node: State, live: Any, decoder: "Decoder") -> "Change":
        """How the existing object takes the node's state over. Nothing changes yet."""
        return Change(lambda: None)


class Change:
    """One object's part of loading: made after all parts are known to fit.

    Args:
        make: makes the change.
        undo: takes it back; None for a change that can't fail.
    """

    def __init__(self, make: Callable[[], None], undo: Callable[[], None] | None = None) -> None:
        self.make = make
        self.undo = undo


class Encoder:
    """Takes objects apart into the nodes of one graph.

    Args:
        kinds: the kinds of objects, the first that handles one takes it.
        plain: True refuses what could only be loaded into an object that exists.
    """

    def __init__(self, kinds: Sequence[Kind], *, plain: bool) -> None:
        self.nodes: list[State] = []
        self.owner: Any = None  # the environment whose attributes are being saved
        self.arrays: list[tuple[int, Any, str]] = []  # their nodes are written at the end
        self._kinds = [kind for kind in kinds if kind.plain or not plain]
        self._plain = plain
        self._numbers: dict[int, int] = {}
        self._values: list[Any] = []  # they stay alive, so that no id is given twice

    def encode(self, value: Any, path: str) -> Any:
        """A value as it stands in the graph.

        Raises:
            CannotSave: it is, or holds, something that no kind handles.
        """
        if type(value) in _LEAVES or (isinstance(value, np.generic) and is_common(value.dtype)):
            return value
        if type(value) is tuple:
            return tuple(self.encode(part, f"{path}[{i}]") for i, part in enumerate(value))
        number = self._numbers.get(id(value))
        if number is None:
            number = self.add(value)
            kind = self._kind_of(value, path)
            self.nodes[number] = {"kind": kind.name, **kind.save(value, self, path)}
        return {"node": number}

    def add(self, value: Any) -> int:
        """A number for a value whose node follows."""
        number = self._numbers[id(value)] = len(self.nodes)
        self._values.append(value)
        self.nodes.append({})
        return number

    def number_of(self, value: Any) -> int:
        """The number of a value that has one."""
        return self._numbers[id(value)]

    def _kind_of(self, value: Any, path: str) -> Kind:
        for kind in self._kinds:
            if kind.handles(value):
                return kind
        raise cannot_save(value, path, _PLAIN_ONLY if self._plain else "")


class Decoder:
    """Puts the nodes of a graph together again, in three acts.

    `match` finds the existing objects that nodes belong to; `plan` makes all new ones; what it
    returns makes the changes. Errors arise in the first two, before anything is changed.

    Args:
        nodes: the table of nodes.
        kinds: as they were for the encoder.
    """

    def __init__(self, nodes: Sequence[State], kinds: Sequence[Kind]) -> None:
        self.nodes = nodes
        self.built: dict[int, Any] = {}
        self._kinds = {kind.name: kind for kind in kinds}
        self._seen: set[int] = set()
        self._taken: set[int] = set()
        self._kept: list[tuple[int, Any]] = []

    def match(self, encoded: Any, live: Any) -> None:
        """Find the nodes that belong to existing objects.

        Raises:
            ValueError: an object that must be there is of another kind.
        """
        if type(encoded) is tuple:
            if isinstance(live, tuple):
                for part, counterpart in zip(encoded, live, strict=False):
                    self.match(part, counterpart)
            return
        if not isinstance(encoded, dict) or encoded["node"] in self._seen:
            return
        number = encoded["node"]
        node = self.nodes[number]
        kind = self._kinds[node["kind"]]
        if kind.kept and id(live) in self._taken:
            return  # two objects then, one now: the second is made anew
        pairs = kind.pairs(node, live)
        if pairs is None:
            return
        self._seen.add(number)
        if kind.kept:
            self._taken.add(id(live))
            self._kept.append((number, live))
            self.built[number] = live
        for part, counterpart in pairs:
            self.match(part, counterpart)

    def plan(self) -> list[Change]:
        """Make what is new; returns the changes of what is kept, those that may fail first."""
        changes = []
        for number, live in self._kept:
            node = self.nodes[number]
            changes.append(self._kinds[node["kind"]].plan(node, live, self))
        return sorted(changes, key=lambda change: change.undo is None)

    def value(self, encoded: Any) -> Any:
        """The object that stands in the graph as `encoded`."""
        if isinstance(encoded, tuple):
            return tuple(self.value(part) for part in encoded)
        if not isinstance(encoded, dict):
            return encoded
        number = encoded["node"]
        if number not in self.built:
            node = self.nodes[number]
            kind = self._kinds[node["kind"]]
            self.built[number] = made = kind.make(node, self)
            kind.fill(made, node, self)
        return self.built[number]


def run_changes(changes: Sequence[Change]) -> None:
    """Make all changes, or none: where one fails, those before it are taken back."""
    done: list[Change] = []
    try:
        for change in changes:
            done.append(change)
            change.make()
    except BaseException:
        for change in reversed(done):
            if change.undo is not None:
                change.undo()
        raise


def cannot_save(value: Any, path: str, why: str = "") -> CannotSave:
    """The error for a value that is no plain data."""
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    why = why or "give its environment state_dict() and load_state_dict(state) of its own"
    return CannotSave(f"{path} is a {name}, which can't be saved: {why}")


def is_common(dtype: "np.dtype[Any]") -> bool:
    """True for the dtypes that every format of a state tree knows."""
    return dtype.kind in "biuf" and dtype.isnative and dtype.itemsize <= 8


def describe(node: State) -> str:
    """A node by its name, for errors."""
    return str(node.get("name") or node.get("class") or node["kind"])


def name_of(value: Any) -> str:
    """The full name of a class or function."""
    module = getattr(value, "__module__", None) or "builtins"
    return f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}"
