"""Helpers of training loops: trackers of progress and segment trees."""

from ptan.common.trackers import RewardTracker, SMAQueue, TBMeanTracker
from ptan.replay.trees import MinSegmentTree, SumSegmentTree

__all__ = ["MinSegmentTree", "RewardTracker", "SMAQueue", "SumSegmentTree", "TBMeanTracker"]
