"""Environments that the tests of `ptan.envs` play: real ones by name, and small odd ones."""

import importlib.util
import random
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ptan.envs.atari_settings import AtariSettings
from ptan.envs.make import make_env


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def maker(name: str, **kwargs: Any) -> Any:
    return lambda: gymnasium.make(name, **kwargs)


def pong() -> gymnasium.Env:
    """Sticky actions, no-ops, FIRE, lives, points and clipped rewards."""
    settings = AtariSettings(noop_max=30, point_ends=True)
    return make_env("ALE/Pong-v5", atari=settings, repeat_action_probability=0.25)


def breakout() -> gymnasium.Env:
    return make_env("ALE/Breakout-v5")


class Odd(gymnasium.Env):
    """Draws observations from its generator; every fifth step loses a life, every 17th ends."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float64)

    def __init__(self, observe: Any = None, action_space: Any = None) -> None:
        self.observe = observe or (lambda rng, t: rng.normal(size=3))
        self.action_space = action_space or spaces.Discrete(3)
        self.t = 0
        self.seen: list[Any] = []  # the actions of this episode
        self.paused = self.closed = False

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if not (self.paused and seed is None):
            self.t, self.seen = 0, []
        self.paused = False
        return self.observe(self.np_random, self.t), {}

    def step(self, action: Any) -> Any:
        self.seen.append(action)
        self.t += 1
        self.paused = lost = self.t % 5 == 0
        over = self.t >= 17
        info = {"life_loss": True} if lost and not over else {}
        obs = self.observe(self.np_random, self.t)
        return obs, float(self.np_random.normal()), lost or over, False, info

    def close(self) -> None:
        self.closed = True


class GlobalDraws(Odd):
    """Draws rewards that no seed reaches."""

    def step(self, action: Any) -> Any:
        obs, _, *ends = super().step(action)
        return obs, random.random(), *ends


def noted(made: list[Any]) -> Any:
    """Makes odd environments and notes them."""
    return lambda: made.append(Odd()) or made[-1]


def play(env: Any, steps: int, seed: int = 0, reset_lives: bool = True) -> list[Any]:
    """Random actions; what every step and reset returned."""
    env.action_space.seed(seed)
    got: list[Any] = []
    for _ in range(steps):
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        got.append((copied(obs), reward, terminated, truncated))
        if (terminated or truncated) and (reset_lives or not info.get("life_loss")):
            got.append(copied(env.reset()[0]))
    return got


def copied(value: Any) -> Any:
    """A value that equals another one exactly if all its bytes do."""
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(copied(part) for part in value)
    return value.tobytes() if isinstance(value, np.ndarray) else value
