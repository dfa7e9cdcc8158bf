"""Which switch does what: an algorithm trained with each alone, all, and all but one."""

import multiprocessing
import re
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from ptan.common.checks import whole_number
from ptan.common.memory import keep_freed_memory
from ptan.runs.errors import RunError, check_name
from ptan.runs.folder import Json, RunFolder, write_json
from ptan.runs.parts import Watcher
from ptan.runs.plots import (
    LearningCurve,
    area_under,
    compare_figure,
    default_window,
    read_curve,
    save_figure,
)
from ptan.runs.run import Run
from ptan.runs.settings import RunConfig
from ptan.runs.statistics import bootstrap_interval
from ptan.training.durable import replace_file

__all__ = ["Ablation", "Job", "table", "train_job", "variants"]

_MEANS = {"device", "threads", "env_threads", "checkpoint_every", "exact"}
"""Settings that say by what means a run is made, and may differ between runs of one table."""


class Job(NamedTuple):
    """A run of a variant."""

    label: str
    config: RunConfig
    folder: RunFolder

    def __str__(self) -> str:
        return f"{self.label}, seed {self.config.seed}"

    @property
    def evaluation(self) -> Json | None:
        """That of the final network, as `Evaluation.to_json` gives it; None before the end."""
        return (self.folder.read_result() or {}).get("evaluation")

    @property
    def over(self) -> bool:
        """Whether the run is over."""
        return self.evaluation is not None


def variants(
    base: RunConfig, switches: Sequence[str] | None = None, *, leave_one_out: bool = False
) -> dict[str, Json]:
    """The settings of each variant of an ablation: the value of every switch, by label.

    "base" has all switches off, and "rainbow" all on, or "all" where they are no bundle of the
    algorithm. Between them each is on alone; with `leave_one_out` each is off alone instead,
    "rainbow without …". A switch is a setting that is on or off, or part of a bundle, such as
    `n_steps`, whose value there is "on". None are those of the first bundle.
    """
    bundles = base.entry.bundles
    bundled = {k: v for bundle in bundles.values() for k, v in bundle.items()}
    names = list(next(iter(bundles.values()), ()) if switches is None else switches)
    usual = vars(base.entry.config())
    known = [k for k, v in usual.items() if isinstance(v, bool) or k in bundled]
    for name in names:
        check_name("a switch", name, known)
    if not names or len(set(names)) < len(names):
        raise RunError(f"switches must name at least one, and each once, got {names}")
    off = {name: False if isinstance(usual[name], bool) else usual[name] for name in names}
    on = {name: bundled.get(name, True) for name in names}
    whole = next((k for k, bundle in bundles.items() if on == dict(bundle)), "all")
    if len(names) == 1:
        return {"base": off, names[0]: on}
    if leave_one_out:
        each = {f"{whole} without {name}": {**on, name: off[name]} for name in names}
    else:
        each = {name: {**off, name: on[name]} for name in names}
    return {"base": off, **each, whole: on}


