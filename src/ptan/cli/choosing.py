"""What a command line is about: an algorithm and its presets, or a run that is there."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ptan.cli.parsing import counting
from ptan.runs import CATALOGUE, Entry

__all__ = ["add_choice", "add_run", "chosen"]


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


def add_run(parser: argparse.ArgumentParser, episodes: int, seeding: str) -> None:
    """Declare the run whose network plays, for how long, and where.

    Args:
        parser: Of the command.
        episodes: How many, by default.
        seeding: What the seed is for.
    """
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--episodes",
        type=counting("episodes", 1),
        default=episodes,
        metavar="N",
        help=f"how many episodes (default {episodes})",
    )
    parser.add_argument(
        "--seed", type=counting("seed", 0), default=0, metavar="N", help=f"{seeding} (default 0)"
    )
    parser.add_argument(
        "--device", metavar="TEXT", help="where the network lives (default the run's)"
    )
