"""The settings of Atari's preprocessing, and the warning about vectors that falsify returns."""

import ale_py
import gymnasium
import pytest

from ptan.envs import AtariSettings, make_atari_vec
from ptan.envs.atari_settings import alias_of_clipping, warn_if_clipped

gymnasium.register_envs(ale_py)
pytestmark = pytest.mark.atari


def test_evaluation_changes_what_only_training_needs():
    training = AtariSettings(stack_frames=3, noop_max=5, screen_size=42, point_ends=True)
    assert training.evaluation() == AtariSettings(3, False, False, 5, 4, 42)
    assert AtariSettings(**training.keywords()) == training


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"stack_frames": 0}, "stack_frames must be an int of at least 1, got 0"),
        ({"noop_max": -1}, "noop_max must be an int of at least 0, got -1"),
        ({"frame_skip": True}, "frame_skip must be an int of at least 1, got True"),
        ({"screen_size": 84.0}, r"screen_size must be an int of at least 1, got 84\.0"),
    ],
)
def test_impossible_numbers_raise(setting, words):
    with pytest.raises(ValueError, match=words):
        AtariSettings(**setting)


def test_the_older_name_of_clipping():
    given = [(True, None), (False, None), (True, False), (True, True), (False, False)]
    assert [alias_of_clipping(*each) for each in given] == [True, False, False, True, False]
    with pytest.raises(TypeError, match="clip_reward"):
        alias_of_clipping(False, True)


def raw_vector(**kwargs):
    from ale_py.vector_env import AtariVectorEnv

    return AtariVectorEnv("pong", 1, num_threads=1, **kwargs)


def test_vectors_made_by_us_and_other_environments_give_no_warning(recwarn):
    warn_if_clipped(make_atari_vec("pong", 1, num_threads=1))
    warn_if_clipped(gymnasium.make("CartPole-v1"))
    warn_if_clipped(gymnasium.make_vec("ALE/Pong-v5", 1, reward_clipping=False))
    stated = raw_vector(reward_clipping=False)
    stated.reward_clipping = stated.episodic_life = False
    warn_if_clipped(stated)
    assert not recwarn


def test_vectors_that_clip_or_reset_at_life_loss_give_a_warning():
    with pytest.warns(UserWarning, match="clips rewards:"):
        warn_if_clipped(gymnasium.make_vec("ALE/Pong-v5", 1))
    with pytest.warns(UserWarning, match="resets the game at a lost life:"):
        warn_if_clipped(
            gymnasium.make_vec("ALE/Pong-v5", 1, reward_clipping=False, episodic_life=True)
        )
    with pytest.warns(UserWarning, match="cannot|neither can be read back"):
        warn_if_clipped(gymnasium.vector.VectorWrapper(raw_vector()))
