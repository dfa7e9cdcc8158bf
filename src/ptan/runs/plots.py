"""Learning curves: read from run folders, averaged over episodes and runs, drawn."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptan.common.checks import whole_number
from ptan.runs.catalogue import CATALOGUE
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.settings import CHANGEABLE
from ptan.runs.statistics import bootstrap_band
from ptan.training.logs import read_json_lines

__all__ = ["LearningCurve", "compare_figure", "plot_runs", "read_curve", "run_figure"]

Floats: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]

GRID_POINTS = 200
"""Points of a curve in comparisons."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#666666")
"""Told apart by the colour-blind too (Okabe & Ito 2008), the pale yellow left out."""

_MOST_POINTS = 1_000  # of a running mean: more than a picture has
_NO_GROUP = CHANGEABLE | {"seed", "diagnostics_every"}  # in which runs of one group may differ


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What a run has achieved, by environment step.

    folder             the run folder
    config             what `config.json` holds
    env_steps          how far the run has come
    ends               (episodes,) environment steps at which episodes ended, rising
    returns            (episodes,) undiscounted return of each
    evaluation_steps   (evaluations,) environment steps of evaluations, rising
    evaluations        (evaluations,) mean return of each
    """

    folder: Path
    config: Mapping[str, Any]
    env_steps: int
    ends: Steps
    returns: Floats
    evaluation_steps: Steps
    evaluations: Floats


def read_curve(folder: Path | str) -> LearningCurve:
    """Read the learning curve of a run, also while it goes on.

    A torn last line in its metrics is left out, and so are returns that are not finite.

    Raises:
        RunError: it is no run folder, or what it holds is damaged.
    """
    files = RunFolder.open(folder)
    try:
        config = json.loads(files.config.read_text(encoding="utf-8"))
        lines = read_json_lines(files.metrics) if files.metrics.exists() else []
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} cannot be read: {error}") from None
    steps: list[int] = []
    for i, line in enumerate(lines, start=1):
        step = line.get("env_steps") if isinstance(line, dict) else None
        if not isinstance(step, int) or step < 0:
            raise RunError(f"{files.metrics}, line {i}: env_steps must be a count, got {step!r}")
        if steps and step < steps[-1]:
            raise RunError(f"{files.metrics} is damaged: env_steps must not fall")
        steps.append(step)
    ended = (files.read_result() or {}).get("env_steps")
    reached = max([ended if isinstance(ended, int) else 0, *steps[-1:]])
    return LearningCurve(
        files.path,
        config,
        reached,
        *_column(lines, "episodes/reward"),
        *_column(lines, "evaluation/reward"),
    )


def _column(lines: list[dict[str, Any]], tag: str) -> tuple[Steps, Floats]:
    """Steps and values of the lines that have a number under a tag."""
    found = [(x["env_steps"], x[tag]) for x in lines if isinstance(x.get(tag), int | float)]
    columns = np.array(found, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0].astype(np.int64), columns[:, 1]


# Averages.


def common_grid(curves: Sequence[LearningCurve], points: int = GRID_POINTS) -> Floats:
    """Evenly spaced environment steps (points,), the last one the end of the longest run."""
    if not curves:
        raise ValueError("curves must hold at least one, got none")
    n_points = whole_number("points", points)
    longest = max(curve.env_steps for curve in curves)
    return np.linspace(longest / n_points, longest, n_points, dtype=np.float64)


def default_window(env_steps: float) -> int:
    """How many environment steps each point of a curve looks back: a twentieth of its length."""
    return max(1, round(env_steps / 20))


def mean_of_episodes(curve: LearningCurve, at: ArrayLike, episodes: int = 100) -> Floats:
    """The mean return of the last episodes that had ended by each step, as stop rules take it.

    (points,) for environment steps (points,); NaN before the first episode ended and after the end
    of the run.
    """
    window = whole_number("episodes", episodes)
    steps = np.asarray(at, dtype=np.float64)
    stops = np.searchsorted(curve.ends, steps, side="right")
    return _means(curve, steps, np.maximum(stops - window, 0), stops)


def mean_of_steps(curve: LearningCurve, at: ArrayLike, last: float) -> Floats:
    """The mean return of the episodes that ended within the last steps before each step.

    Where none did, the value of the last episode goes on. In contrast to a number of episodes, a
    number of steps is the same time for good agents and bad ones, however long their episodes are.

    (points,) for environment steps (points,), NaN as in `mean_of_episodes`: the value at s is of
    the episodes that ended in (s − last, s], `last` above 0.
    """
    if not last > 0:
        raise ValueError(f"last must be above 0, got {last}")
    steps = np.asarray(at, dtype=np.float64)
    stops = np.searchsorted(curve.ends, steps, side="right")
    starts = np.searchsorted(curve.ends, steps - last, side="right")
    if len(curve.ends):
        # All episodes that ended at the same step as the last one count as the last one.
        latest = np.searchsorted(curve.ends, curve.ends[np.maximum(stops - 1, 0)], side="left")
        starts = np.minimum(starts, latest)
    return _means(curve, steps, starts, stops)


def _means(curve: LearningCurve, steps: Floats, starts: Steps, stops: Steps) -> Floats:
    """The mean return of a range of episodes at each step."""
    values = np.full(len(steps), np.nan)
    for point in np.flatnonzero((stops > starts) & (steps <= curve.env_steps)):
        values[point] = curve.returns[starts[point] : stops[point]].mean()
    return values


def area_under(curve: LearningCurve, at: ArrayLike, last: float) -> float:
    """The mean of `mean_of_steps` over an evenly spaced grid, where known: how good a run was.

    That is the area under the curve divided by its length; NaN for a run without episodes.
    """
    values = mean_of_steps(curve, at, last)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def group_labels(curves: Sequence[LearningCurve]) -> list[str]:
    """One label per curve: the settings in which not all agree, such as "double, gamma 0.9".

    A bundle such as "rainbow" goes by its name, "base" are switches that are all off, and the
    algorithm's name stands where all agree. What does not change learning, such as the device or
    the seed, is not looked at.
    """
    settings: list[dict[str, Any]] = []
    for curve in curves:
        flat = {"algorithm": curve.config.get("algorithm")}
        flat |= {**curve.config.get("settings", {}), **curve.config.get("config", {})}
        settings.append({name: value for name, value in flat.items() if name not in _NO_GROUP})
    names = dict.fromkeys(name for each in settings for name in each)
    differing = [
        name for name in names if any(each.get(name) != settings[0].get(name) for each in settings)
    ]
    if not differing:
        return [str(each.get("algorithm", "run")) for each in settings]
    return [_label({name: each.get(name) for name in differing}, each) for each in settings]


def _label(differing: dict[str, Any], settings: dict[str, Any]) -> str:
    """The differing settings of a run in words; those of a bundle by its name."""
    entry = CATALOGUE.get(settings["algorithm"])
    words = []
    for bundle, parts in entry.bundles.items() if entry else ():
        if parts.items() <= settings.items() and parts.keys() & differing.keys():
            words.append(bundle)
            differing = {k: v for k, v in differing.items() if k not in parts}
    for name, value in differing.items():
        if isinstance(value, bool):
            words += [name] if value else []
        elif name in ("algorithm", "env_id"):
            words.append(str(value))
        else:
            words.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(words) or "base"


# Pictures.


def plot_runs(folders: Sequence[Path | str], path: Path | str) -> None:
    """Draw one run (`run_figure`), or compare several (`compare_figure`) by their settings.

    Run folders that differ only in the seed are one group. The picture is a .png, .svg or .pdf.

    Raises:
        RunError: no run folder, a damaged one, or the picture cannot be written.
        ImportError: Matplotlib is not installed.
    """
    if not folders:
        raise ValueError("folders must hold at least one run folder, got none")
    curves = [read_curve(folder) for folder in folders]
    if len(curves) == 1:
        save_figure(run_figure(curves[0]), path)
        return
    groups: dict[str, list[LearningCurve]] = {}
    for curve, label in zip(curves, group_labels(curves), strict=True):
        groups.setdefault(label, []).append(curve)
    save_figure(compare_figure(groups), path)


def run_figure(curve: LearningCurve) -> Any:
    """The learning curve of one run, as a `matplotlib.figure.Figure`.

    Every episode is a dot, where it ended. The line is the mean that decides when to stop, over the
    last `stop_episodes` episodes (100, where that is a single one); diamonds are greedy
    evaluations, the dashed line is the reward to stop at.
    """
    settings, config = curve.config.get("settings", {}), curve.config
    stop_episodes = settings.get("stop_episodes", 100)
    window = stop_episodes if stop_episodes > 1 else 100
    what = config.get("preset") or config.get("algorithm") or curve.folder.name
    figure, axes = _axes(
        curve.env_steps, f"{_environments([curve])}: {what}, seed {config.get('seed')}"
    )
    size, alpha = (9, 0.5) if len(curve.ends) <= _MOST_POINTS else (3, 0.2)
    dots = axes.scatter(curve.ends, curve.returns, s=size, alpha=alpha, color="#7f8c9b")
    dots.set(label="episode", linewidths=0, rasterized=True)
    at = np.unique(np.concatenate([curve.ends, [curve.env_steps]]))
    if len(at) > _MOST_POINTS:
        at = at[np.linspace(0, len(at) - 1, _MOST_POINTS).astype(np.int64)]
    mean = mean_of_episodes(curve, at, window)
    label = f"mean of the last {window} episodes"
    axes.plot(at, mean, color=COLOURS[0], linewidth=2, drawstyle="steps-post", label=label)
    if len(curve.evaluations):
        marks = axes.scatter(curve.evaluation_steps, curve.evaluations, s=40, marker="D")
        marks.set(label="greedy evaluation", facecolor=COLOURS[1], edgecolor="white", zorder=5)
        marks.set_clip_on(False)  # the last one stands on the edge of the axes
    _finish(figure, axes, [curve], loc="outside lower left", ncols=4)
    return figure


def compare_figure(
    groups: Mapping[str, Sequence[LearningCurve]],
    *,
    window: int | None = None,
    title: str | None = None,
    seed: int = 0,
) -> Any:
    """Learning curves of groups of runs: interquartile mean, its 95 % band, and every run thin.

    A group's curve is drawn from where all of its runs have finished an episode to where the first
    of them ends: beyond that it would be the curve of those that happen to be there. Runs in which
    no episode has ended are left out, and the legend says so. Each point looks `window` steps back;
    None takes a twentieth of the longest run. Returns a `matplotlib.figure.Figure`.
    """
    curves = [curve for group in groups.values() for curve in group]
    grid = common_grid(curves)
    last = default_window(grid[-1]) if window is None else window
    figure, axes = _axes(grid[-1], _environments(curves) if title is None else title)
    styles = itertools.cycle(itertools.product(("solid", "dashed", "dotted"), COLOURS))
    alpha = 0.3 if len(groups) <= 4 else 0.15
    for (label, group), (dash, colour) in zip(groups.items(), styles, strict=False):
        rows = [mean_of_steps(curve, grid, last) for curve in group]
        known = [row for row in rows if not np.isnan(row).all()]
        count = f"{len(known)} of {len(rows)}" if len(known) < len(rows) else f"{len(rows)}"
        legend = f"{label} ({count} {'run' if len(rows) == 1 else 'runs'})"
        centre = known[0] if known else np.full(len(grid), np.nan)
        if len(known) > 1:
            for row in known:
                axes.plot(grid, row, color=colour, linewidth=0.8, alpha=alpha, label="_run")
            band = bootstrap_band(known, rng=seed)
            axes.fill_between(grid, band.low, band.high, color=colour, alpha=alpha / 2, linewidth=0)
            centre = band.estimate
        axes.plot(grid, centre, color=colour, linestyle=dash, linewidth=2.2, label=legend, zorder=3)
    _finish(figure, axes, curves, loc="outside right upper")
    several = max(map(len, groups.values())) > 1
    explained = "line: interquartile mean, band: its 95 % bootstrap interval; " if several else ""
    note = f"{explained}training episodes that ended within the last {last:,} steps"
    figure.supxlabel(note, fontsize="small", color="#555555", x=0.01, ha="left")
    return figure


def save_figure(figure: Any, path: Path | str) -> None:
    """Write a figure at once: readers see the old picture or the new one, never a part.

    Raises:
        RunError: it is no .png, .svg or .pdf, or it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise RunError(f"{path} cannot be drawn: the name must end with .png, .svg or .pdf")
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(part, format=kind, dpi=120)
        part.replace(target)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None


