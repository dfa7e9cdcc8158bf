"""Evaluation: what an agent achieves in environments of its own."""

from collections import deque
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from ptan.common.checks import whole_number
from ptan.experience.flags import NO_TRANSITION, RAW_REWARD, TRUNCATED
from ptan.experience.shares import begin_shares, count_ended
from ptan.experience.stepping import make_stepper
from ptan.experience.windows import WindowSpec

__all__ = ["Played", "evaluate", "evaluate_parallel", "play_parallel"]

_TRACED = 100  # steps


class Played(NamedTuple):
    """An episode of an evaluation."""

    total: float
    """Its undiscounted return; of the raw game where a wrapper clips rewards."""
    trace: int
    """Checksum of its last 100 actions and rewards: equal for episodes that became the same."""
    steps: int
    """Its length."""
    truncated: bool
    """Whether it was cut off, by the environment or after `max_steps`."""


def evaluate(
    env: Any, agent: Any, episodes: int = 10, seed: int | None = None, *, max_steps: int = 27_000
) -> list[float]:
    """The returns of `play_parallel`, for one environment or several."""
    played = play_parallel(env, agent, episodes, seed, max_steps=max_steps)
    return [episode.total for episode in played]


def evaluate_parallel(
    envs: Any, agent: Any, episodes: int = 20, seed: int | None = None, *, max_steps: int = 27_000
) -> list[float]:
    """As `evaluate`, with more episodes."""
    return evaluate(envs, agent, episodes, seed, max_steps=max_steps)


def play_parallel(
    envs: Any, agent: Any, episodes: int = 20, seed: int | None = None, *, max_steps: int = 27_000
) -> list[Played]:
    """Play whole episodes, in several environments side by side with one agent call per step.

    Which episodes count is settled beforehand: of N environments each plays its own share, the
    first ones one more where they do not divide evenly, and waits once that is done. As many
    environments as episodes are fastest.

    Args:
        envs: One environment, a list of them, or a `VectorEnv` in any auto-reset mode, that
            training does not use. Not closed here.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many in all.
        seed: Environment i gets this + i at its first reset; None resets without one.
        max_steps: A longer episode is truncated; by default after half an hour of an Atari game.

    Returns:
        Each episode, those of the first environment first. A lost life ends none.

    Raises:
        ValueError: a reward or an observation is not finite; environment and step are named.
    """
    n_episodes = whole_number("episodes", episodes)
    stepper = make_stepper(envs, agent, WindowSpec(), env_seed=seed, max_steps=max_steps)
    played: list[list[Played]] = [[] for _ in range(stepper.count)]
    rewards: list[list[float]] = [[] for _ in range(stepper.count)]
    newest = [deque[str](maxlen=_TRACED) for _ in range(stepper.count)]
    left = begin_shares(stepper, n_episodes)
    while left.any():
        stepper.advance(1)
        tape = stepper.tape
        if flaw := stepper.windows.first_flaw(tape.t - 1):
            raise ValueError(flaw)
        flags, raw = tape.flags[tape.newest], tape.raw[tape.newest]
        shown = np.where(flags & RAW_REWARD, raw, tape.rewards[tape.newest].sum(axis=1)).tolist()
        for env in np.flatnonzero(flags & NO_TRANSITION == 0).tolist():
            rewards[env].append(shown[env])
            newest[env].append(f"{stepper.last.actions[env]} {shown[env]}")
        for env in count_ended(stepper, left):
            trace = crc32("\n".join(newest[env]).encode())
            cut_off = bool(flags[env] & TRUNCATED)
            played[env].append(Played(sum(rewards[env]), trace, len(rewards[env]), cut_off))
            rewards[env].clear()
            newest[env].clear()
    return [episode for env in played for episode in env]
