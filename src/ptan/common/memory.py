"""Memory of a process: how the C library treats what has been freed."""

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# Parameters of mallopt(3), from malloc.h of the GNU C library.
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3

_NEVER = 1 << 30
_PAD = 1 << 26


def keep_freed_memory() -> bool:
    """Keep freed memory in this process, for the next training step, instead of returning it.

    A gradient update takes and frees blocks of a few megabytes. The GNU C library gives such
    blocks back to the system, which hands out new pages, zeroed one by one, at the next update: a
    quarter of a million page faults per second, and up to half of the time of an update on images.
    After this call freed blocks stay with the process, which therefore never shrinks below its
    peak. Results do not change.

    It holds for the whole process and can't be undone, so that only programs call it, such as the
    command line; the library never does.

    Returns:
        True if it is done; False where the C library is another one, and nothing has changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    limits = ((_MMAP_THRESHOLD, _NEVER), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD))
    done = [mallopt(name, value) == 1 for name, value in limits]  # all, also where one fails
    return all(done)
