"""Algorithms assembled from the blocks, each extension a switch.

* `DQN`, `DQNConfig`: deep Q-learning with six extensions
* `PRESETS`, `Preset`: environments with the settings that textbooks train them with
* `list_settings`, `Setting`: what each setting means, and its unit

An algorithm owns no loop. It makes its networks from the spaces, gives the acting agent and the
source and buffer that fit, updates itself once when asked, and has a complete `state_dict`.
"""

from ptan.algorithms.dqn import DQN, Learned, Metrics
from ptan.algorithms.dqn_config import DQNConfig
from ptan.algorithms.presets import PRESETS, Preset
from ptan.algorithms.settings import Setting, list_settings

__all__ = [
    "DQN",
    "PRESETS",
    "DQNConfig",
    "Learned",
    "Metrics",
    "Preset",
    "Setting",
    "list_settings",
]
