"""The results of an ablation: numbers with intervals as JSON and as a table, and the picture."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptan.runs.curves import (
    GRID_POINTS,
    LearningCurve,
    area_under,
    default_window,
    read_curve,
)
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder, write_json
from ptan.runs.job import Job
from ptan.runs.settings import RunConfig
from ptan.runs.statistics import Interval, bootstrap_interval

__all__ = [
    "PICTURE",
    "RESULTS",
    "TABLE",
    "ablation_results",
    "table",
    "write_picture",
    "write_results",
]

RESULTS, TABLE, PICTURE = "results.json", "results.md", "curves.png"
CONFIDENCE = 0.95
_RESAMPLES = 10_000


def ablation_results(
    base: RunConfig,
    folder: Path,
    variants: Mapping[str, Mapping[str, Any]],
    jobs: Sequence[Job],
    over: Sequence[Job],
) -> dict[str, Any] | None:
    """What the finished runs of an ablation say.

    Args:
        base: Settings of all runs, but for the switches.
        folder: The ablation's.
        variants: Value of each switch, by label.
        jobs: All runs.
        over: Those that are over.

    Returns:
        Plain dicts for JSON. Each variant has its `runs`, and `final` and `area` with `iqm`, `low`
        and `high`: the interquartile mean over seeds with its stratified bootstrap interval (see
        `bootstrap_interval`) of the greedy evaluation of the final network, and of the mean of the
        learning curve (see `area_under`). Ends of an interval of a single run are None.
        Instead of all this None, while no run is over.

    Raises:
        RunError: a run folder is damaged.
    """
    if not over:
        return None
    steps = base.settings.steps
    found = {}
    for label, switches in variants.items():
        runs = [_run(folder, job, steps) for job in over if job.label == label]
        if not runs:
            continue
        found[label] = {
            "switches": dict(switches),
            "final": _interval([run["final"] for run in runs]),
            "area": _interval([run["area"] for run in runs if run["area"] is not None]),
            "runs": runs,
        }
    return {
        **{"env_id": base.settings.env_id, "algorithm": base.algorithm, "preset": base.preset},
        "steps": steps,
        "seeds": list(dict.fromkeys(job.config.seed for job in jobs)),
        "runs_over": len(over),
        "runs": len(jobs),
        "confidence": CONFIDENCE,
        "resamples": _RESAMPLES,
        "window": default_window(steps),
        "evaluation": _protocol(over[0]),
        "variants": found,
    }


def table(found: dict[str, Any]) -> str:
    """The results as a table in Markdown.

    Args:
        found: From `ablation_results`.

    Returns:
        A title, what was done, and a row per variant.
    """
    seeds = found["seeds"]
    rows = [("variant", "runs", "final network, greedy", "on the way")]
    for label, variant in found["variants"].items():
        n_runs = str(len(variant["runs"]))
        rows.append((label, n_runs, _written(variant["final"]), _written(variant["area"])))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    what = found["preset"] or found["algorithm"]
    missing = found["runs"] - found["runs_over"]
    unfinished = f" {missing} of {found['runs']} runs are not over yet." if missing else ""
    numbers = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return (
        f"# {found['env_id']}: ablation of {what}\n\n"
        f"{found['steps']:,} environment steps per run, {numbers}.{unfinished}\n\n"
        + "\n".join(lines)
        + "\n\nInterquartile mean over runs [95 % stratified bootstrap interval]. *Final network*: "
        f"mean return of an evaluation ({found['evaluation']}). *On the way*: mean of the learning "
        "curve, which is the area under it divided by its length, in units of return, exploration "
        f"included; each point averages the last {found['window']:,} steps. Below 10 runs such "
        f"intervals are too narrow rather than too wide.\n\n![Learning curves]({PICTURE})\n"
    )


def write_results(folder: Path, found: dict[str, Any]) -> None:
    """Write `results.json` and `results.md`.

    Raises:
        RunError: they cannot be written.
    """
    try:
        write_json(folder / RESULTS, found)
        part = folder / f".{TABLE}.part"
        part.write_text(table(found), encoding="utf-8")
        part.replace(folder / TABLE)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}") from None


def write_picture(folder: Path, over: Sequence[Job]) -> None:
    """Draw `curves.png`: see `compare_figure`.

    Args:
        folder: The ablation's.
        over: Its runs that are over, at least one.

    Raises:
        RunError: a run folder is damaged, or the picture cannot be written.
        ImportError: Matplotlib is not installed.
    """
    from ptan.runs.plots import compare_figure, save_figure

    groups: dict[str, list[LearningCurve]] = {}
    for job in over:
        groups.setdefault(job.label, []).append(read_curve(job.path))
    config = over[0].config
    title = f"{config.settings.env_id}: ablation of {config.preset or config.algorithm}"
    figure = compare_figure(groups, window=default_window(config.settings.steps), title=title)
    save_figure(figure, folder / PICTURE)


def _run(folder: Path, job: Job, steps: int) -> dict[str, Any]:
    """What one finished run says."""
    curve = read_curve(job.path)
    grid = np.linspace(steps / GRID_POINTS, steps, GRID_POINTS)
    area = area_under(curve, grid, default_window(steps))
    return {
        "seed": job.config.seed,
        "folder": job.path.relative_to(folder).as_posix(),
        "final": float(_evaluation(job)["mean"]),
        "area": None if math.isnan(area) else area,
        "env_steps": curve.env_steps,
        "resumed": len(curve.config.get("resumed", [])),
    }


def _evaluation(job: Job) -> dict[str, Any]:
    """That of the final network: `mean`, `protocol` and more."""
    path = RunFolder(job.path).result
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))["evaluation"]
        return {**evaluation, "mean": float(evaluation["mean"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {type(error).__name__} {error}") from None


def _protocol(job: Job) -> str:
    """How evaluations were done; each run has a seed of its own."""
    protocol = str(_evaluation(job).get("protocol", ""))
    return protocol.rpartition(", seed ")[0] or protocol


def _interval(scores: list[float]) -> dict[str, float | None]:
    found = Interval(math.nan, math.nan, math.nan)
    if scores:
        found = bootstrap_interval(scores, rng=0, confidence=CONFIDENCE, resamples=_RESAMPLES)
    named = {"iqm": found.estimate, "low": found.low, "high": found.high}
    return {name: None if math.isnan(value) else value for name, value in named.items()}


def _written(interval: dict[str, float | None]) -> str:
    if interval["iqm"] is None:
        return "–"
    if interval["low"] is None:
        return f"{interval['iqm']:.2f}"
    return f"{interval['iqm']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"
