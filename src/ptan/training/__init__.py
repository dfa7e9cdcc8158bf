"""Drivers of algorithms, and the evaluation of what they have learned.

* `train`: the loop, a generator of a `Record` per update; `process_function`, its body for an
  Ignite engine
* `evaluate`, `evaluate_parallel`, `play_parallel`: episodes in environments of their own
* `Callback`, `Callbacks`: objects that follow training
* `Tracker`, `EpisodeStatistics`, `JsonLinesLog`, `TensorBoardLog`, `Log`: what a run tells
* `ThreadTuner`: how many threads PyTorch uses, found while training
* `Checkpoints`, `LoadedCheckpoint`, `CheckpointError`: states of a run on the disk
"""

from ptan.training.callbacks import Callback, Callbacks
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint
from ptan.training.evaluate import Played, evaluate, evaluate_parallel, play_parallel
from ptan.training.logs import JsonLinesLog, Log, TensorBoardLog
from ptan.training.loop import Record, process_function, train
from ptan.training.threads import ThreadTuner
from ptan.training.tracking import EpisodeStatistics, Tracker

__all__ = [
    "Callback",
    "Callbacks",
    "CheckpointError",
    "Checkpoints",
    "EpisodeStatistics",
    "JsonLinesLog",
    "LoadedCheckpoint",
    "Log",
    "Played",
    "Record",
    "TensorBoardLog",
    "ThreadTuner",
    "Tracker",
    "evaluate",
    "evaluate_parallel",
    "play_parallel",
    "process_function",
    "train",
]
