"""Arrays and tensors in a safetensors file, written and read in one pass.

The format (https://github.com/huggingface/safetensors#format): eight bytes with the length of the
header, the header as JSON, then the bytes of all tensors, little-endian and without gaps. Written
here rather than by the library of that name, so that a replay buffer of many gigabytes is neither
copied nor read a second time for its checksum. Files can be opened with that library.
"""

import hashlib
import json
import math
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptan.training.durable import CHUNK, naming, write_file

__all__ = ["Leaf", "read_tensors", "write_tensors"]


class _Storage(NamedTuple):
    """How a dtype is stored: the format's code, bytes per number, numbers per element."""

    code: str
    itemsize: int
    numbers: int = 1


# NumPy's own codes, without the byte order.
ARRAYS = {
    "b1": _Storage("BOOL", 1),
    "i1": _Storage("I8", 1),
    "i2": _Storage("I16", 2),
    "i4": _Storage("I32", 4),
    "i8": _Storage("I64", 8),
    "u1": _Storage("U8", 1),
    "u2": _Storage("U16", 2),
    "u4": _Storage("U32", 4),
    "u8": _Storage("U64", 8),
    "f2": _Storage("F16", 2),
    "f4": _Storage("F32", 4),
    "f8": _Storage("F64", 8),
    "c8": _Storage("F32", 4, 2),
    "c16": _Storage("F64", 8, 2),
}
TENSORS = {
    "bool": _Storage("BOOL", 1),
    "int8": _Storage("I8", 1),
    "int16": _Storage("I16", 2),
    "int32": _Storage("I32", 4),
    "int64": _Storage("I64", 8),
    "uint8": _Storage("U8", 1),
    "uint16": _Storage("U16", 2),
    "uint32": _Storage("U32", 4),
    "uint64": _Storage("U64", 8),
    "float8_e4m3fn": _Storage("F8_E4M3", 1),
    "float8_e5m2": _Storage("F8_E5M2", 1),
    "bfloat16": _Storage("BF16", 2),
    "float16": _Storage("F16", 2),
    "float32": _Storage("F32", 4),
    "float64": _Storage("F64", 8),
    "complex64": _Storage("F32", 4, 2),
    "complex128": _Storage("F64", 8, 2),
}
# NumPy lacks some of torch's dtypes, but has integers as wide as each.
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array or tensor of a tree: all but its numbers.

    name      where in the tree: `state['net']['0.weight']`
    dtype     NumPy's code with the byte order (`<f4`, `|b1`), or torch's name (`bfloat16`)
    shape     of the array or tensor
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, value: NDArray[Any] | Tensor, name: str) -> "Leaf":
        """Describe an array or tensor.

        Raises:
            TypeError: it is of a kind that cannot be saved; names where it is and why.
        """
        if isinstance(value, Tensor):
            _check_tensor(value, name)
            return cls(name, str(value.dtype).removeprefix("torch."), tuple(value.shape))
        if type(value) not in (np.ndarray, np.memmap):
            raise TypeError(f"{name} must be a plain array to be saved, got a {_kind(value)}")
        if value.dtype.str[1:] not in ARRAYS:
            raise TypeError(
                f"{name} is an array with dtype {value.dtype}, which cannot be saved: it must be "
                "boolean, integer, floating or complex, of at most 64 bits per number"
            )
        return cls(name, value.dtype.str, value.shape)

    @property
    def is_tensor(self) -> bool:
        """Whether of torch; NumPy's codes are other words."""
        return self.dtype in TENSORS

    @property
    def storage(self) -> _Storage:
        """How its numbers are stored."""
        return TENSORS[self.dtype] if self.is_tensor else ARRAYS[self.dtype[1:]]

    @property
    def nbytes(self) -> int:
        """In the file."""
        _, itemsize, numbers = self.storage
        return math.prod(self.shape) * itemsize * numbers

    def content(self, value: NDArray[Any] | Tensor) -> NDArray[np.uint8]:
        """The bytes as they are stored; a copy only where they do not lie so in memory."""
        array = value if isinstance(value, np.ndarray) else self._integers(value.detach().cpu())
        ordered = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        return ordered.reshape(-1).view(np.uint8)

    def empty(self) -> tuple[NDArray[Any] | Tensor, NDArray[Any]]:
        """An array or tensor to be filled, and its numbers in one row, in the same memory.

        Raises:
            ValueError: the sizes beside a 0 are beyond what an address can say.
        """
        # NumPy and PyTorch compute strides as if no size were 0, each with its own error.
        _, itemsize, numbers = self.storage
        if math.prod(filter(None, self.shape)) * itemsize * numbers > sys.maxsize:
            raise ValueError(f"{self.name} has a shape that no memory holds: {[*self.shape]}")
        if self.is_tensor:
            tensor = torch.empty(self.shape, dtype=getattr(torch, self.dtype))
            return tensor, self._integers(tensor)
        array = np.empty(self.shape, self.dtype)
        return array, array.reshape(-1)

    def _integers(self, tensor: Tensor) -> NDArray[Any]:
        """The numbers of a tensor as integers of equal size; the same memory if contiguous."""
        plain = tensor.resolve_conj().resolve_neg().contiguous().reshape(-1)
        integers: NDArray[Any] = plain.view(_INTEGERS[self.storage.itemsize]).numpy()
        return integers


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _check_tensor(tensor: Tensor, name: str) -> None:
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        raise TypeError(f"{name} must be a plain tensor to be saved, got a {_kind(tensor)}")
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise TypeError(
            f"{name} must be a dense tensor with values to be saved, got one with layout "
            f"{tensor.layout} on device {tensor.device}"
        )
    if str(tensor.dtype).removeprefix("torch.") not in TENSORS:
        raise TypeError(
            f"{name} is a tensor with dtype {tensor.dtype}, which cannot be saved: it must be one "
            f"of {', '.join(TENSORS)}"
        )


