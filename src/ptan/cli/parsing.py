"""Flags made from settings, and a parser whose errors are one line."""

import argparse
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from ptan.algorithms.settings import Setting, list_settings
from ptan.runs.errors import RunError, nearest

__all__ = ["Parser", "add_settings", "counting", "given_settings", "whole"]


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `RunError` instead of leaving the program.

    Args:
        *arguments, **options: As for `ArgumentParser`. Flags must be written out.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", _Formatter)
        super().__init__(*arguments, **options)

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise RunError(f"{message} (see {self.prog} --help)")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the base class does; flags that nobody knows raise with the nearest that there are."""
        words = sys.argv[1:] if args is None else list(args)
        if self._subparsers is None:
            # Before anything else: the value of an unknown flag would be taken for an argument.
            for word in words:
                name = word.partition("=")[0]
                if re.fullmatch(r"--\w.*", name) and name not in self._option_string_actions:
                    self.error(f"unknown flag {name}{nearest(name, self._option_string_actions)}")
        found, extra = super().parse_known_args(words, namespace)
        if extra:
            kind = "flag" if extra[0].startswith("-") else "argument"
            self.error(f"unknown {kind} {extra[0]}")
        return found, extra

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the nearest choice."""
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            what = action.metavar or action.dest
            hint = nearest(str(value), names)
            self.error(f"{what} must be one of {', '.join(names)}, got {value!r}{hint}")


class _Formatter(argparse.HelpFormatter):
    """Help texts in a column of their own, as wide as flags usually are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


def add_settings(
    group: Any,
    config: type[Any],
    names: dict[str, str] | None = None,
    leave_out: Sequence[str] = (),
) -> None:
    """Make a flag of every setting of a configuration. Flags that are not given leave no trace.

    Args:
        group: A parser or a group of its arguments.
        config: The dataclass.
        names: Flags that are called otherwise than their setting.
        leave_out: Settings without a flag.
    """
    for setting in list_settings(config):
        if setting.name in leave_out:
            continue
        name = (names or {}).get(setting.name, setting.name)
        flag = "--" + name.replace("_", "-")
        options: dict[str, Any] = {
            "dest": setting.name,
            "default": argparse.SUPPRESS,
            "help": help_of(setting),
        }
        if setting.type is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
        else:
            options["metavar"] = _metavar(setting.type)
            group.add_argument(flag, type=_reader(setting.type), **options)


def given_settings(namespace: argparse.Namespace, config: type[Any]) -> dict[str, Any]:
    """The settings of a configuration that were given as flags."""
    given = vars(namespace)
    return {s.name: given[s.name] for s in list_settings(config) if s.name in given}


def help_of(setting: Setting) -> str:
    """What a setting does, its unit and its default."""
    unit = f", in {setting.unit}" if setting.unit and not setting.unit.startswith("per ") else ""
    unit = f", {setting.unit}" if setting.unit.startswith("per ") else unit
    default = _written(setting.default)
    return f"{setting.help}{unit} (default {default})".replace("%", "%%")


def whole(text: str) -> int:
    """An int, also written as 1e6 or 1_000_000.

    Raises:
        ValueError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is no whole number")
    return int(number)


def counting(name: str, least: int) -> Callable[[str], int]:
    """A reader of whole numbers of at least `least`, for `type=` of an argument.

    Args:
        name: What error messages call it.
        least: The least that is fine.
    """

    def read(text: str) -> int:
        try:
            number = whole(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(
                f"{name} must be a whole number of at least {least}, got {text!r}"
            )
        return number

    return read


def _written(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parts(kind: Any) -> list[Any]:
    """The members of a union; the type itself where it is none."""
    if get_origin(kind) in (Union, types.UnionType):
        return list(get_args(kind))
    return [kind]


def _metavar(kind: Any) -> str:
    words = {int: "N", float: "X", str: "TEXT", type(None): "none"}
    parts = [
        "N,N…"
        if get_origin(part) is tuple
        else "|".join(map(str, get_args(part)))
        if get_origin(part) is Literal
        else words.get(part, "VALUE")
        for part in _parts(kind)
    ]
    return "|".join(parts)


def _reader(kind: Any) -> Callable[[str], Any]:
    """A function from a flag's text to a value of an annotated type."""
    parts = _parts(kind)

    def read(text: str) -> Any:
        if type(None) in parts and text.lower() == "none":
            return None
        for part in parts:
            if part is not type(None):
                try:
                    return _read_one(part, text)
                except ValueError:
                    continue
        raise argparse.ArgumentTypeError(f"must be {_wanted(parts)}, got {text!r}")

    return read


def _read_one(kind: Any, text: str) -> Any:
    """A text as one type.

    Raises:
        ValueError: it is no such thing.
    """
    if get_origin(kind) is tuple:
        return tuple(_read_one(get_args(kind)[0], piece) for piece in text.split(","))
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise ValueError(text)
    if kind is int:
        return whole(text)
    return kind(text)


def _wanted(parts: Sequence[Any]) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", type(None): "none"}
    named = [
        "whole numbers with commas"
        if get_origin(part) is tuple
        else f"one of {', '.join(map(str, get_args(part)))}"
        if get_origin(part) is Literal
        else words.get(part, str(part))
        for part in parts
    ]
    return " or ".join(named)
