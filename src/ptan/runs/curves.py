"""Learning curves of run folders, and several of them on a common grid of environment steps."""

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
from ptan.training.logs import read_json_lines

__all__ = [
    "GRID_POINTS",
    "LearningCurve",
    "area_under",
    "common_grid",
    "default_window",
    "group_labels",
    "mean_of_episodes",
    "mean_of_steps",
    "read_curve",
]

Floats: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]

GRID_POINTS = 200
"""Points of a curve in pictures and tables."""

_WINDOW_SHARE = 20

EPISODE = "episodes/reward"
EVALUATION = "evaluation/reward"

_NO_GROUP = CHANGEABLE | {"seed", "diagnostics_every"}
"""Settings in which the runs of one group may differ."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What a run has achieved, by environment step.

    Args:
        folder: The run folder.
        config: What `config.json` holds.
        env_steps: How far the run has come.
        ends: Environment steps at which episodes ended, rising, shape (episodes,).
        returns: Undiscounted return of each, shape (episodes,).
        evaluation_steps: Environment steps of evaluations, rising, shape (evaluations,).
        evaluations: Mean return of each, shape (evaluations,).
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

    Args:
        folder: A run folder. A torn last line in its metrics is left out, so are returns that are
            not finite. A run that has logged nothing yet has a curve without episodes.

    Returns:
        The curve.

    Raises:
        RunError: it is no run folder, or what it holds is damaged.
    """
    files = RunFolder.open(folder)
    try:
        config = json.loads(files.config.read_text(encoding="utf-8"))
        lines = read_json_lines(files.metrics) if files.metrics.exists() else []
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} cannot be read: {error}") from None
    steps = [_steps_of(files.metrics, i, line) for i, line in enumerate(lines, start=1)]
    if any(late < early for early, late in itertools.pairwise(steps)):
        raise RunError(f"{files.metrics} is damaged: env_steps must not fall")
    ends, returns = _column(steps, lines, EPISODE)
    evaluation_steps, evaluations = _column(steps, lines, EVALUATION)
    reached = max([_final_steps(files.result), *steps[-1:]])
    return LearningCurve(files.path, config, reached, ends, returns, evaluation_steps, evaluations)


def common_grid(curves: Sequence[LearningCurve], points: int = GRID_POINTS) -> Floats:
    """Evenly spaced environment steps, from the first part of the longest run to its end.

    Args:
        curves: At least one.
        points: How many.

    Returns:
        Shape (points,).

    Raises:
        ValueError, TypeError: no curves, or points is no whole number of at least 1.
    """
    if not curves:
        raise ValueError("curves must hold at least one, got none")
    n_points = whole_number("points", points)
    longest = max(curve.env_steps for curve in curves)
    return np.linspace(longest / n_points, longest, n_points, dtype=np.float64)


def default_window(env_steps: float) -> int:
    """How many environment steps each point of a curve looks back: a twentieth of its length."""
    return max(1, round(env_steps / _WINDOW_SHARE))


def mean_of_episodes(curve: LearningCurve, at: ArrayLike, episodes: int = 100) -> Floats:
    """The mean return of the last episodes that had ended by each step, as stop rules take it.

    Args:
        curve: Of one run.
        at: Environment steps, shape (points,).
        episodes: How many are in a mean; all, while there are fewer.

    Returns:
        Shape (points,); NaN before the first episode ended and after the end of the run.
    """
    window = whole_number("episodes", episodes)
    steps = np.asarray(at, dtype=np.float64)
    stops = np.searchsorted(curve.ends, steps, side="right")
    return _means(curve, steps, np.maximum(stops - window, 0), stops)


