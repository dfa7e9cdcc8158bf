"""Files that a kill or a power cut leaves whole: as they were, or as they were meant to be.

A file is written under another name, its bytes are forced to the disk, and only then it gets its
name; renaming is atomic. The folder is forced to the disk too, or the name itself may be lost.
"""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["PARTIAL", "locked", "make_folder", "remove", "replace_file", "sync_folder"]

PARTIAL = ".partial-"  # begins the name of everything that is not finished yet
CHUNK = 1 << 22  # bytes: still in the processor's cache when they are written after being hashed

# File systems that cannot sync a folder or lock a file say so by one of these.
_UNSUPPORTED = {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have every OSError from inside name the path, which those of a write do not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> str:
    """Write a new file, force it to the disk, and give its SHA-256 without reading it again.

    Args:
        path: Must not exist.
        parts: What to write, one after the other. Taken one at a time, so that parts made on the
            way need not fit into memory together.

    Returns:
        The checksum in hexadecimal digits.

    Raises:
        OSError: the file exists or cannot be written; names the path.
    """
    digest = hashlib.sha256()
    with naming(path), path.open("xb", buffering=0) as file:
        for part in parts:
            for start in range(0, len(part), CHUNK):
                _write_chunk(file, memoryview(part)[start : start + CHUNK], digest)
            del part  # before the next one is made
        os.fsync(file.fileno())
    return digest.hexdigest()


def _write_chunk(file: FileIO, chunk: memoryview, digest: "hashlib._Hash") -> None:
    digest.update(chunk)
    while len(chunk) > 0:
        chunk = chunk[file.write(chunk) :]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that every reader, at any time, finds the old content or the new one.

    Args:
        path: Of a file that is replaced, or a new one in a folder that exists.
        content: All of it.

    Raises:
        OSError: it cannot be written; names the path.
    """
    partial = path.with_name(PARTIAL + path.name)
    partial.unlink(missing_ok=True)
    write_file(partial, [content])
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can do that.

    Raises:
        OSError: the disk failed; names the path.
    """
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with naming(folder):
            os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably; one that exists is fine.

    Raises:
        OSError: it cannot be made, or a file is in the way; names the path.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        reason = "a file is in the way of a folder"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(folder)) from None
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a folder with all it holds; killed on the way, it leaves nothing under the name.

    Raises:
        OSError: it cannot be removed; names the path.
    """
    partial = path
    if not path.name.startswith(PARTIAL):
        partial = path.with_name(f"{PARTIAL}removed-{path.name}")
        path.rename(partial)
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial)
    else:
        partial.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder, until the end of the block or of the process.

    On Windows, and on file systems without locks, nobody is kept out.

    Args:
        folder: Must exist; gets an empty file `.lock`.

    Raises:
        BlockingIOError: another process has it; names the path.
        OSError: the folder cannot be written to; names the path.
    """
    path = folder / ".lock"
    with path.open("ab") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                reason = "another process is saving a checkpoint here"
                raise BlockingIOError(error.errno, reason, str(folder)) from None
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise OSError(error.errno, error.strerror, str(path)) from None
        yield
