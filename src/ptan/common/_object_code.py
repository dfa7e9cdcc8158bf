import functools
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from ptan.common._object_graph import (
    Change,
    Decoder,
    Encoder,
    FixedKind,
    Kind,
    State,
    is_ordinary_name,
    name_of,
)

_METHODS = (types.MethodType, types.BuiltinMethodType)
_CACHED = functools._lru_cache_wrapper
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    _CACHED,
    np.ufunc,
    type,
)


class Functions(FixedKind):
    """Functions and classes: they must be the same ones.

    State of a function is what it closes over, its defaults, and its attributes.
    """

    name = "function"

    def handles(self, value: Any) -> bool:
        return isinstance(value, _FUNCTIONS) and not _bound_to_object(value)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        parts = {
            group: {name: encoder.encode(part, f"{path} {what} {name}") for name, part in found}
            for group, what, found in _parts(value)
        }
        return {"name": name_of(value), **parts}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or name_of(live) != node["name"]:
            return None
        found: list[tuple[Any, Any]] = []
        for group, _, parts in _parts(live):
            now, new = dict(parts), node[group].keys() - dict(parts).keys()
            if now.keys() - node[group].keys() or (new and group != "attributes"):
                return None
            if not all(map(is_ordinary_name, new)):
                raise ValueError(f"state gives {node['name']} the attributes {sorted(new)}")
            found += [(part, now[key]) for key, part in node[group].items() if key in now]
        return found

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        values = {
            group: {key: decoder.value(part) for key, part in node[group].items()}
            for group, _, _ in _parts(live)
        }

        def make() -> None:
            cells, numbers = _cells(live), range(len(values["defaults"]))
            for name, value in values["cells"].items():
                cells[name].cell_contents = value
            if values["defaults"]:
                live.__defaults__ = tuple(values["defaults"][str(i)] for i in numbers)
            if values["keywords"]:
                live.__kwdefaults__ = values["keywords"]
            for name, value in values["attributes"].items():
                live.__dict__[name] = value

        return Change(make)


class Partials(FixedKind):
    """Functions with some arguments given: the function must be the same, arguments are state."""

    name = "partial"

    def handles(self, value: Any) -> bool:
        return type(value) is functools.partial

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        parts = {name: encoder.encode(part, path) for name, part in _given(value).items()}
        return {"function": encoder.encode(value.func, path), "given": parts}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or node["given"].keys() != _given(live).keys():
            return None
        given = [(part, _given(live)[name]) for name, part in node["given"].items()]
        return [(node["function"], live.func), *given]

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        function = decoder.value(node["function"])
        given = {name: decoder.value(part) for name, part in node["given"].items()}
        args = tuple(given[str(i)] for i in range(len(live.args)))
        keywords = {name[1:]: value for name, value in given.items() if name.startswith("=")}
        others = {name[1:]: value for name, value in given.items() if name.startswith(".")}
        return Change(lambda: live.__setstate__((function, args, keywords, others)))


class Methods(Kind):
    """Methods bound to an object that is saved too; if that is made anew, so is the method."""

    name = "method"
    plain = False

    def handles(self, value: Any) -> bool:
        return _bound_to_object(value)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        function = getattr(value, "__func__", None)
        return {
            "owner": encoder.encode(value.__self__, f"{path}.__self__"),
            "method": value.__name__,
            "function": encoder.encode(function, f"{path}.__func__"),
        }

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or live.__name__ != node["method"]:
            return None
        function = getattr(live, "__func__", None)
        return [(node["owner"], live.__self__), (node["function"], function)]

    def make(self, node: State, decoder: Decoder) -> Any:
        live, owner = decoder.counterpart(node), decoder.value(node["owner"])
        function = decoder.value(node["function"])
        if owner is live.__self__:
            return live
        if decoder.is_kept(owner) or type(owner) is not type(live.__self__):
            raise ValueError(f"state has the method {node['method']} of another object")
        if isinstance(live, types.MethodType) and function is live.__func__:
            return types.MethodType(live.__func__, owner)
        return getattr(owner, live.__name__)  # of a built-in type

    def may_stand(self, value: Any, live: Any, decoder: Decoder) -> bool:
        if not self.handles(live) or type(value) is not type(live):
            return False
        owner, before = value.__self__, live.__self__
        made_anew = not decoder.is_kept(owner) and not decoder.is_kept(before)
        if owner is not before and not (made_anew and type(owner) is type(before)):
            return False
        same = getattr(value, "__func__", None) is getattr(live, "__func__", None)
        return same and value.__name__ == live.__name__


def _bound_to_object(value: Any) -> bool:
    if not isinstance(value, _METHODS):
        return False
    return not isinstance(value.__self__, types.ModuleType | type | None)


def _parts(function: Any) -> list[tuple[str, str, list[tuple[str, Any]]]]:
    """What a function remembers: how nodes and errors call each group, and its names and values."""
    plain = isinstance(function, types.FunctionType)
    attributes = vars(function) if plain or isinstance(function, _CACHED) else {}
    cells = {name: cell.cell_contents for name, cell in _cells(function).items()}
    defaults = (function.__defaults__ or ()) if plain else ()
    keywords = (function.__kwdefaults__ or {}) if plain else {}
    return [
        ("cells", "closing over", list(cells.items())),
        ("defaults", "with the default", [(str(i), part) for i, part in enumerate(defaults)]),
        ("keywords", "with the default", list(keywords.items())),
        ("attributes", "with the attribute", list(attributes.items())),
    ]


def _given(value: Any) -> dict[str, Any]:
    """The arguments and attributes of a partial function."""
    args = {str(i): part for i, part in enumerate(value.args)}
    keywords = {f"={name}": part for name, part in value.keywords.items()}
    return {**args, **keywords, **{f".{name}": part for name, part in vars(value).items()}}


def _cells(function: Any) -> dict[str, Any]:
    """The variables that a function closes over and that have a value by now."""
    if not isinstance(function, types.FunctionType):
        return {}
    pairs = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell for name, cell in pairs if _is_full(cell)}


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # not assigned yet
        return False
