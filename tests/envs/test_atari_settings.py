"""The settings of Atari's preprocessing, and the warning about vectors that falsify returns."""

import ale_py
import gymnasium
import pytest
from ale_py.vector_env import AtariVectorEnv

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


def made(reward_clipping=True, **kwargs):
    return gymnasium.make_vec("ALE/Pong-v5", 1, reward_clipping=reward_clipping, **kwargs)


def stated():
    env = AtariVectorEnv("pong", 1, num_threads=1, reward_clipping=False)
    env.reward_clipping = env.episodic_life = False
    return env


CLIPS, ENDS = ("reward_clipping=True and episodic_life=False", "=False and episodic_life=True")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: make_atari_vec("pong", 1, num_threads=1), None),
        (lambda: gymnasium.make("CartPole-v1"), None),
        (lambda: made(False), None),
        (stated, None),
        (made, CLIPS),
        (lambda: gymnasium.make_vec("ALE/Pong-v5", 1), CLIPS),
        (lambda: made(False, episodic_life=True), ENDS),
        (lambda: gymnasium.vector.VectorWrapper(AtariVectorEnv("pong", 1)), "clipping=unknown"),
    ],
)
def test_vectors_that_clip_or_reset_at_life_loss_give_a_warning(make, words, recwarn):
    warn_if_clipped(make())
    assert len(recwarn) == (words is not None)
    assert words is None or words in str(recwarn[0].message)
