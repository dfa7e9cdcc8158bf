"""What environments answer and agents decide, taken apart and checked."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from gymnasium import spaces
from torch import Tensor

from ptan.actions.policy import Agent, PolicyStep
from ptan.common.checks import checked_callable
from ptan.common.types import Actions, AnyEnv, Array, Info, Observation, Observations
from ptan.experience.layout import leaf_of, mapped


def wrong(what: str, right: str, got: object) -> TypeError:
    """The error that says what something must be, and what it is."""
    return TypeError(f"{what} must {right}, got {got!r}")


# Environments. Their number and step are in the texts.


def reset_parts(env: AnyEnv, number: int, result: object) -> tuple[Observation, Info]:
    """(observation, info) of a reset, also of an old-style one that gives the observation alone.

    TypeError if there is no observation, or one that is no array where the space is a `Box`.
    """
    observation, info = result, None
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict | None):
        observation, info = result
    if observation is None and result is not None:
        raise wrong(f"observation of environment {number} after its reset", "not be None", result)
    in_box = isinstance(getattr(env, "observation_space", None), spaces.Box)
    ragged = isinstance(observation, list) and leaf_of(observation).opaque
    no_array = ragged or isinstance(observation, (tuple, dict, str))
    if observation is None or (in_box and no_array):
        raise wrong(f"reset of environment {number}", "return (observation, info)", result)
    return observation, info or {}


def step_parts(result: object, env: int, step: int) -> tuple[Any, ...]:
    """The five parts of a step, also of an old-style one that gives four; else TypeError."""
    if isinstance(result, (tuple, list)) and len(result) == 5:
        return tuple(result)
    if isinstance(result, (tuple, list)) and len(result) == 4:
        observation, reward, done, info = result
        done = flag_of(done, "done", env, step)
        cut_off = bool(done and isinstance(info, dict) and info.get("TimeLimit.truncated"))
        return observation, reward, done and not cut_off, cut_off, info
    parts = "return (observation, reward, terminated, truncated, info)"
    raise wrong(f"step of environment {env} at step {step}", parts, result)


def flag_of(value: Any, name: str, env: int, step: int) -> bool:
    """A flag as a Python bool; 0, 1 and arrays of one bool count; else TypeError."""
    bit = isinstance(value, (int, np.integer)) and value in (0, 1)
    if bit or (getattr(value, "shape", None) == () and value.dtype == np.bool_):
        return bool(value)
    raise wrong(f"{name} of environment {env} at step {step}", "be a bool", value)


def flags_of(values: Any, name: str, count: int, step: int) -> Array:
    """The flags of all environments of a vector, arrays or tensors; else TypeError."""
    if values.__class__ is not np.ndarray and isinstance(values, Tensor):
        values = values.numpy(force=True)
    if getattr(values, "dtype", None) != np.bool_ or values.shape != (count,):
        raise wrong(f"{name} at step {step}", f"be an array of {count} bools", values)
    return values  # type: ignore[no-any-return]


def entry(info: Info, key: str, env: int) -> Any:
    """What a vector environment's info says of one environment; None if it says nothing."""
    if key not in info:
        return None
    given = info.get(f"_{key}")
    return info[key][env] if given is None or given[env] else None


def bad_info(info: object, where: str) -> TypeError:
    """The error for an info that is no dict, or whose raw reward is no number."""
    if not isinstance(info, dict):
        return wrong(f"info {where}", "be a dict", info)
    right = "be a number per environment"
    return wrong(f"info['raw_reward'] {where}", right, info["raw_reward"])


# Agents.

NO_COLUMNS: Mapping[str, Array] = {}


def decider(agent: Agent) -> Callable[[Observations, list[Any]], PolicyStep]:
    """What asks an agent for a decision: its own `step`, if it has one."""
    checked_callable("agent", agent)
    for cls in type(agent).__mro__:  # a class further down may say by `__call__` how it acts
        if "step" in vars(cls):
            return agent.step  # type: ignore[attr-defined, no-any-return]
        if "__call__" in vars(cls):
            break
    return partial(_call, agent)


def _call(agent: Agent, observations: Observations, states: list[Any]) -> PolicyStep:
    result = agent(observations, states)
    actions, states = checked_decision(result, len(states))
    return PolicyStep(actions, actions, states, NO_COLUMNS)


def checked_step(step: object, count: int) -> PolicyStep:
    """A decision about `count` environments, with arrays and lists in it.

    TypeError or ValueError if it is something else.
    """
    if not isinstance(step, PolicyStep):
        raise wrong("step of agent", "return a PolicyStep", step)
    actions, states = checked_decision((step.actions, step.states), count)
    env_actions = actions
    if step.env_actions is not step.actions:
        env_actions, _ = checked_decision((step.env_actions, None), count)
    return PolicyStep(actions, env_actions, states, step.columns)


def checked_decision(result: Any, count: int) -> tuple[Actions, list[Any]]:
    """Actions and agent states of `count` environments from what an agent returned.

    TypeError or ValueError if it is something else.
    """
    try:
        actions, states = result
        if actions.__class__ is not np.ndarray:
            if isinstance(actions, Tensor):
                actions = actions.numpy(force=True)
            elif isinstance(actions, dict):  # a batch of dicts is taken apart
                actions = [mapped(itemgetter(e), actions) for e in range(count)]
        if states is None:
            states = [None] * len(actions)
        if len(actions) == len(states) == count:
            return actions, states
    except (TypeError, ValueError, IndexError):
        raise wrong("agent", "return (actions, agent states), a batch of each", result) from None
    raise ValueError(
        f"agent must return one action and one state per observation ({count}), "
        f"got {len(actions)} actions and {len(states)} states"
    )


def spread(decision: PolicyStep, players: Array, agent_states: list[Any]) -> PolicyStep:
    """A decision of the environments `players`, for all: waiting ones keep their agent states."""
    places = np.zeros(len(agent_states), np.int64)
    places[players] = np.arange(len(players))

    def for_all(values: Any) -> Any:
        return values[places] if isinstance(values, np.ndarray) else [values[i] for i in places]

    actions, env_actions, new_states, columns = decision
    states = list(agent_states)
    for e, state in zip(players.tolist(), new_states, strict=True):
        states[e] = state
    columns = {name: for_all(np.asarray(column)) for name, column in columns.items()}
    return PolicyStep(for_all(actions), for_all(env_actions), states, columns)
