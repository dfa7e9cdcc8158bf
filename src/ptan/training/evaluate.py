"""Evaluation: what an agent achieves in environments of its own."""

from collections import deque
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from gymnasium.vector import VectorEnv

from ptan.common.checks import whole_number
from ptan.experience.collectors.shares import FixedShares
from ptan.experience.flags import NO_TRANSITION, RAW_REWARD, TRUNCATED
from ptan.experience.stepping import make_stepper
from ptan.experience.windows import WindowSpec

__all__ = ["Played", "evaluate", "evaluate_parallel", "play_parallel"]

MAX_STEPS = 27_000
"""Steps of an episode at most: half an hour of an Atari game."""

_TRACED = 100  # steps


class Played(NamedTuple):
    """An episode of an evaluation.

    total      its undiscounted return; of the raw game where a wrapper clips rewards
    trace      checksum of its last 100 actions and rewards. Where there is no chance, episodes
               whose traces are equal have become one and the same, however they began
    steps      its length
    truncated  True if it was cut off, by the environment or after `max_steps`
    """

    total: float
    trace: int
    steps: int
    truncated: bool


def evaluate(
    env: Any, agent: Any, episodes: int = 10, seed: int | None = None, *, max_steps: int = MAX_STEPS
) -> list[float]:
    """Play whole episodes, one after the other.

    Args:
        env: One environment that training does not use. Not closed here. For several side by side,
            see `evaluate_parallel`.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many.
        seed: Of the environment, at its first reset; None resets without one.
        max_steps: A longer episode is truncated.

    Returns:
        The undiscounted return of each; of the raw game where a wrapper clips rewards.

    Raises:
        TypeError: several environments.
        ValueError, TypeError: a number that is no whole number of at least 1.
    """
    if isinstance(env, VectorEnv | list | tuple):
        raise TypeError(f"env must be one environment, got {env!r}")
    return evaluate_parallel([env], agent, episodes, seed, max_steps=max_steps)


def evaluate_parallel(
    envs: Any,
    agent: Any,
    episodes: int = 20,
    seed: int | None = None,
    *,
    max_steps: int = MAX_STEPS,
) -> list[float]:
    """The returns of `play_parallel`, which takes and raises the same."""
    played = play_parallel(envs, agent, episodes, seed, max_steps=max_steps)
    return [episode.total for episode in played]


def play_parallel(
    envs: Any,
    agent: Any,
    episodes: int = 20,
    seed: int | None = None,
    *,
    max_steps: int = MAX_STEPS,
) -> list[Played]:
    """Play whole episodes in several environments side by side, with one agent call per step.

    Which episodes count is settled beforehand: of N environments each plays its own share, and
    waits once that is done. As many environments as episodes are fastest.

    Args:
        envs: A list of environments, or a `VectorEnv` in any auto-reset mode, that training does
            not use. Not closed here.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many in all; where they do not divide evenly, the first environments play
            one more.
        seed: Environment i gets this + i at its first reset; None resets without one.
        max_steps: A longer episode is truncated.

    Returns:
        Each episode, those of the first environment first. A lost life ends none.

    Raises:
        TypeError: `envs` is neither a list of environments nor a `VectorEnv`.
        ValueError, TypeError: no environment; a number that is no whole number of at least 1.
    """
    n_episodes = whole_number("episodes", episodes)
    limit = whole_number("max_steps", max_steps)
    if not isinstance(envs, VectorEnv | list | tuple):
        raise TypeError(f"envs must be a list of environments or a VectorEnv, got {envs!r}")
    if not isinstance(envs, VectorEnv) and not envs:
        raise ValueError("envs must hold at least one environment, got an empty list")
    stepper = make_stepper(envs, agent, WindowSpec(), env_seed=seed, max_steps=limit)
    shares = FixedShares(stepper, n_episodes)
    played: list[list[Played]] = [[] for _ in range(stepper.count)]
    rewards: list[list[float]] = [[] for _ in range(stepper.count)]
    newest = [deque[str](maxlen=_TRACED) for _ in range(stepper.count)]
    shares.begin()
    while shares.left.any():
        stepper.advance(1)
        tape = stepper.tape
        flags, raw = tape.flags[tape.newest], tape.raw[tape.newest]
        shown = np.where(flags & RAW_REWARD, raw, tape.rewards[tape.newest].sum(axis=1)).tolist()
        for env in np.flatnonzero(flags & NO_TRANSITION == 0).tolist():
            rewards[env].append(shown[env])
            newest[env].append(f"{stepper.last.actions[env]} {shown[env]}")
        for env in shares.settle().tolist():
            trace = crc32("\n".join(newest[env]).encode())
            cut_off = bool(flags[env] & TRUNCATED)
            played[env].append(Played(sum(rewards[env]), trace, len(rewards[env]), cut_off))
            rewards[env].clear()
            newest[env].clear()
    return [episode for env in played for episode in env]
