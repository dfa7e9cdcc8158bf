"""`ptan train`: train an algorithm in a folder of its own, or go on with a run."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ptan.cli.options import flags, given, parse
from ptan.cli.output import complain, tell
from ptan.runs import CATALOGUE, RunConfig, RunError, RunSettings
from ptan.runs.errors import check_name
from ptan.runs.settings import settings_of_preset

if TYPE_CHECKING:
    from ptan.runs.folder import Json

__all__ = ["INTERRUPTED", "read_config", "run"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@dataclass(frozen=True)
class _Flags:
    out: Path = Path("runs")  # folder for runs
    name: str | None = None  # of its folder; none: <env>-<preset or algorithm>-seed<S>-<time>
    resume: Path | None = None  # go on with the run in this folder, with its settings
    quiet: bool = False  # print only the last line


def run(words: Sequence[str]) -> int:
    """Train; returns the exit status."""
    resume = given(words, "--resume")
    before = None
    if resume is not None:
        from ptan.runs import RunFolder

        before = RunFolder(resume).read_config()
    about = (
        "Train an algorithm in a folder of its own, or go on with a run. Settings come from the "
        "defaults, then the preset, then --rainbow, then the flags."
    )
    config, found = read_config(words, "ptan train", about, _Flags, before=before)
    options = found.own

    from ptan.cli.progress import interruption, watching
    from ptan.common.memory import keep_freed_memory
    from ptan.runs import Run

    keep_freed_memory()
    command = ["ptan", *sys.argv[1:]]
    if before is None:
        run = Run.create(config, options.out / (options.name or config.default_name), command)
    else:
        run = Run.resume(options.resume, _changes(before, config, found), command)
    for warning in run.warnings:
        complain(warning)
    with interruption() as asked, watching(options.quiet) as watch:
        watch.say(f"{run.config.algorithm} on {run.settings.env_id}, seed {run.config.seed}")
        result = run.train(watch, asked)
    path = run.folder.path
    if result is None:
        again = f"ptan train {run.config.algorithm} --resume {shlex.quote(str(path))}"
        complain(f"interrupted, and saved; go on with: {again}")
    elif not options.quiet:
        _report(result)
    tell(f"Run folder: {path}")
    return INTERRUPTED if result is None else 0


def read_config(
    words: Sequence[str],
    prog: str,
    about: str,
    own: type[Any],
    *,
    leave_out: Sequence[str] = (),
    before: RunConfig | None = None,
    default: str | None = None,
) -> tuple[RunConfig, Any]:
    """All settings of a run, and all flags: `own`, `preset` and a switch for each bundle.

    Settings come from the defaults, then the preset, then bundles, or else from a run that goes on
    (`before`); then from the flags, but for those in `leave_out`. The algorithm is the first word,
    else that of `before` or the `default`; without, there is help, of the first algorithm, and
    nothing else. RunError for what is unknown or impossible.
    """
    name = before.algorithm if before else default
    if words and not words[0].startswith("-"):
        check_name("ALGO", words[0], CATALOGUE if before is None else [before.algorithm])
        name, *words = words
    entry = CATALOGUE[name or next(iter(CATALOGUE))]
    preset = None if before else given(words, "--preset")
    if preset is not None:
        check_name("preset", preset, entry.presets)
    settings, config = vars(RunSettings()), vars(entry.config())
    if before is not None:
        settings, config = vars(before.settings), vars(before.config)
    elif preset is not None:
        settings = {**settings, **settings_of_preset(entry.presets[preset])}
        config = vars(entry.presets[preset].config)
    listed = Annotated[str | None, arg(help=f"one of {', '.join(entry.presets)}")]
    fields: list[Any] = [
        ("own", own, field(default=own())),
        ("preset", listed, field(default=None)),
    ]
    for bundle, values in entry.bundles.items():
        said = [word for word in words if word in (f"--{bundle}", f"--no-{bundle}")]
        if before is None and said and said[-1] == f"--{bundle}":
            config = {**config, **values}
        turned_on = Annotated[bool, arg(help=f"turn on {', '.join(values)}")]
        fields.append((bundle, turned_on, field(default=False)))
    fields += [flags(RunSettings, settings, leave_out), flags(entry.config, config)]
    every = make_dataclass("Flags", fields, frozen=True)
    found: Any = parse(every, words, prog if name is None else f"{prog} {name}", about)
    if name is None:
        raise RunError(f"ALGO is missing: one of {', '.join(CATALOGUE)} (see {prog} --help)")
    try:
        made = RunConfig(
            algorithm=name,
            settings=RunSettings(**{**settings, **vars(found.RunSettings)}),
            config=entry.config(**vars(getattr(found, entry.config.__name__))),
            preset=before.preset if before else preset,
        )
    except (TypeError, ValueError) as error:
        raise RunError(str(error)) from None
    if not made.settings.env_id:
        raise RunError("env must be named: give --env ID, or a --preset that brings one")
    return made, found


def _changes(before: RunConfig, after: RunConfig, found: Any) -> dict[str, object]:
    """What is asked of a run that goes on, and differs from its settings."""
    there, wanted = before.flat, after.flat
    changed = {name: value for name, value in wanted.items() if value != there[name]}
    new_only = {name: getattr(found, name) for name in ("preset", *before.entry.bundles)}
    new_only["name"] = found.own.name
    return changed | {name: value for name, value in new_only.items() if value}


def _report(result: "Json") -> None:
    """Print how a run ended."""
    from ptan.runs.evaluation import described_mean

    reason = result["stopped_because"]
    why = {"stop_reward": "the reward to stop at is reached", "steps": "all steps are done"}
    tell(
        f"{why.get(reason, reason)}: {result['env_steps']:,} environment steps, "
        f"{result['updates']:,} updates, {result['seconds']:,.0f} s"
    )
    training, evaluation = result["training"], result["evaluation"]
    if training["mean"] is not None:
        tell(
            f"training, with exploration: {training['mean']:.2f}, mean of the last "
            f"{training['over_episodes']} of {training['episodes']:,} episodes"
        )
    if evaluation is not None:
        tell(f"final network, greedy: {described_mean(evaluation)}")
    if result["solved"] is not None:
        relation = "reaches" if result["solved"] else "does not reach"
        tell(f"that {relation} the reward to stop at, {result['stop_reward']:g}")
