"""The algorithms that can be trained by name: the one place that a new one is added to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gymnasium import spaces

from ptan.algorithms import DQN, PRESETS, DQNConfig, Preset

__all__ = ["CATALOGUE", "Entry", "differing"]


@dataclass(frozen=True)
class Entry:
    """An algorithm with what a run and its command line need to know of it.

    Args:
        algorithm: Called as `algorithm(observation_space, action_space, config, device=…)`.
        config: The dataclass of its settings, every field declared by `setting`; one is `seed`.
        presets: Its presets by name.
        action_spaces: Kinds of action spaces that it can act in.
        summary: What it is, one line.
        bundles: Settings that are turned on together, by the name of the bundle.
    """

    algorithm: Any
    config: type[Any]
    presets: Mapping[str, Preset]
    action_spaces: tuple[type[spaces.Space[Any]], ...]
    summary: str
    bundles: Mapping[str, Mapping[str, Any]]


def differing(config: Any) -> dict[str, Any]:
    """The settings of a configuration that are not its class's defaults, by name."""
    usual = vars(type(config)())
    return {name: value for name, value in vars(config).items() if value != usual[name]}


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "dqn": Entry(
            DQN,
            DQNConfig,
            PRESETS,
            (spaces.Discrete,),
            "deep Q-learning with six extensions, each a switch",
            {"rainbow": differing(DQNConfig.rainbow())},
        )
    }
)
"""Every algorithm by its name."""
