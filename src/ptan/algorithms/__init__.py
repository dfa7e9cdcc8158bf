"""Algorithms assembled from the blocks, each extension a switch.

* `DQN`, `DQNConfig`: deep Q-learning with six extensions
* `PRESETS`, `Preset`: environments with the settings that textbooks train them with
* `Algorithm`: what a driver needs of one; `OptimizerStep`: the steps that it may replace
* `list_settings`, `Setting`: what each setting means, its unit and its range
"""

from typing import TYPE_CHECKING

from ptan.algorithms.dqn_config import DQNConfig
from ptan.algorithms.presets import PRESETS, Preset
from ptan.algorithms.settings import Setting, list_settings
from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.algorithms.dqn import DQN
    from ptan.algorithms.optimizer import OptimizerStep
    from ptan.algorithms.protocol import Algorithm

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

# Settings and presets are read without PyTorch, by the command line's help.
__getattr__ = lazy_names(
    __name__,
    {
        "ptan.algorithms.dqn": ["DQN"],
        "ptan.algorithms.optimizer": ["OptimizerStep"],
        "ptan.algorithms.protocol": ["Algorithm"],
    },
)
