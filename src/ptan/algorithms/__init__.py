"""Algorithms assembled from the blocks, each extension a switch.

* `DQN`, `DQNConfig`: deep Q-learning with six extensions
* `PRESETS`, `Preset`: environments with the settings that textbooks train them with
* `Algorithm`: what a driver needs of one; `OptimizerStep`: the steps that it may replace
* `list_settings`, `Setting`: what each setting means, its unit and its range

An algorithm owns no loop. It makes its networks from the spaces, gives the acting agent and the
collector that fits, updates itself once when asked, and has a complete `state_dict`.
"""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.algorithms.dqn import DQN
    from ptan.algorithms.dqn_config import DQNConfig
    from ptan.algorithms.optimizer import OptimizerStep
    from ptan.algorithms.presets import PRESETS, Preset
    from ptan.algorithms.protocol import Algorithm
    from ptan.algorithms.settings import Setting, list_settings

__all__ = [
    "DQN",
    "PRESETS",
    "Algorithm",
    "DQNConfig",
    "OptimizerStep",
    "Preset",
    "Setting",
    "list_settings",
]

# Lazy, because settings and presets are read without PyTorch, by the command line's help.
__getattr__ = lazy_names(
    __name__,
    {
        "ptan.algorithms.dqn": ["DQN"],
        "ptan.algorithms.dqn_config": ["DQNConfig"],
        "ptan.algorithms.optimizer": ["OptimizerStep"],
        "ptan.algorithms.presets": ["PRESETS", "Preset"],
        "ptan.algorithms.protocol": ["Algorithm"],
        "ptan.algorithms.settings": ["Setting", "list_settings"],
    },
)
