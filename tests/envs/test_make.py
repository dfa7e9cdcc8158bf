"""Environments made from their names, old ones adapted, and vectors of them."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from tests.envs.games import Odd, maker, needs

from ptan.envs.atari_settings import AtariSettings
from ptan.envs.make import OldGym, find_spec, is_atari, is_old, make_env, make_vector
from ptan.envs.repeat import RepeatEpisodes


@pytest.fixture
def register():
    names = []

    def add(name, entry_point, **kwargs):
        gymnasium.register(name, entry_point, **kwargs)
        names.append(name)

    yield add
    for name in names:
        del gymnasium.registry[name]


def test_a_name_of_gymnasium_with_arguments_of_its_own():
    env = make_env("FrozenLake-v1", is_slippery=False, render_mode="rgb_array")
    assert env.spec.id == "FrozenLake-v1"
    assert (env.spec.kwargs["is_slippery"], env.render_mode) == (False, "rgb_array")


@needs("ale_py")
@pytest.mark.atari
@pytest.mark.parametrize("name", ["PongNoFrameskip-v4", "ALE/Pong-v5"])
def test_games_are_preprocessed(name):
    assert is_atari(name)
    assert make_env(name).unwrapped._frameskip == 1
    settings = AtariSettings(stack_frames=2, screen_size=42)
    env = make_env(name, atari=settings, repeat_action_probability=0.5)
    assert env.observation_space.shape == (2, 42, 42)
    assert env.unwrapped.spec.kwargs["repeat_action_probability"] == 0.5


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("CartPole-v9", ValueError, "got 'CartPole-v9'; did you mean 'CartPole-v1'"),
        ("cartpole-v1", ValueError, "did you mean .*'CartPole-v1'"),
        ("PonNoFrameskip-v4", ValueError, "did you mean 'PongNoFrameskip-v4'"),
        ("nonsense", ValueError, "must be an environment of Gymnasium, got 'nonsense'$"),
        ("", ValueError, "must be an environment of Gymnasium, got ''"),
        ("nowhere.at.all:X-v0", ImportError, "'nowhere.at.all:X-v0' cannot be imported: Module"),
    ],
)
def test_wrong_names_say_what_would_be_right(name, error, words):
    for make in (make_env, find_spec):
        with pytest.raises(error, match=words):
            make(name)


def test_modules_register_their_names_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "worlds_of_make.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('OfMake-v0', entry_point=CartPoleEnv, max_episode_steps=3)\n"
    )
    (tmp_path / "broken_of_make.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    try:
        assert make_env("worlds_of_make:OfMake-v0").spec.max_episode_steps == 3
    finally:
        gymnasium.registry.pop("OfMake-v0", None)
    with pytest.raises(ImportError, match="cannot be imported: ZeroDivisionError"):
        make_env("broken_of_make:X-v0")


def test_what_an_environment_raises_when_it_is_made_is_said(register):
    register("Broken-v0", lambda **_: 1 / 0)
    with pytest.raises(ValueError, match="Broken-v0 cannot be made: division by zero"):
        make_env("Broken-v0")
    with pytest.raises(ValueError, match=r"CartPole-v1 cannot be made: .*'gravitas'"):
        make_env("CartPole-v1", gravitas=1)


# Old environments

unseeded = pytest.mark.filterwarnings("ignore:.*plays unseeded")


class Old:
    """Written for Gym 0.21: no seed, no info at reset, four values per step, no render_mode."""

    observation_space = spaces.Box(0, 9, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self):
        self.t = 0
        return np.zeros(1, np.float32)

    def step(self, action):
        self.t += 1
        done = self.t == 4
        return np.full(1, self.t, np.float32), 1.0, done, {"TimeLimit.truncated": action == 0}

    def render(self, mode="human"):
        return mode


class OfOurs(Old, gymnasium.Env):
    """Derived from Gymnasium's class, written in the old way."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012


class Half(Old):
    """Partly new."""

    def reset(self):
        return super().reset(), {"level": 3}

    def step(self, action):
        obs, reward, done, info = super().step(action)
        return obs, reward, done, False, info

    def render(self):
        return "picture"


class Pairs(Old):
    def reset(self):
        super().reset()
        return 1.0, 2.0


class BySeed(Old):
    def seed(self, seed):
        self.seeded = seed


