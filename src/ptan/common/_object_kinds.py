# ruff: noqa: ARG002 - kinds share one interface
"""Objects that are plain data: arrays, containers, and values made of them."""

import dataclasses
import enum
import functools
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr

from ptan.common._object_graph import Decoder, Encoder, Kind, State, cannot_save, is_common

_CONTAINERS: dict[str, Any] = {"list": list, "set": set, "frozenset": frozenset, "deque": deque}
_DICTS: dict[str, Any] = {"dict": dict, "OrderedDict": OrderedDict, "defaultdict": defaultdict}
_FACTORIES = {kind.__name__: kind for kind in (int, float, bool, str, list, dict, set, tuple)}


class Containers(Kind):
    """Lists, deques and sets; a set keeps the order in which it was read."""

    name = "container"

    def handles(self, value: Any) -> bool:
        return type(value) in _CONTAINERS.values()

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        items = [encoder.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
        longest = getattr(value, "maxlen", None)
        return {"type": type(value).__name__, "items": items, "maxlen": longest}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if type(live) is not _CONTAINERS[node["type"]]:
            return None
        return zip(node["items"], live, strict=False)

    def make(self, node: State, decoder: Decoder) -> Any:
        if node["type"] == "frozenset":
            return frozenset(decoder.value(item) for item in node["items"])
        if node["type"] == "deque":
            return deque(maxlen=node["maxlen"])
        return _CONTAINERS[node["type"]]()

    def fill(self, made: Any, node: State, decoder: Decoder) -> None:
        if node["type"] == "frozenset":
            return
        add = made.add if node["type"] == "set" else made.append
        for item in node["items"]:
            add(decoder.value(item))


class Dicts(Kind):
    """Dicts of any keys that are plain data themselves."""

    name = "dict"

    def handles(self, value: Any) -> bool:
        if type(value) is defaultdict:
            factory = value.default_factory
            return factory is None or factory in _FACTORIES.values()
        return type(value) in (dict, OrderedDict)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        items = [
            (encoder.encode(key, f"{path} key"), encoder.encode(part, f"{path}[{key!r}]"))
            for key, part in value.items()
        ]
        node: State = {"type": type(value).__name__, "items": items}
        if type(value) is defaultdict and value.default_factory is not None:
            node["factory"] = value.default_factory.__name__
        return node

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if type(live) is not _DICTS[node["type"]]:
            return None
        plain = [(key, part) for key, part in node["items"] if not isinstance(key, dict | tuple)]
        return [(part, live[key]) for key, part in plain if key in live]

    def make(self, node: State, decoder: Decoder) -> Any:
        made = _DICTS[node["type"]]()
        if "factory" in node:
            made.default_factory = _FACTORIES[node["factory"]]
        return made

    def fill(self, made: Any, node: State, decoder: Decoder) -> None:
        for key, part in node["items"]:
            made[decoder.value(key)] = decoder.value(part)


class Arrays(Kind):
    """Arrays of numbers, text or records.

    Those that share memory, and those that are not contiguous, are written as views of one block:
    a sum may depend on the order in which its terms lie in memory.
    """

    name = "array"

    def handles(self, value: Any) -> bool:
        return type(value) is np.ndarray and not value.dtype.hasobject

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        encoder.arrays.append((encoder.number_of(value), value, path))
        return {}  # written by `save_arrays`, when all arrays are known

    def make(self, node: State, decoder: Decoder) -> Any:
        dtype = descr_to_dtype(node["dtype"])
        if "memory" in node:
            block = decoder.value(node["memory"])
            shape, strides = tuple(node["shape"]), tuple(node["strides"])
            array: Any = np.ndarray(shape, dtype, block, node["offset"], strides)
        else:
            data = np.array(node["data"])
            array = data if data.dtype == dtype else data.view(dtype).reshape(node["shape"])
        array.flags.writeable = node["writeable"]
        return array


def save_arrays(encoder: Encoder) -> None:
    """Write the nodes of all arrays, together with the blocks of memory that they share."""
    groups: dict[int, list[tuple[int, Any, str]]] = {}
    roots: dict[int, Any] = {}
    for entry in encoder.arrays:
        root = entry[1]
        while type(root.base) is np.ndarray:
            root = root.base
        roots[id(root)] = root
        groups.setdefault(id(root), []).append(entry)
    for key, group in groups.items():
        if len(group) == 1 and group[0][1].flags.c_contiguous:
            number, array, _ = group[0]
            encoder.nodes[number] = _whole_array(array)
        else:
            _save_views(encoder, roots[key], group)


def _whole_array(array: Any) -> State:
    common = is_common(array.dtype)
    return {
        "kind": "array",
        "dtype": dtype_to_descr(array.dtype),
        "shape": array.shape,
        "data": array.copy() if common else _bytes_of(array),
        "writeable": array.flags.writeable,
    }


def _save_views(encoder: Encoder, root: Any, group: list[tuple[int, Any, str]]) -> None:
    if root.dtype.hasobject or not (root.flags.c_contiguous or root.flags.f_contiguous):
        raise cannot_save(root, group[0][2], "it shares memory in a way that can't be told")
    block = len(encoder.nodes)
    encoder.nodes.append({"kind": "memory", "data": _bytes_of(root)})
    for number, array, _ in group:
        encoder.nodes[number] = {
            "kind": "array",
            "dtype": dtype_to_descr(array.dtype),
            "shape": array.shape,
            "memory": {"node": block},
            "offset": array.ctypes.data - root.ctypes.data,
            "strides": array.strides,
            "writeable": array.flags.writeable,
        }


def _bytes_of(array: Any) -> Any:
    """A copy of a contiguous array's memory, as uint8."""
    return np.frombuffer(array.tobytes("A"), np.uint8).copy()


class Memory(Kind):
    """A block of memory that arrays share; no object has this kind on its own."""

    name = "memory"

    def make(self, node: State, decoder: Decoder) -> Any:
        return np.array(node["data"], np.uint8)


class ObjectArrays(Kind):
    """Arrays of Python objects."""

    name = "objects"

    def handles(self, value: Any) -> bool:
        return type(value) is np.ndarray and value.dtype == object

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        if value.base is not None:
            raise cannot_save(value, path, "it may share its objects with another array")
        items = [encoder.encode(v, f"{path}[{i}]") for i, v in enumerate(value.ravel().tolist())]
        return {"shape": value.shape, "items": items}

    def make(self, node: State, decoder: Decoder) -> Any:
        return np.empty(tuple(node["shape"]), object)

    def fill(self, made: Any, node: State, decoder: Decoder) -> None:
        for i, item in enumerate(node["items"]):
            made.flat[i] = decoder.value(item)


class Constants(Kind):
    """Values without parts that a state tree does not know itself."""

    name = "constant"

    def handles(self, value: Any) -> bool:
        if isinstance(value, np.generic):
            return not value.dtype.hasobject
        return type(value) in (bytes, complex, range, slice) or isinstance(value, np.dtype)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        if isinstance(value, np.generic):
            data = np.frombuffer(value.tobytes(), np.uint8).copy()
            return {"type": "generic", "dtype": dtype_to_descr(value.dtype), "data": data}
        if isinstance(value, np.dtype):
            return {"type": "dtype", "dtype": dtype_to_descr(value)}
        if isinstance(value, bytes):
            return {"type": "bytes", "data": np.frombuffer(value, np.uint8).copy()}
        if isinstance(value, complex):
            return {"type": "complex", "parts": (value.real, value.imag)}
        parts = tuple(
            encoder.encode(getattr(value, part), f"{path}.{part}")
            for part in ("start", "stop", "step")
        )
        return {"type": type(value).__name__, "parts": parts}

    def make(self, node: State, decoder: Decoder) -> Any:
        kind = node["type"]
        if kind == "generic":
            buffer = node["data"].tobytes() or b"\0"
            return np.ndarray((), descr_to_dtype(node["dtype"]), buffer)[()]
        if kind == "dtype":
            return descr_to_dtype(node["dtype"])
        if kind == "bytes":
            return node["data"].tobytes()
        makers: dict[str, Any] = {"complex": complex, "range": range, "slice": slice}
        return makers[kind](*decoder.value(node["parts"]))


class Records(Kind):
    """Members of enums, namedtuples, and dataclasses that hold nothing but their fields.

    Their classes are looked up among the loaded modules; no constructor is called.
    """

    name = "record"

    def handles(self, value: Any) -> bool:
        kind = type(value)
        known = (
            isinstance(value, enum.Enum)
            or (isinstance(value, tuple) and hasattr(kind, "_fields"))
            or (
                dataclasses.is_dataclass(kind)
                and getattr(value, "__dict__", {}).keys() == set(_field_names(kind))
            )
        )
        return known and _find_class(_class_name(kind)) is kind

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        node: State = {"class": _class_name(type(value))}
        if isinstance(value, enum.Enum):
            return {**node, "member": value.name}
        names = _field_names(type(value))
        parts = {name: encoder.encode(getattr(value, name), f"{path}.{name}") for name in names}
        return {**node, "parts": parts}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if _class_name(type(live)) != node["class"] or "member" in node:
            return None
        return [(part, getattr(live, name, None)) for name, part in node["parts"].items()]

    def make(self, node: State, decoder: Decoder) -> Any:
        kind = _find_class(node["class"])
        if "member" in node and isinstance(kind, enum.EnumMeta):
            return kind[node["member"]]
        names = _field_names(kind)
        if names != tuple(node["parts"]):
            raise ValueError(f"{node['class']} must have the fields {list(node['parts'])}")
        if issubclass(kind, tuple):
            return tuple.__new__(kind, [decoder.value(part) for part in node["parts"].values()])
        return object.__new__(kind)

    def fill(self, made: Any, node: State, decoder: Decoder) -> None:
        if not isinstance(made, tuple | enum.Enum):
            for name, part in node["parts"].items():
                object.__setattr__(made, name, decoder.value(part))


def _field_names(kind: Any) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "_fields", ()))


def _class_name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _find_class(name: str) -> Any:
    """The class of this name in a loaded module; None if there is none."""
    module, _, path = name.partition(":")
    found = functools.reduce(
        lambda outer, part: getattr(outer, part, None), path.split("."), sys.modules.get(module)
    )
    return found if isinstance(found, type) else None


class Tensors(Kind):
    """PyTorch tensors that no gradient flows through."""

    name = "tensor"

    def handles(self, value: Any) -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and type(value) is torch.Tensor and not value.requires_grad

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        return {"data": value.detach().cpu().clone(), "device": str(value.device)}

    def make(self, node: State, decoder: Decoder) -> Any:
        return node["data"].clone().to(node["device"])


PLAIN_KINDS: tuple[Kind, ...] = (
    Arrays(),
    Containers(),
    Dicts(),
    Records(),
    Constants(),
    ObjectArrays(),
    Memory(),
    Tensors(),
)
