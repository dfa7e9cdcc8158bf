"""A training run: from settings to a folder with everything that it left."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from ptan.runs import saving
from ptan.runs.environments import close, spaces_of
from ptan.runs.errors import RunError
from ptan.runs.evaluation import (
    Evaluation,
    Interrupted,
    evaluate_greedily,
    evaluation_distance,
)
from ptan.runs.folder import RunFolder, write_json
from ptan.runs.parts import Parts, differences, make_algorithm
from ptan.runs.progress import Clock, Progress, Silent, Speed, Watcher
from ptan.runs.seeds import EVALUATION, FINAL, TRACKING, derived_seed
from ptan.runs.settings import RunConfig
from ptan.runs.threads import Choice, choose_threads, torch_threads
from ptan.training.checkpoint import Checkpoints, LoadedCheckpoint
from ptan.training.logs import JsonLinesLog, Log, TensorBoardLog
from ptan.training.loop import Record, train
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = ["Run"]

_WARM_UP_ROWS = 500  # between two looks at what the user wants
_SHOW_EVERY = 0.1  # seconds


class Run:
    """An algorithm in training, its folder, and the rules for when it stops.

    Made by `Run.create` or `Run.resume`; `train` does everything else. Training stops at
    `steps` environment steps; or when the mean return of the last `stop_episodes` training episodes
    is above `stop_reward` and the network as it is, evaluated greedily in environments of its own,
    reaches it too. The final network is always evaluated, on episodes that decided nothing.

    Args:
        config: All settings.
        folder: Where everything is written.
        parts: Made from `config`.
        loaded: The checkpoint that it goes on from; None begins anew.
        checkpoints: What has loaded it, which knows those that are damaged.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        parts: Parts,
        loaded: LoadedCheckpoint | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.config = config
        self.settings = config.settings
        self.folder = folder
        self.parts = parts
        self.recent = EpisodeStatistics(self.settings.stop_episodes)
        self.marks = saving.Marks()
        self.clock = Clock()
        self.notes: list[str] = []
        """Lines about how the run was resumed."""
        self.warnings: list[str] = []
        """Lines about checkpoints that are damaged."""
        self.checkpoints = checkpoints or Checkpoints(folder.checkpoints)
        self._loaded = loaded
        self._speed = Speed()
        self._shown = 0.0
        self._watch: Watcher = Silent()
        self._interrupted: Callable[[], bool] = lambda: False
        self._logs: list[Any] = []
        self._held = ExitStack()  # the environments and the folder's lock
        self.tracker: Tracker

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
            parts = Parts.make(config)
            held.callback(close, parts.env)
            folder = RunFolder.create(path, config, command)
            held.enter_context(folder.locked())
            run = cls(config, folder, parts)
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
        config = saving.changed(folder.read_config(), changes or {})
        with ExitStack() as held:
            held.enter_context(folder.locked())
            checkpoints = Checkpoints(folder.checkpoints)
            loaded = saving.load(folder, checkpoints)
            parts = Parts.make(config, beginning=saving.beginning_of(loaded))
            held.callback(close, parts.env)
            run = cls(config, folder, parts, loaded, checkpoints)
            more = bool(changes and changes.keys() & {"steps", "stop_reward"})
            saving.restore(run, loaded, more=more)
            folder.update_config(config, command)
            run._held = held.pop_all()
        return run

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, without the pauses between its parts."""
        return self.marks.seconds_before + self.clock.seconds

    def train(
        self,
        watch: Watcher | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any] | None:
        """Train until the run is over, and write down how it ended.

        Args:
            watch: Is told what goes on.
            interrupted: Asked between updates. Once it says yes a checkpoint is saved and training
                ends; `Run.resume` goes on from there.

        Returns:
            The content of `result.json`; None if interrupted.
        """
        self._watch = watch or Silent()
        self._interrupted = interrupted
        with self._held:
            for note in self.notes:
                self._watch.say(note)
            return self._earlier_result() or self._train_with_logs()

    def _train_with_logs(self) -> dict[str, Any] | None:
        choice = self._choose_threads()
        self.marks.threads = choice.threads
        self._watch.say(f"threads: {choice}")
        for line in differences(self.parts.algorithm):
            self._watch.say(line)
        try:
            with torch_threads(choice.threads):
                self._open_logs()
                try:
                    reason = self._train()
                    self.marks.stopped = None if reason == "interrupted" else reason
                    self.save()
                    return None if reason == "interrupted" else self._finish(reason)
                except Interrupted:
                    self._watch.say(
                        "interrupted during the last evaluation: there is no result yet"
                    )
                    return None
        finally:
            for log in self._logs:
                log.close()

    def _earlier_result(self) -> dict[str, Any] | None:
        """How a run ended that was over before, if that still answers what is asked."""
        result = None if self.marks.stopped is None else self.folder.read_result()
        if result is None:
            return None
        evaluation = result.get("evaluation") or {"episodes": 0}
        if evaluation["episodes"] != self.settings.eval_episodes:
            return None
        self._watch.say("the run is over already; more --steps would go on with it")
        return result

    def save(self) -> None:
        """Save a checkpoint of everything."""
        saving.save(self)

    def new_tracker(self, logs: Sequence[Log]) -> Tracker:
        """A tracker of this run's algorithm that has seen nothing yet."""
        rng = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(TRACKING,)))
        return Tracker(
            self.parts.algorithm,
            self.parts.collector,
            logs,
            diagnostics_every=self.settings.diagnostics_every,
            rng=rng,
            clock=self.clock,
        )

    # Training.

    def _train(self) -> str:
        """Warm up and train; returns why it stopped."""
        if self.marks.stopped is not None:
            return self.marks.stopped
        self.folder.result.unlink(missing_ok=True)  # of a run that was over and goes on
        try:
            refilled = self._warm_up()
            algorithm = self.parts.algorithm
            if refilled and algorithm.env_steps >= self.settings.steps:
                self._watch.say("all steps belong to the warm-up: there was no update")
            if self.marks.evaluation_cut_off and self._solved(algorithm.env_steps):
                return "stop_reward"
            if algorithm.env_steps >= self.settings.steps:
                return "steps"
            for record in train(algorithm, self.parts.collector):
                reason = self._take(record)
                if reason is not None:
                    return reason
                self._save_if_due()
        except Interrupted:
            return "interrupted"
        raise AssertionError("the loop has no end")

    def _warm_up(self) -> bool:
        """Fill the buffer up to the warm-up; returns whether anything was missing.

        In pieces, so that Ctrl-C need not wait for the end. A run that goes on without its replay
        does it again, with the agent as it is by then.
        """
        algorithm, collector = self.parts.algorithm, self.parts.collector
        filled: bool = collector.phase == "warm-up"
        if filled and self.marks.refill:
            self._watch.say(
                f"the replay was not saved: {algorithm.config.warm_up:,} environment steps of the "
                "present agent fill it again before updates go on"
            )
        while collector.phase == "warm-up" and algorithm.env_steps < self.settings.steps:
            target = min(algorithm.env_steps + _WARM_UP_ROWS, self.settings.steps)
            while collector.phase == "warm-up" and algorithm.env_steps < target:
                collector.advance(1)  # gives no item before the warm-up is over
            for reward, steps in collector.pop_rewards_steps():
                self.tracker.on_episode(algorithm.env_steps, reward, steps)
                self.recent.on_episode(algorithm.env_steps, reward, steps)
            self._show("warm-up", algorithm.env_steps, None)
            if self._interrupted():
                raise Interrupted
        self.marks.refill = False
        self._speed.forget()
        return filled

    def _take(self, record: Record) -> str | None:
        """Everything that follows an update; returns why to stop, or None to go on."""
        self.tracker.record(record)
        self.recent.record(record)
        self._show("training", record.env_steps, record.metrics.get("epsilon"))
        if record.episodes and self._solved(record.env_steps):
            return "stop_reward"
        if record.env_steps >= self.settings.steps:
            return "steps"
        return "interrupted" if self._interrupted() else None

    def _solved(self, env_steps: int) -> bool:
        """True if training and the greedy network both reach the reward to stop at."""
        settings, marks = self.settings, self.marks
        if settings.stop_reward is None or self.recent.count < settings.stop_episodes:
            return False
        mean = self.recent.mean
        if mean is None or mean <= settings.stop_reward:
            return False
        if not settings.eval_episodes:
            return True
        if env_steps < marks.next_evaluation:
            return False
        seed = derived_seed(self.config.seed, EVALUATION, marks.evaluations)
        marks.evaluation_cut_off = True
        evaluation = self._evaluate(settings.eval_episodes, seed)
        marks.evaluation_cut_off = False
        marks.evaluations += 1
        marks.next_evaluation = env_steps + evaluation_distance(settings)
        reached = evaluation.mean >= settings.stop_reward
        self._watch.say(
            f"{env_steps:,} steps: the last {settings.stop_episodes} episodes have {mean:.2f}, "
            f"greedy evaluation {'' if reached else 'only '}{evaluation}"
        )
        return reached

    def _evaluate(self, episodes: int, seed: int) -> Evaluation:
        """Evaluate the network as it is; the time is the run's, but not that of training."""
        algorithm = self.parts.algorithm
        self._show("evaluation", algorithm.env_steps, None, at_once=True)
        with self.clock.pause():
            agent = algorithm.greedy_agent()
            evaluation = evaluate_greedily(self.settings, agent, episodes, seed, self._interrupted)
        self._speed.forget()
        self.tracker.on_evaluation(algorithm.env_steps, evaluation)
        return evaluation

    def _save_if_due(self) -> None:
        distance = self.settings.checkpoint_every
        if distance and self.parts.algorithm.env_steps >= self.marks.saved_at + distance:
            self.save()

    # Before and after.

    def _choose_threads(self) -> Choice:
        if self.settings.threads:
            return Choice(self.settings.threads, "as asked for")
        if self.marks.threads:  # of the run that goes on: other numbers of threads round otherwise
            return Choice(self.marks.threads, "as before")
        spaces = spaces_of(self.parts.env)
        return choose_threads(lambda: make_algorithm(self.config, *spaces), *spaces)

    def _open_logs(self) -> None:
        loaded = self._loaded
        cut = None if loaded is None else self.marks.saved_at
        self._logs.append(JsonLinesLog(self.folder.metrics, truncate_after=cut))
        try:
            self._logs.append(TensorBoardLog(self.folder.tensorboard, truncate_after=cut))
        except ImportError as missing:
            self._watch.say(f"no TensorBoard log: {missing}")
        self.tracker = self.new_tracker(self._logs)
        if loaded is not None and self.parts.algorithm.env_steps:
            self.tracker.load_state_dict(loaded.state["tracker"])

    def _finish(self, reason: str) -> dict[str, Any]:
        """Evaluate the final network, and write the result and the curve."""
        settings, algorithm = self.settings, self.parts.algorithm
        evaluation = None
        if settings.eval_episodes:
            seed = derived_seed(self.config.seed, FINAL)
            evaluation = self._evaluate(settings.eval_episodes, seed)
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
            "threads": self.marks.threads,
            "mixed_precision": bool(getattr(algorithm, "mixed_precision", False)),
            "training": {
                "mean": self.recent.mean,
                "over_episodes": min(self.recent.count, settings.stop_episodes),
                "episodes": self.recent.count,
                "epsilon": algorithm.epsilon,
            },
            "evaluation": None if evaluation is None else evaluation.to_json(),
        }
        write_json(self.folder.result, result)
        self._draw_curve()
        return result

    def _draw_curve(self) -> None:
        try:
            from ptan.runs.plots import plot_runs

            plot_runs([self.folder.path], self.folder.curve)
        except (ImportError, RunError) as reason:
            self._watch.say(f"no learning curve: {reason}")

    def _show(self, phase: str, env_steps: int, epsilon: Any, *, at_once: bool = False) -> None:
        now = time.perf_counter()
        if now - self._shown < _SHOW_EVERY and not at_once:
            return
        self._shown = now
        self._speed.add(env_steps, now)
        last = self.recent.last
        self._watch.progress(
            Progress(
                phase,
                env_steps,
                self.settings.steps,
                self.parts.algorithm.updates,
                self.recent.count,
                None if last is None else last[0],
                self.recent.mean,
                self.parts.algorithm.epsilon if epsilon is None else float(epsilon),
                self._speed.value,
            )
        )
