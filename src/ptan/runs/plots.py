"""Pictures of learning curves: one run, or several compared."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from ptan.runs.curves import (
    LearningCurve,
    common_grid,
    default_window,
    group_labels,
    mean_of_episodes,
    mean_of_steps,
    read_curve,
)
from ptan.runs.errors import RunError
from ptan.runs.statistics import bootstrap_band

__all__ = ["compare_figure", "plot_run", "plot_runs", "run_figure", "save_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#666666")
"""Told apart by the colour-blind too (Okabe & Ito 2008), the pale yellow left out."""

DASHES = ("solid", "dashed", "dotted")
SIZE = (9.0, 5.0)
"""Inches."""
DPI = 120

_ONE_POINT = 1_000  # points of a running mean at most: more than a picture has


def plot_run(folder: Path | str, path: Path | str) -> None:
    """Draw the learning curve of a run: see `run_figure`.

    Args:
        folder: A run folder.
        path: The picture, a .png, .svg or .pdf; one that is there is replaced.

    Raises:
        RunError: no run folder, a damaged one, or the picture cannot be written.
        ImportError: Matplotlib is not installed.
    """
    save_figure(run_figure(read_curve(folder)), path)


def plot_runs(
    folders: Sequence[Path | str],
    path: Path | str,
    labels: Sequence[str] | None = None,
    *,
    window: int | None = None,
) -> None:
    """Draw the learning curves of several runs to compare them: see `compare_figure`.

    A single run without a label is drawn as `plot_run` does.

    Args:
        folders: Run folders.
        path: The picture, a .png, .svg or .pdf; one that is there is replaced.
        labels: One per folder: runs of the same label are one group. None tells them apart by their
            settings: runs that differ only in the seed are one group.
        window: Environment steps that each point of a curve looks back; None takes a twentieth.

    Raises:
        RunError: no run folder, a damaged one, or the picture cannot be written.
        ValueError: no folders, or as many labels as there are not folders.
        ImportError: Matplotlib is not installed.
    """
    if not folders:
        raise ValueError("folders must hold at least one run folder, got none")
    if labels is not None and len(labels) != len(folders):
        raise ValueError(f"labels must be one per folder, got {len(labels)} for {len(folders)}")
    curves = [read_curve(folder) for folder in folders]
    if len(curves) == 1 and labels is None:
        save_figure(run_figure(curves[0]), path)
        return
    groups: dict[str, list[LearningCurve]] = {}
    for curve, label in zip(curves, labels or group_labels(curves), strict=True):
        groups.setdefault(label, []).append(curve)
    save_figure(compare_figure(groups, window=window), path)


def run_figure(curve: LearningCurve) -> Any:
    """The learning curve of one run.

    Every episode is a dot, where it ended. The line is the mean that decides when to stop, over the
    last `stop_episodes` episodes (100, where that is a single one); diamonds are greedy
    evaluations, the dashed line is the reward to stop at.

    Args:
        curve: Of the run.

    Returns:
        A `matplotlib.figure.Figure` with one pair of axes.

    Raises:
        ImportError: Matplotlib is not installed.
    """
    settings = curve.config.get("settings", {})
    stop_episodes = settings.get("stop_episodes", 100)
    window = stop_episodes if stop_episodes > 1 else 100
    figure, axes = _axes(curve.env_steps)
    axes.set_title(_title(curve), loc="left")
    size, alpha = (9, 0.5) if len(curve.ends) <= _ONE_POINT else (3, 0.2)
    dots = axes.scatter(curve.ends, curve.returns, s=size, alpha=alpha, color="#7f8c9b")
    dots.set(label="episode", linewidths=0, rasterized=True)
    at = np.unique(np.concatenate([curve.ends, [curve.env_steps]]))
    if len(at) > _ONE_POINT:
        at = at[np.linspace(0, len(at) - 1, _ONE_POINT).astype(np.int64)]
    mean = mean_of_episodes(curve, at, window)
    label = f"mean of the last {window} episodes"
    axes.plot(at, mean, color=COLOURS[0], linewidth=2, drawstyle="steps-post", label=label)
    if len(curve.evaluations):
        marks = axes.scatter(curve.evaluation_steps, curve.evaluations, s=40, marker="D")
        marks.set(label="greedy evaluation", facecolor=COLOURS[1], edgecolor="white", zorder=5)
        marks.set_clip_on(False)  # the last one stands on the edge of the axes
    _stop_line(axes, settings.get("stop_reward"))
    if not len(curve.ends):
        _say(axes, "no episode has ended yet")
    _legend(figure, axes, loc="outside lower left", ncols=4)
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
    no episode has ended are left out, and the legend says so. Sources: see `bootstrap_band`.

    Args:
        groups: The runs of each group by label, in the order of the legend.
        window: Environment steps that each point looks back, as `last` of `mean_of_steps`; None
            takes a twentieth of the longest run.
        title: Above the axes; None names the environment.
        seed: Of the bootstrap.

    Returns:
        A `matplotlib.figure.Figure` with one pair of axes.

    Raises:
        ValueError: no runs.
        ImportError: Matplotlib is not installed.
    """
    curves = [curve for group in groups.values() for curve in group]
    grid = common_grid(curves)
    last = default_window(grid[-1]) if window is None else window
    figure, axes = _axes(grid[-1])
    axes.set_title(_environments(curves) if title is None else title, loc="left")
    styles = cycle((colour, dash) for dash in DASHES for colour in COLOURS)
    for (label, group), style in zip(groups.items(), styles, strict=False):
        rows = [mean_of_steps(curve, grid, last) for curve in group]
        alpha = 0.3 if len(groups) <= 4 else 0.15
        _draw_group(axes, grid, label, rows, (*style, alpha), seed)
    stops = {curve.config.get("settings", {}).get("stop_reward") for curve in curves}
    if len(stops) == 1:
        _stop_line(axes, stops.pop())
    if not any(len(curve.ends) for curve in curves):
        _say(axes, "no episode has ended yet")
    _legend(figure, axes, loc="outside right upper")
    several = max(map(len, groups.values())) > 1
    centre = "line: interquartile mean, band: its 95 % bootstrap interval; " if several else ""
    note = f"{centre}training episodes that ended within the last {last:,} steps"
    figure.supxlabel(note, fontsize="small", color="#555555", x=0.01, ha="left")
    return figure


