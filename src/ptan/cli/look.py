"""`ptan eval`, `play`, `plot` and `presets`: they look at runs and change nothing in them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ptan.cli.options import check_counts, parse
from ptan.cli.output import complain, tell
from ptan.runs import CATALOGUE, RunError, RunSettings
from ptan.runs.catalogue import differing
from ptan.runs.settings import settings_of_preset

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


@dataclass(frozen=True)
class _NoFlags:
    pass


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

    from ptan.runs.video import check_video, video_file

    if options.video is not None:
        check_video(options.video)
    loaded, seed = _load(options, options.episodes)

    from ptan.runs.environments import close, frames_per_second, make_one

    settings = loaded.config.settings
    limit = settings.eval_max_steps
    env = make_one(settings, "human" if options.video is None else "rgb_array")
    try:
        if options.video is None:
            _play(env, loaded.agent, options.episodes, seed, limit, lambda: None)
        else:
            with video_file(options.video, frames_per_second(env, settings)) as add:
                draw = lambda: add(_drawn(env.render))  # noqa: E731
                n_pictures = _play(env, loaded.agent, options.episodes, seed, limit, draw)
            tell(f"{options.video}: {n_pictures} pictures")
    finally:
        close(env)
    return 0


def plot(words: Sequence[str]) -> int:
    """`ptan plot`: learning curves of runs in one picture; returns the exit status."""
    about = "Draw the training rewards of runs over environment steps in one picture."
    options = parse(_PlotFlags, words, "ptan plot", about)
    if not options.runs:
        raise RunError("RUN is missing: the folders of runs (see ptan plot --help)")

    from ptan.runs.folder import RunFolder
    from ptan.runs.plots import plot_runs

    folders = [RunFolder.open(path) for path in options.runs]
    out = options.out or (folders[0].curve if len(folders) == 1 else Path("curves.png"))
    if not out.resolve().parent.is_dir():
        raise RunError(f"the picture cannot be written to {out}: there is no such folder")
    plot_runs([folder.path for folder in folders], out)
    tell(f"{out}")
    return 0


def presets(words: Sequence[str]) -> int:
    """`ptan presets`: in what presets differ from the defaults, as flags; returns the status."""
    parse(_NoFlags, words, "ptan presets", "List the presets of all algorithms.")
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


def _load(options: _RunFlags, episodes: int) -> tuple[Any, int]:
    """The network of the run that the flags name, and the seed of the episodes it plays."""
    check_counts(episodes=episodes, seed=options.seed)

    from ptan.runs.loading import load_agent
    from ptan.runs.seeds import EVALUATED, derived_seed

    loaded = load_agent(options.run, options.device)
    for warning in loaded.warnings:
        complain(warning)
    return loaded, derived_seed(options.seed, EVALUATED)


def _play(
    env: Any, agent: Any, episodes: int, seed: int, limit: int, draw: Callable[[], None]
) -> int:
    """Play, and print the return of each episode; returns the number of steps.

    An episode of `limit` steps is cut off: there are environments without an end.
    """
    n_steps = 0
    for episode in range(episodes):
        observation, _ = _drawn(env.reset, seed=seed + episode)
        states, total, over, steps = None, 0.0, False, 0
        while not over and steps < limit:
            draw()
            actions, states = agent([observation], states)
            observation, reward, terminated, truncated, _ = _drawn(env.step, actions[0])
            total += float(reward)
            over = bool(terminated or truncated)
            steps += 1
        n_steps += steps
        cut = "" if over else f", cut off after {steps:,} steps"
        tell(f"episode {episode + 1}: return {total:g}{cut}")
    return n_steps


def _drawn(call: Any, *arguments: Any, **options: Any) -> Any:
    """What a call of the environment returns; what it raises about drawing, as one line."""
    try:
        return call(*arguments, **options)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunError(f"the environment cannot be shown: {reason}") from error


def _flag(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return flag if value else flag.replace("--", "--no-", 1)
    return f"{flag} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
