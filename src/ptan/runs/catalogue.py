"""The algorithms that can be trained by name: the one place that a new one is added to.

Settings and presets are here as they are; the algorithm itself, and with it PyTorch, is imported
when a run is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ptan.algorithms.dqn_config import DQNConfig
from ptan.algorithms.presets import PRESETS, Preset

if TYPE_CHECKING:
    from ptan.algorithms.protocol import Algorithm

__all__ = ["CATALOGUE", "Entry", "differing"]


@dataclass(frozen=True)
class Entry:
    """An algorithm with what a run and its command line need to know of it.

    home            module and class, called as `(observation_space, action_space, config, device=)`
    config          the dataclass of its settings, every field declared by `setting`; one is `seed`
    presets         its presets by name
    action_spaces   kinds of action spaces that it can act in, by Gymnasium's names
    bundles         settings that are turned on together, by the name of the bundle
    """

    home: str
    config: type[Any]
    presets: Mapping[str, Preset[Any]]
    action_spaces: tuple[str, ...]
    bundles: Mapping[str, Mapping[str, Any]]

    @property
    def algorithm(self) -> "Callable[..., Algorithm[Any]]":
        """The class, imported."""
        module, _, name = self.home.partition(":")
        found: Callable[..., Algorithm[Any]] = getattr(import_module(module), name)
        return found


def differing(config: Any) -> dict[str, Any]:
    """The settings of a configuration that are not its class's defaults, by name."""
    usual = vars(type(config)())
    return {name: value for name, value in vars(config).items() if value != usual[name]}


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "dqn": Entry(
            "ptan.algorithms.dqn:DQN",
            DQNConfig,
            PRESETS,
            ("Discrete",),
            {"rainbow": differing(DQNConfig.rainbow())},
        )
    }
)
"""Every algorithm by its name."""
