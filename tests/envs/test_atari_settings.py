"""The settings of Atari's preprocessing, and the warning about vectors that falsify returns."""

import ale_py
import gymnasium
import pytest

from ptan.envs import AtariSettings, make_atari_vec
from ptan.envs.atari_settings import warn_if_clipped

gymnasium.register_envs(ale_py)
pytestmark = pytest.mark.atari


def test_evaluation_changes_what_only_training_needs():
    training = AtariSettings(stack_frames=3, noop_max=5, screen_size=42, point_ends=True)
    assert training.evaluation() == AtariSettings(3, False, False, 5, 4, 42)
    assert AtariSettings(**training.keywords()) == training


@pytest.mark.parametrize("setting", ["stack_frames", "noop_max", "frame_skip", "screen_size"])
def test_impossible_numbers_raise(setting):
    for wrong in (-1, True, 84.0):
        with pytest.raises((TypeError, ValueError), match=f"{setting} must be .*{wrong}"):
            AtariSettings(**{setting: wrong})


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
    with pytest.warns(UserWarning, match="reward_clipping=True and episodic_life=False"):
        warn_if_clipped(gymnasium.make_vec("ALE/Pong-v5", 1))
    with pytest.warns(UserWarning, match="reward_clipping=False and episodic_life=True"):
        warn_if_clipped(
            gymnasium.make_vec("ALE/Pong-v5", 1, reward_clipping=False, episodic_life=True)
        )
    with pytest.warns(UserWarning, match="reward_clipping=unknown"):
        warn_if_clipped(gymnasium.vector.VectorWrapper(raw_vector()))
