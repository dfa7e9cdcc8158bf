"""State trees as JSON, and back to the bit.

A state tree is what every `state_dict` of the library returns: dicts with keys that are str or
int, lists and tuples, of None, bool, int, float, str, NumPy arrays, NumPy scalars and torch
tensors. As JSON, each is written as what it looks like; what JSON cannot tell apart is an object
with one of these tags (`$` begins no other key):

| value | JSON |
|---|---|
| dict with a key that is an int or begins with `$` | `{"$dict": [[key, value], …]}` |
| tuple | `{"$tuple": [value, …]}` |
| int of more than 53 bits | `{"$int": "0x1f…"}` |
| nan, inf | `{"$float": "7ff8000000000000"}`, the 64 bits |
| NumPy scalar | `{"$scalar": "f4", "bytes": "0000803f"}`, little-endian |
| NumPy array | `{"$array": "<f4", "shape": [2, 3]}` |
| torch tensor | `{"$tensor": "float32", "shape": []}` |

The numbers of arrays and tensors lie elsewhere, under the names of their leaves.
"""

import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ptan.training.tensor_file import ARRAYS, TENSORS, Leaf

__all__ = ["decode", "encode"]

MAX_DEPTH = 100  # levels; JSON readers give up at some depth
EXACT_BITS = 53  # of an int that every JSON reader takes over exactly

_INT = re.compile(r"-?0x[0-9a-f]+")
_BITS = re.compile(r"(?:[0-9a-f]{2})+")

Leaves = dict[Leaf, NDArray[Any] | Tensor]


def encode(tree: Any) -> tuple[Any, Leaves]:
    """Turn a state tree into what `json.dumps` takes.

    Args:
        tree: Is not copied. Mappings of any kind are taken for dicts.

    Returns:
        The JSON value, and the arrays and tensors with what is known of them.

    Raises:
        TypeError: something in the tree cannot be saved; names where it is.
    """
    leaves: Leaves = {}
    return _encode(tree, "state", leaves, 0), leaves


def _encode(value: Any, path: str, leaves: Leaves, depth: int) -> Any:
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if value.bit_length() <= EXACT_BITS else {"$int": hex(value)}
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
    if isinstance(value, np.generic):
        return _encode_scalar(value, path)
    if isinstance(value, np.ndarray | Tensor):
        leaf = Leaf.of(value, path)
        leaves[leaf] = value
        return {"$tensor" if leaf.is_tensor else "$array": leaf.dtype, "shape": [*leaf.shape]}
    if depth == MAX_DEPTH:
        raise TypeError(
            f"{path[:200]}… cannot be saved: it contains itself, or more than {MAX_DEPTH} levels"
        )
    if isinstance(value, Mapping):
        return _encode_dict(value, path, leaves, depth + 1)
    if type(value) in (list, tuple):
        items = [_encode(item, _inside(path, i), leaves, depth + 1) for i, item in enumerate(value)]
        return items if type(value) is list else {"$tuple": items}
    raise TypeError(
        f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which cannot be saved: "
        "a state holds dicts, lists and tuples of None, bool, int, float, str, arrays and tensors"
    )


def _encode_scalar(value: np.generic, path: str) -> dict[str, str]:
    code = value.dtype.str[1:]
    if code not in ARRAYS:
        raise TypeError(
            f"{path} is a numpy.{type(value).__name__}, which cannot be saved: a NumPy scalar must "
            "be boolean, integer, floating or complex, of at most 64 bits per number"
        )
    stored = np.asarray(value, value.dtype.newbyteorder("<"))
    return {"$scalar": code, "bytes": stored.tobytes().hex()}


def _encode_dict(value: Mapping[Any, Any], path: str, leaves: Leaves, depth: int) -> Any:
    entries = {}
    for key, item in value.items():
        if type(key) not in (str, int):
            raise TypeError(
                f"{path} has the key {key!r}, which cannot be saved: keys must be str or int, "
                f"got {type(key).__name__}"
            )
        entries[key] = _encode(item, _inside(path, key), leaves, depth)
    if all(type(key) is str and not key.startswith("$") for key in entries):
        return entries
    return {"$dict": [[_encode(key, path, leaves, 0), item] for key, item in entries.items()]}


def _inside(path: str, key: str | int) -> str:
    # Python refuses to write out very large numbers in decimal.
    if isinstance(key, int) and key.bit_length() > EXACT_BITS:
        return f"{path}[{hex(key)}]"
    return f"{path}[{key!r}]"


def decode(node: Any, fill: Callable[[Leaf], Any], path: str = "state") -> Any:
    """Turn JSON that `encode` has made back into the tree.

    Args:
        node: What `json.loads` returned. Nothing in it is run, imported or looked up by name.
        fill: Gives the array or tensor of a leaf; called in the order of `encode`.
        path: Where the node is, for messages and the names of leaves.

    Returns:
        The tree.

    Raises:
        ValueError: there is something that `encode` does not write; says where.
    """
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, list):
        return [decode(item, fill, _inside(path, i)) for i, item in enumerate(node)]
    if not any(key.startswith("$") for key in node):
        return {key: decode(item, fill, _inside(path, key)) for key, item in node.items()}
    match len(node), node:
        case 1, {"$tuple": list(items)}:
            return tuple(decode(items, fill, path))
        case 1, {"$dict": list(pairs)}:
            return _decode_dict(pairs, fill, path)
        case 1, {"$int": str(digits)} if _INT.fullmatch(digits):
            return int(digits, 16)
        case 1, {"$float": str(bits)} if _BITS.fullmatch(bits) and len(bits) == 16:
            return struct.unpack(">d", bytes.fromhex(bits))[0]
        case 2, {"$scalar": str(code), "bytes": str(bits)} if _fits(code, bits):
            return np.frombuffer(bytes.fromhex(bits), f"<{code}")[0]
        case 2, {"$array": str(dtype), "shape": list(shape)} if _is_array_type(dtype):
            return fill(Leaf(path, dtype, _shape(shape, path)))
        case 2, {"$tensor": str(dtype), "shape": list(shape)} if dtype in TENSORS:
            return fill(Leaf(path, dtype, _shape(shape, path)))
    raise ValueError(f"{path} is no value of this format: {str(node)[:100]}")


def _decode_dict(pairs: list[Any], fill: Callable[[Leaf], Any], path: str) -> dict[Any, Any]:
    entries: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"{path} has an entry that is no pair: {str(pair)[:100]}")
        key = decode(pair[0], fill, path)
        if type(key) not in (str, int) or key in entries:
            raise ValueError(f"{path} has a key that is no new str or int: {str(pair[0])[:100]}")
        entries[key] = decode(pair[1], fill, _inside(path, key))
    return entries


def _fits(code: str, bits: str) -> bool:
    """Whether these are the bytes of one NumPy scalar."""
    storage = ARRAYS.get(code)
    return (
        storage is not None
        and _BITS.fullmatch(bits) is not None
        and len(bits) == 2 * storage.itemsize * storage.numbers
    )


def _is_array_type(dtype: str) -> bool:
    storage = ARRAYS.get(dtype[1:])
    return storage is not None and dtype[0] in ("|" if storage.itemsize == 1 else "<>")


def _shape(sizes: list[Any], path: str) -> tuple[int, ...]:
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(f"{path} has a shape that is no list of sizes: {str(sizes)[:100]}")
    return tuple(sizes)
