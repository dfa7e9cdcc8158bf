"""`ptan train`: train an algorithm in a folder of its own, or go on with a run."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptan.algorithms import Preset
from ptan.cli.choosing import add_choice, chosen
from ptan.cli.interruption import interruption
from ptan.cli.output import complain, tell
from ptan.cli.parsing import add_settings, given_settings
from ptan.cli.progress import watching
from ptan.common.memory import keep_freed_memory
from ptan.runs import CATALOGUE, Entry, Run, RunConfig, RunError, RunSettings
from ptan.runs.errors import nearest
from ptan.runs.evaluation import described_mean
from ptan.runs.folder import default_name
from ptan.runs.settings import settings_of_preset

__all__ = ["INTERRUPTED", "add", "read_config"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

_OWN_FLAGS = {"env_id": "env"}


def add(commands: Any, words: Sequence[str]) -> None:
    """Declare the command.

    Args:
        commands: Where commands are added.
        words: The command line: the flags are those of the algorithm that it names.
    """
    name, entry = chosen(words)
    parser = commands.add_parser(
        "train",
        help="train an algorithm",
        description="Train an algorithm in a folder of its own, or go on with a run. Settings come "
        "from the defaults, then the preset, then --"
        f"{', --'.join(entry.bundles) or 'bundles'}, then the flags.",
        epilog=_epilog(name),
        usage=f"ptan train {name} [--preset P] [--env ID] [any setting]",
    )
    add_choice(parser, entry)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="FOLDER",
        help="folder for runs (default runs)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="of the run's folder (default <env>-<preset or algorithm>-seed<S>-<time>)",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with the run in this folder, with its settings",
    )
    parser.add_argument("--quiet", action="store_true", help="print only the last line")
    add_settings(parser.add_argument_group("settings of the run"), RunSettings, _OWN_FLAGS)
    group = parser.add_argument_group(f"settings of {name}: {entry.summary}")
    for bundle, settings in entry.bundles.items():
        group.add_argument(
            f"--{bundle}",
            action="store_true",
            dest=f"bundle_{bundle}",
            help=f"turn on {_listed(settings)}",
        )
    add_settings(group, entry.config)
    parser.set_defaults(do=train)


def train(options: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    command = ["ptan", *sys.argv[1:]]
    keep_freed_memory()
    run = _resumed(options, command) if options.resume else _new(options, command)
    for warning in run.warnings:
        complain(warning)
    with interruption() as asked, watching(options.quiet, run.settings.steps) as watch:
        watch.say(f"{run.config.algorithm} on {run.settings.env_id}, seed {run.config.seed}")
        result = run.train(watch, asked)
    folder = run.folder.path
    if result is None:
        again = f"ptan train {run.config.algorithm} --resume {shlex.quote(str(folder))}"
        complain(f"interrupted, and saved; go on with: {again}")
    elif not options.quiet:
        _report(result)
    tell(f"Run folder: {folder}")
    return INTERRUPTED if result is None else 0


def read_config(options: argparse.Namespace) -> RunConfig:
    """All settings of a new run: defaults, then the preset, then bundles, then flags.

    Raises:
        RunError: an unknown preset, or an impossible setting.
    """
    if options.algorithm is None:
        raise RunError(f"ALGO is missing: one of {', '.join(CATALOGUE)} (see ptan train --help)")
    entry = CATALOGUE[options.algorithm]
    config, of_run = entry.config(), {}
    if options.preset is not None:
        preset = _preset(entry, options.preset)
        config = preset.config
        of_run = settings_of_preset(preset)
    try:
        bundles = [
            settings for name, settings in entry.bundles.items() if vars(options)[f"bundle_{name}"]
        ]
        changes = {name: value for settings in bundles for name, value in settings.items()}
        config = replace(config, **{**changes, **given_settings(options, entry.config)})
        settings = RunSettings(**{**of_run, **given_settings(options, RunSettings)})
    except (TypeError, ValueError) as error:
        raise RunError(str(error)) from None
    if not settings.env_id:
        raise RunError("env must be named: give --env ID, or a --preset that brings one")
    return RunConfig(
        algorithm=options.algorithm, settings=settings, config=config, preset=options.preset
    )


def _new(options: argparse.Namespace, command: list[str]) -> Run:
    config = read_config(options)
    name = default_name(config) if options.name is None else options.name
    return Run.create(config, options.out / name, command)


def _resumed(options: argparse.Namespace, command: list[str]) -> Run:
    """The run to go on with.

    Raises:
        RunError: a flag that is only for new runs.
    """
    entry = CATALOGUE[options.algorithm or next(iter(CATALOGUE))]
    refused = [*given_settings(options, entry.config)]
    refused += [name for name in ("preset", "name") if vars(options)[name] is not None]
    refused += [name for name in entry.bundles if vars(options)[f"bundle_{name}"]]
    if refused:
        flags = ", ".join("--" + name.replace("_", "-") for name in refused)
        raise RunError(f"{flags} cannot change when a run is resumed: it keeps its settings")
    run = Run.resume(options.resume, given_settings(options, RunSettings), command)
    if options.algorithm not in (None, run.config.algorithm):
        raise RunError(
            f"{options.resume} is a run of {run.config.algorithm}, not of {options.algorithm}"
        )
    return run


def _preset(entry: Entry, name: str) -> Preset:
    if name not in entry.presets:
        hint = nearest(name, entry.presets)
        raise RunError(f"preset must be one of {', '.join(entry.presets)}, got {name!r}{hint}")
    return entry.presets[name]


def _report(result: dict[str, Any]) -> None:
    """Print how a run ended."""
    why = {"stop_reward": "the reward to stop at is reached", "steps": "all steps are done"}
    tell(
        f"{why[result['stopped_because']]}: {result['env_steps']:,} environment steps, "
        f"{result['updates']:,} updates, {result['seconds']:,.0f} s"
    )
    training, evaluation = result["training"], result["evaluation"]
    if training["mean"] is not None:
        tell(
            f"training, with exploration: {training['mean']:.2f}, mean of the last "
            f"{training['over_episodes']} of {training['episodes']:,} episodes"
        )
    if evaluation is not None:
        mean, ci95 = evaluation["mean"], evaluation["ci95"]
        found = described_mean(mean, ci95, evaluation["episodes"], evaluation["different"])
        tell(f"final network, greedy: {found}")
    if result["solved"] is not None:
        relation = "reaches" if result["solved"] else "does not reach"
        tell(f"that {relation} the reward to stop at, {result['stop_reward']:g}")


def _epilog(name: str) -> str:
    others = [other for other in CATALOGUE if other != name]
    text = f"Shown are the settings of {name}."
    return (
        f"{text} See also: {', '.join(f'ptan train {o} --help' for o in others)}"
        if others
        else text
    )


def _listed(settings: Any) -> str:
    words = [
        "--" + name.replace("_", "-") + ("" if value is True else f" {value}")
        for name, value in settings.items()
    ]
    return ", ".join(words)
