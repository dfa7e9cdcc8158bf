"""The folder of a run: which files it has, and how they are written and read."""

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self, TypeAlias

from ptan.runs.errors import RunError
from ptan.runs.settings import RunConfig
from ptan.training.durable import PARTIAL, replace_file, sync

__all__ = ["FORMAT", "Json", "RunFolder", "damaged", "write_json"]

Json: TypeAlias = dict[str, Any]

FORMAT = 2
"""Version of the layout of run folders."""


class RunFolder:
    """Paths of a run's files.

    config.json        all settings, the versions of what they were used with, the command line
    metrics.jsonl      one JSON object per line: numbers of training, by environment step
    tensorboard/       the same for TensorBoard, and images
    checkpoints/       the newest states of the whole run
    curve.png          the learning curve
    result.json        how it ended; there once it has
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.curve = self.path / "curve.png"
        self.result = self.path / "result.json"

    @classmethod
    def create(cls, path: Path | str, config: RunConfig, command: Sequence[str] = ()) -> Self:
        """Make a folder for a new run, and those above it; RunError if that is impossible."""
        folder = cls(path)
        if folder.path.exists():
            raise RunError(
                f"{path} is there already: choose another --name, or go on with --resume {path}"
            )
        content = {
            "format": FORMAT,
            "env_id": config.settings.env_id,
            **asdict(config),
            "seed": config.seed,
            "command": list(command),
            "resumed": [],
            "started": _now(),
            "versions": _versions(),
        }
        partial = folder.path.with_name(f"{PARTIAL}{folder.path.name}-{os.getpid()}")
        try:  # a folder that is there has its settings
            partial.mkdir(parents=True)
            write_json(partial / "config.json", content)
            partial.rename(folder.path)
            sync(folder.path.parent)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise RunError(f"{path} cannot be made: {error.strerror or error}") from None
        return folder

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state to go on from, intact or not."""
        return any(self.checkpoints.glob("*-step-*"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the run; RunError if one does so already."""
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            raise ImportError('runs need filelock: pip install "ptan[runs]"') from error
        try:
            acquired = FileLock(self.path / ".lock", blocking=False).acquire()
        except Timeout:
            raise RunError(f"{self.path} is in training already, by another process") from None
        except (OSError, NotImplementedError) as error:
            raise RunError(f"{self.path} cannot be locked: {error}") from None
        with acquired:
            yield

    def note_resumed(self, config: RunConfig, command: Sequence[str]) -> None:
        """Note in `config.json` that the run goes on, with settings that have changed."""
        content = _read(self.config)
        note = {"at": _now(), "command": list(command), "versions": _versions()}
        resumed = [*content.get("resumed", []), note]
        write_json(self.config, {**content, "resumed": resumed, **asdict(config)})

    def read_config(self) -> RunConfig:
        """The settings of the run; RunError if there is none, or it is of another format."""
        if not self.config.is_file():
            what = "it has no config.json" if self.path.is_dir() else "there is no such folder"
            raise RunError(f"{self.path} is no run folder: {what}")
        content = _read(self.config)
        if content.get("format") != FORMAT:
            raise RunError(
                f"{self.config} must have format {FORMAT}, got {content.get('format')!r}: it is no "
                "run of this version of ptan"
            )
        try:
            return RunConfig.from_json(content)
        except RunError as error:
            raise RunError(f"{self.config} is no run's: {error}") from None

    def read_result(self) -> Json | None:
        """The content of `result.json`; None if there is none, or none that can be read."""
        try:
            return _read(self.result)
        except RunError:
            return None


def _read(path: Path) -> Json:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} is no run's: it holds no JSON object")
    return content


def damaged(path: Path, error: Exception) -> str:
    """What is said about a file of metrics that cannot be read, without Python's own names."""
    reason = "a line is no JSON object with the numbers that runs write"
    if isinstance(error, ValueError | OSError):
        reason = str(error).removeprefix(f"{path}, ")
    return f"{path} is damaged: {reason}"


def write_json(path: Path, content: Json) -> None:
    """Write a file at once: readers see the old one or the new one, never a part."""
    replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _versions() -> dict[str, str]:
    """Versions of ptan, of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in ("ptan", "torch", "numpy", "gymnasium", "ale-py"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
