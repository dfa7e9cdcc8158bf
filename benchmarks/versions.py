"""Is this version as fast as another commit? `python -m benchmarks.versions COMMIT [QUESTION …]`.

The other commit is checked out beside this one, and each runs its own benchmark programs in a
process of its own, slice by slice in turn. A ratio is this version's speed over the other's in one
pair of slices. A row fails if the 95 % interval of its median ratio (bootstrap over the pairs) lies
below 0.97 as a whole. The page is printed, and written where `--out` says.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from benchmarks import peers
from benchmarks.arena import CLOCK, Worker

LEAST = 0.97
QUESTIONS = ("collection", "replay_vector", "replay_atari", "throughput")


@dataclass(frozen=True)
class Row:
    """One thing to compare: a contestant of a question in a case.

    faster_is_more  True where the figure is a speed, False where it is a time or a size
    fixed           True where a second slice would give the same figure
    """

    title: str
    question: str
    contestant: str
    case: dict[str, Any]
    faster_is_more: bool = False
    fixed: bool = False


def rows(question: str) -> Iterator[Row]:
    """All rows of a question that are about this library."""
    if question == "collection":
        for layout, title in (
            ("one", "1 env"),
            ("list", "16 in a list"),
            ("sync", "16 in a vector"),
        ):
            for n in (1, 4):
                case = {"layout": layout, "steps_count": n}
                yield Row(f"collection, {title}, n = {n}", question, "ours", case, True)
    elif question == "replay_vector":
        yield Row("sample(32), 1e5 rows", question, "ours", {"task": "uniform", "rows": 100_000})
        for count in (100_000, 10_000_000):
            case = {"task": "prioritized", "rows": count}
            yield Row(f"prioritized sample(32) + update, {count:.0e} rows", question, "ours", case)
    elif question == "replay_atari":
        yield Row("bytes per transition", question, "ours", {"task": "nbytes"}, fixed=True)
        case = {"task": "bytes"}
        title = "bytes per transition, process memory"
        yield Row(title, question, "ours, process memory", case, fixed=True)
        for task, title in (("insert", "insertion"), ("add", "add(row)"), ("sample", "sample(32)")):
            yield Row(f"{title}, Atari stacks", question, "ours", {"task": task})
    else:
        for mode in ("fp32", "fp32, channels last", "fast"):
            for threads in ("1 thread", "2 threads"):
                name = f"ours, {mode}, {threads}"
                yield Row(f"training, {name}", question, name, {"steps": 800}, True)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Another commit of this repository in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "other"
        git = ["git", "-C", str(peers.ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def compare(row: Row, other: Path, pairs: int) -> list[float]:
    """This version's speed over the other's, pair by pair."""
    module = f"benchmarks.{row.question}"
    ratios: list[float] = []
    # The process that starts first may be slower: each version does in half of the pairs.
    starts = [(peers.ROOT, other), (other, peers.ROOT)]
    counts = (1, 0) if row.fixed else (pairs - pairs // 2, pairs // 2)
    for roots, count in zip(starts, counts, strict=True):
        workers = {root: Worker(module, "ours", root) for root in roots}
        try:
            for worker in workers.values():  # warm up
                worker.ask(row.contestant, row.case)
            for pair in range(count):
                order = roots if pair % 2 == 0 else roots[::-1]
                figures = {root: workers[root].ask(row.contestant, row.case) for root in order}
                ratio = figures[peers.ROOT] / figures[other]
                ratios.append(ratio if row.faster_is_more else 1.0 / ratio)
        finally:
            for worker in workers.values():
                worker.close()
    return ratios


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median."""
    if len(set(ratios)) < 2:
        return ratios[0], ratios[0]
    found = bootstrap((np.array(ratios),), np.median, method="percentile", rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("questions", nargs="*", help=", ".join(QUESTIONS))
    parser.add_argument("--pairs", type=int, default=15, help="slices of each (default 15)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="cpu")
    parser.add_argument("--out", type=Path, help="file to append the table to")
    arguments = parser.parse_args()
    os.environ[CLOCK] = arguments.clock
    failed = 0
    lines = ["| what | speed, this / other | 95 % | at least 0.97 |", "|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    with checkout(arguments.commit) as other:
        for question in arguments.questions or QUESTIONS:
            for row in rows(question):
                ratios = compare(row, other, arguments.pairs)
                low, high = interval(ratios)
                failed += high < LEAST
                verdict = "**no**" if high < LEAST else "yes"
                median = statistics.median(ratios)
                lines.append(f"| {row.title} | {median:.3f} | {low:.3f}–{high:.3f} | {verdict} |")
                print(lines[-1], flush=True)
    if arguments.out is not None:
        with arguments.out.open("a") as page:
            page.write("\n".join(lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
