"""One place in which an environment is made from its name."""

import copy
import difflib
import re
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from ptan.envs.atari import wrap_dqn
from ptan.envs.atari_settings import AtariSettings, need_extra
from ptan.envs.old_gym import OldGym, is_old

__all__ = ["find_spec", "is_atari", "make_env"]


def is_atari(env_id: str) -> bool:
    """True for the names of Atari games without frame skip of their own."""
    return bool(re.fullmatch(r"ALE/.+-v5|.+NoFrameskip-v\d+", env_id))


def make_env(
    env_id: str, *, atari: AtariSettings | None = None, **kwargs: Any
) -> gymnasium.Env[Any, Any]:
    """Make an environment; one written for old versions of Gym is adapted (`ptan.envs.old_gym`).

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


def _make(spec: EnvSpec, kwargs: dict[str, Any]) -> Any:
    try:
        env = gymnasium.make(spec, **kwargs)
        if not is_old(env.unwrapped):
            return env
        env.close()
    except TypeError as error:  # no gymnasium.Env, or no `render_mode`
        if not any(words in str(error) for words in ("gymnasium", "'render_mode'")):
            raise
    adapted = copy.deepcopy(spec)  # below Gymnasium's wrappers, such as the time limit
    adapted.entry_point = partial(_adapted, spec.entry_point)
    return gymnasium.make(adapted, **kwargs)


def _adapted(entry_point: Any, render_mode: str | None = None, **kwargs: Any) -> OldGym:
    create = entry_point if callable(entry_point) else load_env_creator(entry_point)
    return OldGym(create(**kwargs), render_mode)
