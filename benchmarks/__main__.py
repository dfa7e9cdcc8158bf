"""Run the benchmarks: `python -m benchmarks [QUESTION …] [--repeats N] [--out FILE]`.

Prints a Markdown table and writes it to a file. The other libraries are installed on the first run,
into environments of their own.
"""

import argparse
import importlib
import os
import platform
from pathlib import Path

from benchmarks import peers
from benchmarks.arena import CLOCK, Finding

QUESTIONS = {
    "collection": "Collection",
    "replay_vector": "Replay, vector observations",
    "replay_atari": "Replay, Atari stacks",
    "throughput": "Training throughput, DQN on Pong",
}
BY_HAND = "<!-- Below this line `make bench` changes nothing. -->"
DEFAULT_OUT = peers.ROOT / "docs" / "benchmarks.md"
HEADING = """# Benchmarks

This page is written by `make bench` (`python -m benchmarks`), all but its last section, which stays
as it is. Each library runs in a process of its own with one thread, or two where that is said;
hand-written references run in ours. They take turns in short slices, while the others wait, and
the order turns round every time. A ratio is taken within a round: the table gives the median over
the rounds and, in brackets, the lowest and the highest. Time is {clock} time.

* *Hand loop*: the best loop we could write by hand. It steps the same environments, runs the same
  network and the same selector, and stores nothing.
* *Ancestor*: ptan 0.8.1. The other libraries are at their documented defaults, without updates
  except in training.
* *Training* is in wall time. Its first rounds find the number of threads, and of games for
  Stable-Baselines3, that each side is fastest with. *Single file* is `benchmarks/reference_dqn.py`,
  *fast* is `mixed_precision=True` with `channels_last=True`.
* Absolute figures belong to one machine; the ratios travel better.

Machine: {machine}. Versions: {versions}; the ancestor is `ptan==0.8.1`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--repeats", type=int, default=9, help="rounds of each case (default 9)")
    parser.add_argument("--out", type=Path, help="file for the page (default: docs/benchmarks.md)")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu counts a process's own time: steadier where other programs run",
    )
    arguments = parser.parse_args()
    names = arguments.questions or list(QUESTIONS)
    unknown = sorted(set(names) - set(QUESTIONS))
    if unknown or arguments.repeats < 1:
        parser.error(f"unknown questions {unknown}" if unknown else "--repeats must be at least 1")
    os.environ[CLOCK] = arguments.clock

    for environment in peers.ENVIRONMENTS:
        peers.python(environment)
    text = _heading(arguments.clock)
    for name in names:
        findings = importlib.import_module(f"benchmarks.{name}").run(arguments.repeats)
        text += f"\n## {QUESTIONS[name]}\n\n{table(findings)}"
        print(f"## {QUESTIONS[name]}\n\n{table(findings)}", flush=True)
    # A run of some questions must not overwrite the results of all.
    out = arguments.out or (None if arguments.questions else DEFAULT_OUT)
    if out is not None:
        written = out.read_text() if out.exists() else ""
        _, mark, by_hand = written.partition(BY_HAND)
        out.write_text(f"{text}\n{mark}{by_hand}" if mark else text)


def table(findings: list[Finding]) -> str:
    """The findings as a Markdown table."""
    lines = ["| what | case | measured | bound | holds |", "|---|---|---|---|---|"]
    for finding in findings:
        holds = {None: "", True: "yes", False: "**no**"}[finding.holds]
        cells = finding.question, finding.case, finding.measured, finding.bound, holds
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _heading(clock: str) -> str:
    pins = [line for line in peers.CONSTRAINTS.read_text().splitlines() if "#" not in line]
    return HEADING.format(
        clock=clock,
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        versions=", ".join(f"`{pin}`" for pin in pins),
    )


if __name__ == "__main__":
    main()
