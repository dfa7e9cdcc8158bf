"""Vector environments of the library's own: no auto-reset, so that every reset is a visible one."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

__all__ = ["make_vector"]


def make_vector(
    factories: Sequence[Callable[[], gymnasium.Env[Any, Any]]], asynchronous: bool = False
) -> VectorEnv[Any, Any, Any]:
    """Make environments and step them together, in this process or in one process each.

    `reset(options={"reset_mask": mask})` resets those in the mask, a bool array (N,).
    """
    if not factories:
        raise ValueError("factories must make at least one environment, got none")
    off = AutoresetMode.DISABLED
    if not asynchronous:
        return SyncVectorEnv(factories, autoreset_mode=off)
    try:
        return AsyncVectorEnv(factories, autoreset_mode=off)
    except ValueError:  # text, graphs and users' own spaces do not fit into shared memory
        return AsyncVectorEnv(factories, autoreset_mode=off, shared_memory=False)
