"""Helpers of training loops: trackers of progress and segment trees.

* `SMAQueue`, `TBMeanTracker`, `RewardTracker`: see `ptan.common.trackers`
* `SumSegmentTree`, `MinSegmentTree`: see `ptan.common.trees`
"""

from ptan.common.trackers import RewardTracker, SMAQueue, TBMeanTracker
from ptan.common.trees import MinSegmentTree, SumSegmentTree

__all__ = ["MinSegmentTree", "RewardTracker", "SMAQueue", "SumSegmentTree", "TBMeanTracker"]
