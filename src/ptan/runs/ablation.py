"""Which switch does what: an algorithm trained with each alone, all, and all but one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptan.common.checks import whole_number
from ptan.runs.ablation_results import ablation_results, write_picture, write_results
from ptan.runs.errors import RunError, nearest
from ptan.runs.folder import RunFolder
from ptan.runs.job import Job, run_in_turn, run_side_by_side
from ptan.runs.settings import RunConfig
from ptan.runs.watching import Silent, Watcher

__all__ = ["Ablation", "variants"]

_MEANS = ("device", "threads", "env_threads", "checkpoint_every", "save_replay")
"""Settings that say by what means a run is made, and may differ between runs of one table."""


def variants(
    base: RunConfig,
    switches: Sequence[str] | None = None,
    *,
    single: bool = True,
    leave_one_out: bool = False,
) -> dict[str, dict[str, Any]]:
    """The settings of each variant of an ablation.

    Args:
        base: Says which algorithm, and how settings are that are no switches.
        switches: Names of settings that are on or off, or part of one of the algorithm's bundles,
            such as `n_steps`, whose value in the bundle is "on". None takes the first bundle.
        single: Each switch alone.
        leave_one_out: All switches but one.

    Returns:
        By label, "base" (all of them off, also those that a preset turns on), the single switches,
        all together ("rainbow", or "all" where they are no bundle), and "rainbow without …": the
        value of every switch.

    Raises:
        RunError: no switches, an unknown one, or one that is named twice.
    """
    entry = base.entry
    bundled = {k: v for bundle in entry.bundles.values() for k, v in bundle.items()}
    names = list(switches) if switches is not None else list(next(iter(entry.bundles.values()), ()))
    usual = vars(entry.config())
    known = [k for k, v in usual.items() if isinstance(v, bool) or k in bundled]
    for name in names:
        if name not in known:
            hint = nearest(name, known)
            raise RunError(f"switches must be among {', '.join(known)}, got {name!r}{hint}")
    if not names or len(set(names)) < len(names):
        raise RunError(f"switches must name at least one, and each once, got {names}")
    off = {name: False if isinstance(usual[name], bool) else usual[name] for name in names}
    on = {name: bundled.get(name, True) for name in names}
    whole = next((k for k, bundle in entry.bundles.items() if on == dict(bundle)), "all")
    if len(names) == 1:
        return {"base": off, names[0]: on}
    found = {"base": off}
    if single:
        found.update({name: {**off, name: on[name]} for name in names})
    found[whole] = on
    if leave_one_out:
        found.update({f"{whole} without {name}": {**on, name: off[name]} for name in names})
    return found


class Ablation:
    """Trains every variant with several seeds, and writes a table and a picture of the results.

        ablation = Ablation(RunConfig(algorithm="dqn", settings=…, config=…), "ablation", seeds=5)
        ablation.train(jobs=4)

    The run of a variant and a seed is an ordinary run folder, `<folder>/<variant>/seed-<S>`. An
    ablation that was stopped, by whatever, goes on where it was: runs that are over are not made
    again, others go on from their newest checkpoint. Seeds and variants can be added in this way.

    Every run makes all its environment steps, whatever it reaches: those that may stop early cannot
    be compared.

    Args:
        base: Settings of all runs, but for the switches; its seed is the first one.
        folder: Where everything is written.
        switches: As for `variants`.
        seeds: How many runs each variant has.
        single: As for `variants`.
        leave_one_out: As for `variants`.

    Raises:
        RunError: impossible switches or settings; or the folder holds runs of other settings.
        ValueError, TypeError: seeds is no whole number of at least 1.
    """

    def __init__(
        self,
        base: RunConfig,
        folder: Path | str,
        *,
        switches: Sequence[str] | None = None,
        seeds: int = 5,
        single: bool = True,
        leave_one_out: bool = False,
    ) -> None:
        n_seeds = whole_number("seeds", seeds)
        if not base.settings.eval_episodes:
            raise RunError("eval_episodes must be at least 1: final networks are compared by them")
        self.base = replace(base, settings=replace(base.settings, stop_reward=None))
        self.folder = Path(folder)
        self.variants: Mapping[str, dict[str, Any]] = variants(
            base, switches, single=single, leave_one_out=leave_one_out
        )
        self.seeds = [base.seed + i for i in range(n_seeds)]
        # Seed by seed: an ablation that is stopped early has something of every variant.
        self.jobs = [self._job(label, seed) for seed in self.seeds for label in self.variants]
        for job in self.jobs:
            _check(job)

    @property
    def finished(self) -> list[Job]:
        """The runs that are over."""
        return [job for job in self.jobs if RunFolder(job.path).result.exists()]

    def train(
        self,
        jobs: int = 1,
        watch: Watcher | None = None,
        interrupted: Any = lambda: False,
    ) -> bool:
        """Make the runs that are missing, and write the results.

        Args:
            jobs: Runs at a time. Several are processes of their own with one thread each.
            watch: Is told what goes on.
            interrupted: Asked all the time; once it says yes what is under way is saved and left.

        Returns:
            True if all runs are over, False if interrupted.

        Raises:
            RunError: a run failed. The results of those that are over are written.
            ValueError, TypeError: jobs is no whole number of at least 1.
        """
        count = whole_number("jobs", jobs)
        watch = watch or Silent()
        over = self.finished
        if over:
            watch.say(f"{len(over)} of {len(self.jobs)} runs are over already")
        todo = [job for job in self.jobs if job not in over]
        try:
            if count == 1:
                return run_in_turn(todo, self._finished, watch, interrupted)
            return run_side_by_side(todo, count, self._finished, watch, interrupted)
        finally:
            self.write(watch)

    def results(self) -> dict[str, Any] | None:
        """What the runs that are over say.

        Returns:
            The content of `results.json`, see `ablation_results`; None while no run is over.

        Raises:
            RunError: a run folder is damaged.
        """
        over = self.finished
        return ablation_results(self.base, self.folder, self.variants, self.jobs, over)

    def write(self, watch: Watcher | None = None) -> None:
        """Write the table and the picture of the runs that are over; nothing if none is.

        Args:
            watch: Is told if there can be no picture.

        Raises:
            RunError: a run folder is damaged, or the results cannot be written.
        """
        found = self.results()
        if found is None:
            return
        write_results(self.folder, found)
        try:
            write_picture(self.folder, self.finished)
        except ImportError as missing:
            if watch is not None:
                watch.say(f"no picture: {missing}")

    def _finished(self, job: Job) -> None:  # noqa: ARG002
        found = self.results()
        assert found is not None
        write_results(self.folder, found)

    def _job(self, label: str, seed: int) -> Job:
        try:
            config = replace(self.base.config, **self.variants[label], seed=seed)
        except (TypeError, ValueError) as error:
            raise RunError(f"{label}: {error}") from None
        name = re.sub(r"[^A-Za-z0-9_]+", "-", label)
        return Job(label, replace(self.base, config=config), self.folder / name / f"seed-{seed}")


def _check(job: Job) -> None:
    """Raise RunError if the folder of a job holds a run of other settings."""
    if not RunFolder(job.path).config.exists():
        return
    there, wanted = (_flat(run) for run in (RunFolder(job.path).read_config(), job.config))
    for name in wanted:
        if there.get(name) != wanted[name]:
            raise RunError(
                f"{job.path} was made with {name} {there.get(name)}, not {wanted[name]}: choose "
                "another folder, or the same settings to go on"
            )


def _flat(run: RunConfig) -> dict[str, Any]:
    """All that decides what a run does."""
    every = {"algorithm": run.algorithm, **vars(run.settings), **vars(run.config)}
    return {name: value for name, value in every.items() if name not in _MEANS}
