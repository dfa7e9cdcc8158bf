"""Greedy episodes of a run's network: what their returns say, and how they look."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptan.actions.policy import Agent
from ptan.common.types import Action, Actions, Observations
from ptan.envs.make import find_spec, is_atari
from ptan.runs.environments import close, evaluation_atari, evaluation_environments
from ptan.runs.errors import EnvironmentFailure, RunError
from ptan.runs.folder import Json
from ptan.runs.settings import RunSettings
from ptan.runs.statistics import half_interval
from ptan.runs.video import video_file
from ptan.training.evaluate import Played, play_parallel

__all__ = ["Evaluation", "Interrupted", "described_mean", "evaluate_greedily", "play_episodes"]

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

    def to_json(self) -> Json:
        """Mean, spread and every return, with the protocol.

        `std` is the standard deviation of the episodes (n − 1), `ci95` half the width of the 95 %
        interval of the mean (Student's t) from episodes that differ; both None for a single one.
        """
        different = [e.total for e in (self.played if self.chance else dict.fromkeys(self.played))]
        return {
            "mean": self.mean,
            "std": float(np.std(self.returns, ddof=1)) if len(self.returns) > 1 else None,
            "ci95": half_interval(different),
            "episodes": len(self.returns),
            "different": len(different),
            "truncated": sum(episode.truncated for episode in self.played),
            "returns": self.returns,
            "protocol": self.protocol,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        return described_mean(self.to_json())


def described_mean(evaluation: Json) -> str:
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
    agent: Agent,
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

    def watched(observations: Observations, states: Any = None) -> tuple[Actions, Any]:
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
    # Atari games draw only by sticky actions; others are taken to.
    sticky, how = 1.0, "undiscounted return"
    if is_atari(settings.env_id):
        sticky = float(find_spec(settings.env_id).kwargs.get("repeat_action_probability", 0.0))
        how = (
            "raw game score: no reward clipping, no life-loss ends; "
            f"at most {evaluation_atari(settings).noop_max} no-ops at the start, "
            f"sticky actions {sticky:g}, frame skip {settings.frame_skip}"
        )
    protocol = (
        f"greedy: no ε, no noise in the weights; {how}; {episodes} whole episodes, cut off after "
        f"{limit:,} steps, in environments of their own, seed {seed}"
    )
    return Evaluation(played, protocol, seed, chance=sticky > 0)


def play_episodes(
    settings: RunSettings, agent: Agent, episodes: int, seed: int, video: Path | None = None
) -> Iterator[Played]:
    """Play episodes as in an evaluation, one after the other, in a window or into a video file.

    Raises:
        RunError: the environment cannot be made, the file not be written; `EnvironmentFailure`: the
            environment failed or cannot be shown.
    """
    envs = evaluation_environments(settings, 1, "human" if video is None else "rgb_array")
    (env,) = envs
    step, fps = env.step, float(env.metadata.get("render_fps") or 30)
    if is_atari(settings.env_id):
        fps /= settings.frame_skip
    try:
        with ExitStack() as opened:
            if video is not None:
                add = opened.enter_context(video_file(video, fps))

                def filmed(action: Action) -> Any:
                    add(env.render())
                    return step(action)

                env.step = filmed
            for i in range(episodes):
                yield from play_parallel(env, agent, 1, seed + i, max_steps=settings.eval_max_steps)
    except RunError:
        raise
    except (Exception, SystemExit) as error:
        raise EnvironmentFailure.of(error, f"{settings.env_id} cannot be shown") from error
    finally:
        close(envs)
