# ruff: noqa: ARG002 - kinds share one interface
"""Objects that refer to one another, taken apart into plain data and put together again.

A *graph* is a plain tree: a table of nodes, and roots. A value in it is written

* as itself, if it is None, a bool, int, float, str or a common NumPy scalar,
* as a tuple of values, if it is a tuple,
* as {"node": number} else, so that what was one object before is one object afterwards.

What can be a node, and how, is said in `_object_kinds` and `_object_owners`.

A graph may come from a stranger. What could run is therefore never made out of one: functions,
methods, modules and environments stay those that exist, each where it stands (`Kind.may_stand`).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import numpy as np

State = dict[str, Any]
"""A state tree: nested dicts, lists and tuples of plain values and arrays."""

_LEAVES = frozenset([type(None), bool, int, float, str])
_ABSENT = object()
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

    def may_stand(self, value: Any, live: Any, decoder: "Decoder") -> bool:
        """Whether a value of this kind may come to the place where `live` stands now."""
        return True


class KeptKind(Kind):
    """A kind of objects that stay what they are: one may only stand where one of them stood."""

    plain = False
    kept = True

    def may_stand(self, value: Any, live: Any, decoder: "Decoder") -> bool:
        if value is live:
            return True
        return not callable(value) and (live is None or live is _ABSENT or self.handles(live))


class FixedKind(KeptKind):
    """A kind of objects that stay where they are, too: they are, or lead to, what can be called."""

    def may_stand(self, value: Any, live: Any, decoder: "Decoder") -> bool:
        return value is live


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
        self._kinds = kinds
        self._plain = plain
        self._numbers: dict[int, int] = {}
        self._values: list[Any] = []  # they stay alive, so that no id is given twice

    def encode(self, value: Any, path: str) -> Any:
        """A value as it stands in the graph.

        Raises:
            CannotSave: it is, or holds, something that no kind handles.
        """
        if _is_leaf(value):
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
        kind = kind_of(value, self._kinds)
        if kind is not None and (kind.plain or not self._plain):
            return kind
        raise cannot_save(value, path, _PLAIN_ONLY if self._plain else "")


class Decoder:
    """Puts the nodes of a graph together again, in three acts.

    `match` finds the existing objects that nodes belong to; `plan` makes all new ones; what it
    returns makes the changes. Errors arise in the first two, before anything is changed.

    Args:
        nodes: the table of nodes.
        kinds: as they were for the encoder.
        plain: True refuses what could only be loaded into an object that exists.
    """

    def __init__(self, nodes: Sequence[State], kinds: Sequence[Kind], *, plain: bool) -> None:
        self.nodes = nodes
        self.kinds = kinds
        self.built: dict[int, Any] = {}
        self._kinds = {kind.name: kind for kind in kinds if kind.plain or not plain}
        self._matched: dict[int, Any] = {}  # id of a node: the existing object
        self._places: dict[int, Any] = {}  # id of a reference: what stands in its place now
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
        if not isinstance(encoded, dict):
            return
        # Every reference is an object of its own, so its id says where in the graph it stands.
        if self._places.setdefault(id(encoded), live) is not live:
            raise ValueError("state has one reference in two places")
        number, node, kind = self.look_up(encoded)
        if id(node) in self._matched or (kind.kept and id(live) in self._taken):
            return  # two objects then, one now: the second is made anew
        pairs = kind.pairs(node, live)
        if pairs is None:
            return
        self._matched[id(node)] = live
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
        """The object that stands in the graph as `encoded`.

        Raises:
            ValueError: it can't be made, or must not stand there.
        """
        if type(encoded) is tuple:
            return tuple(self.value(part) for part in encoded)
        if not isinstance(encoded, dict):
            return _leaf(encoded)
        number, node, kind = self.look_up(encoded)
        if number not in self.built:
            self.built[number] = made = kind.make(node, self)
            kind.fill(made, node, self)
        value = self.built[number]
        if not kind.may_stand(value, self._places.get(id(encoded), _ABSENT), self):
            raise ValueError(f"state puts a {describe(node)} where there is another one, or none")
        return value

    def look_up(self, reference: State) -> tuple[int, State, Kind]:
        """The number of a node, the node, and its kind."""
        number = reference["node"]
        if type(number) is not int or not 0 <= number < len(self.nodes):
            raise ValueError(f"state refers to a node {number!r} that it does not have")
        node = self.nodes[number]
        return number, node, self._kinds[node["kind"]]

    def counterpart(self, node: State) -> Any:
        """The existing object that a node belongs to.

        Raises:
            ValueError: there is none.
        """
        if id(node) not in self._matched:
            raise ValueError(f"state holds a {describe(node)} that has no counterpart now")
        return self._matched[id(node)]

    def is_kept(self, value: Any) -> bool:
        """Whether this is an existing object that a node belongs to, and that stays."""
        return id(value) in self._taken


def kind_of(value: Any, kinds: Iterable[Kind]) -> Kind | None:
    """The kind as which a value is saved; None if there is none."""
    return next((kind for kind in kinds if kind.handles(value)), None)


def _is_leaf(value: Any) -> bool:
    return type(value) in _LEAVES or (isinstance(value, np.generic) and is_common(value.dtype))


def _leaf(value: Any) -> Any:
    if _is_leaf(value):
        return value
    raise ValueError(f"state holds a {type(value).__name__} where a value must be")


def run_changes(changes: Sequence[Change]) -> None:
    """Make all changes, or none: where one fails, those before it are taken back."""
    with ExitStack() as undoing:  # runs what it was given, the last first, even if some of it fails
        for change in changes:
            if change.undo is not None:
                undoing.callback(change.undo)
            change.make()
        undoing.pop_all()


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


def is_ordinary_name(name: Any) -> bool:
    """True for what may name a new attribute: nothing that Python gives a meaning to."""
    return isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def name_of(value: Any) -> str:
    """The full name of a class or function."""
    module = getattr(value, "__module__", None) or "builtins"
    return f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}"
