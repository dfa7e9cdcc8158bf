"""Where environments are in their episodes, as plain data, to go on from there in another process.

Each has `state_dict()` and `load_state_dict(state)`, as `ptan.envs.RepeatEpisodes` does.
"""

from collections.abc import Sequence
from typing import Any

from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

__all__ = ["CannotSave", "load_envs", "save_envs", "saves", "within_budget"]


class CannotSave(TypeError):  # noqa: N818
    """An environment cannot say where it is in its episode."""


def saves(env: Any) -> bool:
    """Whether an environment itself, not one below it, has a state to be saved and loaded."""
    return all(callable(getattr(env, name, None)) for name in ("state_dict", "load_state_dict"))


def save_envs(envs: Sequence[Any] | VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """Where environments are in their episodes, as a tree of plain values; CannotSave if unknown.

    Args:
        envs: separate environments, or one vector environment: of `RepeatEpisodes` in Gymnasium's
            `SyncVectorEnv` or `AsyncVectorEnv`, in any auto-reset mode, or with a state of its own.
    """
    envs = _asked(envs)
    mend = "has no state_dict() and load_state_dict(); make ptan.envs.RepeatEpisodes"
    if isinstance(envs, VectorEnv):
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


def load_envs(envs: Sequence[Any] | VectorEnv[Any, Any, Any], state: dict[str, Any]) -> None:
    """Go on where the environments were whose `save_envs` this is, made in the same way.

    Raises ValueError for other environments and where an episode cannot be repeated (NotRepeated);
    the environments must then be reset.
    """
    envs = _asked(envs)
    states = state.get("environments", ())
    count = envs.num_envs if isinstance(envs, VectorEnv) else len(envs)
    if len(states) != count:
        raise ValueError(f"state must be of {count} environments, is of {len(states)}")
    if isinstance(envs, VectorEnv):
        # Its own reset, in which each environment repeats its episode, puts its buffers right.
        envs.set_attr("resume_from", states)  # type: ignore[attr-defined]
        try:
            envs.reset()
        except Exception:
            if isinstance(envs, SyncVectorEnv):  # workers end with the first failure
                envs.set_attr("resume_from", None)
            raise
    else:
        for env, one in zip(envs, states, strict=True):
            env.load_state_dict(one)


def within_budget(state: dict[str, Any]) -> bool:
    """Whether a state of `save_envs` can be loaded: no episode passed its budget of steps."""
    return all(one.get("within_budget", True) for one in state.get("environments", ()))


def _asked(envs: Any) -> Any:
    return [envs] if isinstance(envs, VectorEnv) and saves(envs) else envs