class Ablation:
    """Trains every one of the `variants` with several seeds, and writes a table and a picture.

    The run of a variant and a seed is an ordinary run folder, `<folder>/<variant>/seed-<S>`. An
    ablation that was stopped, by whatever, goes on where it was, and seeds and variants can be
    added: runs that are over are not made again, others go on from their newest checkpoint. Every
    run makes all steps of `base`, whose seed is the first: those that stop early do not compare.

    Raises RunError for impossible settings, and where the folder holds runs of others.
    """

    def __init__(
        self,
        base: RunConfig,
        folder: Path | str,
        *,
        switches: Sequence[str] | None = None,
        seeds: int = 5,
        leave_one_out: bool = False,
    ) -> None:
        n_seeds = whole_number("seeds", seeds)
        if not base.settings.eval_episodes:
            raise RunError("eval_episodes must be at least 1: final networks are compared by them")
        self.base = replace(base, settings=replace(base.settings, stop_reward=None))
        self.folder = Path(folder)
        self.variants: Mapping[str, Json] = variants(base, switches, leave_one_out=leave_one_out)
        self.seeds = [base.seed + i for i in range(n_seeds)]
        # Seed by seed: an ablation that is stopped early has something of every variant.
        self.jobs = [self._job(label, seed) for seed in self.seeds for label in self.variants]

    def _job(self, label: str, seed: int) -> Job:
        try:
            config = replace(self.base.config, **self.variants[label], seed=seed)
        except (TypeError, ValueError) as error:
            raise RunError(f"{label}: {error}") from None
        run = replace(self.base, config=config)
        folder = RunFolder(self.folder / re.sub(r"[^A-Za-z0-9_]+", "-", label) / f"seed-{seed}")
        if folder.config.exists():
            there = folder.read_config().flat
            for key, value in run.flat.items():
                if key not in _MEANS and there[key] != value:
                    raise RunError(
                        f"{folder.path} was made with {key} {there[key]}, not {value}: "
                        "choose another folder, or the same settings to go on"
                    )
        return Job(label, run, folder)

    def train(
        self,
        jobs: int = 1,
        watch: Watcher | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Make the runs that are missing, and write the results.

        With several `jobs` at a time, each is a process of its own with one thread. Once
        `interrupted` says yes, what is under way is saved and left. Returns whether all are over.

        Raises:
            RunError: a run failed. The results of those that are over are written.
        """
        count = whole_number("jobs", jobs)
        watch = watch or Watcher()
        missing = [job for job in self.jobs if not job.over]
        if len(missing) < len(self.jobs):
            watch.say(f"{len(self.jobs) - len(missing)} of {len(self.jobs)} runs are over already")
        try:
            if count > 1:
                self._side_by_side(missing, count, watch, interrupted)
            for number, job in enumerate(missing if count == 1 else (), start=1):
                watch.say(f"{number} of {len(missing)}: {job}")
                if interrupted() or not train_job(job, watch, interrupted):
                    break
                self.write()
            return all(job.over for job in self.jobs)
        finally:
            self.write()
            self._draw(watch)

    def _side_by_side(
        self, jobs: Sequence[Job], count: int, watch: Watcher, interrupted: Callable[[], bool]
    ) -> None:
        """Make several runs at a time, each in a process of its own.

        Environments that others register are named `module:Name-v0`: these processes import it.
        """
        spawn = multiprocessing.get_context("spawn")
        stop = spawn.Event()
        with ProcessPoolExecutor(count, spawn, _begin_process, (stop,)) as pool:
            running = {pool.submit(_train_in_process, job): job for job in jobs}
            try:
                while running:
                    for future in wait(running, 0.1, FIRST_COMPLETED).done:
                        job = running.pop(future)
                        if (error := future.exception()) is not None:
                            raise RunError(f"{job} failed: {error}")
                        if future.result():
                            watch.say(f"{len(jobs) - len(running)} of {len(jobs)}: {job}")
                            self.write()
                    if interrupted():
                        stop.set()
            finally:
                stop.set()  # also after a second Ctrl-C: the pool waits for its processes

    def results(self) -> Json | None:
        """What the runs that are over say, for JSON; None while no run is over.

        Each variant has its `runs`, and the interquartile mean over seeds with its bootstrap
        interval (`iqm`, `low`, `high`) of `final`, the greedy evaluation of the final network, and
        of `area`, the mean of the learning curve.
        """
        steps, protocol = self.base.settings.steps, ""
        runs: dict[str, list[Json]] = {}
        for job in self.jobs:
            if (evaluation := job.evaluation) is not None:
                # Each evaluation has a seed of its own.
                protocol = evaluation["protocol"].partition(", seed ")[0]
                run = {
                    "seed": job.config.seed,
                    "folder": job.folder.path.relative_to(self.folder).as_posix(),
                    "final": evaluation["mean"],
                    "area": area_under(read_curve(job.folder.path), steps),
                }
                runs.setdefault(job.label, []).append(run)
        if not runs:
            return None
        return {
            "env_id": self.base.settings.env_id,
            "algorithm": self.base.algorithm,
            "preset": self.base.preset,
            "steps": steps,
            "seeds": self.seeds,
            "runs_over": sum(map(len, runs.values())),
            "runs": len(self.jobs),
            "window": default_window(steps),
            "evaluation": protocol,
            "variants": {
                label: {
                    "switches": self.variants[label],
                    **{score: _interval([run[score] for run in found]) for score in _SCORES},
                    "runs": found,
                }
                for label, found in runs.items()
            },
        }

    def write(self) -> None:
        """Write `results.json` and `results.md` of the runs that are over; nothing if none is."""
        if (found := self.results()) is None:
            return
        try:
            write_json(self.folder / "results.json", found)
            replace_file(self.folder / "results.md", table(found).encode())
        except OSError as error:
            raise RunError(f"{self.folder} cannot be written: {error.strerror or error}") from None

    def _draw(self, watch: Watcher) -> None:
        groups: dict[str, list[LearningCurve]] = {}
        for job in self.jobs:
            if job.over:
                groups.setdefault(job.label, []).append(read_curve(job.folder.path))
        what = self.base.preset or self.base.algorithm
        title = f"{self.base.settings.env_id}: ablation of {what}"
        try:
            if groups:
                save_figure(compare_figure(groups, title=title), self.folder / "curves.png")
        except ImportError as missing:
            watch.say(f"no picture: {missing}")


_SCORES = {"final": "final network, greedy", "area": "on the way"}


def table(found: Json) -> str:
    """The results of `Ablation.results` as a table in Markdown: a row per variant."""
    seeds, missing = found["seeds"], found["runs"] - found["runs_over"]
    width = max(map(len, found["variants"]))
    lines = [f"| {'variant':{width}} | runs | {' | '.join(_SCORES.values())} |"]
    lines.append(f"|-{'-' * width}-|{'---|' * 3}")
    for label, variant in found["variants"].items():
        scores = " | ".join(_written(**variant[name]) for name in _SCORES)
        lines.append(f"| {label:{width}} | {len(variant['runs']):4} | {scores} |")
    unfinished = f" {missing} of {found['runs']} runs are not over yet." if missing else ""
    numbers = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    rows = "\n".join(lines)
    return f"""# {found["env_id"]}: ablation of {found["preset"] or found["algorithm"]}

{found["steps"]:,} environment steps per run, {numbers}.{unfinished}

{rows}

Interquartile mean over runs [95 % bootstrap interval; below 10 runs too narrow rather than too
wide]. *Final network*: mean return of an evaluation ({found["evaluation"]}). *On the way*: mean of
the learning curve, in units of return, exploration included; each point averages the last
{found["window"]:,} steps.

![Learning curves](curves.png)
"""


def _written(iqm: float | None, low: float | None, high: float | None) -> str:
    if iqm is None:
        return "–"
    return f"{iqm:.2f}" if low is None else f"{iqm:.2f} [{low:.2f}, {high:.2f}]"


def _interval(scores: list[float | None]) -> dict[str, float | None]:
    known = [score for score in scores if score is not None]
    if not known:
        return {"iqm": None, "low": None, "high": None}
    iqm, low, high = map(float, bootstrap_interval(known, rng=0, resamples=10_000))
    alone = len(known) == 1
    return {"iqm": iqm, "low": None if alone else low, "high": None if alone else high}


# Making runs.


def train_job(
    job: Job, watch: Watcher | None = None, interrupted: Callable[[], bool] = lambda: False
) -> bool:
    """Train one run, or go on with it if it has a checkpoint; returns whether it is over.

    A folder of a run that was stopped before its first checkpoint is removed.
    """
    folder, settings, command = job.folder, job.config.settings, [sys.executable, *sys.argv]
    if folder.has_checkpoint:
        means = {} if settings.exact else {"threads": settings.threads}
        run = Run.resume(folder.path, means, command)
    else:
        if folder.path.exists():
            if not folder.config.exists():
                raise RunError(f"{folder.path} is in the way: it is no run folder")
            with folder.locked():
                shutil.rmtree(folder.path)
        run = Run.create(job.config, folder.path, command)
    return run.train(watch, interrupted) is not None


_stop: list[Event] = []  # of a process that makes runs


def _begin_process(stop: Event) -> None:
    """Leave Ctrl-C in a terminal to the parent, which then asks to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    _stop.append(stop)


def _train_in_process(job: Job) -> bool:
    """Train one run with one thread, unless its settings say more; returns whether it is over."""
    parent, (stop,) = multiprocessing.parent_process(), _stop
    assert parent is not None

    def interrupted() -> bool:  # a run whose parent was killed is saved and left, too
        return stop.is_set() or not parent.is_alive()

    settings = job.config.settings
    alone = replace(settings, threads=settings.threads or 1, env_threads=settings.env_threads or 1)
    job = job._replace(config=replace(job.config, settings=alone))
    return not interrupted() and train_job(job, interrupted=interrupted)
