"""Learning curves: read from run folders, averaged over episodes and runs, drawn."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder, damaged
from ptan.runs.settings import CHANGEABLE, RunConfig
from ptan.runs.statistics import Floats, bootstrap_interval
from ptan.training.durable import replace_file
from ptan.training.logs import read_json_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LearningCurve", "compare_figure", "plot_runs", "read_curve", "run_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#666666")
"""Told apart by the colour-blind too (Okabe & Ito 2008), the pale yellow left out."""

_NO_GROUP = CHANGEABLE | {"seed", "diagnostics_every"}  # in which runs of one group may differ


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What a run has achieved, by environment step.

    config        the settings of the run
    env_steps     how far the run has come
    episodes      (E, 2) where episodes ended, rising, and the undiscounted return of each
    means         (E, 2) the same with the mean of the last 100 returns, as it was logged
    evaluations   (V, 2) where the run was evaluated greedily, and the mean return
    """

    config: RunConfig
    env_steps: int
    episodes: Floats
    means: Floats
    evaluations: Floats


def read_curve(path: Path | str) -> LearningCurve:
    """Read the learning curve of a run, also while it goes on.

    A cut-off last line in its metrics is left out, and so are returns that are not finite.

    Raises:
        RunError: it is no run folder, or what it holds is damaged.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    tags = ("episodes/reward", "episodes/mean_reward", "evaluation/reward")
    try:
        lines = read_json_lines(folder.metrics) if folder.metrics.exists() else []
        steps = [int(line["env_steps"]) for line in lines]
        episodes, means, evaluations = (
            np.array(
                [(line["env_steps"], line[tag]) for line in lines if line.get(tag) is not None],
                np.float64,
            ).reshape(-1, 2)
            for tag in tags
        )
    except (OSError, ValueError, TypeError) as error:
        raise RunError(damaged(folder.metrics, error)) from error
    if steps != sorted(steps):
        raise RunError(f"{folder.metrics} is damaged: env_steps must not fall")
    ended = (folder.read_result() or {}).get("env_steps", 0)
    end = max([ended, *steps[-1:]])
    return LearningCurve(config, end, episodes, means, evaluations)


# Averages.


def grid_of(env_steps: int) -> Floats:
    """200 evenly spaced environment steps, the last one the end."""
    return np.linspace(env_steps / 200, env_steps, 200, dtype=np.float64)


def default_window(env_steps: float) -> int:
    """How many environment steps each point of a curve looks back: a twentieth of its length."""
    return max(1, round(env_steps / 20))


def mean_of_steps(curve: LearningCurve, at: ArrayLike, last: float) -> Floats:
    """The mean return of the episodes that ended within the last steps before each step.

    Where none did, the value of the last episode goes on. In contrast to a number of episodes, a
    number of steps is the same time for good agents and bad ones, however long their episodes are.

    (points,) for environment steps (points,): the value at s is of the episodes that ended in
    (s − last, s]. NaN before the first episode ended and after the end of the run.
    """
    steps = np.asarray(at, dtype=np.float64)
    ends, returns = curve.episodes.T
    stops = np.searchsorted(ends, steps, side="right")
    starts = np.searchsorted(ends, steps - last, side="right")
    values = np.full(len(steps), np.nan)
    for point in np.flatnonzero((stops > 0) & (steps <= curve.env_steps)):
        stop = stops[point]
        # All episodes that ended at the same step as the last one count as the last one.
        start = min(starts[point], np.searchsorted(ends, ends[stop - 1], side="left"))
        values[point] = returns[start:stop].mean()
    return values


def area_under(curve: LearningCurve, steps: int) -> float | None:
    """The mean of a run's curve up to `steps`: its area divided by its length.

    None for a run without episodes.
    """
    values = mean_of_steps(curve, grid_of(steps), default_window(steps))
    return None if np.isnan(values).all() else float(np.nanmean(values))


def group_labels(curves: Sequence[LearningCurve]) -> list[str]:
    """One label per curve: the settings in which not all agree, such as "double, gamma 0.9".

    "base" are switches that are all off, and the algorithm's name stands where all agree. What does
    not change learning, such as the device or the seed, is not looked at.
    """
    every = [curve.config.flat for curve in curves]
    names = dict.fromkeys(name for one in every for name in one if name not in _NO_GROUP)
    differing = [k for k in names if any(one.get(k) != every[0].get(k) for one in every)]
    if not differing:
        return [curve.config.algorithm for curve in curves]
    words = ([_word(name, one.get(name)) for name in differing] for one in every)
    return [", ".join(filter(None, each)) or "base" for each in words]


def _word(name: str, value: object) -> str:
    """A setting in words; none for what is off."""
    if value is None or value is False:
        return ""
    if name in ("algorithm", "env_id"):
        return str(value)
    return name if value is True else f"{name} {value}"


# Pictures.


def plot_runs(folders: Sequence[Path | str], path: Path | str) -> None:
    """Draw one run (`run_figure`), or compare several (`compare_figure`) by their settings.

    Run folders that differ only in the seed are one group. The picture is a .png, .svg or .pdf.

    Raises:
        RunError: no run folder, a damaged one, or the picture cannot be written.
        ImportError: Matplotlib is not installed.
    """
    curves = [read_curve(folder) for folder in folders]
    if len(curves) == 1:
        save_figure(run_figure(curves[0]), path)
        return
    groups: dict[str, list[LearningCurve]] = {}
    for curve, label in zip(curves, group_labels(curves), strict=True):
        groups.setdefault(label, []).append(curve)
    save_figure(compare_figure(groups), path)


def run_figure(curve: LearningCurve) -> "Figure":
    """The learning curve of one run, as a `matplotlib.figure.Figure`.

    Every episode is a dot, where it ended. The line is the mean of the last 100, diamonds are
    greedy evaluations, the dashed line is the reward to stop at.
    """
    config = curve.config
    what = f"{config.preset or config.algorithm}, seed {config.seed}"
    figure, axes = _axes(curve.env_steps, f"{config.settings.env_id}: {what}")
    size, alpha = (3.0, 0.5) if len(curve.episodes) <= 1_000 else (1.7, 0.2)
    dots = axes.plot(*curve.episodes.T, "o", color="#7f8c9b", label="episode", rasterized=True)
    dots[0].set(markersize=size, alpha=alpha, markeredgewidth=0)
    label = "mean of the last 100 episodes"
    axes.plot(*curve.means.T, color=COLOURS[0], linewidth=2, drawstyle="steps-post", label=label)
    if len(curve.evaluations):  # the last one stands on the edge of the axes
        marks = axes.plot(*curve.evaluations.T, "D", color=COLOURS[1], label="greedy evaluation")
        marks[0].set(markeredgecolor="white", clip_on=False, zorder=5)
    _finish(figure, axes, [curve], loc="outside lower left", ncols=4)
    return figure


def compare_figure(
    groups: Mapping[str, Sequence[LearningCurve]], *, title: str | None = None
) -> "Figure":
    """Learning curves of groups of runs: interquartile mean, its 95 % band, and every run thin.

    A group's curve is drawn from where all of its runs have finished an episode to where the first
    of them ends: beyond that it would be the curve of those that happen to be there. Runs in which
    no episode has ended are left out, and the legend says so. Returns a `matplotlib.figure.Figure`.
    """
    curves = [curve for group in groups.values() for curve in group]
    grid = grid_of(max(curve.env_steps for curve in curves))
    last = default_window(grid[-1])
    names = ", ".join(dict.fromkeys(curve.config.settings.env_id for curve in curves))
    figure, axes = _axes(grid[-1], title or names)
    styles = itertools.cycle(itertools.product(("solid", "dashed", "dotted"), COLOURS))
    alpha = 0.3 if len(groups) <= 4 else 0.15
    for (label, group), (dash, colour) in zip(groups.items(), styles, strict=False):
        rows = [mean_of_steps(curve, grid, last) for curve in group if len(curve.episodes)]
        count = f"{len(rows)} of {len(group)}" if len(rows) < len(group) else f"{len(rows)}"
        legend = f"{label} ({count} {'run' if len(group) == 1 else 'runs'})"
        centre = np.full(len(grid), np.nan)
        if rows:
            centre, low, high = bootstrap_interval(rows, rng=0, resamples=1_000)
            axes.fill_between(grid, low, high, color=colour, alpha=alpha / 2, linewidth=0)
        for row in rows if len(rows) > 1 else ():
            axes.plot(grid, row, color=colour, linewidth=0.8, alpha=alpha, label="_run")
        axes.plot(grid, centre, color=colour, linestyle=dash, linewidth=2.2, label=legend, zorder=3)
    _finish(figure, axes, curves, loc="outside right upper")
    note = (
        "line: interquartile mean over runs, band: its 95 % bootstrap interval; "
        f"training episodes that ended within the last {last:,} steps"
    )
    figure.supxlabel(note, fontsize="small", color="#555555", x=0.01, ha="left")
    return figure


def save_figure(figure: "Figure", path: Path | str) -> None:
    """Write a figure at once: readers see the old picture or the new one, never a part.

    Raises:
        RunError: it is no .png, .svg or .pdf, or it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise RunError(f"{path} cannot be drawn: the name must end with .png, .svg or .pdf")
    picture = BytesIO()
    figure.savefig(picture, format=kind, dpi=120)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, picture.getvalue())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None


def _axes(env_steps: float, title: str) -> "tuple[Figure, Axes]":
    """An empty figure; pyplot, which has global state, is left alone."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "ptan[plots]"') from error
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set(xlabel="environment steps", ylabel="return of an episode")
    axes.set_xlim(0, max(1.0, float(env_steps)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: "Figure", axes: "Axes", curves: Sequence[LearningCurve], **place: Any) -> None:
    """Draw a common reward to stop at, and the legend outside the axes: it covers no curve."""
    stops = {curve.config.settings.stop_reward for curve in curves}
    if len(stops) == 1 and (stop := stops.pop()) is not None:
        label = f"reward to stop at: {stop:g}"
        axes.axhline(stop, color="#333333", linestyle="--", linewidth=1, label=label)
    if not any(len(curve.episodes) for curve in curves):
        axes.text(0.5, 0.5, "no episode has ended yet", transform=axes.transAxes, ha="center")
    legend = figure.legend(*axes.get_legend_handles_labels(), frameon=False, **place)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)  # type: ignore[union-attr]
