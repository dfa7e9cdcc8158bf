"""What environments answer, taken apart and checked; errors name environment and step."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from ptan.experience.layout import leaf_of


def reset_parts(env: Any, number: int, result: Any) -> tuple[Any, dict[str, Any]]:
    """(observation, info) of a reset, also of an old-style one that gives the observation alone.

    Raises:
        TypeError: there is no observation, or one that is no array where the space is a `Box`.
    """
    observation, info = result, None
    if isinstance(result, tuple) and len(result) == 2:
        observation, info = result
        if not (info is None or isinstance(info, dict)):
            observation, info = result, None
    if observation is None and result is not None:
        raise TypeError(
            f"observation of environment {number} after its reset must not be None, got {result!r}"
        )
    in_box = isinstance(getattr(env, "observation_space", None), spaces.Box)
    if observation is None or (in_box and _is_no_array(observation)):
        raise TypeError(
            f"reset of environment {number} must return (observation, info), got {result!r}"
        )
    return observation, info or {}


def _is_no_array(value: Any) -> bool:
    if isinstance(value, list):
        return leaf_of(value).opaque
    return isinstance(value, (tuple, dict, str))


def step_parts(result: Any, env: int, step: int) -> tuple[Any, Any, Any, Any, Any]:
    """The five parts of a step, also of an old-style one that gives four.

    Raises:
        TypeError: it has another number of parts.
    """
    if isinstance(result, (tuple, list)) and len(result) == 5:
        return tuple(result)
    if isinstance(result, (tuple, list)) and len(result) == 4:
        observation, reward, done, info = result
        done = done if done.__class__ is bool else flag_of(done, "done", env, step)
        cut_off = bool(done and isinstance(info, dict) and info.get("TimeLimit.truncated"))
        return observation, reward, done and not cut_off, cut_off, info
    raise TypeError(
        f"step of environment {env} must return (observation, reward, terminated, truncated, info)"
        f", got {result!r} at step {step}"
    )


def flag_of(value: Any, name: str, env: int, step: int) -> bool:
    """A flag as a Python bool; 0 and 1 count.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, np.bool_) or (isinstance(value, (int, np.integer)) and value in (0, 1)):
        return bool(value)
    if isinstance(value, np.ndarray) and value.shape == () and value.dtype == np.bool_:
        return bool(value)
    raise TypeError(f"{name} of environment {env} must be a bool, got {value!r} at step {step}")


def vector_reset_parts(result: Any) -> tuple[Any, dict[str, Any]]:
    """(observations, info) of a vector environment's reset.

    Raises:
        TypeError: it returned something else.
    """
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
        return result
    raise TypeError(f"reset of env must return (observations, info), got {result!r}")


def vector_step_parts(result: Any, step: int) -> tuple[Any, Any, Any, Any, Any]:
    """The five parts of a vector environment's step.

    Raises:
        TypeError: it has another number of parts.
    """
    try:
        observations, rewards, terminated, truncated, info = result
    except (TypeError, ValueError):
        raise TypeError(
            "step of env must return (observations, rewards, terminated, truncated, info), "
            f"got {result!r} at step {step}"
        ) from None
    return observations, rewards, terminated, truncated, info


def flags_of(values: Any, name: str, count: int, step: int) -> Any:
    """The flags of all environments of a vector; a tensor of them counts.

    Raises:
        TypeError: they are no array of `count` bools.
    """
    if values.__class__ is not np.ndarray and isinstance(values, Tensor):
        values = values.numpy(force=True)
    if getattr(values, "dtype", None) != np.bool_ or values.shape != (count,):
        raise TypeError(f"{name} must be an array of {count} bools, got {values!r} at step {step}")
    return values


def entry(info: dict[str, Any], key: str, env: int) -> Any:
    """What a vector environment's info says of one environment; None if it says nothing."""
    if key not in info:
        return None
    given = info.get(f"_{key}")
    return info[key][env] if given is None or given[env] else None


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """What a vector environment does after the end of an episode.

    Raises:
        ValueError: it says something else than Gymnasium's three modes.
    """
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    if not isinstance(mode, AutoresetMode):
        raise ValueError(
            f"metadata['autoreset_mode'] of env must be one of {list(AutoresetMode)}, got {mode!r}"
        )
    return mode


def bad_info(info: Any, where: str) -> TypeError:
    """The error for an info that is no dict, or whose raw reward is no number."""
    if not isinstance(info, dict):
        return TypeError(f"info{where} must be a dict, got {info!r}")
    return TypeError(
        f"info['raw_reward']{where} must be a number per environment, got {info['raw_reward']!r}"
    )
