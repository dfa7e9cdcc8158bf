"""The environments of a run: some to train in, some to evaluate in, from the same settings."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial

import gymnasium
from gymnasium.vector import VectorEnv

from ptan.common.types import AnyEnv, Envs, Space, VecEnv
from ptan.envs.atari_settings import AtariSettings
from ptan.envs.atari_vector import make_atari_vec
from ptan.envs.make import find_spec, is_atari, make_env, make_vector
from ptan.envs.repeat import MadeAnew, RepeatEpisodes
from ptan.envs.states import Probe, probe_repeats, saves
from ptan.runs.errors import EnvironmentFailure, RunError, one_line
from ptan.runs.settings import RunSettings

__all__ = [
    "close",
    "evaluation_atari",
    "evaluation_environments",
    "probe_environments",
    "spaces_of",
    "training_environments",
    "warnings_said",
]

EVALUATION_NOOPS = 30
"""Most no-ops at the start of an evaluated Atari game (Mnih et al. 2015)."""

REPEATED = 10_000
"""Most steps of an episode that are worth repeating: some ten seconds of an Atari game."""


def training_environments(settings: RunSettings, seed: int = 0, probe: Probe | None = None) -> Envs:
    """What a run's collector steps: one environment, a list of them, or a vector environment.

    With what `probe_environments` has found, they can be saved in mid-episode, or equal
    one another from a seeded reset on. Raises RunError where they cannot be made.
    """
    count, atari = settings.num_envs, _atari(settings)
    with _one_line(settings.env_id):
        if _one_vector(settings):
            if is_atari(settings.env_id):
                return _games(settings, atari, count)
            return gymnasium.make_vec(
                find_spec(settings.env_id), count, vectorization_mode="vector_entry_point"
            )
        makers = [partial(_make, settings, atari, seed, i, probe) for i in range(count)]
        if settings.vector in ("sync", "async"):
            return make_vector(makers, asynchronous=settings.vector == "async")
        envs = [make() for make in makers]
        return envs if count > 1 else envs[0]


def probe_environments(settings: RunSettings) -> Probe:
    """Find out whether the environments of a run can be saved in the middle of an episode."""
    steps = 64 if is_atari(settings.env_id) else 320
    few = replace(settings, num_envs=1, vector="list")
    if _one_vector(settings):
        few = replace(settings, num_envs=2)  # two of its environments tell as much as all
    try:
        with warnings_said([]):
            return probe_repeats(partial(training_environments, few), steps=steps)
    except RunError:
        raise
    except (Exception, SystemExit) as error:
        raise EnvironmentFailure.of(error, f"{settings.env_id} failed in training") from error


def evaluation_environments(
    settings: RunSettings, count: int = 1, render_mode: str | None = None
) -> Envs:
    """Environments of the same kind to evaluate in: raw rewards, and episodes that are whole games.

    A list, or a vector of Atari games. `render_mode`: a window ("human") or pictures ("rgb_array").
    """
    atari = evaluation_atari(settings)
    with _one_line(settings.env_id), warnings_said([]):
        if is_atari(settings.env_id) and count > 1:
            return _games(settings, atari, count)
        make = partial(make_env, settings.env_id, render_mode=render_mode, atari=atari)
        return [make() for _ in range(count)]


def evaluation_atari(settings: RunSettings) -> AtariSettings:
    """How Atari games are preprocessed in an evaluation."""
    atari = _atari(settings).evaluation()
    return replace(atari, noop_max=max(atari.noop_max, EVALUATION_NOOPS))


def spaces_of(env: Envs) -> tuple[Space, Space]:
    """Observation and action space of one environment among those of a run."""
    if isinstance(env, VectorEnv):
        return env.single_observation_space, env.single_action_space
    one = env[0] if isinstance(env, list) else env
    return one.observation_space, one.action_space


def close(env: Envs) -> None:
    """Close all environments of a run."""
    for one in env if isinstance(env, list) else [env]:
        one.close()


@contextmanager
def warnings_said(lines: list[str]) -> Iterator[None]:
    """Collect what is warned about inside, such as an environment that plays unseeded, as lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    lines += dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning)


def _games(settings: RunSettings, atari: AtariSettings, count: int) -> VecEnv:
    threads = settings.env_threads
    return make_atari_vec(settings.env_id, count, **atari.keywords(), num_threads=threads)


def _make(
    settings: RunSettings,
    atari: AtariSettings,
    seed: int = 0,
    index: int = 0,
    probe: Probe | None = None,
) -> AnyEnv:
    make = partial(make_env, settings.env_id, atari=atari)
    if probe is None or (probe.restart == "reset" and not probe.repeats):
        return make()
    if not probe.repeats:
        return MadeAnew(make)
    env = make()
    return env if saves(env) else RepeatEpisodes(env, seed, index, budget=REPEATED)


def _one_vector(settings: RunSettings) -> bool:
    """Whether all environments are one object that cannot be taken apart."""
    games = settings.vector == "auto" and is_atari(settings.env_id) and settings.num_envs > 1
    return games or settings.vector == "own"


def _atari(settings: RunSettings) -> AtariSettings:
    return AtariSettings(**{f.name: getattr(settings, f.name) for f in fields(AtariSettings)})


@contextmanager
def _one_line(env_id: str) -> Iterator[None]:
    """Make one clear line of what environments raise when they cannot be made."""
    if not env_id:
        raise RunError("env must be named: give --env ID, or a --preset that brings one")
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        reason = one_line(error)
        named = reason if env_id in reason or "pip install" in reason else ""
        raise RunError(named or f"{env_id} cannot be made: {reason}") from error
