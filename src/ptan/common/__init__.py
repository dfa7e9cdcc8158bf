"""Wrappers of environments, trackers of training progress and segment trees."""

from ptan.common import utils

__all__ = ["utils"]
