"""Wrappers of environments, trackers of training progress and segment trees."""

from ptan.common import utils, wrappers, wrappers_simple

__all__ = ["utils", "wrappers", "wrappers_simple"]
