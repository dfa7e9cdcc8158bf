"""Environments that the tests of `ptan.envs` play: real ones by name, and small odd ones."""

import importlib.util
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ptan.envs.atari import wrap_dqn


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def pong() -> gymnasium.Env:
    """Sticky actions, no-ops, FIRE, lives, points and clipped rewards."""
    import ale_py

    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.25)
    return wrap_dqn(env, noop_max=30, point_ends=True)


def breakout() -> gymnasium.Env:
    import ale_py

    gymnasium.register_envs(ale_py)
    return wrap_dqn(gymnasium.make("ALE/Breakout-v5", frameskip=1), noop_max=30)


def maker(name: str) -> Any:
    return lambda: gymnasium.make(name)


REPEATING = [
    pytest.param(maker("CartPole-v1"), 200, id="CartPole"),
    pytest.param(maker("Pendulum-v1"), 450, id="Pendulum"),
    pytest.param(maker("FrozenLake-v1"), 40, id="FrozenLake"),
    pytest.param(maker("LunarLander-v3"), 600, id="LunarLander", marks=needs("Box2D")),
    pytest.param(maker("HalfCheetah-v5"), 1200, id="HalfCheetah", marks=needs("mujoco")),
    pytest.param(maker("Hopper-v5"), 200, id="Hopper", marks=needs("mujoco")),
    pytest.param(pong, 150, id="Pong", marks=needs("ale_py")),
    pytest.param(breakout, 250, id="Breakout", marks=needs("ale_py")),
]


class Odd(gymnasium.Env):
    """Draws observations from its generator; every fifth step loses a life, every 17th ends.

    Args:
        observe: makes an observation of (generator, step).
        action_space: what it takes; an action is added to what is observed, by its sum.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float64)

    def __init__(self, observe: Any = None, action_space: Any = None) -> None:
        self.observe = observe or (lambda rng, t: rng.normal(size=3))
        self.action_space = action_space or spaces.Discrete(3)
        self.t = 0
        self.seen: list[Any] = []  # the actions of this episode
        self.paused = False

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if not (self.paused and seed is None):
            self.t, self.seen = 0, []
            if options:
                self.t = options["start"]
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


def play(env: Any, steps: int, actions: np.random.Generator, reset_lives: bool = True) -> list[Any]:
    """Random actions; what every step and reset returned."""
    env.action_space.seed(int(actions.integers(1 << 30)))
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
