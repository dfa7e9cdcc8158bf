"""Checkpoints of a run that survive kills, power cuts and damaged disks.

    checkpoints = Checkpoints(folder)
    checkpoints.save({"algorithm": algorithm.state_dict()}, step=algorithm.env_steps)
    …
    if (loaded := checkpoints.load()) is not None:
        algorithm.load_state_dict(loaded.state["algorithm"])

A folder of checkpoints:

    latest.json                  which one is the newest, replaced atomically
    000003-step-20000/           one complete state
        tensors.safetensors      the numbers of all arrays and tensors
        state.json               everything else, and how it hangs together
        SHA256SUMS               checksums of both: `sha256sum -c SHA256SUMS` knows it
    000002-step-10000/           the one before

Nothing in these files is run, and nothing in them can put a function or a class in the place of
another one: of what the program has loaded, they name members of enums, and named tuples and
dataclasses that are made without their constructors. But a stranger's numbers and texts reach all
code that works with them: an environment that writes files writes where its attributes say, and
compiled code that trusts a state, as Atari's emulator does, may crash on a bad one, or worse.
What a state may hold, and how it is written, stands in `ptan.training.state_tree`.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ptan.common.checks import whole_number
from ptan.training.durable import (
    PARTIAL,
    locked,
    make_folder,
    remove,
    replace_file,
    sync_folder,
    write_file,
)
from ptan.training.state_tree import Leaves, decode, encode
from ptan.training.tensor_file import Leaf, read_tensors, write_tensors

__all__ = ["CheckpointError", "Checkpoints", "LoadedCheckpoint", "load_tree", "save_tree"]

TREE, POINTER = "ptan.state_tree", "ptan.checkpoints"  # formats
VERSION = 1  # of both; raised when older programs could not read what is written
SUMS, STATE, TENSORS, LATEST = "SHA256SUMS", "state.json", "tensors.safetensors", "latest.json"

_NAME = re.compile(r"([0-9]{6,})-step-([0-9]+)")
_SUMS = re.compile(
    rf"([0-9a-f]{{64}})  {re.escape(STATE)}\n([0-9a-f]{{64}})  {re.escape(TENSORS)}\n"
)


class CheckpointError(RuntimeError):
    """No intact checkpoint is where one is needed; says where, and what is wrong with it."""


class LoadedCheckpoint(NamedTuple):
    """What `Checkpoints.load` found.

    state       equal to what was saved
    step        environment steps, as saved with it
    path        the checkpoint's own folder
    warnings    a line for each newer checkpoint that is damaged, for people to read
    """

    state: dict[str, Any]
    step: int
    path: Path
    warnings: list[str]


def save_tree(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a state tree as a new folder, which is there whole or not at all.

    Args:
        path: Of the folder; those above it are made. Must not exist.
        tree: Dicts with keys that are str or int, lists and tuples, of None, bool, int, float, str,
            NumPy arrays and scalars, and torch tensors. Other mappings become dicts, memory-mapped
            arrays plain ones, Fortran order becomes C order, and tensors come back on the CPU and
            without gradients; otherwise loading gives equal types, dtypes and bits. What is in the
            tree twice is saved twice. It must not change before the call returns.

    Raises:
        TypeError: something in it cannot be saved; names where, as in `state['optimizer'][3]`.
            Nothing is written.
        FileExistsError: the folder exists.
        OSError: it cannot be written; names the path.
    """
    folder = Path(path).absolute()
    document, leaves = encode(tree)
    make_folder(folder.parent)
    _write(folder, document, leaves)


