"""Building blocks for deep reinforcement learning with PyTorch and Gymnasium.

* `ptan.actions`: from scores or probabilities to actions
* `ptan.agent`: from observations to actions; target networks
* `ptan.experience`: from environments to rows, replay buffers and batches
* `ptan.common`: wrappers and small helpers
* `ptan.conformance`: checks for your own environments, sources and buffers
* `ptan.ignite`: the same blocks under a PyTorch Ignite engine (extra `ptan[ignite]`)
"""

from importlib import import_module
from types import ModuleType

from ptan import actions, agent, common, experience

__version__ = "1.0.0.dev0"

__all__ = ["actions", "agent", "common", "conformance", "experience", "ignite"]

_LAZY = frozenset({"conformance", "ignite"})


def __getattr__(name: str) -> ModuleType:
    """Import the modules that need more than the core on first use."""
    if name in _LAZY:
        return import_module(f"ptan.{name}")
    raise AttributeError(f"module 'ptan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
