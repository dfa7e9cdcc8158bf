"""Settings: fields of a frozen dataclass that know their help text, their unit and their range."""

import dataclasses
import math
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

__all__ = ["Range", "Setting", "check_settings", "list_settings", "setting"]

T = TypeVar("T")


class Range(NamedTuple):
    """The numbers that a setting may take; infinite ones never.

    least   smallest, included
    above   lower bound, excluded
    most    largest, included
    """

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, float | int)
            and math.isfinite(value)
            and self.above < value
            and self.least <= value <= self.most
        )

    def __str__(self) -> str:
        if self.most < math.inf:
            low = f"[{self.least:g}" if self.least > -math.inf else f"({self.above:g}"
            return f"in {low}, {self.most:g}]"
        if self.least > -math.inf:
            return f"of at least {self.least:g}"
        return f"above {self.above:g}" if self.above > -math.inf else ""


class Setting(NamedTuple):
    """What a configuration says about one of its fields.

    name      as in the constructor
    type      its annotation
    default   the value if nothing is said
    help      one sentence
    unit      what a number counts, empty for pure numbers and switches
    range     which numbers it takes
    """

    name: str
    type: Any
    default: Any
    help: str
    unit: str
    range: Range


def setting(
    default: T,
    help: str,
    unit: str = "",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> T:
    """Declare a field of a configuration.

    Args:
        default: Its value if nothing is said.
        help: What it does, one sentence without a full stop.
        unit: What it counts, such as "environment steps".
        least, above, most: The range of a number, or of each of several; see `Range`.

    Returns:
        A dataclass field, under the type of its default, as `dataclasses.field` does.
    """
    metadata = {"help": help, "unit": unit, "range": Range(least, above, most)}
    return dataclasses.field(default=default, metadata=metadata)


def list_settings(config: Any) -> list[Setting]:
    """All settings of a configuration class or instance, in the order of the class."""
    return [
        Setting(f.name, f.type, f.default, *(f.metadata[key] for key in ("help", "unit", "range")))
        for f in dataclasses.fields(config)
    ]


def check_settings(config: Any) -> None:
    """Check every field of a configuration against its annotation and its range.

    Understands bool, int, float, str, `Literal`, `tuple[int, ...]` and unions of them with None.
    NumPy's numbers become Python's, and lists, as JSON gives them, become tuples. To be called by
    `__post_init__`.

    Raises:
        TypeError, ValueError: a setting of the wrong kind or outside its range, by name.
    """
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        hint = hints[field.name]
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        value = getattr(config, field.name)
        checked = _checked(field.name, value, kinds, field.metadata["range"])
        object.__setattr__(config, field.name, checked)


def _checked(name: str, value: Any, kinds: Sequence[Any], allowed: Range) -> Any:
    if value is None and NoneType in kinds:
        return None
    for kind in kinds:
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                raise ValueError(f"{name} must be one of {list(get_args(kind))}, got {value!r}")
            return value
        if kind in (bool, str):
            if not isinstance(value, kind):
                wanted = "True or False" if kind is bool else "a text"
                raise TypeError(f"{name} must be {wanted}, got {value!r}")
            return value
    several = any(get_origin(kind) is tuple for kind in kinds)
    if several and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_number(name, one, int in kinds, allowed) for one in value)
    return _number(name, value, int in kinds, allowed)


def _number(name: str, value: Any, whole: bool, allowed: Range) -> int | float:
    number_types = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    wanted = f"{'an int' if whole else 'a finite number'} {allowed}".rstrip()
    if isinstance(value, bool) or not isinstance(value, number_types):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    number = int(value) if whole else float(value)
    if number not in allowed:
        raise ValueError(f"{name} must be {wanted}, got {value}")
    return number
