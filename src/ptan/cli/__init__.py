"""The command line: `ptan train`, `eval`, `play`, `plot`, `ablate`, `bench`, `presets`.

Each command is a module with `run(words)`, which reads its flags, does it and returns the exit
status. `main` is the entry point.
"""

from ptan.cli.main import main

__all__ = ["main"]