def _stored_order(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Wide numbers first: all then lie at multiples of their size."""
    return sorted(leaves, key=lambda leaf: -leaf.storage.itemsize)


def _header(leaves: Sequence[Leaf]) -> bytes:
    """The beginning of the file that holds these leaves, in this order."""
    entries, end = {}, 0
    for leaf in leaves:
        begin, end = end, end + leaf.nbytes
        code, _, numbers = leaf.storage
        shape = [*leaf.shape, numbers] if numbers > 1 else [*leaf.shape]
        entries[leaf.name] = {"dtype": code, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_tensors(path: Path, leaves: dict[Leaf, NDArray[Any] | Tensor]) -> str:
    """Write a new safetensors file and force it to the disk.

    Args:
        path: Must not exist.
        leaves: Each with its value. One at a time is copied, and only if it is not contiguous,
            is big-endian, or lies on another device than the CPU.

    Returns:
        The SHA-256 of the file in hexadecimal digits.

    Raises:
        OSError: the file exists or cannot be written; names the path.
    """

    def parts() -> Iterator[bytes | memoryview]:
        ordered = _stored_order([*leaves])
        yield _header(ordered)
        for leaf in ordered:
            yield leaf.content(leaves[leaf]).data

    return write_file(path, parts())


def read_tensors(
    path: Path, leaves: Sequence[Leaf], sha256: str
) -> dict[Leaf, NDArray[Any] | Tensor]:
    """Read a file that `write_tensors` has written, in one pass and without copies.

    Args:
        path: Of the file.
        leaves: All that are in it. The header must be the one that follows from them, so nothing
            is allocated, and no place in the file visited, because a damaged header says so.
        sha256: Checksum of the file in hexadecimal digits.

    Returns:
        The values: arrays, and tensors on the CPU.

    Raises:
        ValueError: the file is damaged; says in what way.
        OSError: it cannot be read; names the path.
    """
    ordered = _stored_order(leaves)
    header = _header(ordered)
    expected = len(header) + sum(leaf.nbytes for leaf in ordered)
    digest, values = hashlib.sha256(), {}
    with naming(path), path.open("rb", buffering=0) as file:
        if (size := os.fstat(file.fileno()).st_size) != expected:
            raise ValueError(f"{path.name} has {size} bytes, expected {expected}")
        found = bytearray(len(header))
        _fill(file, memoryview(found), digest)
        if found != header:
            raise ValueError(f"{path.name} begins with another header than was written")
        for leaf in ordered:
            values[leaf], numbers = leaf.empty()
            _fill(file, numbers.view(np.uint8).data, digest)
            if numbers.dtype.str.startswith(">"):
                numbers.byteswap(inplace=True)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path.name} does not fit its checksum")
    return values


def _fill(file: FileIO, memory: memoryview, digest: "hashlib._Hash") -> None:
    """Read until the memory is full."""
    while len(memory) > 0:
        count = file.readinto(memory[:CHUNK])
        if not count:
            raise ValueError(f"{Path(str(file.name)).name} ends too early")
        digest.update(memory[:count])
        memory = memory[count:]
