"""`ptan plot`: learning curves of runs in one picture."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptan.cli.output import tell
from ptan.runs import RunError, RunFolder

__all__ = ["add"]


def add(commands: Any, words: Sequence[str]) -> None:  # noqa: ARG001
    """Declare the command."""
    parser = commands.add_parser(
        "plot",
        help="draw the learning curves of runs",
        description="Draw the training rewards of runs over environment steps in one picture.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the picture (default RUN/curve.png of one run, curves.png of several)",
    )
    parser.set_defaults(do=plot)


def plot(options: argparse.Namespace) -> int:
    """Draw; returns the exit status.

    Raises:
        RunError: a folder is no run's, or the file cannot be written.
    """
    folders = [RunFolder.open(path) for path in options.runs]
    alone = folders[0].curve if len(folders) == 1 else Path("curves.png")
    out = alone if options.out is None else options.out
    if not out.resolve().parent.is_dir():
        raise RunError(f"the picture cannot be written to {out}: there is no such folder")
    from ptan.runs.plots import plot_runs

    try:
        plot_runs([folder.path for folder in folders], out)
    except ValueError as error:
        raise RunError(str(error)) from None
    tell(f"{out}")
    return 0
