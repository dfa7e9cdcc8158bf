"""A training run: from settings to a folder with everything that it left."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from ptan.algorithms.protocol import Algorithm
from ptan.envs.states import save_envs, within_budget
from ptan.experience.collectors import Collector
from ptan.runs import state as states
from ptan.runs.environments import (
    close,
    probe_environments,
    spaces_of,
    training_environments,
    warnings_said,
)
from ptan.runs.errors import EnvironmentFailure, RunError
from ptan.runs.evaluation import Evaluation, Interrupted, evaluate_greedily, evaluation_distance
from ptan.runs.folder import RunFolder, write_json
from ptan.runs.parts import differences, make_algorithm
from ptan.runs.progress import Clock, Progress, Silent, Speed, Watcher
from ptan.runs.seeds import EVALUATION, FINAL, NEW_EPISODES, TRACKING, derived_seed
from ptan.runs.settings import RunConfig
from ptan.runs.state import RunState, Saved
from ptan.training.callbacks import Callbacks
from ptan.training.checkpoint import CheckpointError, Checkpoints
from ptan.training.logs import JsonLinesLog, Log, TensorBoardLog
from ptan.training.loop import Record
from ptan.training.threads import ThreadTuner, is_small, torch_threads
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = ["Run"]

_STEPS = 500  # environment steps between two looks at requests to stop
_SHOW_EVERY = 0.1  # seconds
_INTERVAL = 50_000  # of checkpoints of exact runs, where the settings give none


class Run:
    """An algorithm in training, its folder, and the rules for when it stops.

    Made by `Run.create` or `Run.resume`; `train` does everything else. Training stops at
    `steps` environment steps; or when the mean return of the last `stop_episodes` training episodes
    is above `stop_reward` and the network as it is, evaluated greedily in environments of its own,
    reaches it too. The final network is always evaluated, on episodes that decided nothing.

    Args:
        config: All settings.
        folder: Where everything is written.
        saved: The checkpoint that it goes on from; None begins anew.
        more: Whether a run that was over is to go on.
        checkpoints: What has loaded `saved`, which knows those that are damaged.
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
        """Lines about how the run was resumed, and what its environments are like."""
        self.warnings: list[str] = []
        """Lines about checkpoints that are damaged, and environments that play unseeded."""
        self.checkpoints = checkpoints or Checkpoints(folder.checkpoints)
        self._seconds_before = self.state.seconds
        self._goes_on_at: int | None = None  # environment steps of the checkpoint
        self._speed = Speed()
        self._shown = 0.0
        self._watch: Watcher = Silent()
        self._interrupted: Callable[[], bool] = lambda: False
        self._stop: str | None = None
        self._metrics: dict[str, Any] = {}
        self._held = ExitStack()  # the environments and the folder's lock
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

    @classmethod
    def create(cls, config: RunConfig, path: Path | str, command: Sequence[str] = ()) -> Self:
        """Begin a run. Nothing is written unless its parts can be made.

        Args:
            config: All settings.
            path: Its folder, which must not be there yet.
            command: The command line, to be kept beside the settings.

        Raises:
            RunError: an unknown or unfit environment, setting, device or folder.
        """
        with ExitStack() as held:
            run = cls(config, RunFolder(path))
            held.callback(close, run.env)
            RunFolder.create(path, config, command)
            held.enter_context(run.folder.locked())
            run._held = held.pop_all()
        return run

    @classmethod
    def resume(
        cls, path: Path | str, changes: Mapping[str, Any] | None = None, command: Sequence[str] = ()
    ) -> Self:
        """Go on with a run from its newest intact checkpoint.

        Args:
            path: Its folder.
            changes: New values of settings in `CHANGEABLE`.
            command: The command line, to be kept beside the settings.

        Raises:
            RunError: no run folder, no intact checkpoint, or a setting that may not change.
        """
        folder = RunFolder.open(path)
        config = states.changed(folder.read_config(), changes or {})
        with ExitStack() as held:
            held.enter_context(folder.locked())
            checkpoints = Checkpoints(folder.checkpoints)
            saved = states.load(folder, checkpoints)
            more = bool(changes and changes.keys() & {"steps", "stop_reward"})
            run = cls(config, folder, saved, more=more, checkpoints=checkpoints)
            held.callback(close, run.env)
            folder.update_config(config, command)
            run._held = held.pop_all()
        return run

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, without the pauses between its parts."""
        return self._seconds_before + self.clock.seconds

    @property
    def exact(self) -> bool:
        """Whether a resumed run equals the uncut one to the bit."""
        probe = self.state.probe
        return probe is not None and (probe.repeats or probe.restart != "never")

    def stop(self, reason: str) -> None:
        """Ask for the end of training, after the present update."""
        self._stop = reason

    def train(
        self,
        watch: Watcher | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        callbacks: Sequence[object] = (),
    ) -> dict[str, Any] | None:
        """Train until the run is over, and write down how it ended.

        Args:
            watch: Is told what goes on.
            interrupted: Asked between updates. Once it says yes a checkpoint is saved and training
                ends; `Run.resume` goes on from there.
            callbacks: Objects with any of the methods of `ptan.training.callbacks.Callback`.

        Returns:
            The content of `result.json`; None if interrupted.

        Raises:
            EnvironmentFailure: an environment raised, or answered with what nothing can be learned
                from. A checkpoint of everything up to there was saved.
        """
        self._watch = watch or Silent()
        self._interrupted = interrupted
        with self._held:
            for note in self.notes:
                self._watch.say(note)
            earlier = self._earlier_result()
            if earlier is not None:
                return earlier
            with self._threads() as tuner, self._logs() as logs:
                self.tracker = self._new_tracker(logs)
                if self._saved_tracker is not None:
                    self.tracker.load_state_dict(self._saved_tracker)
                self.callbacks = Callbacks([self.tracker, self.recent, *tuner, *callbacks])
                self.callbacks.on_start(self)
                return self._train()

    def save(self, *, at_interval: bool = False) -> None:
        """Save a checkpoint of everything that can be saved here and now.

        An exact run whose episodes cannot be saved begins new ones at its interval, in the uncut
        run too, and saves nothing in between: it goes on from there.
        """
        state, probe = self.state, self.state.probe
        episodes = probe is not None and probe.repeats
        if episodes:
            listed = self.env if isinstance(self.env, list | VectorEnv) else [self.env]
            episodes = within_budget(save_envs(listed))
        if self.exact and not episodes:
            if not at_interval:
                self._watch.say(
                    f"this exact run goes on from its checkpoint at {state.saved_at:,} steps"
                )
                return
            state.beginnings += 1
            self.collector.restart(self._episode_seed)
        self._write(episodes)

    # Beginning.

    def _load(self, saved: Saved | None, more: bool) -> None:
        """Make the collector, and put the run where a checkpoint was made.

        What could not be saved is begun anew, and `notes` says so. Experience of a warm-up without
        updates that was not saved has taught nothing: such a run begins at 0 again.

        Raises:
            RunError: the checkpoint does not fit the settings.
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

    @property
    def _envs(self) -> Any:
        return (
            self.env if isinstance(self.env, list) or hasattr(self.env, "num_envs") else [self.env]
        )

    def _earlier_result(self) -> dict[str, Any] | None:
        """How a run ended that was over before, if that still answers what is asked."""
        result = None if self.state.stopped is None else self.folder.read_result()
        if result is None:
            return None
        evaluation = result.get("evaluation") or {"episodes": 0}
        if evaluation["episodes"] != self.settings.eval_episodes:
            return None
        self._watch.say("the run is over already; more --steps would go on with it")
        return result

    def _new_tracker(self, logs: Sequence[Log]) -> Tracker:
        """A tracker that has seen nothing yet."""
        seed = np.random.SeedSequence(self.config.seed, spawn_key=(TRACKING,))
        every = self.settings.diagnostics_every
        held_out: Any = self.collector
        return Tracker(
            self.algorithm,
            held_out,
            logs,
            diagnostics_every=every,
            rng=np.random.default_rng(seed),
            clock=self.clock,
        )

    @contextmanager
    def _threads(self) -> Iterator[list[ThreadTuner]]:
        """Fixed threads of PyTorch inside, or a callback that adapts them."""
        steps = self.algorithm.optimizers.values()
        parameters = [parameter for step in steps for parameter in step.parameters()]
        shape = getattr(spaces_of(self.env)[0], "shape", None) or ()
        elsewhere = any(one.device.type != "cpu" for one in parameters)
        fixed = self.settings.threads or (self.settings.exact and self.state.threads)
        if not fixed and (self.settings.exact or elsewhere or is_small(parameters, shape)):
            fixed = 1
        with torch_threads(fixed or self.state.threads or 1):
            tuner = [] if fixed else [ThreadTuner(self.state.threads or 1, report=self._watch.say)]
            self.state.threads = torch.get_num_threads()
            self._watch.say(f"threads: {self.state.threads}" + ("" if fixed else ", to be adapted"))
            yield tuner
            for one in tuner:
                self.state.threads = one.threads

    @contextmanager
    def _logs(self) -> Iterator[list[Log]]:
        with ExitStack() as opened:
            cut = self._goes_on_at
            logs: list[Log] = [JsonLinesLog(self.folder.metrics, truncate_after=cut)]
            opened.callback(logs[0].close)
            try:
                logs.append(TensorBoardLog(self.folder.tensorboard, truncate_after=cut))
                opened.callback(logs[1].close)
            except ImportError as missing:
                self._watch.say(f"no TensorBoard log: {missing}")
            yield logs

    # Training.

    def _train(self) -> dict[str, Any] | None:
        """Train, save and evaluate; returns the result, None if interrupted."""
        reason = self.state.stopped
        try:
            if reason is None:
                self.folder.result.unlink(missing_ok=True)  # of a run that was over and goes on
                reason = self._loop()
                if reason != "interrupted":
                    self.state.stopped = reason
                    self._write(self.exact and self.state.repeats)
            self.callbacks.on_end(reason)
            return None if reason == "interrupted" else self._finish(reason)
        except Interrupted:
            self._watch.say("interrupted during the last evaluation: there is no result yet")
            return None

    def _loop(self) -> str:
        """Collect and update; returns why it ended."""
        algorithm, collector, limit = self.algorithm, self.collector, self.settings.steps
        before, updates_before = algorithm.env_steps, algorithm.updates
        try:
            if self.state.evaluation_cut_off and self._solved():
                return "stop_reward"
            if self.exact and self._goes_on_at is None:
                self._write(self.state.repeats)
            while algorithm.env_steps < limit:
                data = self._collect()
                if data is None:
                    episodes = collector.pop_rewards_steps()
                    for reward, steps in episodes:
                        self.callbacks.on_episode(algorithm.env_steps, reward, steps)
                else:
                    update = algorithm.update(data)
                    collector.after(update)
                    self._metrics = {**update.metrics, **collector.metrics}
                    episodes = collector.pop_rewards_steps()
                    self.callbacks.record(
                        Record(algorithm.env_steps, algorithm.updates, self._metrics, episodes)
                    )
                self._show(collector.phase)
                if data is not None and episodes and self._solved():
                    return "stop_reward"
                if self._stop is not None:
                    return self._stop
                if algorithm.env_steps < limit:
                    if self._interrupted():
                        self.save()
                        return "interrupted"
                    self._save_if_due()
        except Interrupted:
            self.save()
            return "interrupted"
        if algorithm.updates == updates_before and algorithm.env_steps > before:
            self._watch.say("all steps belong to the warm-up: there was no update")
        return "steps"

    def _collect(self) -> Any:
        """What the next update learns from; None where nothing is ready after some steps.

        Raises:
            EnvironmentFailure: see `train`.
        """
        steps = min(_STEPS, self.settings.steps - self.algorithm.env_steps)
        if self._interval:
            steps = min(steps, self._interval - self.algorithm.env_steps % self._interval)
        try:
            return self.collector.advance(steps)
        except Exception as error:
            self.state.beginnings += 1
            self._write(episodes=False)
            what = f"{self.settings.env_id} failed in training"
            failure = EnvironmentFailure.of(error, what)
            failure.args = (f"{failure}; what was learned up to there is saved",)
            raise failure from error

    @property
    def _interval(self) -> int:
        """Environment steps from one checkpoint to the next; 0 for none on the way."""
        return self.settings.checkpoint_every or (_INTERVAL if self.exact else 0)

    def _save_if_due(self) -> None:
        every = self._interval
        if every and self.algorithm.env_steps // every > self.state.saved_at // every:
            self.save(at_interval=True)

    def _write(self, episodes: bool) -> None:
        """Write a checkpoint.

        Raises:
            RunError: another process has written to the folder.
            OSError: it cannot be written.
        """
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
        try:
            path = self.checkpoints.save(parts, algorithm.env_steps)
        except CheckpointError as error:
            raise RunError(str(error)) from error
        self.callbacks.on_checkpoint(algorithm.env_steps, path)

    def _solved(self) -> bool:
        """True if training and the greedy network both reach the reward to stop at."""
        settings, state, env_steps = self.settings, self.state, self.algorithm.env_steps
        if settings.stop_reward is None or self.recent.count < settings.stop_episodes:
            return False
        mean = self.recent.mean
        if mean is None or mean <= settings.stop_reward:
            return False
        if not settings.eval_episodes:
            return True
        if env_steps < state.next_evaluation:
            return False
        seed = derived_seed(self.config.seed, EVALUATION, state.evaluations)
        state.evaluation_cut_off = True
        evaluation = self._evaluate(seed)
        state.evaluation_cut_off = False
        state.evaluations += 1
        state.next_evaluation = env_steps + evaluation_distance(settings)
        reached = evaluation.mean >= settings.stop_reward
        self._watch.say(
            f"{env_steps:,} steps: the last {settings.stop_episodes} episodes have {mean:.2f}, "
            f"greedy evaluation {'' if reached else 'only '}{evaluation}"
        )
        return reached

    def _evaluate(self, seed: int) -> Evaluation:
        """Evaluate the network as it is; the time is the run's, but not that of training."""
        self._show("evaluation", at_once=True)
        with self.clock.pause():
            agent, episodes = self.algorithm.greedy_agent(), self.settings.eval_episodes
            evaluation = evaluate_greedily(self.settings, agent, episodes, seed, self._interrupted)
        self._speed.forget()
        self.callbacks.on_evaluation(self.algorithm.env_steps, evaluation)
        return evaluation

    def _finish(self, reason: str) -> dict[str, Any]:
        """Evaluate the final network, and write the result and the curve."""
        settings, algorithm = self.settings, self.algorithm
        evaluation = None
        if settings.eval_episodes:
            evaluation = self._evaluate(derived_seed(self.config.seed, FINAL))
        solved = None
        if settings.stop_reward is not None and evaluation is not None:
            solved = evaluation.mean >= settings.stop_reward
        result = {
            "stopped_because": reason,
            "stop_reward": settings.stop_reward,
            "solved": solved,
            "env_steps": algorithm.env_steps,
            "updates": algorithm.updates,
            "seconds": round(self.seconds, 3),
            "threads": torch.get_num_threads(),
            "training": {
                "mean": self.recent.mean,
                "over_episodes": min(self.recent.count, settings.stop_episodes),
                "episodes": self.recent.count,
                "metrics": {name: float(value) for name, value in self._metrics.items()},
            },
            "evaluation": None if evaluation is None else evaluation.to_json(),
        }
        write_json(self.folder.result, result)
        try:
            from ptan.runs.plots import plot_runs

            plot_runs([self.folder.path], self.folder.curve)
        except (ImportError, RunError) as error:
            self._watch.say(f"no learning curve: {error}")
        return result

    def _show(self, phase: str, *, at_once: bool = False) -> None:
        now = time.perf_counter()
        if now - self._shown < _SHOW_EVERY and not at_once:
            return
        self._shown = now
        env_steps, last = self.algorithm.env_steps, self.recent.last
        self._speed.add(env_steps, now)
        epsilon = self._metrics.get("epsilon")
        self._watch.progress(
            Progress(
                phase,
                env_steps,
                self.settings.steps,
                self.algorithm.updates,
                self.recent.count,
                None if last is None else last[0],
                self.recent.mean,
                None if epsilon is None else float(epsilon),
                self._speed.value,
            )
        )


def _exactness(exact: bool, repeats: bool) -> str:
    if not exact:
        return "impossible here, a resumed run begins new episodes"
    if repeats:
        return "episodes can be saved and repeated"
    return "episodes cannot be saved, so new ones begin at every checkpoint"
