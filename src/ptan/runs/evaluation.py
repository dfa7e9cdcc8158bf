"""Greedy evaluation of a run's network, and what its returns say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptan.runs.environments import close, evaluation_environments, evaluation_protocol, has_chance
from ptan.runs.errors import EnvironmentFailure, RunError
from ptan.runs.settings import RunSettings
from ptan.runs.statistics import mean_interval
from ptan.training.evaluate import Played, play_parallel

__all__ = ["Evaluation", "Interrupted", "described_mean", "evaluate_greedily"]

_SIDE_BY_SIDE = 20


class Interrupted(Exception):  # noqa: N818
    """A request to stop has come, and what was going on has no result."""


@dataclass(frozen=True)
class Evaluation:
    """Greedy episodes, and what they say.

    In a game without chance a greedy agent plays most beginnings in one of a few ways: episodes
    that have become equal are one observation, and the interval counts them once (`chance` False).
    """

    played: list[Played]
    protocol: str
    seed: int
    chance: bool = True

    @property
    def returns(self) -> list[float]:
        """The undiscounted return of each episode, of the raw game."""
        return [episode.total for episode in self.played]

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    def to_json(self) -> dict[str, Any]:
        """Mean, spread and every return, with the protocol.

        `std` is the standard deviation of the episodes (n − 1), `ci95` half the width of the 95 %
        interval of the mean (Student's t) from episodes that differ; both None for a single one.
        """
        different = [e.total for e in (self.played if self.chance else dict.fromkeys(self.played))]
        interval = mean_interval(different)
        return {
            "mean": self.mean,
            "std": float(np.std(self.returns, ddof=1)) if len(self.returns) > 1 else None,
            "ci95": None if math.isnan(interval.low) else interval.estimate - interval.low,
            "episodes": len(self.returns),
            "different": len(different),
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


def evaluate_greedily(
    settings: RunSettings,
    agent: Any,
    episodes: int,
    seed: int,
    interrupted: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Play whole episodes side by side, in environments without what only training needs.

    Raises:
        Interrupted: `interrupted`, asked at every step, said so.
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
    except (Exception, SystemExit) as error:
        raise EnvironmentFailure.of(error, f"{settings.env_id} failed in evaluation") from error
    finally:
        close(environments)
    protocol = evaluation_protocol(settings, episodes, seed)
    return Evaluation(played, protocol, seed, has_chance(settings))
