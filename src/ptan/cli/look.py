"""`ptan eval`, `play`, `plot` and `presets`: they look at runs and change nothing in them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ptan.cli.options import check_counts, parse
from ptan.cli.output import complain, tell
from ptan.runs import CATALOGUE, RunError, RunSettings
from ptan.runs.catalogue import differing
from ptan.runs.settings import settings_of_preset

if TYPE_CHECKING:
    from ptan.runs.loading import LoadedAgent

__all__ = ["evaluate", "play", "plot", "presets"]


@dataclass(frozen=True)
class _RunFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]  # folder of the run
    seed: int = field(default=0, kw_only=True)  # what the episodes are derived from
    device: str | None = field(default=None, kw_only=True)  # of the network; none: the run's


@dataclass(frozen=True)
class _EvalFlags(_RunFlags):
    episodes: int = 20  # how many
    json: bool = False  # print one JSON object: mean, std, ci95 (half the interval's width), …


@dataclass(frozen=True)
class _PlayFlags(_RunFlags):
    episodes: int = 1  # how many
    video: Path | None = None  # an .mp4, .webm or .avi in place of a window; needs ptan[atari]


@dataclass(frozen=True)
class _PlotFlags:
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN…")] = ()  # folders of runs
    out: Path | None = None  # the picture; none: RUN/curve.png of one run, curves.png of several


def evaluate(words: Sequence[str]) -> int:
    """`ptan eval`: what the newest network of a run achieves; returns the exit status."""
    about = (
        "Play whole episodes with the newest network of a run, greedily, and print the mean of "
        "their raw returns with its 95 % confidence interval by Student's t distribution."
    )
    options = parse(_EvalFlags, words, "ptan eval", about)
    loaded, seed = _load(options, options.episodes)

    from ptan.runs.evaluation import evaluate_greedily

    settings = loaded.config.settings
    evaluation = evaluate_greedily(settings, loaded.agent, options.episodes, seed)
    if options.json:
        origin = {"run": str(options.run), "env_steps": loaded.env_steps}
        tell(json.dumps({**evaluation.to_json(), **origin}))
        return 0
    tell(f"{settings.env_id} after {loaded.env_steps:,} environment steps: {evaluation}")
    tell(f"lowest {min(evaluation.returns):g}, highest {max(evaluation.returns):g}")
    tell(f"protocol: {evaluation.protocol}")
    return 0


def play(words: Sequence[str]) -> int:
    """`ptan play`: watch the network of a run; returns the exit status."""
    about = "Play episodes with the newest network of a run, greedily, in a window or a video file."
    options = parse(_PlayFlags, words, "ptan play", about)
    loaded, seed = _load(options, options.episodes)

    from ptan.runs.evaluation import play_episodes

    settings, steps = loaded.config.settings, 0
    played = play_episodes(settings, loaded.agent, options.episodes, seed, options.video)
    for number, episode in enumerate(played, start=1):
        steps += episode.steps
        cut = f", cut off after {episode.steps:,} steps" * (
            episode.steps >= settings.eval_max_steps
        )
        tell(f"episode {number}: return {episode.total:g}{cut}")
    if options.video is not None:
        tell(f"{options.video}: {steps} pictures")
    return 0


def plot(words: Sequence[str]) -> int:
    """`ptan plot`: learning curves of runs in one picture; returns the exit status."""
    about = "Draw the training rewards of runs over environment steps in one picture."
    options = parse(_PlotFlags, words, "ptan plot", about)
    if not options.runs:
        raise RunError("RUN is missing: the folders of runs (see ptan plot --help)")

    from ptan.runs.folder import RunFolder
    from ptan.runs.plots import plot_runs

    one = RunFolder(options.runs[0]).curve if len(options.runs) == 1 else Path("curves.png")
    out = options.out or one
    plot_runs(options.runs, out)
    tell(f"{out}")
    return 0


def presets(words: Sequence[str]) -> int:
    """`ptan presets`: in what presets differ from the defaults, as flags; returns the status."""
    parse(make_dataclass("NoFlags", []), words, "ptan presets", "List the presets.")
    usual = vars(RunSettings())
    width = max(len(name) for entry in CATALOGUE.values() for name in entry.presets)
    for algorithm, entry in CATALOGUE.items():
        for name, preset in entry.presets.items():
            said = settings_of_preset(preset)
            env_id = said.pop("env_id")
            said = {k: v for k, v in said.items() if v != usual[k]} | differing(preset.config)
            tell(f"{name:{width}}  {algorithm} on {env_id}")
            tell(f"{'':{width}}  {' '.join(_flag(k, v) for k, v in said.items())}")
    return 0


def _load(options: _RunFlags, episodes: int) -> "tuple[LoadedAgent, int]":
    """The network of the run that the flags name, and the seed of the episodes it plays."""
    check_counts(episodes=episodes, seed=options.seed)

    from ptan.runs.loading import load_agent
    from ptan.runs.seeds import EVALUATED, derived_seed

    loaded = load_agent(options.run, options.device)
    for warning in loaded.warnings:
        complain(warning)
    return loaded, derived_seed(options.seed, EVALUATED)


def _flag(name: str, value: object) -> str:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return flag if value else flag.replace("--", "--no-", 1)
    return f"{flag} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