def save_figure(figure: Any, path: Path | str) -> None:
    """Write a figure at once: whoever looks meanwhile sees the old picture or the new one.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: A .png, .svg or .pdf; the folders above it are made.

    Raises:
        RunError: another kind of file, or it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise RunError(f"{path} cannot be drawn: the name must end with .png, .svg or .pdf")
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(part, format=kind, dpi=DPI)
        part.replace(target)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None


def _axes(env_steps: float) -> tuple[Any, Any]:
    """An empty figure with its own canvas: no state that is shared with anybody's pyplot."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "ptan[plots]"') from error
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel("environment steps")
    axes.set_ylabel("return of an episode")
    axes.set_xlim(0, max(1.0, float(env_steps)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_group(
    axes: Any, grid: Any, label: str, rows: list[Any], style: tuple[str, str, float], seed: int
) -> None:
    """Thin lines of the runs, and if there are several, their interquartile mean with its band."""
    colour, dash, alpha = style
    known = [row for row in rows if not np.isnan(row).all()]
    count = f"{len(known)} of {len(rows)}" if len(known) < len(rows) else f"{len(rows)}"
    legend = f"{label} ({count} {'run' if len(rows) == 1 else 'runs'})"
    line = {"color": colour, "linestyle": dash, "linewidth": 2.2, "label": legend}
    if len(known) < 2:
        axes.plot(grid, known[0] if known else np.full(len(grid), np.nan), **line)
        return
    for row in known:
        axes.plot(grid, row, color=colour, linewidth=0.8, alpha=alpha, label="_run", zorder=1.5)
    band = bootstrap_band(known, rng=seed)
    axes.fill_between(grid, band.low, band.high, color=colour, alpha=alpha / 2, linewidth=0)
    axes.plot(grid, band.estimate, zorder=3, **line)


def _stop_line(axes: Any, stop_reward: float | None) -> None:
    if stop_reward is not None:
        label = f"reward to stop at: {stop_reward:g}"
        axes.axhline(stop_reward, color="#333333", linestyle="--", linewidth=1, label=label)


def _legend(figure: Any, axes: Any, **place: Any) -> None:
    """Outside the axes, so that it covers no curve."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, frameon=False, **place)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color="#555555")


def _title(curve: LearningCurve) -> str:
    """Environment, what was trained with what, and the seed."""
    config = curve.config
    what = config.get("preset") or config.get("algorithm") or curve.folder.name
    return f"{_environments([curve])}: {what}, seed {config.get('seed')}"


def _environments(curves: Sequence[LearningCurve]) -> str:
    names = (str(curve.config.get("settings", {}).get("env_id", "")) for curve in curves)
    return ", ".join(dict.fromkeys(names))
