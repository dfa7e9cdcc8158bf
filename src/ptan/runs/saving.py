"""What a checkpoint of a run holds, and how a run goes on from it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.settings import CHANGEABLE, RunConfig
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint

if TYPE_CHECKING:
    from ptan.runs.run import Run

__all__ = ["Marks", "beginning_of", "changed", "load", "restore", "save"]

_ENTRIES = {"algorithm", "tracker", "recent", "marks", "source", "unsaved"}


@dataclass
class Marks:
    """Where a run stands beside its algorithm and its statistics.

    Args:
        seconds_before: Those of the run up to the checkpoint that it goes on from.
        saved_at: Environment steps at the newest checkpoint.
        threads: Of PyTorch, as chosen when the run began.
        evaluations: Greedy evaluations during training so far.
        next_evaluation: Environment steps before which there is none.
        evaluation_cut_off: Whether one was interrupted.
        beginnings: How often new episodes were begun when the run was resumed.
        refill: Whether the buffer has to be filled again.
        stopped: Why training is over; None while it is not.
    """

    seconds_before: float = 0.0
    saved_at: int = 0
    threads: int = 0
    evaluations: int = 0
    next_evaluation: int = 0
    evaluation_cut_off: bool = False
    beginnings: int = 0
    refill: bool = False
    stopped: str | None = None


def save(run: "Run") -> None:
    """Write a checkpoint of a run.

    The replay buffer is part of it with `save_replay`; the source with its environments too, where
    they can be saved. Without the rows that led to them they would be of no use. What cannot be
    saved is left out, with the reason.

    Raises:
        OSError: it cannot be written.
    """
    algorithm = run.parts.algorithm
    run.marks.saved_at = algorithm.env_steps
    source = None
    unsaved = "environments are saved only together with the replay (--exact)"
    if run.settings.exact:
        try:
            source = run.parts.collector.state_dict()
        except TypeError as error:  # `CannotSave` is one
            unsaved = str(error)
    state = {
        "algorithm": algorithm.state_dict(),
        "tracker": run.tracker.state_dict(),
        "recent": run.recent.state_dict(),
        "marks": {**dataclasses.asdict(run.marks), "seconds_before": run.seconds},
        "source": source,
        "unsaved": unsaved,
    }
    run.checkpoints.save(state, algorithm.env_steps)


def load(folder: RunFolder, checkpoints: Checkpoints | None = None) -> LoadedCheckpoint:
    """The newest intact checkpoint of a run.

    Args:
        folder: The run's.
        checkpoints: Those of the folder, if they will be saved to: they remember what is damaged.

    Raises:
        RunError: there is none.
    """
    try:
        loaded = (checkpoints or Checkpoints(folder.checkpoints)).load()
    except CheckpointError as error:
        raise RunError(str(error)) from None
    if loaded is None:
        raise RunError(
            f"{folder.path} has no checkpoint yet: there is nothing to go on from. Remove it to "
            "begin again under this name"
        )
    try:
        _check(loaded.state)
    except (TypeError, ValueError) as error:
        raise RunError(f"{loaded.path} is no checkpoint of a run: {error}") from None
    return loaded


def _check(state: Mapping[str, Any]) -> None:
    if state.keys() != _ENTRIES:
        raise ValueError(f"it must have the entries {sorted(_ENTRIES)}, got {sorted(state)}")
    marks = state["marks"]
    kinds = {field.name: type(field.default) for field in fields(Marks)} | {"stopped": str}
    if not isinstance(marks, Mapping) or marks.keys() != kinds.keys():
        raise ValueError(f"its marks must be {sorted(kinds)}, got {marks!r}")
    for name, kind in kinds.items():
        if type(marks[name]) is not kind and (name, marks[name]) != ("stopped", None):
            raise TypeError(f"its mark {name} must be of type {kind.__name__}, got {marks[name]!r}")


def beginning_of(loaded: LoadedCheckpoint) -> int:
    """How many times new episodes have begun, that of a run that goes on from here included."""
    beginnings: int = loaded.state["marks"]["beginnings"]
    return beginnings + (loaded.state["source"] is None)


def restore(run: "Run", loaded: LoadedCheckpoint, *, more: bool = False) -> None:
    """Put a run, freshly made from its settings, where a checkpoint was made.

    What could not be saved is begun anew, and `run.notes` says so; what was damaged is in
    `run.warnings`. Experience of a warm-up without updates that was not saved has taught nothing:
    such a run begins at 0 again.

    Args:
        run: The run.
        loaded: The checkpoint.
        more: Whether a run that was over is to go on.

    Raises:
        RunError: the checkpoint does not fit the settings.
    """
    state: Mapping[str, Any] = loaded.state
    run.warnings += loaded.warnings
    try:
        algorithm_state = state["algorithm"]
        over = state["marks"]["stopped"] is not None and not more
        anew = state["source"] is None and algorithm_state["updates"] == 0 and not over
        if anew:
            algorithm_state = {**algorithm_state, "env_steps": 0}
        run.parts.algorithm.load_state_dict(algorithm_state)
        run.new_tracker([]).load_state_dict(state["tracker"])
        if not anew:
            run.recent.load_state_dict(state["recent"])
        run.marks = Marks(**state["marks"])
        parts = run.parts
        if state["source"] is not None:
            parts.collector.load_state_dict(state["source"])
        else:  # one that knows what is behind the algorithm
            parts.collector = parts.algorithm.collector(parts.env, env_seed=parts.env_seed)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{loaded.path} does not fit the settings of the run: {error}") from error
    marks, algorithm = run.marks, run.parts.algorithm
    marks.beginnings = beginning_of(loaded)
    marks.refill = state["source"] is None and algorithm.updates > 0
    if more:
        marks.stopped = None
    run.notes.append(
        f"resumed at {algorithm.env_steps:,} environment steps and {algorithm.updates:,} updates"
    )
    if marks.stopped is not None:
        return
    if state["source"] is None:
        run.notes.append(f"new episodes begin: {state['unsaved']}")
    if anew:
        marks.saved_at = 0
        run.notes.append("the warm-up begins anew: what it had gathered was not saved")


def changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """A run's settings with those that may change while it rests.

    Args:
        config: As it began.
        changes: New values of settings in `CHANGEABLE`.

    Raises:
        RunError: another setting, or an impossible value.
    """
    for name in changes:
        if name not in CHANGEABLE:
            raise RunError(
                f"{name} cannot change when a run is resumed; only {', '.join(sorted(CHANGEABLE))} "
                "can"
            )
    try:
        return dataclasses.replace(config, settings=dataclasses.replace(config.settings, **changes))
    except (TypeError, ValueError) as error:
        raise RunError(str(error)) from None
