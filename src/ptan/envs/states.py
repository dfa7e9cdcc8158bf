"""Where environments are in their episodes, to go on from there, and whether that works."""

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from ptan.common.checks import whole_number
from ptan.common.types import AnyEnv, SavedState, State, VecEnv
from ptan.envs.repeat import NotRepeated, RepeatEpisodes, checksum

__all__ = ["CannotSave", "Probe", "load_envs", "probe_repeats", "save_envs"]

_RESTORED = (1 / 3, 5 / 8, 7 / 8)  # shares of the steps after which a state is loaded
_LENGTH = 20  # mean steps of an episode: what one leaves behind for the next shows after many


class CannotSave(TypeError):  # noqa: N818
    """An environment cannot say where it is in its episode."""


def saves(env: AnyEnv) -> bool:
    """Whether an environment itself, not one below it, has a state to be saved and loaded."""
    return all(callable(getattr(env, name, None)) for name in ("state_dict", "load_state_dict"))


def save_envs(envs: Sequence[AnyEnv] | VecEnv) -> State:
    """Where environments are in their episodes, as a tree of plain values; CannotSave if unknown.

    Args:
        envs: separate environments, or one vector environment: of `RepeatEpisodes` in Gymnasium's
            `SyncVectorEnv` or `AsyncVectorEnv`, in any auto-reset mode, or with a state of its own.
    """
    mend = "has no state_dict() and load_state_dict(); make ptan.envs.RepeatEpisodes"
    if isinstance(envs, VectorEnv):
        if saves(envs):
            return {"environments": [envs.state_dict()]}  # type: ignore[attr-defined]
        # Asking a worker for what its environment lacks would end the worker.
        workers: Any = envs if isinstance(envs, SyncVectorEnv | AsyncVectorEnv) else None
        if not workers or not all(s.startswith("<RepeatEpisodes") for s in workers.call("__str__")):
            mend += " the outermost wrapper of each environment of a Sync- or AsyncVectorEnv"
            raise CannotSave(f"{type(envs).__name__} cannot be saved: it {mend}")
        return {"environments": list(workers.call("state_dict"))}
    for i, env in enumerate(envs):
        if not saves(env):
            raise CannotSave(f"environment {i} cannot be saved: {env} {mend} its outermost wrapper")
    return {"environments": [env.state_dict() for env in envs]}


def load_envs(envs: Sequence[AnyEnv] | VecEnv, state: SavedState) -> None:
    """Go on where the environments were whose `save_envs` this is, made in the same way.

    Raises ValueError for other environments and where an episode cannot be repeated (NotRepeated);
    the environments must then be reset.
    """
    envs = [envs] if isinstance(envs, VectorEnv) and saves(envs) else envs
    states = state.get("environments", ())
    count = envs.num_envs if isinstance(envs, VectorEnv) else len(envs)
    if len(states) != count:
        raise ValueError(f"state must be of {count} environments, is of {len(states)}")
    if not isinstance(envs, VectorEnv):
        for env, one in zip(envs, states, strict=True):
            env.load_state_dict(one)
        return
    # Its own reset, in which each environment repeats its episode, puts its buffers right.
    next_step = envs.metadata.get("autoreset_mode") == AutoresetMode.NEXT_STEP
    envs.set_attr("resets_at_steps", next_step)  # type: ignore[attr-defined]
    envs.set_attr("resume_from", states)  # type: ignore[attr-defined]
    try:
        envs.reset()
    except Exception:
        if isinstance(envs, SyncVectorEnv):  # workers end with the first failure
            envs.set_attr("resume_from", None)
        raise


def within_budget(state: SavedState) -> bool:
    """Whether a state of `save_envs` can be loaded: no episode passed its budget of steps."""
    return all(one.get("within_budget", True) for one in state.get("environments", ()))


@dataclass(frozen=True)
class Probe:
    """Whether `save_envs` and `load_envs` carry environments over in mid-episode, and why.

    Two runs are equal from a common point on by a seeded `restart`: a "reset" of used environments,
    a "remake", of those made anew (`ptan.envs.MadeAnew`), or "never".
    """

    repeats: bool
    restart: Literal["reset", "remake", "never"]
    reason: str


def probe_repeats(make_env: Callable[[], AnyEnv], seed: int = 0, *, steps: int = 320) -> Probe:
    """Play random actions, go on from saved states in other environments, and compare.

    Args:
        make_env: makes an environment, which is wrapped in `RepeatEpisodes` if it has no state of
            its own, or a vector environment.
        seed: of actions and environments.
        steps: how many are played, at least 8, and as many again from saved states.
    """
    play = partial(_play, seed=seed, steps=whole_number("steps", steps, 8))
    with ExitStack() as stack:

        def made(repeating: bool = False) -> AnyEnv:
            env = make_env()
            if repeating and not isinstance(env, VectorEnv) and not saves(env):
                env = RepeatEpisodes(env, seed)
            stack.callback(env.close)
            return env

        try:
            seen, states = play(made(True), save=True)
            for step, state in states.items():
                other = made(True)
                if play(other, resume=(step, state))[0] != seen[step:]:
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
    env: AnyEnv, seed: int, steps: int, *, save: bool = False, resume: tuple[int, State] = (0, {})
) -> tuple[list[int], dict[int, State]]:
    """Checksums of the steps, from a state on if there is one, and states before some of them."""
    vector = isinstance(env, VectorEnv)
    itself = vector and env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED
    envs = env if vector else [env]
    env.reset(seed=seed)
    first, state = resume
    if state:
        load_envs(envs, state)
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    actions = [space.sample() for _ in range(steps)]
    cuts = np.random.default_rng(seed).random((steps, getattr(env, "num_envs", 1))) < 1 / _LENGTH
    seen, states = [], {}
    save_at = [int(share * steps) for share in _RESTORED] if save else []
    for t in range(first, steps):
        if t in save_at:
            states[t] = save_envs(envs)
        try:
            *answer, _ = env.step(actions[t])
        except (Exception, SystemExit) as error:
            error.add_note(f"step {t} of env" if vector else f"environment 0, step {t}")
            raise
        done = cuts[t] | answer[2] | answer[3]
        if done.any() and not itself:
            answer.append(env.reset(options={"reset_mask": done} if vector else None)[0])
        seen.append(checksum(answer))
    return seen, states
