"""The environments of a run: one to train in, one to evaluate in, from the same settings."""

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from ptan.envs.atari import wrap_dqn
from ptan.envs.atari_settings import AtariSettings
from ptan.envs.atari_vector import make_atari_vec
from ptan.runs.catalogue import Entry
from ptan.runs.errors import RunError, nearest
from ptan.runs.settings import RunSettings

__all__ = [
    "check_spaces",
    "evaluation_environments",
    "evaluation_protocol",
    "frames_per_second",
    "has_chance",
    "make_one",
    "spaces_of",
    "training_environments",
]

EVALUATION_NOOPS = 30
"""Most no-ops at the start of an evaluated Atari game (Mnih et al. 2015)."""


def is_atari(env_id: str) -> bool:
    """True for the names of Atari games without frame skip of their own."""
    return bool(re.fullmatch(r"ALE/.+-v5|.+NoFrameskip-v\d+", env_id))


def atari_settings(settings: RunSettings) -> AtariSettings:
    """How a run's training games are preprocessed."""
    return AtariSettings(**{f.name: getattr(settings, f.name) for f in fields(AtariSettings)})


def training_environments(settings: RunSettings) -> Any:
    """What a run's source steps: one environment, a list of them, or a vector of Atari games.

    Raises:
        RunError: there is no such environment, or it cannot be made here.
    """
    return _make(settings, atari_settings(settings), settings.num_envs)


def evaluation_environments(settings: RunSettings, count: int) -> Any:
    """Environments of the same kind to evaluate in: raw rewards, and episodes that are whole games.

    Args:
        settings: The run's.
        count: How many are played side by side.

    Returns:
        A list of environments, or a vector of Atari games.

    Raises:
        RunError: as for `training_environments`.
    """
    made = _make(settings, _evaluation(settings), count)
    return made if isinstance(made, list | VectorEnv) else [made]


def evaluation_protocol(settings: RunSettings, episodes: int, seed: int) -> str:
    """How an evaluation was done, in words, to be read beside its numbers."""
    acting = "greedy: no ε, no noise in the weights"
    if is_atari(settings.env_id):
        sticky = _sticky_actions(settings)
        acting += (
            "; raw game score: no reward clipping, no life-loss ends; "
            f"at most {_evaluation(settings).noop_max} no-ops at the start, "
            f"sticky actions {sticky:g}, frame skip {settings.frame_skip}"
        )
    else:
        acting += "; undiscounted return"
    return f"{acting}; {episodes} whole episodes in environments of their own, seed {seed}"


def has_chance(settings: RunSettings) -> bool:
    """Whether an environment draws while it is played; Atari games do only by sticky actions."""
    return not is_atari(settings.env_id) or _sticky_actions(settings) > 0


def _sticky_actions(settings: RunSettings) -> float:
    return float(_spec(settings.env_id).kwargs.get("repeat_action_probability", 0.0))


def make_one(settings: RunSettings, render_mode: str | None) -> Any:
    """One environment as in evaluation, that can be watched.

    Args:
        settings: The run's.
        render_mode: Gymnasium's: "human" for a window, "rgb_array" for pictures.

    Raises:
        RunError: as for `training_environments`.
    """
    return _make(settings, _evaluation(settings), 1, render_mode)


def spaces_of(env: Any) -> tuple[Any, Any]:
    """Observation and action space of one environment among those of a run."""
    if isinstance(env, VectorEnv):
        return env.single_observation_space, env.single_action_space
    one = env[0] if isinstance(env, list) else env
    return one.observation_space, one.action_space


def check_spaces(name: str, entry: Entry, env_id: str, actions: Any) -> None:
    """Raise RunError unless an algorithm can act in an environment."""
    if not any(kind.__name__ in entry.action_spaces for kind in type(actions).__mro__):
        kinds = " or ".join(entry.action_spaces)
        raise RunError(f"{name} needs a {kinds} action space, {env_id} has {actions}")


def close(env: Any) -> None:
    """Close all environments of a run."""
    for one in env if isinstance(env, list) else [env]:
        one.close()


def _evaluation(settings: RunSettings) -> AtariSettings:
    atari = atari_settings(settings).evaluation()
    return replace(atari, noop_max=max(atari.noop_max, EVALUATION_NOOPS))


def _make(
    settings: RunSettings, atari: AtariSettings, count: int, render_mode: str | None = None
) -> Any:
    env_id = settings.env_id
    _spec(env_id)
    with _one_line(env_id):
        if not is_atari(env_id):
            envs = [gymnasium.make(env_id, render_mode=render_mode) for _ in range(count)]
            return envs if count > 1 else envs[0]
        if count > 1:
            threads = settings.env_threads
            return make_atari_vec(env_id, count, **atari.keywords(), num_threads=threads)
        own_skip: dict[str, Any] = {"frameskip": 1} if env_id.startswith("ALE/") else {}
        env = gymnasium.make(env_id, render_mode=render_mode, **own_skip)
        return wrap_dqn(env, **atari.keywords())


def _import(module: str, env_id: str) -> None:
    """Import the module of `module:Name-v0`, which registers the environment.

    Raises:
        RunError: it cannot be imported.
    """
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # programs that were installed do not look there
    try:
        import_module(module)
    except Exception as error:  # whatever a module does when it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"the module of env {env_id!r} cannot be imported: {reason}") from error


def _spec(env_id: str) -> Any:
    """What Gymnasium knows about a name, with the names of Atari games.

    Raises:
        RunError: nothing.
    """
    if not env_id:
        raise RunError("env must be named: give --env ID, or a --preset that brings one")
    try:
        import ale_py

        gymnasium.register_envs(ale_py)
    except ImportError as missing:
        if is_atari(env_id):
            extra = 'pip install "ptan[atari]"'
            raise RunError(f"{env_id} needs {missing.name}: {extra}") from None
    module, _, name = env_id.rpartition(":")
    if module:
        _import(module, env_id)
    try:
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError, ValueError):
        hint = nearest(env_id, gymnasium.registry)
        raise RunError(f"env must be an environment of Gymnasium, got {env_id!r}{hint}") from None


@contextlib.contextmanager
def _one_line(env_id: str) -> Iterator[None]:
    """Make one clear line of what environments raise when they cannot be made."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunError(f"{env_id} cannot be made: {reason}") from error


def frames_per_second(env: Any, settings: RunSettings) -> float:
    """How fast an environment runs in its own time, in steps of the agent."""
    own = float(env.metadata.get("render_fps") or 30)
    return own / settings.frame_skip if is_atari(settings.env_id) else own
