"""Evaluation: what an agent achieves in an environment of its own."""

from itertools import islice
from typing import Any

from gymnasium.vector import VectorEnv

from ptan.common._checks import whole_number
from ptan.experience import ExperienceSourceFirstLast

__all__ = ["evaluate"]


def evaluate(env: Any, agent: Any, episodes: int = 10, seed: int | None = None) -> list[float]:
    """Play whole episodes, one after the other.

    Args:
        env: One environment that training does not use. Not a vector of them: of episodes played
            side by side the short ones end first, and the mean would be of those. Not closed here.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many.
        seed: Of the environment, at its first reset; None resets without one.

    Returns:
        The undiscounted return of each; of the raw game where a wrapper clips rewards.

    Raises:
        TypeError: several environments.
        ValueError, TypeError: episodes is no whole number of at least 1.
    """
    n_episodes = whole_number("episodes", episodes)
    if isinstance(env, VectorEnv | list | tuple):
        raise TypeError(f"env must be one environment, got {env!r}")
    source = ExperienceSourceFirstLast(env, agent, gamma=1.0, env_seed=seed)
    finished = (total for _ in source for total in source.pop_total_rewards())
    return list(islice(finished, n_episodes))