def mean_of_steps(curve: LearningCurve, at: ArrayLike, last: float) -> Floats:
    """The mean return of the episodes that ended within the last steps before each step.

    Where none did, the value of the last episode goes on. In contrast to a number of episodes, a
    number of steps is the same time for good agents and bad ones, however long their episodes are.

    Args:
        curve: Of one run.
        at: Environment steps, shape (points,).
        last: How many steps back an episode counts: the value at s is of those in (s − last, s].

    Returns:
        Shape (points,); NaN before the first episode ended and after the end of the run.

    Raises:
        ValueError: last is not above 0.
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


def area_under(curve: LearningCurve, at: ArrayLike, last: float) -> float:
    """The mean of a learning curve over a grid: how good a run was on the way, in units of return.

    Args:
        curve: Of one run.
        at: An evenly spaced grid of environment steps.
        last: As for `mean_of_steps`, whose values are averaged.

    Returns:
        The area under the curve divided by its length, NaN for a run without episodes. Points
        before the end of the first episode are not counted.
    """
    values = mean_of_steps(curve, at, last)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def group_labels(curves: Sequence[LearningCurve]) -> list[str]:
    """Labels that tell runs apart by their settings; runs that differ in the seed share one.

    Args:
        curves: Of all runs to compare.

    Returns:
        One label per curve: the settings in which not all of them agree, such as
        "double, gamma 0.9"; a bundle such as "rainbow" by its name; "base" for switches that are
        all off; the algorithm's name if all agree. What does not change learning, such as the
        device or the seed, is not looked at.
    """
    settings = [_flat(curve.config) for curve in curves]
    names = dict.fromkeys(name for each in settings for name in each)
    differing = [
        name for name in names if any(each.get(name) != settings[0].get(name) for each in settings)
    ]
    if not differing:
        return [str(each.get("algorithm", "run")) for each in settings]
    return [_label({name: each.get(name) for name in differing}, each) for each in settings]


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Algorithm, environment and all settings that change what is learned."""
    flat: dict[str, Any] = {"algorithm": config.get("algorithm")}
    for part in ("settings", "config"):
        flat.update(config.get(part, {}))
    return {name: value for name, value in flat.items() if name not in _NO_GROUP}


def _label(differing: dict[str, Any], settings: dict[str, Any]) -> str:
    """The differing settings of a run in words; those of a bundle by its name."""
    entry = CATALOGUE.get(settings["algorithm"])
    words = []
    for bundle, parts in entry.bundles.items() if entry else ():
        if parts.items() <= settings.items() and parts.keys() & differing.keys():
            words.append(bundle)
            differing = {k: v for k, v in differing.items() if k not in parts}
    words.extend(filter(None, (_said(name, value) for name, value in differing.items())))
    return ", ".join(words) or "base"


def _said(name: str, value: Any) -> str:
    """A setting in a label; nothing for a switch that is off."""
    if isinstance(value, bool):
        return name if value else ""
    if name in ("algorithm", "env_id"):
        return str(value)
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def _means(curve: LearningCurve, steps: Floats, starts: Steps, stops: Steps) -> Floats:
    """The mean return of a range of episodes at each step."""
    values = np.full(len(steps), np.nan)
    known = np.flatnonzero((stops > starts) & (steps <= curve.env_steps))
    for point in known:
        values[point] = curve.returns[starts[point] : stops[point]].mean()
    return values


def _column(steps: list[int], lines: list[dict[str, Any]], tag: str) -> tuple[Steps, Floats]:
    """Steps and values of the lines that have a number under a tag."""
    found = [
        (step, line[tag])
        for step, line in zip(steps, lines, strict=True)
        if isinstance(line.get(tag), int | float)
    ]
    columns = np.array(found, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0].astype(np.int64), columns[:, 1]


def _steps_of(path: Path, number: int, line: dict[str, Any]) -> int:
    steps = line.get("env_steps")
    if not isinstance(steps, int) or steps < 0:
        raise RunError(f"{path}, line {number}: env_steps must be a count, got {steps!r}")
    return steps


def _final_steps(path: Path) -> int:
    """Environment steps at the end of a run; 0 if it has not ended."""
    try:
        steps = json.loads(path.read_text(encoding="utf-8")).get("env_steps", 0)
    except (OSError, ValueError, AttributeError):
        return 0
    return steps if isinstance(steps, int) else 0
