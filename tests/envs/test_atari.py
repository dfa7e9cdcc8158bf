"""The Atari preprocessing, checked with seeded games against the emulator itself."""

import builtins

import ale_py
import cv2
import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.common.wrappers import make_atari_vec, wrap_dqn

gymnasium.register_envs(ale_py)
pytestmark = pytest.mark.atari

PONG, BREAKOUT, INVADERS = (f"{g}NoFrameskip-v4" for g in ("Pong", "Breakout", "SpaceInvaders"))
game = gymnasium.make


def small(screen):
    return cv2.resize(screen, (84, 84), interpolation=cv2.INTER_AREA)


def actions(n, steps, seed=0):
    # FIRE often, so that Breakout goes on after a lost life.
    rng = np.random.default_rng(seed)
    return [1 if rng.random() < 0.3 else int(rng.integers(n)) for _ in range(steps)]


class Emulator:
    """The preprocessing of a game without lives in it, written down a second time."""

    def __init__(self, name, seed):
        self.env = game(name).unwrapped
        self.env.reset(seed=seed)
        self.fired = self.env.get_action_meanings()[1] == "FIRE"
        if self.fired:
            self.env.step(1)
        self.first = small(self.screen())

    def screen(self):
        return self.env.ale.getScreenGrayscale()

    def step(self, action):
        screens, total = [], 0.0
        for _ in range(4):
            _, reward, terminated, _, _ = self.env.step(action)
            total += reward
            screens.append(self.screen())
            if terminated:
                return None, total, True
        return small(np.maximum(screens[-1], screens[-2])), total, False


@pytest.mark.parametrize("name", [PONG, BREAKOUT, INVADERS, "FreewayNoFrameskip-v4"])
def test_wrap_dqn_shows_what_the_emulator_shows(name):
    env, emulator = wrap_dqn(game(name), episodic_life=False), Emulator(name, 7)
    obs, info = env.reset(seed=7)
    assert env.observation_space.shape == obs.shape == (4, 84, 84)
    assert env.observation_space.dtype == obs.dtype == np.uint8
    assert info["episode_frame_number"] == emulator.fired  # the observation is the one after FIRE
    expected = [emulator.first] * 4
    np.testing.assert_array_equal(obs, expected)
    rewards = set()
    for action in actions(env.action_space.n, 300):
        obs, reward, terminated, truncated, info = env.step(action)
        frame, raw, over = emulator.step(action)
        assert (terminated, truncated) == (over, False)
        assert (reward, info["raw_reward"]) == (np.sign(raw), raw)
        rewards.add(raw)
        if over:
            break
        expected = [*expected[1:], frame]
        np.testing.assert_array_equal(obs, expected)
    assert len(rewards) > 1 or not emulator.fired


def test_seeds_decide_the_number_of_noops_and_reach_the_game():
    def trace(seed, noop_max=0):
        env = wrap_dqn(game("ALE/Breakout-v5", frameskip=1), noop_max=noop_max)
        info = env.reset(seed=seed)[1]
        # Sticky actions are drawn from the game's generator.
        observations = [env.step(a)[0].tobytes() for a in actions(4, 60)]
        return info["episode_frame_number"], observations

    assert trace(3) == trace(3) != trace(4)
    frames = [trace(seed, 30)[0] for seed in range(4)]
    assert len(set(frames)) > 1
    assert all(2 <= f <= 31 for f in frames)  # FIRE and 1 to 30 no-ops


def play_to_life_loss(env):
    env.reset(seed=0)
    for action in actions(4, 500):
        obs, _, terminated, _, info = env.step(action)
        if terminated:
            return obs, info
    raise AssertionError("no life was lost")


def test_life_loss_terminates_and_the_game_goes_on():
    env, plain = wrap_dqn(game(BREAKOUT)), wrap_dqn(game(BREAKOUT), episodic_life=False)
    env.reset(seed=5)
    plain.reset(seed=5)
    lives, losses = 5, 0
    for action in actions(4, 2000):
        obs, reward, terminated, _, info = env.step(action)
        same, same_reward, over, _, same_info = plain.step(action)
        np.testing.assert_array_equal(obs, same)
        assert reward == same_reward
        assert "life_loss" not in same_info
        lost = 0 < info["lives"] < lives
        assert terminated == (lost or over)
        assert ("life_loss" in info) == lost
        losses += lost
        lives = info["lives"]
        if over:
            break
    assert (losses, lives) == (4, 0)
    assert env.reset()[1]["lives"] == 5


