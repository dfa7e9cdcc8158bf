"""Environments made from their names."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from tests.envs.games import Odd, needs
from tests.envs.test_old_gym import Old

from ptan.envs.atari_settings import AtariSettings
from ptan.envs.make import find_spec, is_atari, make_env


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
    env = make_env(name)
    assert env.observation_space.shape == (4, 84, 84)
    assert env.unwrapped._frameskip == 1
    small = make_env(name, atari=AtariSettings(stack_frames=2, screen_size=42))
    assert small.observation_space.shape == (2, 42, 42)
    sticky = make_env(name, repeat_action_probability=0.5)
    assert sticky.unwrapped.spec.kwargs["repeat_action_probability"] == 0.5


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
    with pytest.raises(error, match=words):
        make_env(name)
    with pytest.raises(error, match=words):
        find_spec(name)


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
        env = make_env("worlds_of_make:OfMake-v0")
        assert isinstance(env, TimeLimit)
    finally:
        gymnasium.registry.pop("OfMake-v0", None)
    with pytest.raises(ImportError, match="cannot be imported: ZeroDivisionError"):
        make_env("broken_of_make:X-v0")


def test_what_an_environment_raises_when_it_is_made_is_said(register):
    def broken(**_):
        raise RuntimeError("no screen")

    register("Broken-v0", broken)
    with pytest.raises(ValueError, match="Broken-v0 cannot be made: no screen"):
        make_env("Broken-v0")
    with pytest.raises(ValueError, match=r"CartPole-v1 cannot be made: .*'gravitas'"):
        make_env("CartPole-v1", gravitas=1)


class NoRender(Odd):
    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self):
        super().__init__()


def test_an_environment_without_render_mode(register):
    register("NoRender-v0", NoRender)
    assert isinstance(make_env("NoRender-v0").unwrapped, NoRender)
    env = make_env("NoRender-v0", render_mode="rgb_array")
    assert isinstance(env.unwrapped.env, NoRender)
    assert env.reset(seed=3)[0].tolist() == NoRender().reset(seed=3)[0].tolist()


class OfOurs(Old, gymnasium.Env):
    """Derived from Gymnasium's class, written in the old way."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012


@pytest.mark.parametrize("kind", [Old, OfOurs, lambda: Old(), lambda: OfOurs()])
@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_old_environments_are_adapted_below_gymnasiums_wrappers(register, kind, render_mode):
    register("Old-v0", kind, max_episode_steps=3)
    with pytest.warns(UserWarning, match="plays unseeded") as warned:
        env = make_env("Old-v0", render_mode=render_mode)
    assert len(warned) == 1
    obs, info = env.reset(seed=3)
    assert (obs.tolist(), info) == ([0.0], {})
    ends = [env.step(np.int64(1))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    assert env.spec.id == "Old-v0"
    env.close()
