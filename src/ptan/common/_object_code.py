"""Functions and methods that objects hold."""

import functools
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from ptan.common._object_graph import Change, Decoder, Encoder, Kind, State, name_of

_BUILT_IN_METHODS = (types.MethodType, types.BuiltinMethodType)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    functools._lru_cache_wrapper,
    np.ufunc,
    type,
)


class Functions(Kind):
    """Functions and classes: they must be the same ones; what a function closes over is state."""

    name = "function"
    plain = False
    kept = True

    def handles(self, value: Any) -> bool:
        return isinstance(value, _FUNCTIONS) and not _bound_to_object(value)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        cells = {
            name: encoder.encode(cell.cell_contents, f"{path} closing over {name}")
            for name, cell in _cells(value).items()
        }
        return {"name": name_of(value), "cells": cells}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or name_of(live) != node["name"]:
            return None
        cells = _cells(live)
        if cells.keys() != node["cells"].keys():
            return None
        return [(part, cells[name].cell_contents) for name, part in node["cells"].items()]

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        cells = _cells(live)
        values = {name: decoder.value(part) for name, part in node["cells"].items()}

        def make() -> None:
            for name, value in values.items():
                cells[name].cell_contents = value

        return Change(make)


class Methods(Kind):
    """Methods bound to an object that is saved too, and functions with some arguments given."""

    name = "method"
    plain = False

    def handles(self, value: Any) -> bool:
        return _bound_to_object(value) or type(value) is functools.partial

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        if type(value) is functools.partial:
            given = (value.func, value.args, dict(value.keywords))
            return {"partial": encoder.encode(given, path)}
        owner = value.__self__
        return {"owner": encoder.encode(owner, f"{path}.__self__"), "method": value.__name__}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if "partial" in node:
            if type(live) is not functools.partial:
                return None
            return [(node["partial"], (live.func, live.args, live.keywords))]
        return [(node["owner"], live.__self__)] if _bound_to_object(live) else None

    def make(self, node: State, decoder: Decoder) -> Any:
        if "partial" in node:
            func, args, keywords = decoder.value(node["partial"])
            return functools.partial(func, *args, **keywords)
        method = getattr(decoder.value(node["owner"]), node["method"], None)
        if not isinstance(method, _BUILT_IN_METHODS):
            raise ValueError(f"state holds a method {node['method']!r} that does not exist")
        return method


def _bound_to_object(value: Any) -> bool:
    if not isinstance(value, _BUILT_IN_METHODS):
        return False
    return not isinstance(value.__self__, types.ModuleType | type | None)


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
