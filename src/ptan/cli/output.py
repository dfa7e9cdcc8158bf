"""The two ways out: standard output for results, standard error for everything else."""

import io
import os
import sys
from typing import TextIO

__all__ = ["complain", "tell", "tolerate_encodings"]


def tell(line: str) -> None:
    """Print a line of the result."""
    _print(line, sys.stdout)


def complain(line: str) -> None:
    """Print a line for people, beside the result."""
    _print(line, sys.stderr)


def tolerate_encodings() -> None:
    """Have terminals that do not know a letter, such as ε, show another one instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print(line: str, stream: TextIO) -> None:
    """Print; a reader that has left is no reason to stop a run that takes hours."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        # Python itself would stumble over what is left in the stream when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
