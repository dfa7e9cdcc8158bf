"""Wrappers and states of environments, trackers, segment trees, and memory of the process."""

from ptan.common import env_state, memory, utils, wrappers, wrappers_simple

__all__ = ["env_state", "memory", "utils", "wrappers", "wrappers_simple"]
