"""Drivers of algorithms, and the evaluation of what they have learned.

* `train`, `process_function`: the loop, plain and for an Ignite engine
* `evaluate`, `play_parallel`: episodes in environments of their own
* `Callback`, `Callbacks`, `ThreadTuner`, `Tracker` with its logs: what follows training
* `Checkpoints`: states of a run on the disk
"""

from ptan.training.callbacks import Callback, Callbacks
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint
from ptan.training.evaluate import Played, evaluate, play_parallel
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
    "play_parallel",
    "process_function",
    "train",
]
