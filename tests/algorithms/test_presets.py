"""The presets hold the textbooks' numbers."""

import dataclasses

import pytest

from ptan.algorithms import PRESETS, DQNConfig
from ptan.common.wrappers import AtariSettings

COLUMNS = ("replay_size", "warm_up", "sync_every", "eps_steps", "eps_final")
COLUMNS += ("learning_rate", "batch_size")
PONG = (100_000, 10_000, 1_000, 100_000, 0.02, 1e-4, 32)
LARGE = (1_000_000, 50_000, 10_000, 1_000_000, 0.1, 2.5e-4, 32)
TABLE = {
    "pong": ("PongNoFrameskip-v4", PONG, 18),
    "breakout-small": (
        "BreakoutNoFrameskip-v4",
        (300_000, 20_000, 1_000, 1_000_000, 0.1, 1e-4, 64),
        500,
    ),
    "breakout": ("BreakoutNoFrameskip-v4", LARGE, 500),
    "invaders": ("SpaceInvadersNoFrameskip-v4", LARGE, 500),
    "rainbow-pong": ("PongNoFrameskip-v4", PONG, 18),
    "rainbow-full": ("PongNoFrameskip-v4", PONG, 18),
}
SWITCHES = ("n_steps", "double", "noisy", "prioritized", "dueling", "distributional")


def switches(config: DQNConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in SWITCHES}


@pytest.mark.parametrize("name", TABLE)
def test_atari_presets_have_the_numbers_of_the_table(name: str) -> None:
    env_id, numbers, stop_reward = TABLE[name]
    preset = PRESETS[name]
    assert preset.env_id == env_id
    assert tuple(getattr(preset.config, column) for column in COLUMNS) == numbers
    assert (preset.stop_reward, preset.stop_episodes) == (stop_reward, 100)


def test_all_presets_share_seed_discount_and_the_start_of_epsilon() -> None:
    assert set(PRESETS) == {*TABLE, "cartpole-textbook", "pong-fast"}
    for name, preset in PRESETS.items():
        config = preset.config
        assert (config.seed, config.eps_start) == (123, 1.0)
        assert config.gamma == (0.9 if name == "cartpole-textbook" else 0.99)


def test_only_rainbow_and_the_tuned_presets_have_extensions() -> None:
    plain = dict.fromkeys(SWITCHES, False) | {"n_steps": 1}
    some = dict.fromkeys(SWITCHES, True) | {"n_steps": 4, "double": False, "distributional": False}
    every = dict.fromkeys(SWITCHES, True) | {"n_steps": 4}
    tuned = plain | {"n_steps": 4, "double": True, "dueling": True}
    wanted = {"rainbow-pong": some, "rainbow-full": every, "pong-fast": tuned}
    for name, preset in PRESETS.items():
        assert switches(preset.config) == wanted.get(name, plain)


def test_rainbow_full_is_pong_with_the_rainbow_switches() -> None:
    assert PRESETS["rainbow-full"].config == DQNConfig.rainbow()
    assert PRESETS["pong"].config == DQNConfig()


def test_the_cartpole_preset_is_the_textbooks() -> None:
    preset = PRESETS["cartpole-textbook"]
    config = preset.config
    assert preset.env_id == "CartPole-v1"
    assert (preset.stop_reward, preset.stop_episodes) == (150, 1)
    assert (config.replay_size, config.warm_up, config.sync_every) == (1_000, 32, 10)
    assert (config.learning_rate, config.batch_size, config.hidden) == (1e-3, 16, 128)
    assert (config.eps_decay, config.eps_final) == (0.99, 0.0)


def test_textbook_presets_run_one_environment_as_it_is_usually_preprocessed() -> None:
    for name in (*TABLE, "cartpole-textbook"):
        assert (PRESETS[name].num_envs, PRESETS[name].atari) == (1, AtariSettings())
        assert PRESETS[name].config.steps_per_update == 1


def test_the_tuned_preset_learns_from_points_and_is_judged_by_games() -> None:
    preset = PRESETS["pong-fast"]
    assert (preset.env_id, preset.stop_reward, preset.stop_episodes) == (
        "PongNoFrameskip-v4",
        18,
        20,
    )
    assert preset.atari.point_ends
    assert not preset.atari.evaluation().point_ends


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["pong"] = PRESETS["breakout"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["pong"].stop_reward = 0
