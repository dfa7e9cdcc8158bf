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

    They are reset only when asked: `reset(options={"reset_mask": mask})`, where mask is a bool
    array (N,), resets the environments in the mask and returns the newest observations of all. An
    observation belongs to the caller. `call` and `get_attr` see the outermost wrapper first.

    Args:
        factories: make one environment each, all with equal spaces.
        asynchronous: whether each environment runs in a process of its own.

    Raises:
        ValueError: no factories.
    """
    if not factories:
        raise ValueError("factories must make at least one environment, got none")
    if not asynchronous:
        return SyncVectorEnv(factories, autoreset_mode=AutoresetMode.DISABLED)
    try:
        return AsyncVectorEnv(factories, autoreset_mode=AutoresetMode.DISABLED)
    except ValueError:  # text, graphs and users' own spaces do not fit into shared memory
        return AsyncVectorEnv(factories, autoreset_mode=AutoresetMode.DISABLED, shared_memory=False)
