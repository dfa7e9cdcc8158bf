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
    """Whether `save_envs` and `load_envs` carry environments over in mid-episode, and why.

    Two runs are equal from a common point on by a seeded `restart`: a "reset" of used environments,
    a "remake", of those made anew (`ptan.envs.MadeAnew`), or "never".
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
    vector = isinstance(env, VectorEnv)
    itself = vector and env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED
    envs = env if vector else [env]
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
        *answer, _ = env.step(actions[t])
        done = cuts[t] | answer[2] | answer[3]
        if done.any() and not itself:
            answer.append(env.reset(options={"reset_mask": done} if vector else None)[0])
        seen.append(checksum(answer))
    return seen, states
