"""The environments of a run: some to train in, some to evaluate in, from the same settings."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from ptan.envs.atari_settings import AtariSettings
from ptan.envs.atari_vector import make_atari_vec
from ptan.envs.make import find_spec, is_atari, make_env, make_vector
from ptan.envs.repeat import MadeAnew, RepeatEpisodes
from ptan.envs.states import Probe, probe_repeats, saves
from ptan.runs.catalogue import Entry
from ptan.runs.errors import EnvironmentFailure, RunError
from ptan.runs.settings import RunSettings

__all__ = [
    "check_spaces",
    "close",
    "evaluation_environments",
    "evaluation_protocol",
    "frames_per_second",
    "has_chance",
    "make_one",
    "probe_environments",
    "spaces_of",
    "training_environments",
]

EVALUATION_NOOPS = 30
"""Most no-ops at the start of an evaluated Atari game (Mnih et al. 2015)."""

REPEATED = 10_000
"""Most steps of an episode that are worth repeating: some ten seconds of an Atari game."""


def training_environments(settings: RunSettings, seed: int = 0, probe: Probe | None = None) -> Any:
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
    make: Any = partial(_make, settings, _atari(settings))
    if _one_vector(settings):  # two of its environments tell as much as all
        make = partial(training_environments, replace(settings, num_envs=2))

    def made() -> Any:
        with _one_line(settings.env_id):
            env = make()
        env.step = partial(_noted_step, env.step, itertools.count(1))
        return env

    try:
        with warnings_said([]):
            return probe_repeats(made, steps=steps)
    except RunError:
        raise
    except (Exception, SystemExit) as error:
        raise EnvironmentFailure.of(error, f"{settings.env_id} failed in training") from error


def _noted_step(step: Callable[[Any], Any], count: Iterator[int], action: Any) -> Any:
    """A step of an environment; what it raises names it, as in training."""
    number = next(count)
    try:
        return step(action)
    except (Exception, SystemExit) as error:
        error.add_note(f"environment 0, step {number}")
        raise


def evaluation_environments(settings: RunSettings, count: int) -> Any:
    """Environments of the same kind to evaluate in: raw rewards, and episodes that are whole games.

    Those that are played side by side come as a list, or as a vector of Atari games.
    """
    atari = _evaluation(settings)
    with _one_line(settings.env_id), warnings_said([]):
        if is_atari(settings.env_id) and count > 1:
            return _games(settings, atari, count)
        return [make_env(settings.env_id, atari=atari) for _ in range(count)]


def make_one(settings: RunSettings, render_mode: str | None) -> Any:
    """One environment as in evaluation, in a window ("human") or for pictures ("rgb_array")."""
    with _one_line(settings.env_id), warnings_said([]):
        return make_env(settings.env_id, render_mode=render_mode, atari=_evaluation(settings))


def evaluation_protocol(settings: RunSettings, episodes: int, seed: int) -> str:
    """How an evaluation was done, in words, to be read beside its numbers."""
    acting = "greedy: no ε, no noise in the weights"
    if is_atari(settings.env_id):
        acting += (
            "; raw game score: no reward clipping, no life-loss ends; "
            f"at most {_evaluation(settings).noop_max} no-ops at the start, "
            f"sticky actions {_sticky_actions(settings):g}, frame skip {settings.frame_skip}"
        )
    else:
        acting += "; undiscounted return"
    acting += f"; {episodes} whole episodes, cut off after {settings.eval_max_steps:,} steps,"
    return f"{acting} in environments of their own, seed {seed}"


def has_chance(settings: RunSettings) -> bool:
    """Whether an environment draws while it is played; Atari games do only by sticky actions."""
    return not is_atari(settings.env_id) or _sticky_actions(settings) > 0


def frames_per_second(env: Any, settings: RunSettings) -> float:
    """How fast an environment runs in its own time, in steps of the agent."""
    own = float(env.metadata.get("render_fps") or 30)
    return own / settings.frame_skip if is_atari(settings.env_id) else own


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


@contextmanager
def warnings_said(lines: list[str]) -> Iterator[None]:
    """Collect what is warned about inside, such as an environment that plays unseeded, as lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    lines += dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning)


def _games(settings: RunSettings, atari: AtariSettings, count: int) -> Any:
    threads = settings.env_threads
    return make_atari_vec(settings.env_id, count, **atari.keywords(), num_threads=threads)


def _make(
    settings: RunSettings,
    atari: AtariSettings,
    seed: int = 0,
    index: int = 0,
    probe: Probe | None = None,
) -> Any:
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


def _evaluation(settings: RunSettings) -> AtariSettings:
    atari = _atari(settings).evaluation()
    return replace(atari, noop_max=max(atari.noop_max, EVALUATION_NOOPS))


def _sticky_actions(settings: RunSettings) -> float:
    spec = find_spec(settings.env_id)
    return float(spec.kwargs.get("repeat_action_probability", 0.0))


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
        reason = " ".join(str(error).split()) or type(error).__name__
        named = reason if env_id in reason or "pip install" in reason else ""
        raise RunError(named or f"{env_id} cannot be made: {reason}") from error
