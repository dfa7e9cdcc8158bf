"""`ptan ablate`: train with each switch alone, or all but one, and compare them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptan.cli.options import check_counts
from ptan.cli.output import complain, tell
from ptan.cli.train import INTERRUPTED, read_config
from ptan.runs import CATALOGUE

__all__ = ["run"]


@dataclass(frozen=True)
class _Flags:
    switches: str | None = None  # names with commas; none: those of the algorithm's first bundle
    seeds: int = 5  # runs per variant
    jobs: int = 1  # runs at a time
    leave_one_out: bool = False  # all switches but one, instead of each alone
    out: Path | None = None  # folder; none: runs/ablation-<env>
    quiet: bool = False  # print only the results


def run(words: Sequence[str]) -> int:
    """Make the runs and print the table; returns the exit status."""
    about = (
        "Train an algorithm without its switches, with each alone and with all of them, each with "
        "several seeds, and compare. The same command goes on with an ablation that was stopped. "
        "Every run makes all --steps."
    )
    base, found = read_config(
        words,
        "ptan ablate",
        about,
        _Flags,
        leave_out=("stop_reward", "stop_episodes"),
        default=next(iter(CATALOGUE)),
    )
    options = found.own
    check_counts(seeds=options.seeds, jobs=options.jobs)
    switches = None
    if options.switches is not None:
        listed = (one.strip().replace("-", "_") for one in options.switches.split(","))
        switches = [one for one in listed if one]

    from ptan.cli.progress import interruption, watching
    from ptan.common.memory import keep_freed_memory
    from ptan.runs.sweep import Ablation, table

    keep_freed_memory()
    ablation = Ablation(
        base,
        options.out or Path("runs") / f"ablation-{base.env_name}",
        switches=switches,
        seeds=options.seeds,
        leave_one_out=options.leave_one_out,
    )
    with interruption() as asked, watching(options.quiet) as watch:
        watch.say(f"{len(ablation.variants)} variants: {', '.join(ablation.variants)}")
        over = ablation.train(options.jobs, watch, asked)
    results = ablation.results()
    if results is not None:
        tell(table(results))
    if not over:
        complain("interrupted, and saved; the same command goes on")
    tell(f"Results: {ablation.folder}")
    return 0 if over else INTERRUPTED
