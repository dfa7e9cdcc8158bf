"""Freed memory stays with the process: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

COUNT = """
import resource
import sys
from ptan.common.memory import keep_freed_memory

if sys.argv[1] == "keep":
    print(keep_freed_memory())
import torch

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    blocks = [torch.full((size << 20,), 1, dtype=torch.uint8) for size in (3, 5, 9)]
    del blocks

work()
before = faults()
for _ in range(20):
    work()
print(faults() - before)
"""


def count(mode: str) -> list[str]:
    """What the program above prints."""
    call = [sys.executable, "-c", COUNT, mode]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()


def test_freed_blocks_are_used_again_without_new_pages():
    done, faults = count("keep")
    if platform.libc_ver()[0] != "glibc":
        assert done == "False"
        return
    pages = 20 * (17 << 20) // resource_page_size()
    assert done == "True"
    assert int(faults) < pages / 10


def resource_page_size() -> int:
    """Bytes of a page."""
    import resource

    return resource.getpagesize()
