"""What a checkpoint of a run holds, and how it is read."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

from ptan.envs.states import Probe
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.settings import CHANGEABLE, RunConfig
from ptan.training.checkpoint import CheckpointError, Checkpoints

__all__ = ["RunState", "Saved", "changed", "load"]


@dataclass
class RunState:
    """Where a run stands beside its algorithm, its collector and its statistics.

    seconds              of the run up to the newest checkpoint
    saved_at             environment steps there
    threads              of PyTorch
    evaluations          greedy ones during training so far
    next_evaluation      environment steps before which there is none
    evaluation_cut_off   whether one was interrupted
    beginnings           how often new episodes were begun everywhere, beside the first time
    stopped              why training is over; None while it is not
    repeats              exact runs: whether episodes can be saved
    restart, reason      exact runs: see `ptan.envs.states.Probe`
    """

    seconds: float = 0.0
    saved_at: int = 0
    threads: int = 0
    evaluations: int = 0
    next_evaluation: int = 0
    evaluation_cut_off: bool = False
    beginnings: int = 0
    stopped: str | None = None
    repeats: bool = False
    restart: str = ""
    reason: str = ""

    @property
    def probe(self) -> Probe | None:
        """What was found out about the environments of an exact run."""
        restart: Any = self.restart
        return Probe(self.repeats, restart, self.reason) if restart else None

    def note(self, probe: Probe) -> None:
        """Keep what was found out about the environments."""
        self.repeats, self.restart, self.reason = probe.repeats, probe.restart, probe.reason

    def to_tree(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """What `to_tree` gave; TypeError or ValueError for anything else."""
        kinds = {field.name: type(field.default) for field in fields(cls)} | {"stopped": str}
        if not isinstance(tree, Mapping) or tree.keys() != kinds.keys():
            raise ValueError(f"its run must have the entries {sorted(kinds)}, got {tree!r}")
        for name, kind in kinds.items():
            if type(tree[name]) is not kind and (name, tree[name]) != ("stopped", None):
                raise TypeError(f"its {name} must be of type {kind.__name__}, got {tree[name]!r}")
        return cls(**tree)


class Saved(NamedTuple):
    """A checkpoint, as it was read; warnings are about newer ones that are damaged.

    parts   state of `algorithm`, `tracker`, `recent`, and `collector` or None; and `episodes`:
            whether those in progress are part of the collector's
    run     the run's own
    """

    parts: dict[str, Any]
    run: RunState
    path: Any
    warnings: list[str]


PARTS = {"algorithm", "tracker", "recent", "collector", "episodes"}


def load(folder: RunFolder, checkpoints: Checkpoints | None = None) -> Saved:
    """The newest intact checkpoint of a run; RunError if there is none.

    `checkpoints` are those of the folder that will be saved to: they remember what is damaged.
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
    state = dict(loaded.state)
    try:
        if state.keys() != {*PARTS, "run"}:
            raise ValueError(f"it must have the entries {sorted(PARTS)} and run")
        return Saved(state, RunState.from_tree(state.pop("run")), loaded.path, loaded.warnings)
    except (TypeError, ValueError) as error:
        raise RunError(f"{loaded.path} is no checkpoint of a run: {error}") from None


def changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """A run's settings with new values of those in `CHANGEABLE`; RunError for others."""
    kept = {"checkpoint_every", "threads"} if config.settings.exact else set()
    for name, value in changes.items():
        if name not in CHANGEABLE - kept and value != getattr(config.settings, name, None):
            run, names = "an exact run" if kept else "a run", ", ".join(sorted(CHANGEABLE - kept))
            raise RunError(f"{name} cannot change when {run} is resumed; only {names} can")
    try:
        return dataclasses.replace(config, settings=dataclasses.replace(config.settings, **changes))
    except (TypeError, ValueError) as error:
        raise RunError(str(error)) from None
