"""The stopwatch counts what was done, and its parts make up the whole."""

import dataclasses

import pytest

from ptan.algorithms import DQNConfig
from ptan.runs import RunConfig, RunError, RunSettings
from ptan.runs.profile import profile

SMALL = DQNConfig(hidden=16, warm_up=50, replay_size=500, batch_size=8, steps_per_update=2)


def config(num_envs: int = 1, env_id: str = "CartPole-v1", **switches: object) -> RunConfig:
    return RunConfig(
        algorithm="dqn",
        settings=RunSettings(env_id=env_id, num_envs=num_envs, threads=1),
        config=dataclasses.replace(SMALL, **switches),
    )


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("switches", [{}, {"prioritized": True, "noisy": True}])
def test_the_stretch_is_as_long_as_asked_and_its_parts_add_up(
    num_envs: int, switches: dict[str, bool]
) -> None:
    found = profile(config(num_envs, **switches), env_steps=200)
    assert found.threads == 1
    assert 200 <= found.env_steps < 200 + num_envs
    assert abs(found.updates - found.env_steps / 2) <= num_envs
    parts = (found.environments, found.updating, found.rest)
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(found.total)
    assert found.to_json()["steps_per_second"] == found.env_steps / found.total


@pytest.mark.atari
def test_vectors_of_games_are_timed_too() -> None:
    found = profile(config(2, "PongNoFrameskip-v4", warm_up=8), env_steps=8)
    assert found.env_steps == 8
    assert found.environments > 0


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="env_steps"):
        profile(config(), env_steps=0)
    with pytest.raises(RunError, match="NoSuchGame"):
        profile(config(env_id="NoSuchGame-v0"), env_steps=10)
