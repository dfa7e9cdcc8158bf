"""Helpers of training loops: trackers of progress and segment trees.

* `SMAQueue`, `TBMeanTracker`, `RewardTracker`: see `ptan.common.trackers`
* `SumSegmentTree`, `MinSegmentTree`: see `ptan.replay.trees`
"""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names
from ptan.common.trackers import RewardTracker, SMAQueue, TBMeanTracker

if TYPE_CHECKING:
    from ptan.replay.trees import MinSegmentTree, SumSegmentTree

__all__ = ["MinSegmentTree", "RewardTracker", "SMAQueue", "SumSegmentTree", "TBMeanTracker"]

__getattr__ = lazy_names(__name__, {"ptan.replay.trees": ["MinSegmentTree", "SumSegmentTree"]})
