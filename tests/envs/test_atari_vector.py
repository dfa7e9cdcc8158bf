"""`make_atari_vec` against `wrap_dqn`, game by game."""

import ale_py
import gymnasium
import numpy as np
import pytest

from ptan.common.wrappers import AtariSettings, make_atari_vec, wrap_dqn

gymnasium.register_envs(ale_py)
pytestmark = pytest.mark.atari

MODES = ["NextStep", "SameStep"]


def draw_actions(rng, n_envs, n_actions):
    drawn = rng.integers(n_actions, size=n_envs)
    drawn[rng.random(n_envs) < 0.3] = 1  # FIRE often: Breakout waits for it
    return drawn


class Single:
    """One `wrap_dqn` game that resets itself as a vector environment in `mode` would."""

    def __init__(self, name, mode, **settings):
        self.env = wrap_dqn(gymnasium.make(name), **settings)
        self.mode, self.game_over = mode, False

    def reset(self, seed):
        self.game_over = False
        return self.env.reset(seed=seed)[0]

    def step(self, action):
        """Observation, final observation, reward, terminated, truncated, info."""
        if self.game_over and self.mode == "NextStep":
            self.game_over = False
            obs, info = self.env.reset()
            return obs, None, 0.0, False, False, info
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.game_over = (terminated or truncated) and not info.get("life_loss", False)
        final = obs if terminated or truncated else None
        if self.game_over and self.mode == "SameStep":
            obs = self.env.reset()[0]
        return obs, final, reward, terminated, truncated, info


@pytest.mark.parametrize("mode", MODES)
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
def test_vector_equals_wrap_dqn_pixel_by_pixel(rom, name, steps, settings, mode):
    vector = make_atari_vec(rom, 2, autoreset_mode=mode, num_threads=1, **settings)
    singles = [Single(name, mode, **settings) for _ in range(2)]
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
            same, final, reward, end, cut, single_info = single.step(chosen[i])
            np.testing.assert_array_equal(obs[i], same)
            assert (rewards[i], terminated[i], truncated[i]) == (reward, end, cut)
            lost = single_info.get("life_loss", False)
            assert info.get("life_loss", [False] * 2)[i] == lost
            if "raw_reward" in single_info:
                assert info["raw_reward"][i] == single_info["raw_reward"]
            if mode == "SameStep" and final is not None:
                assert info["_final_obs"][i]
                np.testing.assert_array_equal(info["final_obs"][i], final)
            ends += end and not lost
            losses += lost
        windows_end = settings.get("episodic_life", True) or settings.get("point_ends", False)
        assert ("life_loss" in info) == windows_end
        assert ("raw_reward" in info) == settings.get("reward_clipping", True)
    if rom == "breakout" and steps >= 300:
        assert ends > 0
        assert (losses > 0) == windows_end


@pytest.mark.parametrize("mode", MODES)
def test_life_loss_resets_no_game(mode):
    vector = make_atari_vec("breakout", 2, autoreset_mode=mode, num_threads=1)
    _, info = vector.reset(seed=0)
    rng = np.random.default_rng(0)
    numbers, losses = info["episode_frame_number"], 0
    for _ in range(150):
        _, _, terminated, _, info = vector.step(draw_actions(rng, 2, 4))
        np.testing.assert_array_equal(terminated, info["life_loss"])
        np.testing.assert_array_equal(info["episode_frame_number"], numbers + 4)
        numbers, losses = info["episode_frame_number"], losses + terminated.sum()
    assert losses > 2


@pytest.mark.parametrize("mode", MODES)
def test_final_observations_mean_the_same_in_every_row(mode):
    vector = make_atari_vec("breakout", 3, autoreset_mode=mode, num_threads=1)
    before, _ = vector.reset(seed=0)
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(400):
        obs, _, terminated, truncated, info = vector.step(draw_actions(rng, 3, 4))
        if "final_obs" in info:
            seen += 1
            np.testing.assert_array_equal(info["_final_obs"], terminated | truncated)
            # Every row continues the stack from before this step, whether it ended or not.
            np.testing.assert_array_equal(info["final_obs"][:, :3], before[:, 1:])
            lost = info["life_loss"]
            np.testing.assert_array_equal(info["final_obs"][lost], obs[lost])
        before = obs
    assert (seen > 5) == (mode == "SameStep")


def step_of_first_life_loss():
    vector = make_atari_vec("breakout", 1, num_threads=1)
    vector.reset(seed=0)
    for step in range(1, 200):
        if vector.step([0])[2][0]:
            return step
    raise AssertionError("no life was lost")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("episodic_life", [True, False])
def test_a_game_cut_while_a_life_is_lost_is_truncated_only(mode, episodic_life):
    steps = step_of_first_life_loss()
    vector = make_atari_vec(
        "breakout",
        1,
        episodic_life=episodic_life,
        autoreset_mode=mode,
        max_num_frames_per_episode=4 * steps,
        num_threads=1,
    )
    vector.reset(seed=0)
    for _ in range(steps):
        _, _, terminated, truncated, info = vector.step([0])
    assert (terminated[0], truncated[0]) == (False, True)
    assert not info.get("life_loss", [False])[0]
    if mode == "NextStep":
        _, _, terminated, truncated, info = vector.step([0])
        assert (terminated[0], truncated[0]) == (False, False)
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
        vector = make_atari_vec(name, 1, num_threads=1)
        obs, info = vector.reset(seed=0)
        assert obs.shape == (1, 4, 84, 84)
        assert info["lives"][0] == 3


@pytest.mark.parametrize("name", ["Pongg", "CartPole-v1", "Pong-v4"])
def test_unknown_games_raise(name):
    with pytest.raises(ValueError, match="game must be"):
        make_atari_vec(name, 1)


def test_number_of_games_must_be_positive():
    with pytest.raises(ValueError, match="num_envs"):
        make_atari_vec("pong", 0)


def test_evaluation_vector_is_unclipped_and_plays_whole_games():
    settings = AtariSettings().evaluation()
    vector = make_atari_vec("space_invaders", 1, num_threads=1, **settings.keywords())
    vector.reset(seed=0)
    most = 0
    for _ in range(300):
        _, rewards, terminated, _, info = vector.step([1])
        most = max(most, rewards[0])
        assert not terminated[0] or info["lives"][0] == 0
    assert most > 1
