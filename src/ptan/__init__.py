"""Building blocks for deep reinforcement learning with PyTorch and Gymnasium.

* `ptan.actions`: from scores or probabilities to actions
* `ptan.agent`: from observations to actions; target networks
* `ptan.experience`: from environments to rows, replay buffers and batches
* `ptan.replay`, `ptan.collectors`: where its buffers and collectors live
* `ptan.envs`: preprocessing, vectors of games, episodes that repeat
* `ptan.common`: trackers, and the names of published programs
* `ptan.conformance`: checks for your own environments, sources and buffers
* `ptan.nn`: networks and layers
* `ptan.losses`: pure functions of networks and a batch
* `ptan.algorithms`: methods assembled from these blocks, as objects without a loop
* `ptan.training`: the plain loop that drives them, evaluation, metrics and checkpoints
* `ptan.ignite`: the same blocks under a PyTorch Ignite engine (extra `ptan[ignite]`)
* `ptan.runs`: runs in folders of their own, and their comparison
* `ptan.cli`: the command line `ptan`
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptan import (
        actions,
        agent,
        algorithms,
        cli,
        collectors,
        common,
        conformance,
        envs,
        experience,
        ignite,
        losses,
        nn,
        replay,
        runs,
        training,
    )

__version__ = "1.0.0.dev0"

__all__ = [
    "actions",
    "agent",
    "algorithms",
    "cli",
    "collectors",
    "common",
    "conformance",
    "envs",
    "experience",
    "ignite",
    "losses",
    "nn",
    "replay",
    "runs",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    """Import each package on first use: the command line's help needs none that brings PyTorch."""
    if name in __all__:
        return import_module(f"ptan.{name}")
    raise AttributeError(f"module 'ptan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
