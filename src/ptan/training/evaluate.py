"""Evaluation: what an agent achieves in environments of its own."""

from collections import deque
from typing import NamedTuple
from zlib import crc32

import numpy as np

from ptan.actions.policy import Agent
from ptan.common.checks import whole_number
from ptan.common.types import Envs
from ptan.experience.flags import NO_TRANSITION, RAW_REWARD, TRUNCATED
from ptan.experience.make_stepper import make_stepper
from ptan.experience.shares import begin_shares, count_ended
from ptan.experience.windows import WindowSpec

__all__ = ["Played", "evaluate", "play_parallel"]

_TRACED = 100  # steps


class Played(NamedTuple):
    """An episode of an evaluation.

    total      its undiscounted return; of the raw game where a wrapper clips rewards
    trace      checksum of its last 100 actions and rewards: equal for episodes that became the same
    steps      its length
    truncated  whether it was cut off, by the environment or after `max_steps`
    """

    total: float
    trace: int
    steps: int
    truncated: bool


def evaluate(
    env: Envs, agent: Agent, episodes: int = 10, seed: int | None = None, *, max_steps: int = 27_000
) -> list[float]:
    """The returns of `play_parallel`."""
    played = play_parallel(env, agent, episodes, seed, max_steps=max_steps)
    return [episode.total for episode in played]


def play_parallel(
    env: Envs, agent: Agent, episodes: int = 20, seed: int | None = None, *, max_steps: int = 27_000
) -> list[Played]:
    """Play whole episodes, in several environments side by side with one agent call per step.

    Of N environments each plays a share fixed beforehand, the first ones one more where they do not
    divide evenly, and waits once that is done. As many environments as episodes are fastest.

    Args:
        env: One environment, a list of them, or a `VectorEnv` in any auto-reset mode, that
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
    stepper = make_stepper(env, agent, WindowSpec(), env_seed=seed, max_steps=max_steps)
    played: list[list[Played]] = [[] for _ in range(stepper.count)]
    newest = [deque[str](maxlen=_TRACED) for _ in range(stepper.count)]
    left = begin_shares(stepper, n_episodes)
    while left.any():
        stepper.advance(1)
        _, ended, flaw = stepper.cut()
        if flaw is not None:
            raise ValueError(flaw)
        tape = stepper.tape
        flags, raw = tape.flags[tape.newest], tape.raw[tape.newest]
        shown = np.where(flags & RAW_REWARD, raw, tape.rewards[tape.newest].sum(axis=1)).tolist()
        for e in np.flatnonzero(flags & NO_TRANSITION == 0).tolist():
            newest[e].append(f"{stepper.last.actions[e]} {shown[e]}")
        for e, (total, steps, _) in zip(count_ended(stepper, left), ended.tolist(), strict=True):
            trace, cut_off = crc32("\n".join(newest[e]).encode()), bool(flags[e] & TRUNCATED)
            played[e].append(Played(total, trace, int(steps), cut_off))
            newest[e].clear()
    return [episode for episodes_of_one in played for episode in episodes_of_one]
