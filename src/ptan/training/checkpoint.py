"""Checkpoints of a run that survive kills, power cuts and damaged disks.

    000003-step-20000/           the newest; it got this name when all of it was on the disk
        tensors.safetensors      the numbers of all arrays and tensors
        state.json               everything else, see `ptan.training.state_tree`
        SHA256SUMS               checksums of both: `sha256sum -c SHA256SUMS` knows it
    000002-step-10000/           the one before

These files are data: nothing in them is run, or looked up by name, but for dtypes.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ptan.common.checks import whole_number
from ptan.common.types import SavedState, State
from ptan.training.durable import PARTIAL, make_folder, sync
from ptan.training.state_tree import decode, encode

__all__ = ["CheckpointError", "Checkpoints", "LoadedCheckpoint", "load_tree", "save_tree"]

FORMAT = {"format": "ptan.state_tree", "version": 2}  # 3 where older programs cannot read it
STATE, TENSORS, SUMS = "state.json", "tensors.safetensors", "SHA256SUMS"

_NAME = re.compile(r"([0-9]{6,})-step-([0-9]+)")


class CheckpointError(RuntimeError):
    """No intact checkpoint is where one is needed; says where, and what is wrong with it."""


class LoadedCheckpoint(NamedTuple):
    """What `Checkpoints.load` found, and a line for people on each newer one that is damaged."""

    state: State
    step: int
    path: Path
    warnings: list[str]


def save_tree(path: str | os.PathLike[str], tree: object) -> None:
    """Write a state tree as a new folder, which is there whole or not at all.

    Contiguous arrays and tensors on the CPU are written from where they lie, without a copy.

    Raises:
        TypeError: something in it cannot be saved; names where, as in `state['optimizer'][3]`.
        OSError: the folder exists, or cannot be written; names the path.
    """
    folder = Path(path).absolute()
    document, arrays = encode(tree)
    text = json.dumps({**FORMAT, "state": document}, allow_nan=False) + "\n"
    if folder.exists():
        raise FileExistsError(f"{folder} exists already")
    make_folder(folder.parent)
    partial = folder.with_name(PARTIAL + folder.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        save_file(arrays, partial / TENSORS)
        (partial / STATE).write_text(text, "ascii")
        (partial / SUMS).write_text("".join(_sums(partial)), "ascii")
        for name in (TENSORS, STATE, SUMS, "."):
            sync(partial / name)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(f"{folder} cannot be written: {error}") from error
    sync(folder.parent)


def load_tree(path: str | os.PathLike[str]) -> Any:
    """Read what `save_tree` has written, after comparing all bytes with checksums.

    Raises CheckpointError where a file is missing, damaged, of another format, or cannot be read.
    """
    folder = Path(path).absolute()
    try:
        sums, lines = (folder / SUMS).read_text("ascii"), _sums(folder)
        if sums != "".join(lines):
            damaged = [line.split()[1] for line in lines if line not in sums] or [SUMS]
            raise ValueError(f"{' and '.join(damaged)} does not fit the checksums in {SUMS}")
        match json.loads((folder / STATE).read_bytes()):
            case {"state": state, **about} if about == FORMAT:
                return decode(state, load_file(folder / TENSORS))
        raise ValueError(f"{STATE} must be of {FORMAT}")
    except Exception as error:  # JSON, safetensors and PyTorch raise any for damaged files
        raise CheckpointError(f"{folder}: {error}") from None


def _sums(folder: Path) -> list[str]:
    """The lines of the file of checksums."""
    lines = []
    for name in (STATE, TENSORS):
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return lines


class Checkpoints:
    """The `keep` newest states of one run in a folder, which is made when something is saved.

    A run that is killed while it saves, at whatever moment, leaves the checkpoint that it was
    writing or the one before. One process may save here, any number may load.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 2) -> None:
        self.folder = Path(folder).absolute()
        self.keep = whole_number("keep", keep)
        self._damaged: set[Path] = set()

    def save(self, state: SavedState, step: int) -> Path:
        """Save a state tree in a folder of its own, and remove checkpoints that are too many.

        The newest is the one that was saved last, even if its environment steps are fewer.

        Raises TypeError, ValueError or OSError if that cannot be; what was saved before stays.
        """
        step = whole_number("step", step, least=0)
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, got {type(state).__name__}")
        newest = max((number for number, _, _ in self._saved()), default=0)
        path = self.folder / f"{newest + 1:06d}-step-{step}"
        save_tree(path, state)
        self._clean()
        return path

    def load(self) -> LoadedCheckpoint | None:
        """Load the newest state that is intact; None if nothing was saved here.

        Raises CheckpointError if there are checkpoints, and none is intact; names what is wrong.
        """
        complaints: list[str] = []
        for _, step, path in self._saved():
            try:
                state = load_tree(path)
            except CheckpointError as error:
                self._damaged.add(path)
                complaints.append(f"checkpoint {error}")
                continue
            warnings = [f"{line}; {path.name} is used instead" for line in complaints]
            return LoadedCheckpoint(state, step, path, warnings)
        if complaints:
            lines = "; ".join(complaints)
            raise CheckpointError(f"{self.folder} has no intact checkpoint: {lines}")
        return None

    def _saved(self) -> list[tuple[int, int, Path]]:
        """Number, step and path of all that are there, newest first."""
        paths = self.folder.iterdir() if self.folder.exists() else ()
        found = [(_NAME.fullmatch(path.name), path) for path in paths]
        return sorted(((int(n[1]), int(n[2]), path) for n, path in found if n), reverse=True)

    def _clean(self) -> None:
        """Remove what is too old, and what killed processes left unfinished."""
        paths = [path for _, _, path in self._saved()]
        # One that is damaged takes no intact one's place.
        kept = [path for path in paths if path not in self._damaged][: self.keep]
        for path in paths[paths.index(kept[-1]) + 1 :]:
            # Under another name first: a kill on the way leaves no part of it under this one.
            path.rename(path.with_name(f"{PARTIAL}removed-{path.name}"))
        for path in self.folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
