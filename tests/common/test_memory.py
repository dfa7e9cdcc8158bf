"""Freed memory stays with the process: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

COUNT = """
import resource
from ptan.common.memory import keep_freed_memory

print(keep_freed_memory())
import torch

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    blocks = [torch.full((size << 20,), 1, dtype=torch.uint8) for size in (3, 5, 9)]
    del blocks

for _ in range(20):  # blocks settle
    work()
before = faults()
for _ in range(20):
    work()
print((faults() - before) * resource.getpagesize())
"""


def test_freed_blocks_are_used_again_without_new_pages():
    run = subprocess.run([sys.executable, "-c", COUNT], check=True, capture_output=True, text=True)
    done, new = run.stdout.split()
    if platform.libc_ver()[0] != "glibc":
        assert done == "False"
        return
    assert done == "True"
    assert int(new) < 20 * (17 << 20) / 10
