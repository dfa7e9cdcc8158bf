"""The working parts of a run: made from its settings, saved, and put where a checkpoint was."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from ptan.algorithms.protocol import Algorithm
from ptan.collectors import Collector
from ptan.common.types import Envs, Space
from ptan.envs.states import save_envs, within_budget
from ptan.runs.environments import (
    close,
    probe_environments,
    spaces_of,
    training_environments,
    warnings_said,
)
from ptan.runs.errors import RunError, TrainingFailure, one_line
from ptan.runs.folder import RunFolder
from ptan.runs.seeds import NEW_EPISODES, TRACKING, derived_seed
from ptan.runs.settings import RunConfig
from ptan.runs.state import RunState, load_checkpoint
from ptan.training.callbacks import Callbacks
from ptan.training.checkpoint import Checkpoints, LoadedCheckpoint
from ptan.training.threads import ThreadTuner
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = ["RunParts", "Watcher", "make_algorithm"]

_INTERVAL = 50_000  # of checkpoints of exact runs, where the settings give none


def make_algorithm(config: RunConfig, observations: Space, actions: Space) -> Algorithm[Any]:
    """The algorithm of a run for the spaces of its environment; RunError if they do not fit."""
    name, entry, env_id = config.algorithm, config.entry, config.settings.env_id
    device = _device(config.settings.device)
    if not any(kind.__name__ in entry.action_spaces for kind in type(actions).__mro__):
        kinds = " or ".join(entry.action_spaces)
        raise RunError(f"{name} needs a {kinds} action space, {env_id} has {actions}")
    try:
        return entry.algorithm(observations, actions, config.config, device=device)
    except (ValueError, TypeError, RuntimeError) as error:
        raise RunError(f"{name} does not fit {env_id}: {one_line(error)}") from error


def _device(name: str) -> torch.device:
    """The device of a name; "auto" is the first CUDA device, or else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).partition("\n")[0]
        raise RunError(f"device must be one that is there, got {name!r}: {why}") from None
    return device


class Watcher:
    """Shows what a run does: nothing, unless a subclass does."""

    def progress(self, run: "RunParts", phase: str, /) -> None:
        """Show where the run stands in its "warm-up", "training" or "evaluation"; called often."""

    def say(self, line: str, /) -> None:
        """Show one line about something that happened."""


