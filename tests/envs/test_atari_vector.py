"""`make_atari_vec` against `wrap_dqn`, game by game."""

import ale_py
import gymnasium
import numpy as np
import pytest

from ptan.common.wrappers import make_atari_vec, wrap_dqn

gymnasium.register_envs(ale_py)
pytestmark = pytest.mark.atari


def draw_actions(rng, n_envs, n_actions):
    drawn = rng.integers(n_actions, size=n_envs)
    drawn[rng.random(n_envs) < 0.3] = 1  # FIRE often: Breakout waits for it
    return drawn


class Single:
    """One `wrap_dqn` game that resets itself as a vector environment would."""

    def __init__(self, name, **settings):
        self.env = wrap_dqn(gymnasium.make(name), **settings)
        self.game_over = False

    def reset(self, seed):
        return self.env.reset(seed=seed)[0]

    def step(self, action):
        if self.game_over:
            self.game_over = False
            obs, info = self.env.reset()
            return obs, 0.0, False, False, info
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.game_over = (terminated or truncated) and not info.get("life_loss", False)
        return obs, reward, terminated, truncated, info


@pytest.mark.parametrize(
    ("rom", "name", "steps", "settings"),
    [
        ("pong", "PongNoFrameskip-v4", 300, {}),
        ("breakout", "BreakoutNoFrameskip-v4", 500, {}),
        ("breakout", "BreakoutNoFrameskip-v4", 300, {"episodic_life": False}),
        ("space_invaders", "SpaceInvadersNoFrameskip-v4", 300, {"reward_clipping": False}),
        ("pong", "PongNoFrameskip-v4", 100, {"frame_skip": 2, "stack_frames": 3}),
        ("breakout", "BreakoutNoFrameskip-v4", 100, {"frame_skip": 1, "stack_frames": 1}),
        ("pong", "PongNoFrameskip-v4", 50, {"screen_size": 42}),
        ("pong", "PongNoFrameskip-v4", 200, {"point_ends": True}),
        ("breakout", "BreakoutNoFrameskip-v4", 300, {"point_ends": True}),
        ("breakout", "BreakoutNoFrameskip-v4", 200, {"point_ends": True, "episodic_life": False}),
    ],
)
def test_vector_equals_wrap_dqn_pixel_by_pixel(rom, name, steps, settings):
    vector = make_atari_vec(rom, 2, num_threads=1, **settings)
    singles = [Single(name, **settings) for _ in range(2)]
    obs, _ = vector.reset(seed=11)
    expected = [single.reset(11 + i) for i, single in enumerate(singles)]
    np.testing.assert_array_equal(obs, expected)
    rng = np.random.default_rng(2)
    ends, losses = 0, 0
    for _ in range(steps):
        chosen = draw_actions(rng, 2, vector.single_action_space.n)
        obs, rewards, terminated, truncated, info = vector.step(chosen)
        assert rewards.dtype == np.float64
        for i, single in enumerate(singles):
            same, reward, end, cut, single_info = single.step(chosen[i])
            np.testing.assert_array_equal(obs[i], same)
            assert (rewards[i], terminated[i], truncated[i]) == (reward, end, cut)
            lost = single_info.get("life_loss", False)
            assert info.get("life_loss", [False] * 2)[i] == lost
            if "raw_reward" in single_info:
                assert info["raw_reward"][i] == single_info["raw_reward"]
            ends += end and not lost
            losses += lost
        windows_end = settings.get("episodic_life", True) or settings.get("point_ends", False)
        assert ("life_loss" in info) == windows_end
        assert ("raw_reward" in info) == settings.get("reward_clipping", True)
    if rom == "breakout" and steps >= 300:
        assert ends > 0
        assert (losses > 0) == windows_end


@pytest.mark.parametrize("episodic_life", [True, False])
def test_a_game_cut_while_a_life_is_lost_is_truncated_only(episodic_life):
    vector = make_atari_vec("breakout", 1, num_threads=1)
    vector.reset(seed=0)
    steps = next(step for step in range(1, 200) if vector.step([0])[2][0])
    settings = {"episodic_life": episodic_life, "max_num_frames_per_episode": 4 * steps}
    vector = make_atari_vec("breakout", 1, num_threads=1, **settings)
    vector.reset(seed=0)
    for _ in range(steps):
        _, _, terminated, truncated, info = vector.step([0])
    assert (terminated[0], truncated[0]) == (False, True)
    assert not info.get("life_loss", [False])[0]
    info = vector.step([0])[4]
    assert (info["lives"][0], info["episode_frame_number"][0]) == (5, 1)


def test_masked_reset_starts_only_the_chosen_games():
    vector = make_atari_vec("pong", 2, num_threads=1)
    vector.reset(seed=0)
    for _ in range(10):
        obs, *_ = vector.step([2, 3])
    after, info = vector.reset(options={"reset_mask": np.array([False, True])})
    np.testing.assert_array_equal(after[0], obs[0])
    assert (after[1] == after[1, 0]).all()
    np.testing.assert_array_equal(info["episode_frame_number"], [41, 1])


def test_a_seed_gives_each_game_its_own():
    vector = make_atari_vec("breakout", 3, noop_max=30, num_threads=1)

    def frames(seed):
        return vector.reset(seed=seed)[1]["episode_frame_number"].tolist()

    first = frames(4)
    assert len(set(first)) > 1
    assert frames(4) == first
    assert frames(5)[:2] == first[1:]
    assert frames([6, 4, 5]) == [first[2], first[0], first[1]]


def test_games_are_found_by_rom_and_by_environment_id():
    for name in ("space_invaders", "SpaceInvadersNoFrameskip-v4", "ALE/SpaceInvaders-v5"):
        assert make_atari_vec(name, 1, num_threads=1).reset()[1]["lives"][0] == 3
    for name in ("Pongg", "CartPole-v1", "Pong-v4"):
        with pytest.raises(ValueError, match="game must be"):
            make_atari_vec(name, 1)
    with pytest.raises(ValueError, match="num_envs"):
        make_atari_vec("pong", 0)
    with pytest.raises(ValueError, match="screen_size"):
        make_atari_vec("pong", 1, screen_size=0)
