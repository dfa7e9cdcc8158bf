"""Exploration of the DQN family: random actions that become rare."""

from typing import Any

import numpy as np

from ptan.actions import EpsilonGreedyActionSelector, EpsilonTracker
from ptan.algorithms.dqn_config import DQNConfig
from ptan.common.generators import generator_state

__all__ = ["EpsilonSchedule"]


class EpsilonSchedule:
    """An ε-greedy selector, and the ε that the settings want at each step.

    Args:
        config: Its `eps_…` settings say how ε falls: on a straight line, or by a factor per step.
        rng: Draws the random actions.
    """

    def __init__(self, config: DQNConfig, rng: np.random.Generator) -> None:
        self._config = config
        self.selector = EpsilonGreedyActionSelector(config.eps_start, rng=rng)
        self._line = EpsilonTracker(
            self.selector, config.eps_start, config.eps_final, config.eps_steps
        )

    @property
    def epsilon(self) -> float:
        """Probability of a random action now."""
        return self.selector.epsilon

    def move_to(self, step: int) -> None:
        """Set ε.

        Args:
            step: Environment steps since the end of the warm-up.
        """
        config = self._config
        if config.eps_decay is None:
            self._line.frame(step)
            return
        # Never above the start, also where that lies below eps_final.
        floor = min(config.eps_final, config.eps_start)
        self.selector.epsilon = max(floor, config.eps_start * config.eps_decay**step)

    @property
    def rng_state(self) -> dict[str, Any]:
        """State of the generator, for a checkpoint."""
        return generator_state(self.selector.rng)

    @rng_state.setter
    def rng_state(self, state: dict[str, Any]) -> None:
        self.selector.rng.bit_generator.state = state
