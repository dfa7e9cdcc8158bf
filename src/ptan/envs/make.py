"""Environments made from their names, old ones adapted, and vectors of them."""

import copy
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from ptan.common.checks import warn_user
from ptan.common.types import Action, AnyEnv, Env, Info, VecEnv
from ptan.envs.atari import wrap_dqn
from ptan.envs.atari_settings import AtariSettings, need_extra
from ptan.envs.wrappers import Reset, Step

__all__ = ["OldGym", "find_spec", "is_atari", "is_old", "make_env", "make_vector"]


def is_atari(env_id: str) -> bool:
    """True for the names of Atari games without frame skip of their own."""
    return bool(re.fullmatch(r"ALE/.+-v5|.+NoFrameskip-v\d+", env_id))


def make_env(env_id: str, *, atari: AtariSettings | None = None, **kwargs: Any) -> Env:
    """Make an environment; one written for old versions of Gym is adapted.

    Args:
        env_id: a name that Gymnasium knows, or `module:Name-v0`, where importing the module
            registers the name.
        atari: how Atari games are preprocessed by `wrap_dqn`.
        kwargs: of `gymnasium.make`, such as `render_mode`.

    Raises ValueError or ImportError, with the reason, if it cannot be made.
    """
    spec = find_spec(env_id)
    game = is_atari(spec.id)
    if game and spec.namespace == "ALE":
        kwargs = {"frameskip": 1, **kwargs}
    try:
        env = _make(spec, kwargs)
    except Exception as error:  # an environment may raise anything
        raise ValueError(f"{env_id} cannot be made: {error}") from error
    return wrap_dqn(env, **(atari or AtariSettings()).keywords()) if game else env


def find_spec(env_id: str) -> EnvSpec:
    """What Gymnasium knows about a name; raises what `make_env` does."""
    module, _, name = env_id.rpartition(":")
    try:
        import ale_py

        gymnasium.register_envs(ale_py)
    except ImportError as missing:
        if is_atari(name):
            raise need_extra(missing) from None
    if module:
        if str(Path.cwd()) not in sys.path:  # programs that were installed do not look there
            sys.path.insert(0, str(Path.cwd()))
        try:
            import_module(module)
        except Exception as error:  # a module may raise anything
            raise ImportError(f"env {env_id!r} cannot be imported: {error!r}") from error
    try:
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError, ValueError):
        names = {known.lower(): known for known in gymnasium.registry}
        close = difflib.get_close_matches(env_id.lower(), names)
        hint = "; did you mean " + " or ".join(repr(names[one]) for one in close) + "?"
        text = f"env must be an environment of Gymnasium, got {env_id!r}{hint if close else ''}"
        raise ValueError(text) from None


def _make(spec: EnvSpec, kwargs: dict[str, Any]) -> Env:
    try:
        env: Env = gymnasium.make(spec, **kwargs)
        if not is_old(env.unwrapped):
            return env
        env.close()
    except TypeError as error:  # no gymnasium.Env, or no `render_mode`
        if not any(words in str(error) for words in ("gymnasium", "'render_mode'")):
            raise
    entry: Any = spec.entry_point
    create = load_env_creator(entry) if isinstance(entry, str) else entry
    adapted = copy.deepcopy(spec)  # below Gymnasium's wrappers, such as the time limit
    adapted.entry_point = lambda render_mode=None, **kwargs: OldGym(create(**kwargs), render_mode)
    return gymnasium.make(adapted, **kwargs)


def is_old(env: AnyEnv) -> bool:
    """Whether the reset of an environment lacks `seed` or `options`, or has `return_info`."""
    known = inspect.signature(env.reset).parameters
    any_keyword = any(one.kind == one.VAR_KEYWORD for one in known.values())
    new = isinstance(env, gymnasium.Env) and (any_keyword or {"seed", "options"} <= known.keys())
    return not new or "return_info" in known


class OldGym(gymnasium.Env[Any, Any]):
    """An environment of Gym before 0.26: `reset` gives an observation alone, `step` four values.

    Seeds go to its `reset` or its `seed(s)`; one without them plays unseeded, with a warning.
    """

    def __init__(self, env: AnyEnv, render_mode: str | None = None) -> None:
        self.env, self.render_mode = env, render_mode
        self.action_space, self.observation_space = env.action_space, env.observation_space
        self._in_reset = "seed" in inspect.signature(env.reset).parameters
        if not self._in_reset and not hasattr(env, "seed"):
            warn_user(f"{type(env).__name__} plays unseeded: its reset takes no seed")

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:  # noqa: ARG002
        """Begin an episode, seeded where the environment can be."""
        if seed is not None and not self._in_reset and hasattr(self.env, "seed"):
            self.env.seed(seed)
        result = self.env.reset(**({"seed": seed} if self._in_reset else {}))
        new = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
        return result if new else (result, {})

    def step(self, action: Action) -> Step:
        """Five values: `info["TimeLimit.truncated"]` tells the ends apart."""
        result: Any = self.env.step(action)
        if len(result) != 4:
            return tuple(result)
        obs, reward, done, info = result
        truncated = bool(done and info and info.get("TimeLimit.truncated"))
        return obs, reward, bool(done) and not truncated, truncated, info

    def render(self) -> Any:
        """A picture, or nothing in a window."""
        asks = "mode" in inspect.signature(self.env.render).parameters
        return self.env.render(self.render_mode) if asks else self.env.render()

    def close(self) -> None:
        """Close the environment, where it has something to close."""
        getattr(self.env, "close", lambda: None)()


def make_vector(factories: Sequence[Callable[[], Env]], asynchronous: bool = False) -> VecEnv:
    """Make environments and step them together, in this process or in one process each.

    There is no auto-reset, so that every reset is a visible one:
    `reset(options={"reset_mask": mask})` resets those in the mask, a bool array (N,).
    """
    if not factories:
        raise ValueError("factories must make at least one environment, got none")
    off = AutoresetMode.DISABLED
    if not asynchronous:
        return SyncVectorEnv(factories, autoreset_mode=off)
    try:
        return AsyncVectorEnv(factories, autoreset_mode=off)
    except ValueError:  # text, graphs and users' own spaces do not fit into shared memory
        return AsyncVectorEnv(factories, autoreset_mode=off, shared_memory=False)