def load_tree(path: str | os.PathLike[str]) -> Any:
    """Read a state tree that `save_tree` has written.

    Every byte is compared with its checksum while it is read. Arrays and tensors are read into
    their own memory, once, and belong to the caller.

    Args:
        path: Of the folder.

    Returns:
        The tree; tensors on the CPU.

    Raises:
        CheckpointError: the folder or a file in it is missing, damaged, or of another format or a
            newer version; names the path and the reason.
        OSError: it cannot be read; names the path.
    """
    folder = Path(path).absolute()
    try:
        sums = _SUMS.fullmatch((folder / SUMS).read_bytes().decode("ascii"))
        if sums is None:
            raise ValueError(f"{SUMS} does not hold the checksums of {STATE} and {TENSORS}")
        text = (folder / STATE).read_bytes()
        if hashlib.sha256(text).hexdigest() != sums[1]:
            raise ValueError(f"{STATE} does not fit its checksum")
        document = _unwrap(text, TREE, "state", STATE)
        leaves: list[Leaf] = []
        decode(document, leaves.append)
        values = read_tensors(folder / TENSORS, leaves, sums[2])
        return decode(document, values.__getitem__)
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(error.filename).name if folder.is_dir() else "the folder"
        raise CheckpointError(f"{folder}: {missing} is missing") from None
    except (ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{folder}: {error}") from None


def _write(folder: Path, document: Any, leaves: Leaves) -> str:
    """Write what `encode` returned; returns the checksum of the file with the checksums."""
    if folder.exists():
        raise FileExistsError(errno.EEXIST, "exists already", str(folder))
    partial = folder.with_name(PARTIAL + folder.name)
    if partial.exists():
        remove(partial)
    # Before the folder is made: a number or text that JSON refuses must leave nothing behind.
    text = json.dumps({"format": TREE, "version": VERSION, "state": document}, allow_nan=False)
    partial.mkdir()
    try:
        tensors = write_tensors(partial / TENSORS, leaves)
        state = write_file(partial / STATE, [text.encode("ascii"), b"\n"])
        sums = f"{state}  {STATE}\n{tensors}  {TENSORS}\n".encode("ascii")
        checksum = write_file(partial / SUMS, [sums])
        sync_folder(partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return checksum


def _unwrap(text: bytes, name: str, entry: str, file: str) -> Any:
    """Parse a file, and take what it is about out of the lines that say of which format it is."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != name:
        raise ValueError(f"{file} is not of the format {name}")
    if document.get("version") != VERSION:
        raise ValueError(
            f"{file} is of version {document.get('version')!r} of its format, and this program "
            f"reads version {VERSION}"
        )
    if document.keys() != {"format", "version", entry}:
        raise ValueError(f"{file} must have the entry {entry!r} and no other, got {[*document]}")
    return document[entry]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is none")


class Checkpoints:
    """The newest states of one run in a folder.

    A run that is killed while it saves, at whatever moment, leaves the checkpoint that it was
    writing or the one before. Saving takes as much room on the disk as `keep` + 1 checkpoints,
    and no memory beside the state but for one array at a time that is not contiguous or not on
    the CPU. One process may save here at a time; any number may load.

    Args:
        folder: Made when something is saved.
        keep: How many checkpoints stay; two let a run go on when the newest gets damaged.

    Raises:
        ValueError, TypeError: keep is no whole number of at least 1.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 2) -> None:
        self.folder = Path(folder).absolute()
        self.keep = whole_number("keep", keep)
        self._newest: int | None = None  # number of the newest that this object knows of
        self._damaged: set[str] = set()

    def save(self, state: Mapping[str, Any], step: int) -> Path:
        """Save a state, and remove checkpoints that are too many.

        Args:
            state: A state tree, see `save_tree`. It must not change before the call returns.
            step: Environment steps so far, at least 0. It may be smaller than before: the newest
                checkpoint is the one that was saved last.

        Returns:
            The checkpoint's own folder.

        Raises:
            TypeError: state is no mapping, or something in it cannot be saved; names where, as in
                `state['optimizer'][3]`. Nothing is written.
            ValueError, TypeError: step is no whole number of at least 0.
            CheckpointError: another process has saved here since this object did.
            OSError: the folder cannot be written to, the disk is full, or another process is
                saving here now; names the path. What was saved before is still there.
        """
        step = whole_number("step", step, least=0)
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, got {type(state).__name__}")
        document, leaves = encode(state)
        make_folder(self.folder)
        with locked(self.folder):
            self._remove_partial()
            number = self._next_number()
            path = self.folder / f"{number:06d}-step-{step}"
            self._newest = number  # even if what follows fails half-way
            self._publish(path.name, _write(path, document, leaves))
            self._remove_old()
        return path

    def load(self) -> LoadedCheckpoint | None:
        """Load the newest state that is intact.

        Returns:
            The state, and warnings if newer ones are damaged; None if nothing was saved here.

        Raises:
            CheckpointError: there are checkpoints, and none is intact; names the folder, and what
                is wrong with each.
            OSError: the folder cannot be read; names the path.
        """
        names = self._names()
        latest, complaint = self._read_pointer()
        if not names and latest is None and complaint is None:
            return None
        complaints = [] if complaint is None else [complaint]
        for name in dict.fromkeys([latest, *names] if latest is not None else names):
            path = self.folder / name
            try:
                state = load_tree(path)
            except CheckpointError as error:
                self._damaged.add(name)
                complaints.append(f"checkpoint {error}")
            except OSError as error:
                complaints.append(f"checkpoint {error}")
            else:
                self._newest = max(map(_number, [name, *names]))
                warnings = [f"{line}; {name} is used instead" for line in complaints]
                return LoadedCheckpoint(state, int(name.split("-")[2]), path, warnings)
        raise CheckpointError(f"{self.folder} has no intact checkpoint: {'; '.join(complaints)}")

    # Inside.

    def _names(self) -> list[str]:
        """Of all that are there, newest first."""
        if not self.folder.exists():
            return []
        names = [path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(names, key=_number, reverse=True)

    def _next_number(self) -> int:
        newest = max(map(_number, self._names()), default=0)
        if self._newest is not None and newest > self._newest:
            raise CheckpointError(
                f"{self.folder}: another process has saved checkpoint {newest} here, where this "
                f"one saved {self._newest}; every run needs a folder of its own"
            )
        return newest + 1

    def _publish(self, name: str, checksum: str) -> None:
        latest = {"name": name, "sha256": checksum}
        document = {"format": POINTER, "version": VERSION, "latest": latest}
        replace_file(self.folder / LATEST, json.dumps(document).encode("ascii") + b"\n")

    def _read_pointer(self) -> tuple[str | None, str | None]:
        """Name of the newest checkpoint, or what is wrong with the file that says it."""
        path = self.folder / LATEST
        try:
            latest = _unwrap(path.read_bytes(), POINTER, "latest", LATEST)
            match latest:
                case {"name": str(name), "sha256": str(checksum)} if _NAME.fullmatch(name):
                    pass
                case _:
                    raise ValueError(f"{LATEST} names no checkpoint")
            if not (self.folder / name).is_dir():
                raise ValueError(f"{LATEST} names {name}, which is missing")
            # A damaged name could be that of an older checkpoint; its checksum is another.
            sums = self.folder / name / SUMS
            if sums.is_file() and hashlib.sha256(sums.read_bytes()).hexdigest() != checksum:
                raise ValueError(f"{LATEST} does not fit {name}/{SUMS}")
        except FileNotFoundError:
            return None, f"{self.folder}: {LATEST} is missing" if self._names() else None
        except (OSError, ValueError) as error:
            return None, f"{self.folder}: {error}"
        return name, None

    def _remove_partial(self) -> None:
        """Clear away what killed processes left; whoever holds the lock is the only writer."""
        for path in self.folder.glob(f"{PARTIAL}*"):
            remove(path)

    def _remove_old(self) -> None:
        names = self._names()
        # One that is damaged takes no intact one's place.
        kept = [name for name in names if name not in self._damaged][: self.keep]
        for name in names[names.index(kept[-1]) + 1 :]:
            remove(self.folder / name)


def _number(name: str) -> int:
    return int(name.split("-")[0])
