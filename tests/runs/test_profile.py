"""The stopwatch counts what was done, and its parts make up the whole."""

import pytest

from ptan.algorithms import DQNConfig
from ptan.runs.profile import profile

from .small import config

SMALL = {"hidden": 16, "warm_up": 50, "replay_size": 500, "batch_size": 8, "steps_per_update": 2}


@pytest.mark.parametrize("num_envs", [1, 3])
def test_the_stretch_is_as_long_as_asked_and_its_parts_add_up(num_envs: int) -> None:
    dqn = DQNConfig(**SMALL, prioritized=True, noisy=True)
    found = profile(config(dqn, num_envs=num_envs), env_steps=200)
    assert found["threads"] == 1
    assert 200 <= found["env_steps"] < 200 + num_envs
    assert abs(found["updates"] - found["env_steps"] / 2) <= num_envs
    parts = [found[name] for name in ("environments", "updating", "rest")]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(found["total"])
    assert found["steps_per_second"] == found["env_steps"] / found["total"]


@pytest.mark.atari
def test_vectors_of_games_are_timed_too() -> None:
    dqn = DQNConfig(**{**SMALL, "warm_up": 8})
    found = profile(config(dqn, num_envs=2, env_id="PongNoFrameskip-v4"), env_steps=8)
    assert found["env_steps"] == 8
    assert found["environments"] > 0
