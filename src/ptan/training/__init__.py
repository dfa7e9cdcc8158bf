"""Drivers of algorithms, and the evaluation of what they have learned.

* `run`: the plain loop, a generator of a `Record` per update
* `train_step`, `process_function`: one turn of it, for a loop of your own or an Ignite engine
* `evaluate`: returns of an agent in an environment of its own
* `Algorithm`, `EpisodeSource`: what they need
"""

from ptan.training.evaluate import evaluate
from ptan.training.loop import (
    Algorithm,
    EpisodeSource,
    Record,
    process_function,
    run,
    train_step,
)

__all__ = [
    "Algorithm",
    "EpisodeSource",
    "Record",
    "evaluate",
    "process_function",
    "run",
    "train_step",
]
