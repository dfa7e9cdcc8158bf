"""Settings are checked by name, describe themselves, and default to the textbook's for Pong."""

import dataclasses
import pickle

import numpy as np
import pytest

from ptan.algorithms import DQNConfig, list_settings

NAN, INF = float("nan"), float("inf")
SWITCHES = ("double", "noisy", "prioritized", "dueling", "distributional")
WRONG = {  # of each setting: what is outside its range, and what is of another kind
    "gamma": ([1.1, -0.1, NAN], ["0.9"]),
    "n_steps": ([0], [1.5]),
    **dict.fromkeys((*SWITCHES, "factorized_noise", "mixed_precision"), ([], [1, None, "yes"])),
    "channels_last": ([], [0]),
    "learning_rate": ([0.0, INF], [True]),
    "learning_rate_final": ([0.0], []),
    **dict.fromkeys(("learning_rate_steps", "batch_size", "steps_per_update"), ([0], [None])),
    "adam_eps": ([-1e-8], []),
    "max_grad_norm": ([0.0], []),
    "replay_size": ([-5], []),
    "warm_up": ([-1, 100_001], []),
    "sync_every": ([0], [True]),
    "eps_start": ([1.01], []),
    "eps_final": ([-0.01], []),
    "eps_steps": ([0], []),
    "eps_decay": ([1.5], []),
    "alpha": ([2.0], []),
    "beta_start": ([-1.0], []),
    "beta_steps": ([0], []),
    "n_atoms": ([1], []),
    "v_min": ([10.0, -INF], []),
    "v_max": ([INF], []),
    "hidden": ([0, (64, -1)], [(64, 2.5), "64"]),
    "seed": ([-1], [None]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_refused_by_name(name: str) -> None:
    for error, values in zip((ValueError, TypeError), WRONG[name], strict=True):
        for value in values:
            with pytest.raises(error, match=name):
                DQNConfig(**{name: value})


def test_every_setting_is_refused_something() -> None:
    assert WRONG.keys() == {setting.name for setting in list_settings(DQNConfig)}


def test_settings_are_checked_where_they_are_replaced() -> None:
    assert dataclasses.replace(DQNConfig(), gamma=0.5).gamma == 0.5
    with pytest.raises(ValueError, match="gamma"):
        dataclasses.replace(DQNConfig(), gamma=5.0)


def test_settings_survive_pickling_and_a_dictionary() -> None:
    config = DQNConfig.rainbow(hidden=[64, 32], v_max=20.0)
    assert config.hidden == (64, 32)
    assert pickle.loads(pickle.dumps(config)) == config
    assert DQNConfig(**dataclasses.asdict(config)) == config
    assert hash(config) == hash(DQNConfig(**dataclasses.asdict(config)))


def test_rainbow_is_all_six_and_each_can_be_turned_off() -> None:
    config = DQNConfig.rainbow()
    assert all(getattr(config, switch) for switch in SWITCHES)
    assert config.n_steps == 4
    assert not DQNConfig.rainbow(noisy=False, n_steps=1).noisy
    assert DQNConfig.rainbow(gamma=0.9).gamma == 0.9


def test_every_setting_says_what_it_means() -> None:
    settings = {setting.name: setting for setting in list_settings(DQNConfig)}
    assert list(settings) == [field.name for field in dataclasses.fields(DQNConfig)]
    for setting in settings.values():
        assert len(setting.help.split()) >= 3
        assert not setting.help.endswith(".")
        assert setting.default == getattr(DQNConfig(), setting.name)
    assert settings["warm_up"].unit == settings["eps_steps"].unit == "environment steps"
    ranges = [settings[name].range for name in ("gamma", "learning_rate", "n_atoms", "v_min")]
    assert ranges == ["in [0, 1]", "above 0", "of at least 2", ""]


def test_numpy_numbers_become_plain_and_errors_tell_the_range() -> None:
    config = DQNConfig(batch_size=np.int64(8), gamma=np.float32(0.5))
    assert (type(config.batch_size), type(config.gamma)) == (int, float)
    with pytest.raises(ValueError, match=r"gamma must be a finite number in \[0, 1\], got 1.5"):
        DQNConfig(gamma=1.5)
    with pytest.raises(TypeError, match=r"n_steps must be an int of at least 1, got 1.5"):
        DQNConfig(n_steps=1.5)
