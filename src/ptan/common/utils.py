"""Small helpers of training loops, and the segment trees."""

from ptan.common.trees import MinSegmentTree, SumSegmentTree

__all__ = ["MinSegmentTree", "SumSegmentTree"]
