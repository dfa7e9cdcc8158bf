"""`ptan ablate`: train with each switch alone, with all, and with all but one; compare them."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptan.cli.choosing import add_choice, chosen
from ptan.cli.interruption import interruption
from ptan.cli.output import complain, tell
from ptan.cli.parsing import add_settings, counting
from ptan.cli.progress import watching
from ptan.cli.train import INTERRUPTED, read_config
from ptan.common.memory import keep_freed_memory
from ptan.runs import RunConfig, RunSettings
from ptan.runs.ablation import Ablation
from ptan.runs.ablation_results import table

__all__ = ["add"]

_NO_FLAG = ("stop_reward", "stop_episodes")


def add(commands: Any, words: Sequence[str]) -> None:
    """Declare the command.

    Args:
        commands: Where commands are added.
        words: The command line: the flags are those of the algorithm that it names.
    """
    name, entry = chosen(words)
    switches = ",".join(next(iter(entry.bundles.values()), ()))
    parser = commands.add_parser(
        "ablate",
        help="find out what each switch of an algorithm does",
        description="Train an algorithm without its switches, with each alone and with all of "
        "them, each with several seeds, and compare. The same command goes on with an ablation "
        "that was stopped. Every run makes all --steps.",
        usage=f"ptan ablate [{name}] [--preset P] [--env ID] [--switches A,B] [--seeds N] "
        "[--jobs J] [any setting]",
    )
    add_choice(parser, entry, name)
    parser.add_argument(
        "--switches", metavar="A,B…", type=_names, help=f"which ones (default {switches})"
    )
    parser.add_argument(
        "--seeds",
        metavar="N",
        type=counting("seeds", 1),
        default=5,
        help="runs per variant (default 5)",
    )
    parser.add_argument(
        "--jobs",
        metavar="J",
        type=counting("jobs", 1),
        default=1,
        help="runs at a time (default 1)",
    )
    parser.add_argument("--single", action="store_true", help="each switch alone (the default)")
    parser.add_argument(
        "--leave-one-out",
        action="store_true",
        help="all switches but one, instead of each alone; with --single both",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where (default runs/ablation-<env>)"
    )
    parser.add_argument("--quiet", action="store_true", help="print only the results")
    run = parser.add_argument_group("settings of the runs")
    add_settings(run, RunSettings, {"env_id": "env"}, leave_out=_NO_FLAG)
    add_settings(parser.add_argument_group(f"settings of {name}: {entry.summary}"), entry.config)
    parser.set_defaults(do=ablate, **{f"bundle_{bundle}": False for bundle in entry.bundles})


def ablate(options: argparse.Namespace) -> int:
    """Make the runs and print the table; returns the exit status.

    Raises:
        RunError: bad input, or a run that failed.
    """
    keep_freed_memory()
    base = read_config(options)
    ablation = Ablation(
        base,
        options.out or _default_folder(base),
        switches=options.switches,
        seeds=options.seeds,
        single=options.single or not options.leave_one_out,
        leave_one_out=options.leave_one_out,
    )
    with interruption() as asked, watching(options.quiet, base.settings.steps) as watch:
        watch.say(f"{len(ablation.variants)} variants: {', '.join(ablation.variants)}")
        over = ablation.train(options.jobs, watch, asked)
    found = ablation.results()
    if found is not None:
        tell(table(found))
    if not over:
        complain("interrupted, and saved; the same command goes on")
    tell(f"Results: {ablation.folder}")
    return 0 if over else INTERRUPTED


def _default_folder(base: RunConfig) -> Path:
    env = re.sub(r"[^A-Za-z0-9]+", "-", base.settings.env_id).strip("-")
    return Path("runs") / f"ablation-{env}"


def _names(text: str) -> list[str]:
    return [name.strip().replace("-", "_") for name in text.split(",") if name.strip()]
