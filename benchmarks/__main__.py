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
}
DEFAULT_OUT = Path(__file__).with_name("results.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--repeats", type=int, default=9, help="rounds of each case (default 9)")
    parser.add_argument("--out", type=Path, help="file for the table (default: results.md here)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    names = arguments.questions or list(QUESTIONS)
    unknown = sorted(set(names) - set(QUESTIONS))
    if unknown or arguments.repeats < 1:
        parser.error(f"unknown questions {unknown}" if unknown else "--repeats must be at least 1")
    os.environ[CLOCK] = arguments.clock

    for environment in peers.ENVIRONMENTS:
        peers.python(environment)
    text = _heading()
    for name in names:
        findings = importlib.import_module(f"benchmarks.{name}").run(arguments.repeats)
        text += f"\n## {QUESTIONS[name]}\n\n{table(findings)}"
        print(f"## {QUESTIONS[name]}\n\n{table(findings)}", flush=True)
    # A run of some questions must not overwrite the results of all.
    out = arguments.out or (None if arguments.questions else DEFAULT_OUT)
    if out is not None:
        out.write_text(text)


def table(findings: list[Finding]) -> str:
    """The findings as a Markdown table."""
    lines = ["| what | case | measured | bound | holds |", "|---|---|---|---|---|"]
    for finding in findings:
        holds = {None: "", True: "yes", False: "**no**"}[finding.holds]
        cells = finding.question, finding.case, finding.measured, finding.bound, holds
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _heading() -> str:
    versions = ", ".join(
        line.strip()
        for line in peers.CONSTRAINTS.read_text().splitlines()
        if not line.startswith("#")
    )
    return (
        "# Benchmark results\n\n"
        "Written by `python -m benchmarks`. Ratios are medians over interleaved rounds with the "
        "lowest and the highest.\n\n"
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}. One thread each. Versions: {versions}; the ancestor is "
        "ptan==0.8.1.\n"
    )


if __name__ == "__main__":
    main()
