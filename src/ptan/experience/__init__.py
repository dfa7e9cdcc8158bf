"""From environments to rows, replay buffers and batches.

* rows: `Experience`, `ExperienceFirstLast`
* sources: `ExperienceSource`, `ExperienceSourceFirstLast`, `VectorExperienceSourceFirstLast`,
  `ExperienceSourceRollouts`, `ExperienceSourceBuffer`
* buffers: `ExperienceReplayBuffer`, `PrioReplayBufferNaive`, `PrioritizedReplayBuffer`,
  `batch_generator`
* batches: `Batch`, `unpack_batch`
"""

from ptan.experience.batch import Batch, unpack_batch
from ptan.experience.episodes import ExperienceSourceBuffer
from ptan.experience.prioritized import PrioReplayBufferNaive, PrioritizedReplayBuffer
from ptan.experience.replay import ExperienceReplayBuffer, batch_generator
from ptan.experience.rollouts import ExperienceSourceRollouts, Rollouts
from ptan.experience.rows import Experience, ExperienceFirstLast
from ptan.experience.sources import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
)

__all__ = [
    "Batch",
    "Experience",
    "ExperienceFirstLast",
    "ExperienceReplayBuffer",
    "ExperienceSource",
    "ExperienceSourceBuffer",
    "ExperienceSourceFirstLast",
    "ExperienceSourceRollouts",
    "PrioReplayBufferNaive",
    "PrioritizedReplayBuffer",
    "Rollouts",
    "VectorExperienceSourceFirstLast",
    "batch_generator",
    "unpack_batch",
]