def test_reset_after_a_life_loss_continues_the_game():
    env, steady = wrap_dqn(game(BREAKOUT)), wrap_dqn(game(BREAKOUT))
    obs, info = play_to_life_loss(env)
    play_to_life_loss(steady)
    assert info["life_loss"] is True
    again, reset_info = env.reset()
    np.testing.assert_array_equal(again, obs)
    assert reset_info["life_loss"] is True
    assert reset_info["frame_number"] == info["frame_number"]
    for action in actions(4, 20, seed=9):
        np.testing.assert_array_equal(env.step(action)[0], steady.step(action)[0])


@pytest.mark.parametrize(
    ("before", "how"),
    [
        (lambda env: env.reset(), {}),
        (lambda env: env.step(0), {}),
        (lambda env: None, {"seed": 3}),
        (lambda env: None, {"options": {"new": True}}),
    ],
)
def test_a_later_or_seeded_reset_starts_a_new_game(before, how):
    env = wrap_dqn(game(BREAKOUT))
    play_to_life_loss(env)
    before(env)
    obs, info = env.reset(**how)
    assert (info["lives"], info["episode_frame_number"]) == (5, 1)
    assert "life_loss" not in info
    assert (obs == obs[0]).all()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasium_vector_autoreset_does_not_reset_a_game_at_life_loss(mode):
    vector = SyncVectorEnv([lambda: wrap_dqn(game(BREAKOUT))], autoreset_mode=mode)
    vector.reset(seed=0)
    losses = frame_number = 0
    for action in actions(4, 400):
        _, _, terminated, _, info = vector.step(np.array([action]))
        assert info["episode_frame_number"][0] >= frame_number
        frame_number = info["episode_frame_number"][0]
        losses += bool(terminated[0])
        if losses == 3:
            break
    assert (losses, info["lives"][0]) == (3, 2)


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_truncation_shows_the_true_last_screen(cut):
    # One frame of FIRE, then 4 per step: the 61st step is cut after `cut` frames.
    env = wrap_dqn(game(BREAKOUT, max_num_frames_per_episode=241 + cut))
    obs, _ = env.reset(seed=0)
    for action in actions(4, 61):
        before = obs
        obs, _, terminated, truncated, _ = env.step(action)
    assert (obs[-1] != before[-1]).any()
    assert (terminated, truncated) == (False, True)
    np.testing.assert_array_equal(obs[-1], small(env.unwrapped.ale.getScreenGrayscale()))


def test_a_missing_extra_is_named(monkeypatch):
    real, env = builtins.__import__, game(PONG)

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("cv2", "ale_py"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for make in (lambda: wrap_dqn(env), lambda: make_atari_vec("pong", 1)):
        with pytest.raises(ImportError, match=r'pip install "ptan\[atari\]"'):
            make()


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("CartPole-v1", {}, "env must be an Atari game, got <"),
        ("ALE/Pong-v5", {}, r"must not skip frames itself \(.*frameskip=1\), got frameskip=4"),
        ("Pong-v4", {}, "must not skip frames itself"),
        (PONG, {"obs_type": "ram"}, r"must show the screen .* not the RAM: got Box\(0, 255"),
        (PONG, {"continuous": True}, r"must have discrete actions \(continuous=False\), got Box"),
    ],
)
def test_what_cannot_be_preprocessed_is_named(name, kwargs, words):
    with pytest.raises(ValueError, match=words):
        wrap_dqn(game(name, **kwargs))


def test_settings_reach_the_game():
    settings = {"episodic_life": False, "clip_reward": False, "stack_frames": 3, "screen_size": 42}
    env = wrap_dqn(game(INVADERS), **settings)
    assert env.reset(seed=0)[0].shape == (3, 42, 42)
    steps = [env.step(1) for _ in range(250)]
    assert max(step[1] for step in steps) > 1
    assert not any((step[2] and step[4]["lives"]) or "raw_reward" in step[4] for step in steps)
    with pytest.raises(ValueError, match="stack_frames"):
        wrap_dqn(game(PONG), stack_frames=0)
