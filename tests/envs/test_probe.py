"""The probe finds what repeats and what does not."""

import re

import gymnasium
import pytest
from gymnasium.wrappers import NormalizeObservation
from tests.envs.games import GlobalDraws, Odd, breakout, maker, needs, pong

from ptan.envs.atari_vector import make_atari_vec
from ptan.envs.probe import probe_repeats
from ptan.envs.repeat import MadeAnew, RepeatEpisodes
from ptan.envs.vector import make_vector

walker = maker("BipedalWalker-v3")


def vector(make, asynchronous=False):
    wrapped = [lambda i=i: RepeatEpisodes(make(), 0, i) for i in range(3)]
    return lambda: make_vector(wrapped, asynchronous)


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        pytest.param(maker("CartPole-v1"), 320, id="CartPole"),
        pytest.param(vector(maker("CartPole-v1")), 320, id="sync"),
        pytest.param(vector(maker("CartPole-v1"), True), 320, id="async"),
        pytest.param(Odd, 320, id="lives"),
        pytest.param(maker("LunarLander-v3"), 320, id="LunarLander", marks=needs("Box2D")),
        pytest.param(maker("HalfCheetah-v5"), 320, id="HalfCheetah", marks=needs("mujoco")),
        pytest.param(pong, 60, id="Pong", marks=needs("ale_py")),
        pytest.param(breakout, 100, id="Breakout", marks=needs("ale_py")),
        pytest.param(lambda: MadeAnew(walker), 320, id="made anew", marks=needs("Box2D")),
    ],
)
def test_environments_that_repeat(make, steps):
    found = probe_repeats(make, steps=steps)
    assert (found.repeats, found.restart) == (True, "reset")
    assert found.reason == "3 saved episodes went on equally"


class Forgets(Odd):
    """Its own state lacks a part."""

    def state_dict(self):
        return {"rng": self.np_random.bit_generator.state}

    def load_state_dict(self, state):
        self.np_random.bit_generator.state = state["rng"]


@pytest.mark.parametrize(
    ("make", "restart", "words"),
    [
        pytest.param(walker, "remake", "traces of before", marks=needs("Box2D")),
        pytest.param(vector(walker), "remake", "traces of before", marks=needs("Box2D")),
        # A running mean over all episodes so far is no part of this one.
        (lambda: NormalizeObservation(gymnasium.make("CartPole-v1")), "remake", "does not repeat"),
        (GlobalDraws, "never", "does not repeat the .*; two of them with one seed go different"),
        (Forgets, "reset", "goes on otherwise"),
        (lambda: gymnasium.make_vec("CartPole-v1", 3), "reset", "CartPoleVectorEnv cannot be sav"),
        pytest.param(
            lambda: make_atari_vec("ALE/Breakout-v5", 2, noop_max=30),
            *("reset", "AtariVector cannot be saved"),
            marks=needs("ale_py"),
        ),
    ],
)
def test_environments_that_do_not_repeat(make, restart, words):
    found = probe_repeats(make)
    assert (found.repeats, found.restart) == (False, restart)
    assert re.search(words, found.reason)


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
