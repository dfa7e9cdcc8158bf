"""Memory of a process: how the C library treats what has been freed."""

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD of mallopt(3) in the GNU C library.
_LIMITS = ((-3, 1 << 30), (-1, 1 << 30), (-2, 1 << 26))


def keep_freed_memory() -> bool:
    """Keep freed memory in this process, for the next training step, instead of returning it.

    The GNU C library gives freed blocks of a few megabytes back to the system, which hands out new
    pages, zeroed one by one, at the next gradient update: up to half of its time on images. It
    holds for the whole process and can't be undone: only programs call it, such as the command
    line. False where the C library is another one, and nothing has changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    done = [mallopt(name, value) == 1 for name, value in _LIMITS]  # all, also where one fails
    return all(done)
