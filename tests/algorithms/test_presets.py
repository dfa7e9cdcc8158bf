"""The presets hold the textbooks' numbers."""

import pytest

from ptan.algorithms import PRESETS, DQNConfig
from ptan.common.wrappers import AtariSettings

COLUMNS = ("replay_size", "warm_up", "sync_every", "eps_steps", "eps_final")
COLUMNS += ("learning_rate", "batch_size")
SWITCHES = ("n_steps", "double", "noisy", "prioritized", "dueling", "distributional")
PONG = (100_000, 10_000, 1_000, 100_000, 0.02, 1e-4, 32)
LARGE = (1_000_000, 50_000, 10_000, 1_000_000, 0.1, 2.5e-4, 32)
BREAKOUT = (300_000, 20_000, 1_000, 1_000_000, 0.1, 1e-4, 64)
PLAIN = (1, False, False, False, False, False)
TABLE = {
    "pong": ("PongNoFrameskip-v4", PONG, PLAIN, 18),
    "breakout-small": ("BreakoutNoFrameskip-v4", BREAKOUT, PLAIN, 500),
    "breakout": ("BreakoutNoFrameskip-v4", LARGE, PLAIN, 500),
    "invaders": ("SpaceInvadersNoFrameskip-v4", LARGE, PLAIN, 500),
    "rainbow-pong": ("PongNoFrameskip-v4", PONG, (4, False, True, True, True, False), 18),
    "rainbow-full": ("PongNoFrameskip-v4", PONG, (4, True, True, True, True, True), 18),
}


@pytest.mark.parametrize("name", TABLE)
def test_atari_presets_have_the_numbers_of_the_table(name: str) -> None:
    preset = PRESETS[name]
    numbers, switches = (
        tuple(getattr(preset.config, one) for one in names) for names in (COLUMNS, SWITCHES)
    )
    assert (preset.env_id, numbers, switches, preset.stop_reward) == TABLE[name]
    assert (preset.stop_episodes, preset.num_envs, preset.atari) == (100, 1, AtariSettings())
    assert preset.config.steps_per_update == 1


def test_all_presets_share_seed_discount_and_the_start_of_epsilon() -> None:
    assert set(PRESETS) == {*TABLE, "cartpole-textbook", "pong-fast"}
    for name, preset in PRESETS.items():
        config = preset.config
        assert (config.seed, config.eps_start) == (123, 1.0)
        assert config.gamma == (0.9 if name == "cartpole-textbook" else 0.99)


def test_the_cartpole_preset_is_the_textbooks() -> None:
    preset = PRESETS["cartpole-textbook"]
    assert (preset.env_id, preset.stop_reward, preset.stop_episodes) == ("CartPole-v1", 150, 1)
    assert preset.num_envs == 1
    assert preset.config == DQNConfig(
        replay_size=1_000, warm_up=32, sync_every=10, learning_rate=1e-3, batch_size=16,
        hidden=128, gamma=0.9, eps_decay=0.99, eps_final=0.0,
    )  # fmt: skip


def test_the_tuned_preset_learns_from_points_and_is_judged_by_games() -> None:
    preset = PRESETS["pong-fast"]
    judged = (preset.env_id, preset.stop_reward, preset.stop_episodes)
    assert judged == ("PongNoFrameskip-v4", 18, 20)
    assert tuple(getattr(preset.config, one) for one in SWITCHES) == (4, 1, 0, 0, 1, 0)
    assert preset.atari.point_ends
    assert not preset.atari.evaluation().point_ends
