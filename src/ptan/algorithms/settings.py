"""Settings: fields of a frozen dataclass that know their help text, their unit and their range."""

import dataclasses
import math
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from ptan.common.checks import number, whole_number

__all__ = ["Setting", "check_settings", "list_settings", "setting"]

T = TypeVar("T")


class Setting(NamedTuple):
    """What a configuration says about one of its fields.

    name      as in the constructor
    type      its annotation
    default   the value if nothing is said
    help      one sentence
    unit      what a number counts, empty for pure numbers and switches
    least     smallest number, included
    above     bound below all numbers, excluded
    most      largest number, included
    """

    name: str
    type: Any
    default: Any
    help: str
    unit: str
    least: float
    above: float
    most: float

    @property
    def range(self) -> str:
        """The range of its numbers, in words; infinite ones are never in it."""
        if self.most < math.inf:
            return f"in [{self.least:g}, {self.most:g}]"
        if self.least > -math.inf:
            return f"of at least {self.least:g}"
        return f"above {self.above:g}" if self.above > -math.inf else ""


def setting(
    default: T,
    help: str,
    unit: str = "",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> T:
    """Declare a field of a configuration; see `Setting`.

    `help` is a sentence without a full stop. The range is that of a number, or of each of several.
    Returns a dataclass field, under the type of its default, as `dataclasses.field` does.
    """
    metadata = {"help": help, "unit": unit, "least": least, "above": above, "most": most}
    return dataclasses.field(default=default, metadata=metadata)


def list_settings(config: Any) -> list[Setting]:
    """All settings of a configuration class or instance, in the order of the class."""
    fields = dataclasses.fields(config)
    return [Setting(one.name, one.type, one.default, **one.metadata) for one in fields]


def check_settings(config: Any) -> None:
    """Check every field of a configuration against its annotation and its range.

    Understands bool, int, float, str, `Literal`, `tuple[int, ...]` and unions of them with None.
    NumPy's numbers become Python's, and lists, as JSON gives them, become tuples. To be called by
    `__post_init__`. Raises TypeError or ValueError that names the setting.
    """
    for one in list_settings(config):
        object.__setattr__(config, one.name, _checked(one, getattr(config, one.name)))


def _checked(one: Setting, value: Any) -> object:
    is_union = get_origin(one.type) in (Union, UnionType)
    kinds = get_args(one.type) if is_union else (one.type,)
    if value is None and NoneType in kinds:
        return None
    if get_origin(one.type) is Literal:
        if value not in (choices := get_args(one.type)):
            raise ValueError(f"{one.name} must be one of {list(choices)}, got {value!r}")
        return value
    if (kind := kinds[0]) in (bool, str):
        if not isinstance(value, kind):
            wanted = "True or False" if kind is bool else "a text"
            raise TypeError(f"{one.name} must be {wanted}, got {value!r}")
        return value
    several = any(get_origin(kind) is tuple for kind in kinds)
    if several and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_number(one, item, int in kinds) for item in value)
    return _number(one, value, int in kinds)


def _number(one: Setting, value: object, whole: bool) -> int | float:
    wanted = f"{'an int' if whole else 'a finite number'} {one.range}".rstrip()
    found = number(one.name, value, wanted)
    if not (one.above < found < math.inf and one.least <= found <= one.most):
        raise ValueError(f"{one.name} must be {wanted}, got {value}")
    return whole_number(one.name, value, least=int(one.least)) if whole else found
