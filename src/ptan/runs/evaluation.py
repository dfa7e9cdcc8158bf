"""Greedy evaluation of a run's network, and what its returns say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptan.envs.make import is_atari
from ptan.runs.environments import (
    close,
    evaluation_environments,
    evaluation_protocol,
    has_chance,
)
from ptan.runs.errors import EnvironmentFailure, RunError
from ptan.runs.settings import RunSettings
from ptan.runs.statistics import mean_interval
from ptan.training.evaluate import Played, play_parallel

__all__ = [
    "Evaluation",
    "Interrupted",
    "described_mean",
    "evaluate_greedily",
    "evaluation_distance",
]

_SIDE_BY_SIDE = 20


class Interrupted(Exception):  # noqa: N818
    """A request to stop has come, and what was going on has no result."""


@dataclass(frozen=True)
class Evaluation:
    """Greedy episodes, and what they say.

    In a game without chance a greedy agent plays most beginnings in one of a few ways: episodes
    that have become equal are one observation, and the interval counts them once.

    played     the episodes; returns are undiscounted, of the raw game
    protocol   how they were obtained, in words
    seed       of the environments
    chance     whether equal episodes are no repetitions, as the environment draws
    """

    played: list[Played]
    protocol: str
    seed: int
    chance: bool = True

    @property
    def returns(self) -> list[float]:
        """The return of each episode."""
        return [episode.total for episode in self.played]

    @property
    def different(self) -> list[float]:
        """The returns without those of repetitions."""
        return [e.total for e in (self.played if self.chance else dict.fromkeys(self.played))]

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    def to_json(self) -> dict[str, Any]:
        """Mean, spread and every return, with the protocol.

        `std` is the standard deviation of the episodes (n − 1), `ci95` half the width of the 95 %
        interval of the mean (Student's t) from `different` episodes; both None for a single one.
        `truncated` counts the episodes that were cut off.
        """
        interval = mean_interval(self.different)
        return {
            "mean": self.mean,
            "std": float(np.std(self.returns, ddof=1)) if len(self.returns) > 1 else None,
            "ci95": None if math.isnan(interval.low) else interval.estimate - interval.low,
            "episodes": len(self.returns),
            "different": len(self.different),
            "truncated": sum(episode.truncated for episode in self.played),
            "returns": self.returns,
            "protocol": self.protocol,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        return described_mean(self.to_json())


def described_mean(evaluation: Mapping[str, Any]) -> str:
    """The mean return of an evaluation with its interval, in words; from `Evaluation.to_json`."""
    episodes, different = evaluation["episodes"], evaluation["different"]
    count = "one episode" if episodes == 1 else f"{episodes} episodes"
    if different < episodes:
        count += f", {different} different" if different > 1 else ", all the same"
    if evaluation["truncated"]:
        count += f", {evaluation['truncated']} cut off"
    mean, ci95 = evaluation["mean"], evaluation["ci95"]
    if ci95 is None:
        return f"{mean:.2f} ({count})"
    return f"{mean:.2f} ± {ci95:.2f} (95 %, Student's t, {count})"


def evaluation_distance(settings: RunSettings) -> int:
    """Environment steps from an evaluation to the next; evaluating Atari games is slow."""
    if settings.eval_every is not None:
        return settings.eval_every
    return 20_000 if is_atari(settings.env_id) else 2_000


def evaluate_greedily(
    settings: RunSettings,
    agent: Any,
    episodes: int,
    seed: int,
    interrupted: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Play whole episodes with the network as it is, side by side.

    Args:
        settings: The run's; its environments are made anew, without what only training needs.
        agent: From the algorithm's `greedy_agent`.
        episodes: How many.
        seed: Of the environments.
        interrupted: Asked at every step.

    Returns:
        The returns and how they were obtained.

    Raises:
        Interrupted: `interrupted` said so.
        RunError: the environment cannot be made; `EnvironmentFailure`: it failed.
    """
    environments = evaluation_environments(settings, min(episodes, _SIDE_BY_SIDE))

    def watched(observations: Any, states: Any = None) -> Any:
        if interrupted():
            raise Interrupted
        return agent(observations, states)

    watched.initial_state = getattr(agent, "initial_state", lambda: None)  # type: ignore[attr-defined]
    limit = settings.eval_max_steps
    try:
        played = play_parallel(environments, watched, episodes, seed, max_steps=limit)
    except (Interrupted, RunError):
        raise
    except Exception as error:
        raise EnvironmentFailure.of(error, f"{settings.env_id} failed in evaluation") from error
    finally:
        close(environments)
    protocol = evaluation_protocol(settings, episodes, seed)
    return Evaluation(played, protocol, seed, has_chance(settings))
