"""Drivers of algorithms, and the evaluation of what they have learned.

* `run`: the plain loop, a generator of a `Record` per update
* `train_step`, `process_function`: one turn of it, for a loop of your own or an Ignite engine
* `evaluate`, `evaluate_parallel`: returns of an agent in environments of its own
* `Callback`, `Callbacks`: objects that follow training
* `Tracker`, `EpisodeStatistics`, `JsonLinesLog`, `TensorBoardLog`, `Log`: what a run tells
* `ThreadTuner`: how many threads PyTorch uses, found while training
* `Checkpoints`, `LoadedCheckpoint`, `CheckpointError`: states of a run on the disk
* `Algorithm`, `EpisodeSource`: what a loop needs
"""

from ptan.training.callbacks import Callback, Callbacks
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint
from ptan.training.evaluate import evaluate, evaluate_parallel
from ptan.training.logs import JsonLinesLog, Log, TensorBoardLog
from ptan.training.loop import (
    Algorithm,
    EpisodeSource,
    Record,
    process_function,
    run,
    train_step,
)
from ptan.training.threads import ThreadTuner
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = [
    "Algorithm",
    "Callback",
    "Callbacks",
    "CheckpointError",
    "Checkpoints",
    "EpisodeSource",
    "EpisodeStatistics",
    "JsonLinesLog",
    "LoadedCheckpoint",
    "Log",
    "Record",
    "TensorBoardLog",
    "ThreadTuner",
    "Tracker",
    "evaluate",
    "evaluate_parallel",
    "process_function",
    "run",
    "train_step",
]
