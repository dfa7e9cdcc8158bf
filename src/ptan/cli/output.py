"""The two ways out: standard output for results, standard error for everything else."""

import sys

__all__ = ["complain", "tell"]


def tell(line: str) -> None:
    """Print a line of the result."""
    print(line, flush=True)  # noqa: T201


def complain(line: str) -> None:
    """Print a line for people, beside the result."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201
