"""Settings: fields of a frozen dataclass that know their own help text, and their checks."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

__all__ = ["Setting", "list_settings", "setting"]

T = TypeVar("T")


class Setting(NamedTuple):
    """What a configuration says about one of its fields.

    name      as in the constructor
    type      its annotation
    default   the value if nothing is said
    help      one sentence
    unit      what a number counts, empty for pure numbers and switches
    """

    name: str
    type: Any
    default: Any
    help: str
    unit: str


def setting(default: T, help: str, unit: str = "") -> T:
    """Declare a field of a configuration.

    Args:
        default: Its value if nothing is said.
        help: What it does, one sentence without a full stop.
        unit: What it counts, such as "environment steps".

    Returns:
        A dataclass field, under the type of its default, as `dataclasses.field` does.
    """
    metadata = {"help": help, "unit": unit}
    return dataclasses.field(default=default, metadata=metadata)


def list_settings(config: Any) -> list[Setting]:
    """All settings of a configuration, to print them or make command line flags of them.

    Args:
        config: A configuration such as `DQNConfig`, the class or an instance.

    Returns:
        One `Setting` per field, in the order of the class.
    """
    return [
        Setting(f.name, f.type, f.default, f.metadata["help"], f.metadata["unit"])
        for f in dataclasses.fields(config)
    ]


def widths(name: str, value: object) -> int | tuple[int, ...] | None:
    """Widths of layers, hashable: lists, as JSON gives them, become tuples."""
    many = isinstance(value, Sequence) and not isinstance(value, str)
    sizes = tuple(cast(Sequence[Any], value)) if many else (value,)
    if value is None:
        return None
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"{name} must be an int, ints or None, got {value!r}")
        if size < 1:
            raise ValueError(f"{name} must hold widths of at least 1, got {value!r}")
    return sizes if many else cast(int, value)
