"""What a checkpoint of a run holds beside its algorithm, its collector and its statistics."""

from dataclasses import dataclass
from typing import Literal

from ptan.algorithms.settings import check_settings, setting
from ptan.envs.states import Probe
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint

__all__ = ["RunState", "load_checkpoint"]


@dataclass
class RunState:
    """Where a run stands; raises TypeError or ValueError for entries of other kinds."""

    seconds: float = setting(0.0, "Of the run up to the newest checkpoint")
    saved_at: int = setting(0, "Environment steps there", least=0)
    threads: int = setting(0, "Of PyTorch", least=0)
    evaluations: int = setting(0, "Greedy ones during training so far", least=0)
    next_evaluation: int = setting(0, "Environment steps before which there is none", least=0)
    evaluation_cut_off: bool = setting(False, "Whether one was interrupted")
    beginnings: int = setting(
        0, "How often new episodes were begun, beside the first time", least=0
    )
    stopped: str | None = setting(None, "Why training is over; None while it is not")
    repeats: bool = setting(False, "Exact runs: whether episodes can be saved")
    restart: Literal["", "reset", "remake", "never"] = setting("", "Exact runs: see `Probe`")
    reason: str = setting("", "Exact runs: of the probe")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def probe(self) -> Probe | None:
        """What was found out about the environments of an exact run."""
        return Probe(self.repeats, self.restart, self.reason) if self.restart else None


def load_checkpoint(
    folder: RunFolder, checkpoints: Checkpoints | None = None
) -> tuple[LoadedCheckpoint, RunState]:
    """The newest intact checkpoint of a run; RunError if there is none.

    It holds the state of `algorithm`, `tracker`, `recent`, and of the `collector` or None;
    `episodes`, whether those in progress are part of the collector's; and `run`. `checkpoints` are
    those of the folder that will be saved to: they remember what is damaged.
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
        state = RunState(**(entries := loaded.state["run"]))
        if lost := vars(state).keys() - entries.keys():
            raise ValueError(f"its run lacks {', '.join(lost)}")
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{loaded.path} is no checkpoint of a run: {error}") from None
    return loaded, state
