"""A training run: from settings to a folder with everything that it left."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import torch

from ptan.envs.make import is_atari
from ptan.runs.environments import close
from ptan.runs.errors import EnvironmentFailure, RunError, TrainingFailure, one_line
from ptan.runs.evaluation import Evaluation, Interrupted, evaluate_greedily
from ptan.runs.folder import Json, RunFolder, write_json
from ptan.runs.means import chosen_threads, opened_logs
from ptan.runs.parts import RunParts, Watcher
from ptan.runs.seeds import EVALUATION, FINAL, derived_seed
from ptan.runs.settings import RunConfig
from ptan.training.callbacks import Callbacks
from ptan.training.loop import Record, train

__all__ = ["Run"]

_STEPS = 500  # environment steps between two looks at requests to stop


class Run(RunParts):
    """An algorithm in training, its folder, and the rules for when it stops.

    Made by `Run.create` or `Run.resume`; `train` does everything else. Training stops at `steps`;
    or when the mean return of the last `stop_episodes` training episodes is above `stop_reward` and
    the network as it is, evaluated greedily in environments of its own, reaches it too. The final
    network is always evaluated, on episodes that decided nothing.
    """

    _stop: str | None = None
    _resumed_by: Sequence[str] | None = None  # the command line

    def __init__(self, config: RunConfig, folder: RunFolder, **resumed: bool) -> None:
        super().__init__(config, folder, **resumed)
        self._interrupted: Callable[[], bool] = lambda: False
        self._held = ExitStack()  # the environments and the folder's lock
        self._held.callback(close, self.env)

    @classmethod
    def create(cls, config: RunConfig, path: Path | str, command: Sequence[str] = ()) -> Self:
        """Begin a run in a folder that is not there yet, noting the command line in it.

        Raises RunError for what is unknown or does not fit; nothing is written then.
        """
        run = cls(config, RunFolder(path))
        with run._held as held:
            RunFolder.create(path, config, command)
            held.enter_context(run.folder.locked())
            run._held = held.pop_all()
        return run

    @classmethod
    def resume(
        cls, path: Path | str, changes: Mapping[str, Any] | None = None, command: Sequence[str] = ()
    ) -> Self:
        """Go on from the newest intact checkpoint, with new values of `CHANGEABLE` settings.

        They are written down once training begins. Raises RunError if there is no checkpoint, or a
        setting may not change.
        """
        folder = RunFolder(path)
        config = folder.read_config().changed(changes or {})
        more = bool(changes and changes.keys() & {"steps", "stop_reward"})
        with ExitStack() as held:
            held.enter_context(folder.locked())
            run = cls(config, folder, resumed=True, more=more)
            run._held.push(held.pop_all())
        run._resumed_by = command
        return run

    def stop(self, reason: str) -> None:
        """Ask for the end of training, after the present update."""
        self._stop = reason

    def train(
        self,
        watch: Watcher | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        callbacks: Sequence[object] = (),
    ) -> Json | None:
        """Train until the run is over, and write down how it ended.

        Args:
            watch: Is told what goes on.
            interrupted: Asked between updates. Once it says yes a checkpoint is saved and training
                ends; `Run.resume` goes on from there.
            callbacks: Objects with any of the methods of `ptan.training.callbacks.Callback`.

        Returns the content of `result.json`; None if interrupted. Raises EnvironmentFailure if an
        environment failed, TrainingFailure if an update or a callback did, with the exception as
        the cause; a checkpoint of everything up to there was saved, or the text says why not.
        """
        self._watch = watch or self._watch
        self._interrupted = interrupted
        say, goes_on = self._watch.say, self._resumed_by is not None
        with self._held:
            for note in self.notes:
                say(note)
            if self.state.stopped is not None and (earlier := self.folder.read_result()):
                say("the run is over already; more --steps would go on with it")
                return earlier
            threads = chosen_threads(self.settings, self.state, self.algorithm, say)
            logs = opened_logs(self.folder, self.state.saved_at if goes_on else None, say)
            with threads as self._tuners, logs as self.tracker.logs:
                if self._resumed_by is not None:
                    self.folder.note_resumed(self.config, self._resumed_by)
                self.callbacks = Callbacks([self.tracker, self.recent, *self._tuners, *callbacks])
                return self._train()

    def _train(self) -> Json | None:
        """Train, save and evaluate; returns the result, None if interrupted."""
        reason = self.state.stopped
        try:
            if reason is not None:
                self._tell("on_start", self)
            else:
                reason = self._loop()
                if reason != "interrupted":
                    self.state.stopped = reason
                    self._write(self._can_save_episodes)
            self._tell("on_end", reason)
            return None if reason == "interrupted" else self._finish(reason)
        except Interrupted:
            self._watch.say("interrupted during the last evaluation: there is no result yet")
            return None

    def _loop(self) -> str:
        """Collect and update; returns why it ended."""
        algorithm, limit = self.algorithm, self.settings.steps
        before, updates_before = algorithm.env_steps, algorithm.updates
        try:
            self._tell("on_start", self)
            self.folder.result.unlink(missing_ok=True)  # of a run that was over and goes on
            if self.state.evaluation_cut_off and self._solved():
                return "stop_reward"
            if self.exact and self._resumed_by is None:
                self._write(self._can_save_episodes)
            while algorithm.env_steps < limit:
                record = self._next_record()
                self._tell("record", record)
                self.metrics = record.metrics or self.metrics
                self._watch.progress(self, self.collector.phase)
                if record.updated and record.episodes and self._solved():
                    return "stop_reward"
                if self._stop is not None:
                    return self._stop
                if algorithm.env_steps < limit:
                    if self._interrupted():
                        self.save()
                        return "interrupted"
                    every = self._interval
                    if every and algorithm.env_steps // every > self.state.saved_at // every:
                        self.save(at_interval=True)
        except Interrupted:
            self.save()
            return "interrupted"
        except TrainingFailure as failure:
            raise type(failure)(f"{failure}; {self._rescue()}") from failure.__cause__
        if algorithm.updates == updates_before and algorithm.env_steps > before:
            self._watch.say("all steps belong to the warm-up: there was no update")
        return "steps"

    def _next_record(self) -> Record:
        """Train up to the next record, at most to the next checkpoint or the end."""
        steps = min(_STEPS, self.settings.steps - self.algorithm.env_steps)
        if self._interval:
            steps = min(steps, self._interval - self.algorithm.env_steps % self._interval)
        items, self._saved = self.collector.iteration, False
        try:
            return next(train(self.algorithm, self.collector, look_every=steps))
        except (Exception, SystemExit) as error:
            if self.collector.iteration > items:  # an item had come: no environment has failed
                with suppress(Exception):  # which is closed already if its update went well
                    self.collector.after(None)
                raise self._failed(error, "training on {} failed in an update") from error
            raise self._failed(error, "{} failed in training", EnvironmentFailure) from error

    def _rescue(self) -> str:
        """Save what can be saved after a failure; returns in words whether that went well."""
        try:
            if not self._saved:
                self.state.beginnings += 1
                self._write(episodes=False)
        except Exception as error:
            if not self._saved:  # otherwise a callback failed that was told of it
                return f"it could not be saved: {one_line(error)}"
        return "what was learned so far is saved"

    # Evaluating.

    def _solved(self) -> bool:
        """True if training and the greedy network both reach the reward to stop at."""
        settings, state, env_steps = self.settings, self.state, self.algorithm.env_steps
        mean = self.recent.mean
        if settings.stop_reward is None or self.recent.count < settings.stop_episodes:
            return False
        if mean is None or mean <= settings.stop_reward:
            return False
        if not settings.eval_episodes:
            return True
        if env_steps < state.next_evaluation:
            return False
        state.evaluation_cut_off = True
        evaluation = self._evaluate(derived_seed(self.config.seed, EVALUATION, state.evaluations))
        state.evaluation_cut_off = False
        state.evaluations += 1
        usual = 20_000 if is_atari(settings.env_id) else 2_000  # evaluating games is slow
        state.next_evaluation = env_steps + (settings.eval_every or usual)
        reached = evaluation.mean >= settings.stop_reward
        self._watch.say(
            f"{env_steps:,} steps: the last {settings.stop_episodes} episodes have {mean:.2f}, "
            f"greedy evaluation {'' if reached else 'only '}{evaluation}"
        )
        return reached

    def _evaluate(self, seed: int) -> Evaluation:
        """Evaluate the network as it is; the time is the run's, but not that of training."""
        self._watch.progress(self, "evaluation")
        begin, agent = perf_counter(), self.algorithm.greedy_agent()
        episodes = self.settings.eval_episodes
        evaluation = evaluate_greedily(self.settings, agent, episodes, seed, self._interrupted)
        self._pauses.append(perf_counter() - begin)
        self._tell("on_evaluation", self.algorithm.env_steps, evaluation)
        return evaluation

    def _finish(self, reason: str) -> Json:
        """Evaluate the final network, and write the result and the curve."""
        settings, algorithm, recent = self.settings, self.algorithm, self.recent
        evaluation = solved = None
        if settings.eval_episodes:
            evaluation = self._evaluate(derived_seed(self.config.seed, FINAL))
            if settings.stop_reward is not None:
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
                "mean": recent.mean,
                "over_episodes": min(recent.count, settings.stop_episodes),
                "episodes": recent.count,
                "metrics": {name: float(value) for name, value in self.metrics.items()},
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
