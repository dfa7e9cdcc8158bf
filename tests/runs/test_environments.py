"""Environments of a run: preprocessed games, evaluated without what only training needs."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from ptan.runs import RunError, RunSettings
from ptan.runs import environments as made

PONG = "PongNoFrameskip-v4"


def test_one_environment_or_a_list() -> None:
    one = made.training_environments(RunSettings(env_id="CartPole-v1"))
    assert isinstance(one, gymnasium.Env)
    many = made.training_environments(RunSettings(env_id="CartPole-v1", num_envs=3))
    assert len(many) == len({id(env) for env in many}) == 3
    for env in (one, many):
        assert made.spaces_of(env)[1] == spaces.Discrete(2)
        made.close(env)


@pytest.mark.atari
@pytest.mark.parametrize("env_id", [PONG, "ALE/Pong-v5"])
def test_atari_games_are_preprocessed_alone_and_side_by_side(env_id: str) -> None:
    pytest.importorskip("ale_py")
    for count in (1, 2):
        env = made.training_environments(RunSettings(env_id=env_id, num_envs=count))
        observations, actions = made.spaces_of(env)
        assert (observations.shape, observations.dtype) == ((4, 84, 84), np.uint8)
        assert actions.n == 6
        assert isinstance(env, VectorEnv) == (count > 1)
        made.close(env)


@pytest.mark.atari
def test_training_clips_and_ends_at_lost_lives_and_evaluation_does_neither(monkeypatch) -> None:
    pytest.importorskip("ale_py")
    asked = []
    monkeypatch.setattr(
        made, "make_atari_vec", lambda env_id, count, **settings: asked.append((count, settings))
    )
    settings = RunSettings(env_id=PONG, num_envs=4, noop_max=0, frame_skip=3, env_threads=2)
    made.training_environments(settings)
    made.evaluation_environments(settings, 20)
    (n_train, train), (n_test, test) = asked
    assert (n_train, n_test) == (4, 20)
    names = ("reward_clipping", "episodic_life", "noop_max", "frame_skip", "num_threads")
    assert [train[name] for name in names] == [True, True, 0, 3, 2]
    assert [test[name] for name in names] == [False, False, 30, 3, 2]


def test_an_environment_that_fails_to_be_made_is_one_line() -> None:
    def broken(**_):
        raise RuntimeError("no\nscreen")

    gymnasium.register("BrokenForTests-v0", entry_point=broken)
    try:
        with pytest.raises(RunError, match="BrokenForTests-v0 cannot be made: no screen"):
            made.training_environments(RunSettings(env_id="BrokenForTests-v0"))
    finally:
        del gymnasium.registry["BrokenForTests-v0"]
