"""The entry point: finds the command, and turns what goes wrong into one line."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ptan.cli.output import complain, tolerate_encodings
from ptan.cli.parsing import Parser
from ptan.runs.errors import RunError
from ptan.training.checkpoint import CheckpointError

__all__ = ["BAD_INPUT", "main"]

BAD_INPUT = 2
"""Exit status after a request that cannot be met."""

COMMANDS = ("train", "eval", "play", "plot", "ablate", "bench", "presets")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The words after `ptan`; None takes the program's own.

    Returns:
        The exit status: 0 if all went well, 2 for bad input, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    tolerate_encodings()
    try:
        namespace = _parser(words).parse_args(words)
        return int(namespace.do(namespace))
    except SystemExit as leaving:  # argparse, after --help and --version
        return int(leaving.code or 0)
    except (RunError, CheckpointError, ImportError, OSError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        complain(f"ptan: {text}")
        return BAD_INPUT
    except MemoryError as error:
        complain(f"ptan: not enough memory: {error or 'nothing is said about for what'}")
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("ptan: stopped")
        return 130


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    import ptan

    parser = Parser(prog="ptan", description="Reinforcement learning with PyTorch and Gymnasium.")
    parser.add_argument("--version", action="version", version=f"ptan {ptan.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name in COMMANDS:
        import_module(f"ptan.cli.{name}").add(commands, words)
    return parser
