"""Where environments are in their episodes, as plain data, to go on from there in another process.

An environment is asked by its own `state_dict()` and `load_state_dict(state)`. One without them is
wrapped in `ptan.envs.RepeatEpisodes`, which has both.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

__all__ = ["CannotSave", "load_env", "load_envs", "save_env", "save_envs", "saves", "within_budget"]

# Wrappers of gymnasium.make, whose own state is known: none, but for the steps of a time limit.
_KNOWN = (OrderEnforcing, PassiveEnvChecker, TimeLimit)


class CannotSave(TypeError):  # noqa: N818
    """An environment cannot say where it is in its episode."""


def saves(env: Any) -> bool:
    """Whether an environment has a state of its own, below gymnasium.make's wrappers at most."""
    return _has_state(_owner(env))


def save_env(env: Any, name: str = "") -> dict[str, Any]:
    """Where one environment is in its episode; an error puts `name` before it.

    Raises:
        CannotSave: neither it nor its wrappers know.
    """
    if not saves(env):
        raise CannotSave(
            f"{name}{env} cannot be saved: {type(_owner(env)).__name__} has no state_dict() and "
            "load_state_dict(); make ptan.envs.RepeatEpisodes its outermost wrapper"
        )
    elapsed = [wrapper._elapsed_steps for wrapper in _time_limits(env)]
    return {"environment": _owner(env).state_dict(), "elapsed": elapsed}


def load_env(env: Any, state: dict[str, Any]) -> None:
    """Go on where the environment was whose `save_env` this is; made in the same way."""
    owner = _owner(env)
    if owner is not env:
        env.reset()
    owner.load_state_dict(state["environment"])
    for wrapper, elapsed in zip(_time_limits(env), state["elapsed"], strict=True):
        wrapper._elapsed_steps = elapsed


def save_envs(envs: Sequence[Any] | VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """Where environments are in their episodes.

    Args:
        envs: separate environments, or one vector environment: of `RepeatEpisodes` in Gymnasium's
            `SyncVectorEnv` or `AsyncVectorEnv`, in any auto-reset mode, or with a state of its own.

    Returns:
        A state tree: nested dicts and lists of plain values and arrays.

    Raises:
        CannotSave: an environment does not know.
    """
    if not isinstance(envs, VectorEnv):
        return {"environments": [save_env(env, f"environment {i}, ") for i, env in enumerate(envs)]}
    if _has_state(envs):
        return {"vector": envs.state_dict()}  # type: ignore[attr-defined]
    if not isinstance(envs, SyncVectorEnv | AsyncVectorEnv):
        raise CannotSave(
            f"{type(envs).__name__} cannot be saved: it has no state_dict() and load_state_dict(), "
            "and the environments in it are out of reach"
        )
    # Asking a worker for what its environment lacks would end the worker.
    if not all(text.startswith("<RepeatEpisodes") for text in envs.call("__str__")):
        raise CannotSave(
            f"{type(envs).__name__} cannot be saved: make ptan.envs.RepeatEpisodes the "
            "outermost wrapper of each of its environments"
        )
    return {"environments": list(envs.call("state_dict"))}


def load_envs(envs: Sequence[Any] | VectorEnv[Any, Any, Any], state: dict[str, Any]) -> None:
    """Go on where the environments were whose `save_envs` this is.

    Args:
        envs: made in the same way as those.
        state: from `save_envs`; it is not changed.

    Raises:
        ValueError: it is of other environments, or an episode cannot be repeated
            (`ptan.envs.repeat.NotRepeated`). The environments must be reset before they are used.
    """
    if isinstance(envs, VectorEnv) and _has_state(envs):
        envs.load_state_dict(state["vector"])  # type: ignore[attr-defined]
        return
    count = envs.num_envs if isinstance(envs, VectorEnv) else len(envs)
    states = state.get("environments", ())
    if len(states) != count:
        raise ValueError(f"state must be of {count} environments, is of {len(states)}")
    if not isinstance(envs, VectorEnv):
        for env, one in zip(envs, states, strict=True):
            load_env(env, one)
        return
    # The vector's own reset, in which each environment repeats its episode, puts its buffers right.
    waits = envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    states = [{**one, "reset_next": waits and one["over"]} for one in states]
    envs.set_attr("resume_from", states)  # type: ignore[attr-defined]
    envs.reset()


def within_budget(state: dict[str, Any]) -> bool:
    """Whether a state of `save_envs` can be loaded: no episode passed its budget of steps."""
    states = [one.get("environment", one) for one in state.get("environments", ())]
    return all(one.get("within_budget", True) for one in states)


def _has_state(env: Any) -> bool:
    names = ("state_dict", "load_state_dict")
    return all(callable(getattr(env, name, None)) for name in names)


def _owner(env: Any) -> Any:
    """The environment that has a state, below the wrappers of gymnasium.make."""
    while not _has_state(env) and type(env) in _KNOWN:
        env = env.env
    return env


def _time_limits(env: Any) -> list[Any]:
    found, owner = [], _owner(env)
    while env is not owner and isinstance(env, gymnasium.Wrapper):
        found += [env] if isinstance(env, TimeLimit) else []
        env = env.env
    return found
