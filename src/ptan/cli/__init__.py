"""The command line: `ptan train`, `eval`, `play`, `plot`, `ablate`, `bench`, `presets`.

Each command is a module with `add(commands, words)`, which declares its arguments, and a function
that does it and returns the exit status. `main` is the entry point.
"""

from ptan.cli.main import main

__all__ = ["main"]
