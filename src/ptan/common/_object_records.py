"""Values made of fields, of classes that the program has loaded."""

import dataclasses
import enum
import functools
import sys
import types
from collections.abc import Iterable
from typing import Any

from ptan.common._object_graph import Decoder, Encoder, Kind, State, kind_of

_NAMESPACES = (types.ModuleType, type)
_RUN_BY_THEMSELVES = ("__call__", "__del__", "__getattr__", "__getattribute__")


class Records(Kind):
    """Members of enums, namedtuples, and dataclasses that hold nothing but their fields.

    Their classes are looked up among the loaded modules; no constructor is called. Those whose
    members can be called, or have code that runs when they go or are looked at, do not count.
    """

    name = "record"

    def handles(self, value: Any) -> bool:
        kind = type(value)
        if not _is_record(kind) or _find_class(_class_name(kind)) is not kind:
            return False
        if isinstance(value, enum.Enum):
            return value.name in kind.__members__
        if isinstance(value, tuple):
            return len(value) == len(_field_names(kind)) and not getattr(value, "__dict__", {})
        return getattr(value, "__dict__", {}).keys() == set(_field_names(kind))

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        node: State = {"class": _class_name(type(value))}
        if isinstance(value, enum.Enum):
            return {**node, "member": value.name}
        names = _field_names(type(value))
        parts = {name: encoder.encode(getattr(value, name), f"{path}.{name}") for name in names}
        return {**node, "parts": parts}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or _class_name(type(live)) != node["class"] or "member" in node:
            return None
        names = [name for name in _field_names(type(live)) if name in node["parts"]]
        return [(node["parts"][name], getattr(live, name)) for name in names]

    def make(self, node: State, decoder: Decoder) -> Any:
        kind = _find_class(node["class"])
        if not _is_record(kind):
            raise ValueError(f"state holds a {node['class']}, which is no record")
        if issubclass(kind, enum.Enum):
            return kind.__members__[node["member"]]
        names = _field_names(kind)
        if names != tuple(node["parts"]):
            raise ValueError(f"{node['class']} must have the fields {list(node['parts'])}")
        if issubclass(kind, tuple):
            made: Any = tuple.__new__(kind, [decoder.value(v) for v in node["parts"].values()])
        else:
            made = object.__new__(kind)
            made.__dict__.update(dict.fromkeys(names))
        if kind_of(made, decoder.kinds) is not self:
            raise ValueError(f"state holds a {node['class']}, which is no record")
        return made

    def fill(self, made: Any, node: State, decoder: Decoder) -> None:
        if not isinstance(made, tuple | enum.Enum):
            for name, part in node["parts"].items():
                made.__dict__[name] = decoder.value(part)


def _field_names(kind: Any) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "_fields", ()))


def _is_record(kind: Any) -> bool:
    """True for a class whose values may be made out of a file."""
    if not isinstance(kind, type):
        return False
    own = [base for base in kind.__mro__ if base not in (object, tuple)]
    if any(name in vars(base) for base in own for name in _RUN_BY_THEMSELVES):
        return False
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return named_tuple or issubclass(kind, enum.Enum) or dataclasses.is_dataclass(kind)


def _class_name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _find_class(name: str) -> Any:
    """The class of this name in a loaded module; None if there is none."""
    module, _, path = name.partition(":")
    # Past `__getattr__`, with which some modules import others.
    found = functools.reduce(
        lambda outer, part: vars(outer).get(part) if isinstance(outer, _NAMESPACES) else None,
        path.split("."),
        sys.modules.get(module),
    )
    return found if isinstance(found, type) else None
