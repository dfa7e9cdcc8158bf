"""From environments to rows, replay buffers and batches.

* rows: `Experience`, `ExperienceFirstLast`
* sources: `ExperienceSource`, `ExperienceSourceFirstLast`, `VectorExperienceSourceFirstLast`,
  `ExperienceSourceRollouts`, `ExperienceSourceBuffer`; `SourceOptions`: what all but the last take
* buffers: `ExperienceReplayBuffer`, `PrioReplayBufferNaive`, `PrioritizedReplayBuffer`,
  `batch_generator`
* batches: `Batch`, `unpack_batch`
* collectors, which yield what an update learns from (`Batch`, `Rollout`, `Episodes`) and take its
  `Update`: `ReplayCollector`, `RolloutCollector`, `EpisodeCollector`, `TransitionCollector`
"""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names
from ptan.experience.recorder import Episodes, Rollout
from ptan.experience.rollouts import ExperienceSourceRollouts, Rollouts
from ptan.experience.rows import Experience, ExperienceFirstLast
from ptan.experience.sources import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    SourceOptions,
    VectorExperienceSourceFirstLast,
)
from ptan.experience.stored import ExperienceSourceBuffer

if TYPE_CHECKING:
    from ptan.collectors.base import Collector, Update
    from ptan.collectors.on_policy import EpisodeCollector, RolloutCollector, TransitionCollector
    from ptan.collectors.replay import ReplayCollector
    from ptan.replay.batch import Batch, unpack_batch
    from ptan.replay.buffer import ExperienceReplayBuffer, batch_generator
    from ptan.replay.prioritized import PrioReplayBufferNaive, PrioritizedReplayBuffer

__all__ = [
    "Batch",
    "Collector",
    "EpisodeCollector",
    "Episodes",
    "Experience",
    "ExperienceFirstLast",
    "ExperienceReplayBuffer",
    "ExperienceSource",
    "ExperienceSourceBuffer",
    "ExperienceSourceFirstLast",
    "ExperienceSourceRollouts",
    "PrioReplayBufferNaive",
    "PrioritizedReplayBuffer",
    "ReplayCollector",
    "Rollout",
    "RolloutCollector",
    "Rollouts",
    "SourceOptions",
    "TransitionCollector",
    "Update",
    "VectorExperienceSourceFirstLast",
    "batch_generator",
    "unpack_batch",
]

# Buffers and collectors live above this package: they are imported when they are asked for.
_ON_POLICY = ["EpisodeCollector", "RolloutCollector", "TransitionCollector"]
__getattr__ = lazy_names(
    __name__,
    {
        "ptan.collectors.base": ["Collector", "Update"],
        "ptan.collectors.on_policy": _ON_POLICY,
        "ptan.collectors.replay": ["ReplayCollector"],
        "ptan.replay.batch": ["Batch", "unpack_batch"],
        "ptan.replay.buffer": ["ExperienceReplayBuffer", "batch_generator"],
        "ptan.replay.prioritized": ["PrioReplayBufferNaive", "PrioritizedReplayBuffer"],
    },
)
