"""Old environments behind the present interface."""

import numpy as np
import pytest
from gymnasium import spaces
from tests.envs.games import Odd

from ptan.envs.old_gym import OldGym, is_old
from ptan.envs.repeat import RepeatEpisodes


class Old:
    """Written for Gym 0.21: no seed, no info at reset, four values per step, no render_mode."""

    observation_space = spaces.Box(0, 9, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self):
        self.t = 0

    def reset(self):
        self.t = 0
        return np.zeros(1, np.float32)

    def step(self, action):
        self.t += 1
        done = self.t == 4
        return np.full(1, self.t, np.float32), 1.0, done, {"TimeLimit.truncated": action == 0}

    def render(self, mode="human"):
        return mode


def adapted(env, **kwargs):
    with pytest.warns(UserWarning, match="plays unseeded: its reset takes no seed"):
        return OldGym(env, **kwargs)


@pytest.mark.parametrize(("action", "ends"), [(0, (False, True)), (1, (True, False))])
def test_four_values_become_five(action, ends):
    env = adapted(Old(), render_mode="rgb_array")
    assert env.reset() == (np.zeros(1), {})
    results = [env.step(action) for _ in range(4)]
    assert [result[2:4] for result in results] == [(False, False)] * 3 + [ends]
    assert results[-1][0] == np.full(1, 4)
    assert results[-1][1] == 1.0
    assert env.render() == "rgb_array"
    env.close()


def test_what_is_new_already_passes_unchanged():
    class Half(Old):
        def reset(self):
            return super().reset(), {"level": 3}

        def step(self, action):
            obs, reward, done, info = super().step(action)
            return obs, reward, done, False, info

        def render(self):
            return "picture"

    env = adapted(Half())
    assert env.reset()[1] == {"level": 3}
    assert [env.step(1)[2] for _ in range(4)] == [False, False, False, True]
    assert env.render() == "picture"

    class Pairs(Old):
        def reset(self):
            return 1.0, 2.0

    assert adapted(Pairs()).reset() == ((1.0, 2.0), {})


class BySeed(Old):
    def seed(self, seed):
        self.seeded = seed


class ByReset(Old):
    def reset(self, seed=None, return_info=False):
        self.seeded = seed
        return super().reset()


@pytest.mark.parametrize("kind", [BySeed, ByReset])
def test_seeds_reach_those_that_take_them_in_an_old_way(kind):
    env = OldGym(kind())  # without a warning
    env.reset(seed=5)
    assert env.env.seeded == 5
    env.reset()
    assert env.env.seeded == (5 if kind is BySeed else None)


def test_old_environments_are_told_from_new_ones():
    assert is_old(Old())
    assert is_old(ByReset())
    assert not is_old(Odd())
    assert not is_old(RepeatEpisodes(Odd(), 0))
    assert not is_old(adapted(Old()))

    class OldReset(Odd):
        def reset(self):
            return super().reset()[0]

    class Keywords(Odd):
        def reset(self, **others):
            return super().reset(**others)

    assert is_old(OldReset())
    assert not is_old(Keywords())