class RunParts:
    """What a run is made of, how it is saved, and how it goes on from its newest checkpoint.

    env                    one environment, a list of them, or a vector environment
    algorithm, collector   what is trained, and what it learns from
    tracker, recent        what is logged, and the mean of recent returns
    state                  where the run stands beside these
    metrics                of the newest update
    clock                  tells seconds, without those of evaluations
    notes, warnings        lines about how it was resumed, and about its environments

    `resumed`: go on from the checkpoint; `more`: even if the run was over.
    """

    def __init__(
        self, config: RunConfig, folder: RunFolder, *, resumed: bool = False, more: bool = False
    ) -> None:
        self.config, self.settings, self.folder = config, config.settings, folder
        self.checkpoints = Checkpoints(folder.checkpoints)
        self.state, saved = RunState(), None
        if resumed:
            saved, self.state = load_checkpoint(folder, self.checkpoints)
        elif self.settings.exact:
            self.state = RunState(**vars(probe_environments(self.settings)))
        self.notes: list[str] = []
        self.warnings = [] if saved is None else saved.warnings
        self.recent = EpisodeStatistics(self.settings.stop_episodes)
        self.metrics: Mapping[str, Tensor | float] = {}
        self.callbacks = Callbacks([])
        self._tuners: list[ThreadTuner] = []
        self._saved = saved is not None  # nothing has happened since the newest checkpoint
        self._seconds_before, self._began = self.state.seconds, perf_counter()
        pauses: list[float] = []  # seconds of evaluations
        self._pauses = pauses
        self.clock: Callable[[], float] = lambda: perf_counter() - sum(pauses)
        self._watch = Watcher()
        with warnings_said(self.warnings):
            self.env: Envs = training_environments(self.settings, config.seed, self.state.probe)
        try:
            self.algorithm = make_algorithm(config, *spaces_of(self.env))
            if saved is None:
                self._begin()
            else:
                self._go_on(saved, more)
        except BaseException:
            close(self.env)
            raise
        computes_so = getattr(self.algorithm, "mixed_precision", False)
        if config.flat.get("mixed_precision") and not computes_so:
            self.notes.append("mixed precision: float32, as this device only imitates bfloat16")

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, without the pauses between its parts."""
        return self._seconds_before + perf_counter() - self._began

    @property
    def exact(self) -> bool:
        """Whether a resumed run equals the uncut one to the bit."""
        return self.state.repeats or self.state.restart in ("reset", "remake")

    def _tell(self, event: str, *arguments: object) -> None:
        """Tell the callbacks; TrainingFailure if one fails."""
        try:
            getattr(self.callbacks, event)(*arguments)
        except Exception as error:
            raise self._failed(error, "training on {} failed in a callback") from error

    def _failed(
        self, error: BaseException, what: str, kind: type[TrainingFailure] = TrainingFailure
    ) -> TrainingFailure:
        """What is said about an exception."""
        where = f"after {self.algorithm.env_steps:,} steps"
        return kind.of(error, f"{what.format(self.settings.env_id)} {where}")

    # Making.

    def _begin(self) -> None:
        """Make the collector and the tracker of a new run."""
        if self.state.restart:
            found = "impossible here, a resumed run begins new episodes"
            if self.exact:
                found = "episodes cannot be saved, so new ones begin at every checkpoint"
            if self.state.repeats:
                found = "episodes can be saved and repeated"
            self.notes.append(f"exact: {found} ({self.state.reason})")
        self.collector: Collector[Any] = self.algorithm.collector(self.env)
        self.tracker = self._new_tracker()

    def _go_on(self, saved: LoadedCheckpoint, more: bool) -> None:
        """Put the run where a checkpoint was made.

        What could not be saved is begun anew, and `notes` says so. Experience of a warm-up without
        updates that was not saved has taught nothing: such a run begins at 0 again.
        """
        parts, state, algorithm = saved.state, self.state, self.algorithm
        over = state.stopped is not None and not more
        try:
            kept = parts["algorithm"]
            anew = parts["collector"] is None and kept["updates"] == 0 and not over
            if anew:
                kept = {**kept, "env_steps": 0}
                state.saved_at = 0
            algorithm.load_state_dict(kept)
            if not (parts["episodes"] or (self.exact and state.stopped is None)):
                state.beginnings += 1
            self.collector = algorithm.collector(self.env, env_seed=self._episode_seed)
            if parts["collector"] is not None:
                self.collector.load_state_dict(parts["collector"])
            self.tracker = self._new_tracker()
            if not anew:
                self.tracker.load_state_dict(parts["tracker"])
                self.recent.load_state_dict(parts["recent"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{saved.path} does not fit the settings of the run: {error}") from error
        if more:
            state.stopped = None
        done = f"{algorithm.env_steps:,} environment steps and {algorithm.updates:,} updates"
        self.notes.append(f"resumed at {done}")
        if not (over or parts["episodes"]):
            able = "" if self.settings.exact else " (--exact does)"
            self.notes.append(f"new episodes begin: those in progress were not saved{able}")
        if anew:
            self.notes.append("the warm-up begins anew: what it had gathered was not saved")
        elif self.collector.phase == "warm-up" and algorithm.updates and not over:
            self.notes.append(
                "the replay was not saved: environment steps of the present agent fill it again "
                "before updates go on"
            )

    @property
    def _episode_seed(self) -> int | None:
        """Of the episodes that begin now; None for those at the very beginning."""
        number = self.state.beginnings
        return derived_seed(self.config.seed, NEW_EPISODES, number) if number else None

    def _new_tracker(self) -> Tracker:
        """A tracker that has seen nothing yet, and has no logs yet."""
        seed = np.random.SeedSequence(self.config.seed, spawn_key=(TRACKING,))
        return Tracker(
            self.algorithm,
            self.collector,
            [],
            diagnostics_every=self.settings.diagnostics_every,
            rng=np.random.default_rng(seed),
            clock=self.clock,
        )

    # Saving.

    def save(self, *, at_interval: bool = False) -> None:
        """Save everything that can be saved here and now.

        An exact run whose episodes cannot be saved begins new ones at its interval, in the uncut
        run too, and saves nothing in between.
        """
        state, episodes = self.state, self._can_save_episodes
        if self.exact and not episodes:
            if not at_interval:
                at = f"{state.saved_at:,} steps"
                self._watch.say(f"this exact run goes on from its checkpoint at {at}")
                return
            state.beginnings += 1
            self.collector.restart(self._episode_seed)
        self._write(episodes)

    @property
    def _can_save_episodes(self) -> bool:
        """Whether environments repeat, and no episode in progress is too long for that."""
        if not self.state.repeats:
            return False
        listed = self.env if isinstance(self.env, list | VectorEnv) else [self.env]
        return within_budget(save_envs(listed))

    def _write(self, episodes: bool) -> None:
        """Write a checkpoint."""
        algorithm, state = self.algorithm, self.state
        state.saved_at, state.seconds = algorithm.env_steps, self.seconds
        for one in self._tuners:
            state.threads = one.threads
        collector = self.collector.state_dict(episodes=episodes) if self.settings.exact else None
        parts = {
            "algorithm": algorithm.state_dict(),
            "tracker": self.tracker.state_dict(),
            "recent": self.recent.state_dict(),
            "collector": collector,
            "episodes": episodes,
            "run": vars(state),
        }
        path = self.checkpoints.save(parts, algorithm.env_steps)
        self._saved = True
        self._tell("on_checkpoint", algorithm.env_steps, path)

    @property
    def _interval(self) -> int:
        """Environment steps from one checkpoint to the next; 0 for none on the way."""
        return self.settings.checkpoint_every or (_INTERVAL if self.exact else 0)
