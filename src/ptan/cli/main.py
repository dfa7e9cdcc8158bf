"""The entry point: finds the command, and turns what goes wrong into one line."""

import sys
from collections.abc import Sequence
from importlib import import_module

from ptan.cli.output import complain, tell, tolerate_encodings
from ptan.runs.errors import RunError, check_name, one_line

__all__ = ["main"]

COMMANDS = {
    "train": ("train:run", "train an algorithm"),
    "eval": ("look:evaluate", "evaluate the network of a run"),
    "play": ("look:play", "watch the network of a run"),
    "plot": ("look:plot", "draw the learning curves of runs"),
    "ablate": ("ablate:run", "find out what each switch of an algorithm does"),
    "bench": ("bench:run", "measure how fast training is on this machine"),
    "presets": ("look:presets", "list the presets"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line: the words after `ptan`; None takes the program's own.

    Returns the exit status: 0 if all went well, 1 if an environment failed, 2 for a request that
    cannot be met, 130 after Ctrl-C.
    """
    tolerate_encodings()
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as leaving:  # after --help
        return int(leaving.code or 0)
    except (RunError, ImportError, OSError) as error:
        complain(f"ptan: {one_line(error)}")
        return getattr(error, "status", 2)
    except MemoryError as error:
        complain(f"ptan: not enough memory: {error or 'nothing is said about for what'}")
        return 2
    except KeyboardInterrupt:
        complain("ptan: stopped")
        return 130


def _run(words: list[str]) -> int:
    command = words[0] if words else ""
    if command in ("-h", "--help"):
        tell("usage: ptan COMMAND …\n\nReinforcement learning with PyTorch and Gymnasium.\n")
        for name, (_, about) in COMMANDS.items():
            tell(f"  {name:8} {about}")
        tell("\nptan COMMAND --help explains each; ptan --version prints the version")
        return 0
    if command == "--version":
        import ptan

        tell(f"ptan {ptan.__version__}")
        return 0
    check_name("COMMAND", command, COMMANDS)
    module, _, function = COMMANDS[command][0].partition(":")
    return int(getattr(import_module(f"ptan.cli.{module}"), function)(words[1:]))
