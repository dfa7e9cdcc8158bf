# ruff: noqa: ARG002 - kinds share one interface
"""Objects that are plain data: arrays, containers, and values made of them."""

import math
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr

from ptan.common._object_graph import Decoder, Encoder, Kind, State, cannot_save, is_common
from ptan.common._object_records import Records

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
        items = node["items"]
        plain = [(key, part) for key, part in items if not isinstance(key, dict | tuple)]
        keys = [(key, other) for (key, _), other in zip(items, live, strict=False)]
        return [*keys, *((part, live[key]) for key, part in plain if key in live)]

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
        dtype = _dtype(node["dtype"])
        if "memory" in node:
            if not isinstance(decoder.look_up(node["memory"])[2], Memory):
                raise ValueError("state has an array in something that is no memory")
            block = decoder.value(node["memory"])
            shape, strides = tuple(node["shape"]), tuple(node["strides"])
            if 0 in shape:
                array: Any = np.empty(shape, dtype)
            else:
                _check_view(dtype.itemsize, shape, strides, node["offset"], block.size)
                array = np.ndarray(shape, dtype, block, node["offset"], strides)
        else:
            data = np.array(node["data"])
            if data.dtype.hasobject:
                raise ValueError("state has an array of no numbers")
            array = data if data.dtype == dtype else data.view(dtype).reshape(node["shape"])
        array.flags.writeable = node["writeable"]
        return array


def _dtype(described: Any) -> "np.dtype[Any]":
    """A dtype; one of Python objects would take the numbers of a file for their addresses."""
    dtype = descr_to_dtype(described)
    if dtype.hasobject:
        raise ValueError("state holds numbers that are to be objects")
    return dtype


def _check_view(
    itemsize: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, size: int
) -> None:
    """Raise ValueError unless a view lies in its block; NumPy does not look if that is empty."""
    whole = all(type(number) is int for number in (*shape, *strides, offset))
    if not whole or len(shape) != len(strides):
        raise ValueError(f"state has an array of shape {shape}, strides {strides}, offset {offset}")
    reach = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    begin = offset + sum(step for step in reach if step < 0)
    end = offset + sum(step for step in reach if step > 0) + itemsize
    if min(shape, default=0) < 0 or begin < 0 or end > size:
        raise ValueError(f"state has an array beyond its memory of {size} bytes")


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
        if math.prod(node["shape"]) != len(node["items"]):
            raise ValueError(f"state has {len(node['items'])} objects in a shape {node['shape']}")
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
        if isinstance(value, np.dtype):
            return not value.hasobject
        return type(value) in (bytes, complex, range, slice)

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
            return np.ndarray((), _dtype(node["dtype"]), buffer)[()]
        if kind == "dtype":
            return _dtype(node["dtype"])
        if kind == "bytes":
            return node["data"].tobytes()
        makers: dict[str, Any] = {"complex": complex, "range": range, "slice": slice}
        return makers[kind](*decoder.value(node["parts"]))


class Tensors(Kind):
    """PyTorch tensors that no gradient flows through."""

    name = "tensor"

    def handles(self, value: Any) -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and type(value) is torch.Tensor and not value.requires_grad

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        return {"data": value.detach().cpu().clone(), "device": str(value.device)}

    def make(self, node: State, decoder: Decoder) -> Any:
        tensor = node["data"]
        if type(tensor).__module__ != "torch" or not isinstance(node["device"], str):
            raise ValueError("state has a tensor of no numbers")
        return tensor.clone().to(node["device"])


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
