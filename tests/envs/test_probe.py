"""The probe finds what repeats and what does not."""

import random

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import NormalizeObservation
from tests.envs.games import Odd, breakout, maker, needs, pong
from tests.envs.test_repeat import Counts, GlobalDraws

from ptan.envs.atari_vector import make_atari_vec
from ptan.envs.probe import probe_repeats
from ptan.envs.repeat import MadeAnew, RepeatEpisodes
from ptan.envs.vector import make_vector


def vector(make, asynchronous=False):
    wrapped = [lambda i=i: RepeatEpisodes(make(), 0, i) for i in range(3)]
    return lambda: make_vector(wrapped, asynchronous)


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        pytest.param(maker("CartPole-v1"), 320, id="CartPole"),
        pytest.param(lambda: [gymnasium.make("Acrobot-v1") for _ in range(3)], 320, id="list"),
        pytest.param(vector(maker("CartPole-v1")), 320, id="sync"),
        pytest.param(vector(maker("CartPole-v1"), True), 320, id="async"),
        pytest.param(Odd, 320, id="lives"),
        pytest.param(maker("LunarLander-v3"), 320, id="LunarLander", marks=needs("Box2D")),
        pytest.param(maker("HalfCheetah-v5"), 320, id="HalfCheetah", marks=needs("mujoco")),
        pytest.param(maker("Hopper-v5"), 320, id="Hopper", marks=needs("mujoco")),
        pytest.param(pong, 60, id="Pong", marks=needs("ale_py")),
        pytest.param(
            lambda: MadeAnew(maker("BipedalWalker-v3")), 320, id="made anew", marks=needs("Box2D")
        ),
    ],
)
def test_environments_that_repeat(make, steps):
    found = probe_repeats(make, steps=steps)
    assert found.repeats
    assert found.restart == "reset"
    assert found.reason == "3 of 3 saved episodes went on equally"


@needs("Box2D")
@pytest.mark.parametrize("name", ["BipedalWalker-v3", "BipedalWalkerHardcore-v3"])
@pytest.mark.parametrize("seed", [0, 1])
def test_worlds_that_outlive_their_episodes_are_found(name, seed):
    found = probe_repeats(maker(name), seed)
    assert (found.repeats, found.restart) == (False, "remake")
    assert "traces of before" in found.reason


@needs("Box2D")
def test_a_vector_of_them_as_well():
    found = probe_repeats(vector(maker("BipedalWalker-v3")))
    assert (found.repeats, found.restart) == (False, "remake")


@needs("ale_py")
@pytest.mark.parametrize("game", ["ALE/Breakout-v5", "pong"])
def test_games_in_c_can_only_begin_anew(game):
    found = probe_repeats(lambda: make_atari_vec(game, 2, noop_max=30), steps=150)
    assert (found.repeats, found.restart) == (False, "reset")
    assert "cannot be saved" in found.reason


def test_a_users_own_vector_environment_can_only_begin_anew():
    found = probe_repeats(lambda: gymnasium.make_vec("CartPole-v1", 3))
    assert (found.repeats, found.restart) == (False, "reset")
    assert "CartPoleVectorEnv cannot be saved" in found.reason


def test_chance_that_no_seed_reaches():
    found = probe_repeats(GlobalDraws)
    assert (found.repeats, found.restart) == (False, "never")
    assert "does not repeat the" in found.reason
    assert "go different ways" in found.reason


def test_what_wrappers_carry_from_episode_to_episode():
    """A running mean over all episodes so far is no part of this one."""
    found = probe_repeats(lambda: NormalizeObservation(gymnasium.make("CartPole-v1")))
    assert (found.repeats, found.restart) == (False, "remake")


class Forgets(Counts):
    """Its own state lacks a part."""

    def step(self, action):
        self.twice = getattr(self, "twice", 0) + 1
        random.seed(0)
        obs, *rest = super().step(action)
        return obs + np.float32(self.twice), *rest


def test_a_state_of_its_own_that_lacks_a_part():
    found = probe_repeats(Forgets)
    assert not found.repeats
    assert "goes on otherwise" in found.reason


def test_environments_are_closed():
    made = []

    class Closes(Odd):
        def __init__(self):
            super().__init__()
            made.append(self)
            self.open = True

        def close(self):
            self.open = False

    probe_repeats(Closes)
    assert len(made) == 4
    assert not any(env.open for env in made)
    with pytest.raises(ValueError, match="steps must be at least 8"):
        probe_repeats(Closes, steps=7)


@needs("ale_py")
def test_a_probe_needs_few_steps_of_a_game_with_lives():
    assert probe_repeats(breakout, steps=100).repeats
