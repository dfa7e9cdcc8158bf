"""Environments written for Gym before version 0.26, as Gymnasium knows them."""

import inspect
from typing import Any

import gymnasium

from ptan.common._caution import warn_user

__all__ = ["OldGym", "is_old"]


def is_old(env: Any) -> bool:
    """Whether the reset of an environment lacks `seed` or `options`, or has `return_info`."""
    known = inspect.signature(env.reset).parameters
    any_keyword = any(one.kind == one.VAR_KEYWORD for one in known.values())
    new = isinstance(env, gymnasium.Env) and (any_keyword or {"seed", "options"} <= known.keys())
    return not new or "return_info" in known


class OldGym(gymnasium.Env[Any, Any]):
    """An old environment: `reset` gives an observation alone, `step` four values.

    Seeds go to its `reset` or its `seed(s)`; one without them plays unseeded, with a warning.
    """

    def __init__(self, env: Any, render_mode: str | None = None) -> None:
        self.env, self.render_mode = env, render_mode
        self.action_space, self.observation_space = env.action_space, env.observation_space
        self._in_reset = "seed" in inspect.signature(env.reset).parameters
        if not self._in_reset and not hasattr(env, "seed"):
            warn_user(f"{type(env).__name__} plays unseeded: its reset takes no seed")

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:  # noqa: ARG002
        if seed is not None and not self._in_reset and hasattr(self.env, "seed"):
            self.env.seed(seed)
        result = self.env.reset(**({"seed": seed} if self._in_reset else {}))
        new = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
        return result if new else (result, {})

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        if len(result) != 4:
            return result
        obs, reward, done, info = result
        truncated = bool(done and info and info.get("TimeLimit.truncated"))
        return obs, reward, bool(done) and not truncated, truncated, info

    def render(self) -> Any:
        asks = "mode" in inspect.signature(self.env.render).parameters
        return self.env.render(self.render_mode) if asks else self.env.render()

    def close(self) -> None:
        getattr(self.env, "close", lambda: None)()
