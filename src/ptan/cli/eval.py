"""`ptan eval`: what the newest network of a run achieves."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ptan.cli.choosing import add_run
from ptan.cli.output import complain, tell
from ptan.runs.evaluation import evaluate_greedily
from ptan.runs.loading import load_agent
from ptan.runs.seeds import EVALUATED, derived_seed

__all__ = ["add"]


def add(commands: Any, words: Sequence[str]) -> None:  # noqa: ARG001
    """Declare the command."""
    parser = commands.add_parser(
        "eval",
        help="evaluate the network of a run",
        description="Play whole episodes with the newest network of a run, greedily, and print the "
        "mean of their raw returns with its 95 % confidence interval by Student's t distribution.",
    )
    add_run(parser, 20, "what the episodes are derived from; they are none of training")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object: mean, std, ci95 (half the width of the "
        "interval), episodes, returns, protocol and more",
    )
    parser.set_defaults(do=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    loaded = load_agent(options.run, options.device)
    for warning in loaded.warnings:
        complain(warning)
    seed = derived_seed(options.seed, EVALUATED)
    evaluation = evaluate_greedily(loaded.config.settings, loaded.agent, options.episodes, seed)
    if options.json:
        origin = {"run": str(options.run), "env_steps": loaded.env_steps}
        tell(json.dumps({**evaluation.to_json(), **origin}))
        return 0
    settings = loaded.config.settings
    tell(f"{settings.env_id} after {loaded.env_steps:,} environment steps: {evaluation}")
    tell(f"lowest {min(evaluation.returns):g}, highest {max(evaluation.returns):g}")
    tell(f"protocol: {evaluation.protocol}")
    return 0
