"""Whether environments can be saved in the middle of an episode, found out by playing them."""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from ptan.common.checks import whole_number
from ptan.envs.repeat import NotRepeated, RepeatEpisodes, checksum
from ptan.envs.states import CannotSave, load_envs, save_envs, saves

__all__ = ["Probe", "probe_repeats"]

_RESTORED = (1 / 3, 5 / 8, 7 / 8)  # shares of the steps after which a state is loaded
_LENGTH = 20  # mean steps of an episode: what one leaves behind for the next shows after many


@dataclass(frozen=True)
class Probe:
    """What was found.

    repeats  whether `save_envs` and `load_envs` carry environments over in mid-episode
    restart  what makes two runs equal from a common point on: a seeded "reset" of used
             environments, one of those made anew ("remake": `ptan.envs.MadeAnew`), or neither
    reason   why, in words
    """

    repeats: bool
    restart: Literal["reset", "remake", "never"]
    reason: str


def probe_repeats(make_env: Callable[[], Any], seed: int = 0, *, steps: int = 320) -> Probe:
    """Play random actions, go on from saved states in other environments, and compare.

    Args:
        make_env: makes an environment, which is wrapped in `RepeatEpisodes` if it has no state of
            its own, or a vector environment.
        seed: of actions and environments.
        steps: how many are played, at least 8, and as many again from saved states.
    """
    play = partial(_play, seed=seed, steps=whole_number("steps", steps, 8))
    with ExitStack() as stack:

        def made(repeating: bool = False) -> Any:
            env = make_env()
            if repeating and not isinstance(env, VectorEnv) and not saves(env):
                env = RepeatEpisodes(env, seed)
            stack.callback(env.close)
            return env

        try:
            seen, states = play(made(True), save_at=[int(share * steps) for share in _RESTORED])
            for step, state in states.items():
                other = made(True)
                if play(other, first=step, state=state)[0] != seen[step:]:
                    raise NotRepeated(f"{other} goes on otherwise after a repeated episode")
            return Probe(True, "reset", f"{len(states)} saved episodes went on equally")
        except (CannotSave, NotRepeated) as error:
            reason = str(error)
        used = made()
        one, other, again = (play(env)[0] for env in (used, made(), used))
    if one != other:
        return Probe(False, "never", f"{reason}; two of them with one seed go different ways")
    if one != again:
        return Probe(False, "remake", f"{reason}; a seeded reset leaves traces of before")
    return Probe(False, "reset", f"{reason}; a seeded reset leaves no traces of before")


def _play(
    env: Any, seed: int, steps: int, first: int = 0, state: Any = None, save_at: Any = ()
) -> tuple[list[int], dict[int, dict[str, Any]]]:
    """Checksums of the steps from `first` on, and states before some of them."""
    envs = env if isinstance(env, VectorEnv) else [env]
    env.reset(seed=seed)
    if state is not None:
        load_envs(envs, state)
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    actions = [space.sample() for _ in range(steps)]
    cuts = np.random.default_rng(seed).random((steps, getattr(env, "num_envs", 1))) < 1 / _LENGTH
    seen, states = [], {}
    for t in range(first, steps):
        if t in save_at:
            states[t] = save_envs(envs)
        seen.append(_step(env, actions[t], cuts[t]))
    return seen, states


def _step(env: Any, action: Any, cut: Any) -> int:
    obs, reward, terminated, truncated, _ = env.step(action)
    seen = checksum((obs, reward, terminated, truncated))
    vector = isinstance(env, VectorEnv)
    if vector and env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
        return seen
    done = cut | terminated | truncated
    options = {"reset_mask": done} if vector else None
    return checksum(env.reset(options=options)[0], seen) if done.any() else seen
