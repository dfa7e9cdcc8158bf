"""What an episode was, in little: a checksum of what was seen, and the actions as columns."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np

__all__ = ["action_columns", "action_rows", "checksum"]


def checksum(value: Any, start: int = 0) -> int:
    """A CRC-32 over a value as environments give them: nested, arrays, tensors, numbers, text."""
    if value.__class__ is np.ndarray and not value.dtype.hasobject:
        try:
            return crc32(value, start)  # type: ignore[arg-type]
        except (BufferError, ValueError):  # not contiguous, or of a dtype without a buffer
            return crc32(value.tobytes(), start)
    if isinstance(value, dict):
        parts = [part for key in sorted(value, key=str) for part in (str(key), value[key])]
        return checksum(parts, start)
    if hasattr(value, "detach"):
        return checksum(value.detach().cpu().numpy(), start)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list):
        for part in value:
            start = checksum(part, start)
        return crc32(str(len(value)).encode(), start)
    text = repr(value)
    if " at 0x" in text:  # an address, which is another one in another process
        text = type(value).__qualname__
    return crc32(text.encode(), start)


def action_columns(actions: Sequence[Any]) -> list[dict[str, Any]]:
    """Actions as columns of plain data, one for every stretch of equal types, dtypes and shapes."""
    return [_column(list(group)) for _, group in itertools.groupby(actions, key=_kind)]


def action_rows(columns: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """The actions of `action_columns` in their own types, each a copy."""
    return itertools.chain.from_iterable(map(_rows, columns))


def _kind(action: Any) -> Any:
    if isinstance(action, dict):
        return [(key, _kind(part)) for key, part in action.items()]
    if isinstance(action, tuple):
        return [_kind(part) for part in action]
    array = np.asarray(action)
    python = isinstance(action, int | float) and not isinstance(action, np.generic)
    return python, array.dtype.kind == "U" or (array.dtype, array.shape)


def _column(actions: list[Any]) -> dict[str, Any]:
    first = actions[0]
    if isinstance(first, dict):
        return {"keys": {key: _column([action[key] for action in actions]) for key in first}}
    if isinstance(first, tuple):
        return {"items": [_column(list(part)) for part in zip(*actions, strict=True)]}
    if isinstance(first, str):
        return {"text": actions}
    python = isinstance(first, int | float) and not isinstance(first, np.generic)
    return {"values": np.array([np.asarray(action) for action in actions]), "python": python}


def _rows(column: dict[str, Any]) -> Iterator[Any]:
    if "keys" in column:
        parts = zip(*map(_rows, column["keys"].values()), strict=True)
        yield from (dict(zip(column["keys"], one, strict=True)) for one in parts)
    elif "items" in column:
        yield from zip(*map(_rows, column["items"]), strict=True)
    elif "text" in column:
        yield from column["text"]
    elif column["python"]:
        yield from column["values"].tolist()
    else:
        yield from (action.copy() for action in column["values"])
