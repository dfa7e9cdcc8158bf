"""State trees as JSON and arrays, and back to the bit.

A state tree is what every `state_dict` of the library returns: dicts with keys that are str or
int, lists and tuples, of None, bool, int, float, str, NumPy arrays and scalars, and torch tensors.
What JSON cannot tell apart is an object with one of these tags (`$` begins no other key):

| value | JSON |
|---|---|
| dict with a key that is an int or begins with `$` | `{"$dict": [[key, value], …]}` |
| tuple | `{"$tuple": [value, …]}` |
| nan, inf | `{"$float": "nan"}` |
| NumPy array, NumPy scalar | `{"$array": "float32"}`, `{"$scalar": "int64"}` |
| torch tensor | `{"$tensor": "bfloat16"}` |

The numbers of arrays and tensors lie elsewhere, under the place of each: `state['net']['0.bias']`.
Types, dtypes and bits come back equal, except: other mappings become dicts, memory-mapped arrays
plain ones, big-endian numbers native, Fortran order C order, and tensors lie on the CPU and have no
gradients.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptan.common.types import Array

__all__ = ["Arrays", "Json", "decode", "encode"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Arrays = dict[str, Array]
"""C-contiguous arrays in the byte order of the machine, by their place in the tree."""

_UNSIGNED = {1: torch.uint8, 2: torch.uint16}  # stand for the floats that NumPy lacks


def encode(tree: object) -> tuple[Json, Arrays]:
    """Take a state tree apart. Arrays and tensors are not copied where they lie as they should.

    Raises TypeError for what cannot be saved, and names where it is, as in `state['a'][3]`.
    """
    arrays: Arrays = {}
    return _encode(tree, "state", arrays), arrays


def _encode(value: Any, path: str, arrays: Arrays) -> Json:
    kind = type(value)
    if value is None or kind in (bool, int, str):
        plain: Json = value
        return plain
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, Mapping):
        return _encode_dict(value, path, arrays)
    if kind in (list, tuple):
        items = [_encode(item, f"{path}[{i}]", arrays) for i, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    if kind in (Tensor, torch.nn.Parameter):
        arrays[path] = _numbers(value, path)
        return {"$tensor": str(value.dtype).removeprefix("torch.")}
    if kind in (np.ndarray, np.memmap) or isinstance(value, np.generic):
        if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
            raise TypeError(f"{path} is of NumPy's dtype {value.dtype}, which cannot be saved")
        arrays[path] = np.asarray(value, value.dtype.newbyteorder("="), order="C")
        return {"$scalar" if isinstance(value, np.generic) else "$array": value.dtype.name}
    raise TypeError(
        f"{path} is a {kind.__module__}.{kind.__qualname__}, which cannot be saved: a state holds "
        "dicts, lists and tuples of None, bool, int, float, str, plain arrays and tensors"
    )


def _encode_dict(value: Mapping[Any, object], path: str, arrays: Arrays) -> Json:
    if wrong := [key for key in value if type(key) not in (str, int)]:
        raise TypeError(
            f"{path} has the key {wrong[0]!r}, which cannot be saved: it is no str or int"
        )
    entries = {key: _encode(item, f"{path}[{key!r}]", arrays) for key, item in value.items()}
    if all(type(key) is str and not key.startswith("$") for key in entries):
        return entries
    return {"$dict": [[key, item] for key, item in entries.items()]}


def _numbers(tensor: Tensor, path: str) -> Array:
    """The numbers of a tensor, in its own memory if it is contiguous and on the CPU."""
    known = hasattr(np, str(tensor.dtype).removeprefix("torch."))
    storable = not tensor.is_complex() and (known or tensor.is_floating_point())
    if not storable or tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise TypeError(
            f"{path} is a {tensor.layout} tensor of {tensor.dtype} on {tensor.device}, which "
            "cannot be saved"
        )
    plain = tensor.detach().cpu().resolve_neg().contiguous()
    numbers: Array = (plain if known else plain.view(_UNSIGNED[plain.itemsize])).numpy()
    return numbers


def decode(node: Any, arrays: Mapping[str, Array], path: str = "state") -> Any:
    """Put a tree together again from its JSON and its arrays, which become part of it.

    Raises TypeError or ValueError for what `encode` does not write; mostly says where.
    """
    if isinstance(node, list):
        return [decode(item, arrays, f"{path}[{i}]") for i, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if not any(key.startswith("$") for key in node):
        return {key: decode(item, arrays, f"{path}[{key!r}]") for key, item in node.items()}
    match [*node.items()]:
        case [("$tuple", list(items))]:
            return tuple(decode(items, arrays, path))
        case [("$float", "nan" | "inf" | "-inf" as name)]:
            return float(name)
        case [("$dict", list(pairs))]:
            return {key: decode(item, arrays, f"{path}[{key!r}]") for key, item in pairs}
        case [("$array" | "$scalar" | "$tensor" as tag, str(dtype))] if path in arrays:
            return _decoded_array(tag, dtype, arrays[path], path)
    raise ValueError(f"{path} is no value of this format: {str(node)[:100]}")


def _decoded_array(tag: str, dtype: str, array: Array, path: str) -> object:
    if tag == "$tensor":
        tensor, wanted = torch.from_numpy(array), getattr(torch, dtype, None)
        if tensor.dtype is wanted:
            return tensor
        floats = isinstance(wanted, torch.dtype) and wanted.is_floating_point and wanted
        if floats and tensor.dtype is _UNSIGNED.get(floats.itemsize):
            return tensor.view(floats)
    elif array.dtype.name == dtype and (tag == "$array" or array.ndim == 0):
        return array if tag == "$array" else array[()]
    raise ValueError(f"{path} must be {dtype[:30]}, got {array.dtype} of shape {array.shape}")