def _axes(env_steps: float, title: str) -> tuple[Any, Any]:
    """An empty figure with a canvas of its own: pyplot, which has global state, is left alone."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "ptan[plots]"') from error
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set(xlabel="environment steps", ylabel="return of an episode")
    axes.set_xlim(0, max(1.0, float(env_steps)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Any, axes: Any, curves: Sequence[LearningCurve], **place: Any) -> None:
    """Draw a common reward to stop at, and the legend outside the axes: it covers no curve."""
    stops = {curve.config.get("settings", {}).get("stop_reward") for curve in curves}
    if len(stops) == 1 and (stop := stops.pop()) is not None:
        label = f"reward to stop at: {stop:g}"
        axes.axhline(stop, color="#333333", linestyle="--", linewidth=1, label=label)
    if not any(len(curve.ends) for curve in curves):
        where = {"transform": axes.transAxes, "ha": "center", "color": "#555555"}
        axes.text(0.5, 0.5, "no episode has ended yet", **where)
    legend = figure.legend(*axes.get_legend_handles_labels(), frameon=False, **place)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)


def _environments(curves: Sequence[LearningCurve]) -> str:
    names = (str(curve.config.get("settings", {}).get("env_id", "")) for curve in curves)
    return ", ".join(dict.fromkeys(names))