class ByReset(Old):
    def reset(self, seed=None, return_info=False):
        self.seeded = seed
        return super().reset()


class NoRender(Odd):
    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self):
        super().__init__()


class Keywords(Odd):
    def reset(self, **others):
        return super().reset(**others)


@unseeded
def test_old_environments_are_told_from_new_ones():
    assert [is_old(kind()) for kind in (Old, ByReset, OfOurs)] == [True] * 3
    new = (Odd(), Keywords(), RepeatEpisodes(Odd(), 0), OldGym(Old()))
    assert [is_old(env) for env in new] == [False] * 4


@pytest.mark.parametrize("kind", [Old, OfOurs, lambda: Old(), lambda: OfOurs()])
@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_old_environments_are_adapted_below_gymnasiums_wrappers(register, kind, render_mode):
    register("Old-v0", kind, max_episode_steps=3)
    with pytest.warns(UserWarning, match="plays unseeded: its reset takes no seed") as warned:
        env = make_env("Old-v0", render_mode=render_mode)
    assert len(warned) == 1
    assert env.reset(seed=3) == (np.zeros(1), {})
    ends = [env.step(np.int64(1))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    assert (env.spec.id, env.unwrapped.render()) == ("Old-v0", render_mode)
    env.close()


@unseeded
@pytest.mark.parametrize(
    ("kind", "action", "ends"),
    [(Old, 0, (False, True)), (Old, 1, (True, False)), (Half, 0, (True, False))],
)
def test_ends_in_the_old_way_and_in_the_new(kind, action, ends):
    env = OldGym(kind())
    env.reset()
    results = [env.step(action) for _ in range(4)]
    assert [result[2:4] for result in results] == [(False, False)] * 3 + [ends]
    assert results[-1][:2] == (np.full(1, 4), 1.0)


@unseeded
def test_what_is_new_already_passes_unchanged():
    half = OldGym(Half(), "human")
    assert (half.reset()[1], half.render()) == ({"level": 3}, "picture")
    assert OldGym(Pairs()).reset() == ((1.0, 2.0), {})


@pytest.mark.parametrize("kind", [BySeed, ByReset])
def test_seeds_reach_those_that_take_them_in_an_old_way(kind):
    env = OldGym(kind())  # without a warning
    env.reset(seed=5)
    assert env.env.seeded == 5
    env.reset()
    assert env.env.seeded == (5 if kind is BySeed else None)


def test_an_environment_without_render_mode(register):
    register("NoRender-v0", NoRender)
    assert isinstance(make_env("NoRender-v0").unwrapped, NoRender)
    env = make_env("NoRender-v0", render_mode="rgb_array")
    assert isinstance(env.unwrapped.env, NoRender)
    assert env.reset(seed=3)[0].tolist() == NoRender().reset(seed=3)[0].tolist()


# Vectors

both = pytest.mark.parametrize("asynchronous", [False, True])


@both
def test_only_what_is_in_the_mask_is_reset(asynchronous):
    env = make_vector([maker("CartPole-v1")] * 3, asynchronous)
    first, _ = env.reset(seed=5)
    obs = env.step(np.zeros(3, np.int64))[0]
    mask = np.array([False, True, False])
    after, _ = env.reset(options={"reset_mask": mask}, seed=[None, 6, None])
    assert after[[0, 2]].tolist() == obs[[0, 2]].tolist()
    assert after[1].tolist() == first[1].tolist()  # environment 1 was seeded with 5 + 1
    assert env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    env.close()


class Custom(spaces.Space):
    """A user's own space."""

    def __init__(self):
        super().__init__((), None)

    def __eq__(self, other):
        return isinstance(other, Custom)


class Opaque(Odd):
    observation_space = Custom()


@both
def test_spaces_that_do_not_fit_into_shared_memory(asynchronous):
    env = make_vector([lambda: Opaque(lambda rng, t: ("opaque", t))] * 2, asynchronous)
    assert tuple(env.reset(seed=1)[0]) == (("opaque", 0), ("opaque", 0))
    env.close()


@both
def test_an_error_of_making_is_the_environments_own(asynchronous):
    with pytest.raises(ZeroDivisionError):
        make_vector([lambda: 1 / 0], asynchronous)
    with pytest.raises(ValueError, match="at least one environment"):
        make_vector([], asynchronous)
