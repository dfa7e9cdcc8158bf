"""`ptan presets`: environments with the settings that train them."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ptan.cli.output import tell
from ptan.runs import CATALOGUE, RunSettings
from ptan.runs.catalogue import differing
from ptan.runs.settings import settings_of_preset

__all__ = ["add"]


def add(commands: Any, words: Sequence[str]) -> None:  # noqa: ARG001
    """Declare the command."""
    parser = commands.add_parser(
        "presets",
        help="list the presets",
        description="List the presets of all algorithms, with the settings in which they "
        "differ from the defaults.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(do=presets)


def presets(options: argparse.Namespace) -> int:
    """Print the table; returns the exit status."""
    listed = {
        name: {"algorithm": algorithm, **_described(preset)}
        for algorithm, entry in CATALOGUE.items()
        for name, preset in entry.presets.items()
    }
    if options.json:
        tell(json.dumps(listed, indent=2))
        return 0
    width = max(map(len, listed))
    for name, preset in listed.items():
        run = dict(preset["run"])
        tell(f"{name:{width}}  {preset['algorithm']} on {run.pop('env_id')}")
        words = [_flag(k, v) for k, v in {**run, **preset["config"]}.items()]
        tell(f"{'':{width}}  {' '.join(words)}")
    return 0


def _described(preset: Any) -> dict[str, Any]:
    """A preset as plain values: what differs from the defaults of the run and of the algorithm."""
    usual = vars(RunSettings())
    run = {k: v for k, v in settings_of_preset(preset).items() if v != usual[k]}
    return {"run": run, "config": differing(preset.config)}


def _flag(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return flag if value else flag.replace("--", "--no-", 1)
    return f"{flag} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
