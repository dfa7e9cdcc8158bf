"""Flags made of settings, and command lines read by tyro, with errors of one line."""

import argparse
import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ptan.algorithms.settings import list_settings
from ptan.runs.errors import RunError, nearest

__all__ = ["check_counts", "flags", "given", "parse"]

T = TypeVar("T")

ALIASES = {
    "batch_size": ["--batch"],
    "env_id": ["--env-id"],
    "eps_final": ["--eps-end", "--exploration-final-eps"],
    "exact": ["--save-replay"],
    "learning_rate": ["--lr"],
    "n_steps": ["--n-step"],
    "num_envs": ["--n-envs"],
    "replay_size": ["--buffer-size"],
    "steps": ["--total-timesteps", "--timesteps", "--total-steps"],
    "steps_per_update": ["--train-frequency"],
    "warm_up": ["--learning-starts", "--warmup"],
}
"""Other libraries' names of settings."""

_REGISTRY = ConstructorRegistry()


def parse(kind: type[T], words: Sequence[str], prog: str, about: str) -> T:
    """Read the flags that a dataclass has; the comment behind a field is its help.

    Raises:
        RunError: an unknown flag, with those most like it, or a bad value.
        SystemExit: help was asked for and printed.
    """
    errors, config = io.StringIO(), (tyro.conf.OmitArgPrefixes,)
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                kind,
                prog=prog,
                description=about,
                args=list(words),
                registry=_REGISTRY,
                config=config,
            )
    except SystemExit as leaving:
        if not leaving.code:
            raise
    raise RunError(f"{_one_line(errors.getvalue())} (see {prog} --help)")


def flags(config: type[Any], defaults: Mapping[str, Any], leave_out: Sequence[str] = ()) -> Any:
    """A field for `make_dataclass` with a flag for every setting of a configuration class."""
    fields = []
    for one in list_settings(config):
        if one.name not in leave_out:
            unit = f", {'' if one.unit.startswith('per ') else 'in '}{one.unit}" if one.unit else ""
            name = "env" if one.name == "env_id" else one.name
            about = tyro.conf.arg(name=name, help=one.help + unit, aliases=ALIASES.get(one.name))
            fields.append((one.name, Annotated[one.type, about], field(default=defaults[one.name])))
    kind = make_dataclass(config.__name__, fields, frozen=True)
    title = config.__name__.removesuffix("Settings").removesuffix("Config")
    return config.__name__, Annotated[kind, tyro.conf.arg(name=title)], field(default=kind())


def check_counts(**counts: int) -> None:
    """Raise RunError unless numbers are at least 1, a seed at least 0."""
    for name, value in counts.items():
        least = 0 if name == "seed" else 1
        if value < least:
            raise RunError(f"{name} must be a whole number of at least {least}, got '{value}'")


def given(words: Sequence[str], flag: str) -> str | None:
    """The value of a flag that has to be known before all flags are; None if it is not there.

    Of several the last one counts, as for all flags.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(flag, dest="value", nargs="?")
    value: str | None = parser.parse_known_args(words)[0].value
    return value


def _one_line(text: str) -> str:
    """What tyro says in a box of many lines: the message, and the flags that may be meant."""
    lines = [line.strip("│ ") for line in text.splitlines() if not line.startswith(("╭", "╰"))]
    parts = re.split(r"^[─-]+$", "\n".join(lines), flags=re.MULTILINE)
    if not text.startswith("╭"):  # a terminal without boxes has the title in a part of its own
        del parts[0]
    message = " ".join(parts[0].split()) if parts else text
    message = re.sub(r"^Unrecognized options: (\S+?)(,? .*)?$", r"unknown flag \1", message)
    message = re.sub(r"^unknown flag (?!-)", "unknown argument ", message)
    wrong = message.removeprefix("unknown flag ")
    named = dict.fromkeys(re.findall(r"--[\w-]+", text))
    return message + nearest(wrong, [flag for flag in named if flag != wrong])


@_REGISTRY.primitive_rule
def _rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Whole numbers also as 1e6, "none" in small letters, and several numbers with commas."""
    parts = get_args(info.type) if get_origin(info.type) in (Union, UnionType) else (info.type,)
    if info.type not in (int, float) and NoneType not in parts:
        return None
    names = {int: "a whole number", float: "a number", NoneType: "none"}
    wanted = " or ".join(
        "whole numbers with commas" if get_origin(part) is tuple else names.get(part, part.__name__)
        for part in parts
    )

    def read(words: list[str]) -> Any:
        if NoneType in parts and words[0].lower() == "none":
            return None
        for part in parts:
            with contextlib.suppress(ValueError):
                if get_origin(part) is tuple:
                    return tuple(map(_whole, words[0].split(",")))
                if part is not NoneType:
                    return _whole(words[0]) if part is int else part(words[0])
        raise ValueError(f"must be {wanted}, got {words[0]!r}")

    def write(value: Any) -> list[str]:
        if isinstance(value, tuple):
            return [",".join(map(str, value))]
        whole = isinstance(value, int) and value >= 10_000
        return ["none" if value is None else f"{value:_}" if whole else str(value)]

    metavar = "|".join({int: "N", float: "X", NoneType: "none"}.get(p, "TEXT") for p in parts)
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: True,  # noqa: ARG005
        str_from_instance=write,
    )


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        if not (number := float(text)).is_integer():
            raise
        return int(number)
