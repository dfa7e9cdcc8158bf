"""`ptan bench`: how fast training is on this machine, and where its time goes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ptan.cli.options import check_counts
from ptan.cli.output import tell
from ptan.cli.train import read_config
from ptan.runs import CATALOGUE

__all__ = ["run"]

# Settings of runs that last longer than a measurement.
_NO_FLAG = (
    *("steps", "stop_reward", "stop_episodes", "eval_episodes", "eval_every", "eval_max_steps"),
    *("checkpoint_every", "exact", "diagnostics_every"),
)


@dataclass(frozen=True)
class _Flags:
    measured: int = 4_000  # environment steps that are measured, after the warm-up
    json: bool = False  # print one JSON object


def run(words: Sequence[str]) -> int:
    """Measure and print; returns the exit status."""
    about = "Train for a while with a stopwatch on every part. Nothing is written."
    config, flags = read_config(
        words, "ptan bench", about, _Flags, leave_out=_NO_FLAG, default=next(iter(CATALOGUE))
    )
    options = flags.own
    check_counts(measured=options.measured)

    from ptan.common.memory import keep_freed_memory
    from ptan.runs.profile import profile

    keep_freed_memory()
    found = profile(config, options.measured)
    if options.json:
        tell(json.dumps(found))
        return 0
    total, threads = found["total"], found["threads"]
    tell(
        f"{found['steps_per_second']:,.0f} environment steps/s with {threads} "
        f"thread{'s' * (threads > 1)} of PyTorch: {found['env_steps']:,} steps and "
        f"{found['updates']:,} updates in {total:.1f} s"
    )
    for part in ("environments", "updating", "rest"):
        tell(f"  {part:13} {found[part] / total:4.0%}  {found[part]:.2f} s")
    return 0
