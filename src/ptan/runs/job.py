"""One run of many: begun, gone on with, and done in this process or in one of its own.

`python -m ptan.runs.job FOLDER` trains the run whose settings it reads from standard input.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ptan.common.memory import keep_freed_memory
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.run import Run
from ptan.runs.settings import RunConfig
from ptan.runs.watching import Watcher
from ptan.training.checkpoint import CheckpointError, Checkpoints

__all__ = ["Job", "run_in_turn", "run_side_by_side", "train_job"]

INTERRUPTED = 130
BAD_INPUT = 2
_LOOK_EVERY = 0.05  # seconds

Asked = Callable[[], bool]
Finished = Callable[["Job"], None]


class Job(NamedTuple):
    """A run that is to be in a folder.

    label    of the group that it belongs to
    config   all settings
    path     its folder
    """

    label: str
    config: RunConfig
    path: Path

    def __str__(self) -> str:
        return f"{self.label}, seed {self.config.seed}"


def train_job(job: Job, watch: Watcher | None = None, interrupted: Asked = lambda: False) -> bool:
    """Train one run as `ptan train` does; go on with it if it has a checkpoint.

    A folder of a run that was stopped before its first checkpoint is removed, and the run begins
    anew.

    Args:
        job: Its folder is missing, or holds a run of the same settings that is not over.
        watch: Is told what goes on.
        interrupted: Asked between updates; once it says yes the run is saved and left.

    Returns:
        True if the run is over, False if it was interrupted.

    Raises:
        RunError: an unknown or unfit environment, setting, device or folder.
    """
    command = [sys.executable, *sys.argv]
    if _has_checkpoint(job.path):
        settings = job.config.settings
        means = {"threads": settings.threads, "env_threads": settings.env_threads}
        run = Run.resume(job.path, means, command)
    else:
        if job.path.is_dir():
            with RunFolder(job.path).locked():
                shutil.rmtree(job.path)
        run = Run.create(job.config, job.path, command)
    return run.train(watch, interrupted) is not None


def run_in_turn(
    jobs: Sequence[Job], finished: Finished, watch: Watcher, interrupted: Asked
) -> bool:
    """Train runs one after the other, in this process.

    Args:
        jobs: As for `train_job`.
        finished: Called with every job that is over.
        watch: Is told what goes on.
        interrupted: Asked between updates.

    Returns:
        True if all are over, False if interrupted.

    Raises:
        RunError: as for `train_job`; the jobs that follow are not begun.
    """
    for number, job in enumerate(jobs, start=1):
        watch.say(f"{number} of {len(jobs)}: {job}")
        if interrupted() or not train_job(job, watch, interrupted):
            return False
        finished(job)
    return True


def run_side_by_side(
    jobs: Sequence[Job], count: int, finished: Finished, watch: Watcher, interrupted: Asked
) -> bool:
    """Train several runs at a time, each in a process of its own with one thread.

    What the processes print goes to `<run folder>.log`. They find modules where this process does,
    so environments that others register are named `module:Name-v0`.

    Args:
        jobs: As for `train_job`.
        count: Processes at a time.
        finished: Called with every job that is over.
        watch: Is told which runs begin.
        interrupted: Asked all the time; once it says yes every run is saved and left.

    Returns:
        True if all are over, False if interrupted.

    Raises:
        RunError: a run failed. No other is begun, and those under way are saved and left.
    """
    waiting, running = deque(jobs), dict[subprocess.Popen[bytes], Job]()
    failure, stopped = None, False
    try:
        while waiting or running:
            if not stopped and (failure is not None or interrupted()):
                stopped = True
                waiting.clear()
                for process in running:
                    process.terminate()
            while waiting and len(running) < count:
                job = waiting.popleft()
                watch.say(f"{len(jobs) - len(waiting)} of {len(jobs)}: {job}")
                running[_start(job)] = job
            for process in [one for one in running if one.poll() is not None]:
                job = running.pop(process)
                if process.returncode == 0:
                    finished(job)
                elif process.returncode != INTERRUPTED and failure is None:
                    failure = f"{job} failed: {_last_line(_log(job))}"
            time.sleep(_LOOK_EVERY)
    finally:
        for process in running:
            process.kill()
            process.wait()
    if failure is not None:
        raise RunError(failure)
    return not stopped


def main(argv: Sequence[str]) -> int:
    """Train the run whose settings stand in standard input; returns the exit status."""
    keep_freed_memory()
    parent = os.getppid()
    asked: list[int] = []
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, frame: asked.append(number))  # noqa: ARG005
    try:
        config = RunConfig.from_json(json.load(sys.stdin))
        # A run whose parent was killed has nobody left who waits for it.
        over = train_job(
            Job("", config, Path(argv[0])), _Log(), lambda: bool(asked) or os.getppid() != parent
        )
    except (RunError, ImportError) as error:
        _Log().say(str(error))
        return BAD_INPUT
    return 0 if over else INTERRUPTED


class _Log:
    """A watcher that prints what happens, not how far the run has come."""

    def progress(self, progress: Any) -> None:
        pass

    def say(self, line: str) -> None:
        print(line, flush=True)  # noqa: T201


def _start(job: Job) -> "subprocess.Popen[bytes]":
    """Begin a job in a process of its own, which Ctrl-C in a terminal does not reach."""
    settings = job.config.settings
    settings = replace(
        settings, threads=settings.threads or 1, env_threads=settings.env_threads or 1
    )
    config = replace(job.config, settings=settings)
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)  # noqa: PTH109
    threads = {"OMP_NUM_THREADS": str(settings.threads)}
    job.path.parent.mkdir(parents=True, exist_ok=True)
    with _log(job).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ptan.runs.job", str(job.path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads, "PYTHONPATH": path},
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        with process.stdin:
            process.stdin.write(json.dumps(config.to_json()).encode())
    except BrokenPipeError:
        pass  # it has ended already; its log says why
    return process


def _log(job: Job) -> Path:
    return job.path.with_name(job.path.name + ".log")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    written = [line.strip() for line in lines if line.strip()]
    return f"{written[-1]} (see {path})" if written else f"it said nothing (see {path})"


def _has_checkpoint(path: Path) -> bool:
    """Whether there is a run to go on with.

    Raises:
        RunError: there is something else.
    """
    if not path.exists():
        return False
    folder = RunFolder(path)
    if not folder.config.exists():
        if folder.unfinished:
            return False
        raise RunError(f"{path} is in the way: it is no run folder")
    try:
        return folder.checkpoints.is_dir() and Checkpoints(folder.checkpoints).load() is not None
    except CheckpointError as error:
        raise RunError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
