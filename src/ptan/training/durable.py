"""Files that a kill or a power cut leaves whole: as they were, or as they were meant to be.

Each is written under another name, forced to the disk, and then renamed, which is atomic.
"""

import errno
import os
import sys
from pathlib import Path

__all__ = ["PARTIAL", "make_folder", "replace_file", "sync"]

PARTIAL = ".partial-"  # begins the name of everything that is not finished yet
# How file systems say that they cannot sync a folder.
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def sync(path: Path) -> None:
    """Force the bytes of a file, or the names in a folder, to the disk."""
    is_folder = path.is_dir()
    if is_folder and sys.platform == "win32":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (is_folder and error.errno in _UNSUPPORTED):
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably; one that exists is fine."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that every reader, at any time, finds the old content or the new one."""
    partial = path.with_name(PARTIAL + path.name)
    partial.write_bytes(content)
    sync(partial)
    partial.replace(path)
    sync(path.parent)
