"""`ptan bench`: how fast training is on this machine, and where its time goes."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ptan.cli.choosing import add_choice, chosen
from ptan.cli.output import tell
from ptan.cli.parsing import add_settings, counting
from ptan.cli.train import read_config
from ptan.common.memory import keep_freed_memory
from ptan.runs import RunSettings
from ptan.runs.profile import Profile, profile

__all__ = ["add"]

# Settings of runs that last longer than a measurement.
_NO_FLAG = (
    *("steps", "stop_reward", "stop_episodes", "eval_episodes", "eval_every"),
    *("checkpoint_every", "save_replay", "diagnostics_every"),
)


def add(commands: Any, words: Sequence[str]) -> None:
    """Declare the command.

    Args:
        commands: Where commands are added.
        words: The command line: the flags are those of the algorithm that it names.
    """
    name, entry = chosen(words)
    parser = commands.add_parser(
        "bench",
        help="measure how fast training is on this machine",
        description="Train for a while with a stopwatch on every part, then time the environments "
        "and the updates alone. Nothing is written.",
        usage=f"ptan bench [{name}] [--preset P] [--env ID] [--measured N] [any setting]",
    )
    add_choice(parser, entry, name)
    parser.add_argument(
        "--measured",
        type=counting("measured", 1),
        default=4_000,
        metavar="N",
        help="environment steps that are measured, after the warm-up (default 4_000)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings(
        parser.add_argument_group("settings of the run"),
        RunSettings,
        {"env_id": "env"},
        leave_out=_NO_FLAG,
    )
    group = parser.add_argument_group(f"settings of {name}: {entry.summary}")
    for bundle in entry.bundles:
        group.add_argument(f"--{bundle}", action="store_true", dest=f"bundle_{bundle}")
    add_settings(group, entry.config)
    parser.set_defaults(do=bench)


def bench(options: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    config = read_config(options)
    keep_freed_memory()
    found = profile(config, options.measured)
    if options.json:
        tell(json.dumps(found.to_json()))
    else:
        _report(found)
    return 0


def _report(found: Profile) -> None:
    """Print the times."""
    threads = f"{found.threads} thread{'s' * (found.threads > 1)} of PyTorch"
    tell(
        f"{found.steps_per_second:,.0f} environment steps/s with {threads}: "
        f"{found.env_steps:,} steps and {found.updates:,} updates in {found.total:.1f} s"
    )
    parts = {
        "environments": found.environments,
        "acting": found.acting,
        "updates, sampling included": found.updating,
        "storing and the rest": found.storing,
    }
    for name, seconds in parts.items():
        tell(f"  {name:27} {seconds / found.total:4.0%}  {seconds:.2f} s")
    tell(
        f"alone: {1e3 * found.env_step_alone:.2f} ms per environment step, "
        f"{1e3 * found.update_alone:.2f} ms per update, {1e3 * found.sample_alone:.2f} ms per batch"
    )
    tell(f"training takes {found.overhead:.2f} times what its steps and updates take alone")
