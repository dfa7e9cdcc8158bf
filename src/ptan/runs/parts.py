"""The working parts of a run: made from its settings, saved, and put where a checkpoint was."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from ptan.algorithms.protocol import Algorithm
from ptan.collectors import Collector
from ptan.envs.states import save_envs, within_budget
from ptan.runs.environments import (
    check_spaces,
    close,
    probe_environments,
    spaces_of,
    training_environments,
    warnings_said,
)
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.progress import Clock, Watcher
from ptan.runs.seeds import NEW_EPISODES, TRACKING, derived_seed
from ptan.runs.settings import RunConfig
from ptan.runs.state import RunState, Saved
from ptan.training.callbacks import Callbacks
from ptan.training.checkpoint import Checkpoints
from ptan.training.logs import Log
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = ["RunParts", "make_algorithm"]

_INTERVAL = 50_000  # of checkpoints of exact runs, where the settings give none


def make_algorithm(config: RunConfig, observations: Any, actions: Any) -> Algorithm[Any]:
    """The algorithm of a run for the spaces of its environment; RunError if they do not fit."""
    device = choose_device(config.settings.device)
    env_id = config.settings.env_id
    check_spaces(config.algorithm, config.entry, env_id, actions)
    try:
        made: Algorithm[Any] = config.entry.algorithm(
            observations, actions, config.config, device=device
        )
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{config.algorithm} does not fit {env_id}: {reason}") from error
    return made


def differences(algorithm: Any) -> list[str]:
    """What an algorithm does otherwise than its settings say, in a line each."""
    wanted, got = (getattr(one, "mixed_precision", False) for one in (algorithm.config, algorithm))
    if wanted and not got:
        return ["mixed precision: float32 is used, as this device only imitates bfloat16"]
    return []


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is the first CUDA device, or else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"device must be one that is there, got {name!r}: {reason}") from None
    return device


class RunParts:
    """What a run is made of, how it is saved, and how it goes on from the checkpoint `saved`.

    env                    one environment, a list of them, or a vector environment
    algorithm, collector   what is trained, and what it learns from
    state                  where the run stands beside these
    callbacks              what follows training: tracker, recent returns, those of the user
    notes, warnings        lines about how it was resumed, and about its environments

    `more`: a run that was over is to go on. `checkpoints`: knows which of them are damaged.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        saved: Saved | None = None,
        *,
        more: bool = False,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.config = config
        self.settings = config.settings
        self.folder = folder
        self.state = RunState() if saved is None else saved.run
        self.recent = EpisodeStatistics(self.settings.stop_episodes)
        self.clock = Clock()
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.checkpoints = checkpoints or Checkpoints(folder.checkpoints)
        self._seconds_before = self.state.seconds
        self._goes_on_at: int | None = None  # environment steps of the checkpoint
        self._watch: Watcher = Watcher()
        self.tracker: Tracker
        self.callbacks = Callbacks([])
        if self.settings.exact and saved is None:
            self.state.note(probe_environments(self.settings))
        with warnings_said(self.warnings):
            self.env = training_environments(self.settings, config.seed, self.state.probe)
        try:
            self.algorithm: Algorithm[Any] = make_algorithm(config, *spaces_of(self.env))
            self.collector: Collector[Any]
            self._load(saved, more)
            self.notes += differences(self.algorithm)
        except BaseException:
            close(self.env)
            raise

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, without the pauses between its parts."""
        return self._seconds_before + self.clock.seconds

    @property
    def exact(self) -> bool:
        """Whether a resumed run equals the uncut one to the bit."""
        probe = self.state.probe
        return probe is not None and (probe.repeats or probe.restart != "never")

    def save(self, *, at_interval: bool = False) -> None:
        """Save everything that can be saved here and now.

        An exact run whose episodes cannot be saved begins new ones at its interval, in the uncut
        run too, and saves nothing in between.
        """
        state, episodes = self.state, self._can_save_episodes
        if self.exact and not episodes:
            if not at_interval:
                self._watch.say(
                    f"this exact run goes on from its checkpoint at {state.saved_at:,} steps"
                )
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

    # Inside.

    def _load(self, saved: Saved | None, more: bool) -> None:
        """Make the collector, and put the run where a checkpoint was made.

        What could not be saved is begun anew, and `notes` says so. Experience of a warm-up without
        updates that was not saved has taught nothing: such a run begins at 0 again.
        """
        self._saved_tracker: Mapping[str, Any] | None = None
        if saved is None:
            if (probe := self.state.probe) is not None:
                self.notes.append(
                    f"exact: {_exactness(self.exact, probe.repeats)} ({probe.reason})"
                )
            self.collector = self.algorithm.collector(self.env)
            return
        parts, state, algorithm = saved.parts, self.state, self.algorithm
        self.warnings += saved.warnings
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
            collector = algorithm.collector(self.env, env_seed=self._episode_seed)
            self.collector = collector
            if parts["collector"] is not None:
                collector.load_state_dict(parts["collector"])
            self._new_tracker([]).load_state_dict(parts["tracker"])
            if not anew:
                self._saved_tracker = parts["tracker"]
                self.recent.load_state_dict(parts["recent"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{saved.path} does not fit the settings of the run: {error}") from error
        if more:
            state.stopped = None
        self._goes_on_at = state.saved_at
        self.notes.append(
            f"resumed at {algorithm.env_steps:,} environment steps and {algorithm.updates:,} "
            "updates"
        )
        if not (over or parts["episodes"] or self.exact):
            self.notes.append("new episodes begin: those in progress were not saved (--exact does)")
        if anew:
            self.notes.append("the warm-up begins anew: what it had gathered was not saved")
        elif collector.phase == "warm-up" and algorithm.updates and not over:
            self.notes.append(
                "the replay was not saved: environment steps of the present agent fill it again "
                "before updates go on"
            )

    @property
    def _episode_seed(self) -> int | None:
        """Of the episodes that begin now; None for those at the very beginning."""
        number = self.state.beginnings
        return derived_seed(self.config.seed, NEW_EPISODES, number) if number else None

    def _new_tracker(self, logs: Sequence[Log]) -> Tracker:
        """A tracker that has seen nothing yet."""
        seed = np.random.SeedSequence(self.config.seed, spawn_key=(TRACKING,))
        return Tracker(
            self.algorithm,
            self.collector,
            logs,
            diagnostics_every=self.settings.diagnostics_every,
            rng=np.random.default_rng(seed),
            clock=self.clock,
        )

    def _write(self, episodes: bool) -> None:
        """Write a checkpoint."""
        algorithm, state = self.algorithm, self.state
        state.saved_at, state.seconds = algorithm.env_steps, self.seconds
        collector = self.collector.state_dict(episodes=episodes) if self.settings.exact else None
        parts = {
            "algorithm": algorithm.state_dict(),
            "tracker": self.tracker.state_dict(),
            "recent": self.recent.state_dict(),
            "collector": collector,
            "episodes": episodes,
            "run": state.to_tree(),
        }
        path = self.checkpoints.save(parts, algorithm.env_steps)
        self.callbacks.on_checkpoint(algorithm.env_steps, path)

    @property
    def _interval(self) -> int:
        """Environment steps from one checkpoint to the next; 0 for none on the way."""
        return self.settings.checkpoint_every or (_INTERVAL if self.exact else 0)


def _exactness(exact: bool, repeats: bool) -> str:
    if not exact:
        return "impossible here, a resumed run begins new episodes"
    if repeats:
        return "episodes can be saved and repeated"
    return "episodes cannot be saved, so new ones begin at every checkpoint"
