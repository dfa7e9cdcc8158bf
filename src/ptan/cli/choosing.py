"""Which algorithm a command line is about, and where its settings begin."""

import argparse
from collections.abc import Sequence

from ptan.runs import CATALOGUE, Entry

__all__ = ["add_choice", "chosen"]


def chosen(words: Sequence[str]) -> tuple[str, Entry]:
    """The algorithm that a command line names, the first one if it names none.

    Args:
        words: The command line.

    Returns:
        Its name and its entry in the catalogue.
    """
    name = next((word for word in words if word in CATALOGUE), next(iter(CATALOGUE)))
    return name, CATALOGUE[name]


def add_choice(parser: argparse.ArgumentParser, entry: Entry, default: str | None = None) -> None:
    """Declare the algorithm and the preset.

    Args:
        parser: Of the command.
        entry: Of the algorithm whose presets are listed.
        default: The algorithm if none is named; None leaves it open.
    """
    listed = "; ".join(f"{name}: {one.summary}" for name, one in CATALOGUE.items())
    parser.add_argument(
        "algorithm",
        nargs="?",
        default=default,
        metavar="ALGO",
        choices=list(CATALOGUE),
        help=listed if default is None else f"{listed} (default {default})",
    )
    parser.add_argument("--preset", metavar="P", help=f"one of {', '.join(entry.presets)}")
