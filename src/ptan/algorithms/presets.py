"""Presets: environments with the settings that textbooks train them with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Generic, TypeVar

from ptan.algorithms.dqn_config import DQNConfig
from ptan.envs.atari_settings import AtariSettings

__all__ = ["PRESETS", "Preset"]


Config = TypeVar("Config", covariant=True)


@dataclass(frozen=True)
class Preset(Generic[Config]):
    """An environment, the settings to train on it, and when to stop.

    Args:
        env_id: Gymnasium's name of the environment. Atari games get `wrap_dqn`.
        config: All settings of the algorithm.
        stop_reward: Training stops when the mean return of recent training episodes is above this.
        stop_episodes: How many recent episodes that mean is taken over.
        num_envs: Environments that run side by side.
        diagnostics_every: Gradient updates from one look at held-out states to the next.
        atari: How an Atari game is preprocessed; other environments do not look at it.
    """

    env_id: str
    config: Config
    stop_reward: float
    stop_episodes: int = 100
    num_envs: int = 1
    diagnostics_every: int = 100
    atari: AtariSettings = field(default_factory=AtariSettings)


_PONG = DQNConfig()  # the defaults are the textbook's
_LONG = replace(_PONG, eps_steps=1_000_000, eps_final=0.1)
_BREAKOUT_SMALL = replace(_LONG, replay_size=300_000, warm_up=20_000, batch_size=64)
_ATARI = replace(
    _LONG, replay_size=1_000_000, warm_up=50_000, sync_every=10_000, learning_rate=2.5e-4
)
_PONG_FAST = DQNConfig(
    n_steps=4,
    double=True,
    dueling=True,
    learning_rate=2.5e-4,
    learning_rate_final=5e-5,
    learning_rate_steps=450_000,
    adam_eps=1.5e-4,
    max_grad_norm=10.0,
    replay_size=100_000,
    warm_up=5_000,
    steps_per_update=4,
    sync_every=500,
    eps_steps=40_000,
    eps_final=0.01,
    mixed_precision=True,
    channels_last=True,
)
_CARTPOLE = DQNConfig(
    gamma=0.9,
    hidden=128,
    replay_size=1_000,
    warm_up=32,
    sync_every=10,
    eps_decay=0.99,
    eps_final=0.0,
    learning_rate=1e-3,
    batch_size=16,
)
_RAINBOW_PONG = DQNConfig.rainbow(double=False, distributional=False)
_PONG_ID, _BREAKOUT_ID = "PongNoFrameskip-v4", "BreakoutNoFrameskip-v4"

PRESETS: Mapping[str, Preset[DQNConfig]] = MappingProxyType(
    {
        "pong": Preset(_PONG_ID, _PONG, 18.0),
        "pong-fast": Preset(
            _PONG_ID,
            _PONG_FAST,
            18.0,
            stop_episodes=20,
            num_envs=8,
            diagnostics_every=1_000,
            atari=AtariSettings(noop_max=30, point_ends=True),
        ),
        "breakout-small": Preset(_BREAKOUT_ID, _BREAKOUT_SMALL, 500.0),
        "breakout": Preset(_BREAKOUT_ID, _ATARI, 500.0),
        "invaders": Preset("SpaceInvadersNoFrameskip-v4", _ATARI, 500.0),
        "rainbow-pong": Preset(_PONG_ID, _RAINBOW_PONG, 18.0),
        "rainbow-full": Preset(_PONG_ID, DQNConfig.rainbow(), 18.0),
        "cartpole-textbook": Preset("CartPole-v1", _CARTPOLE, 150.0, stop_episodes=1),
    }
)
"""Every preset by its name."""
