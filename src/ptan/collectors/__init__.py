"""What feeds an update: iterables that step environments and yield data to learn from.

* `ReplayCollector`: batches sampled from a replay buffer
* `RolloutCollector`, `EpisodeCollector`, `TransitionCollector`: what the agent did as it is now, in
  (T, N) columns, whole episodes, or small batches of n-step rows
* `Collector`, `Update`: what a loop needs of them
* `SteppingCollector`: what they share, for one of your own; `Stepping`: options that all take

    for data in collector:
        update = algorithm.update(data)
        collector.after(update)

The collectors have their public names in `ptan.experience`.
"""

from ptan.collectors.base import Collector, Stepping, SteppingCollector, Update

__all__ = ["Collector", "Stepping", "SteppingCollector", "Update"]
