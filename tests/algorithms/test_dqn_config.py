"""Settings are checked by name, describe themselves, and default to the textbook's for Pong."""

import dataclasses
import pickle

import numpy as np
import pytest

from ptan.algorithms import DQNConfig, list_settings

WRONG = [
    ("gamma", 1.1, ValueError),
    ("gamma", -0.1, ValueError),
    ("gamma", float("nan"), ValueError),
    ("gamma", "0.9", TypeError),
    ("n_steps", 0, ValueError),
    ("n_steps", 1.5, TypeError),
    ("double", 1, TypeError),
    ("noisy", None, TypeError),
    ("prioritized", "yes", TypeError),
    ("dueling", 0, TypeError),
    ("distributional", 1.0, TypeError),
    ("factorized_noise", 1, TypeError),
    ("mixed_precision", 1, TypeError),
    ("channels_last", None, TypeError),
    ("learning_rate", 0.0, ValueError),
    ("learning_rate", float("inf"), ValueError),
    ("learning_rate_final", 0.0, ValueError),
    ("learning_rate_steps", 0, ValueError),
    ("adam_eps", -1e-8, ValueError),
    ("max_grad_norm", 0.0, ValueError),
    ("batch_size", 0, ValueError),
    ("replay_size", -5, ValueError),
    ("warm_up", -1, ValueError),
    ("warm_up", 100_001, ValueError),
    ("steps_per_update", 0, ValueError),
    ("sync_every", 0, ValueError),
    ("sync_every", True, TypeError),
    ("eps_start", 1.01, ValueError),
    ("eps_final", -0.01, ValueError),
    ("eps_steps", 0, ValueError),
    ("eps_decay", 1.5, ValueError),
    ("alpha", 2.0, ValueError),
    ("beta_start", -1.0, ValueError),
    ("beta_steps", 0, ValueError),
    ("n_atoms", 1, ValueError),
    ("v_min", 10.0, ValueError),
    ("v_min", float("-inf"), ValueError),
    ("v_max", float("inf"), ValueError),
    ("hidden", 0, ValueError),
    ("hidden", (64, -1), ValueError),
    ("hidden", (64, 2.5), TypeError),
    ("hidden", "64", TypeError),
    ("seed", -1, ValueError),
    ("seed", None, TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_a_wrong_setting_is_refused_by_name(name: str, value: object, error: type) -> None:
    with pytest.raises(error, match=name):
        DQNConfig(**{name: value})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="lerning_rate"):
        DQNConfig(lerning_rate=1e-3)


def test_settings_cannot_be_changed_but_replaced() -> None:
    config = DQNConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.gamma = 0.5
    assert dataclasses.replace(config, gamma=0.5).gamma == 0.5
    with pytest.raises(ValueError, match="gamma"):
        dataclasses.replace(config, gamma=5.0)


def test_settings_survive_pickling_and_a_dictionary() -> None:
    config = DQNConfig.rainbow(hidden=[64, 32], v_max=20.0)
    assert config.hidden == (64, 32)
    assert pickle.loads(pickle.dumps(config)) == config
    assert DQNConfig(**dataclasses.asdict(config)) == config
    assert hash(config) == hash(DQNConfig(**dataclasses.asdict(config)))


def test_rainbow_is_all_six_and_each_can_be_turned_off() -> None:
    config = DQNConfig.rainbow()
    on = (config.double, config.noisy, config.prioritized, config.dueling, config.distributional)
    assert all(on)
    assert config.n_steps == 4
    assert not DQNConfig.rainbow(noisy=False, n_steps=1).noisy
    assert DQNConfig.rainbow(gamma=0.9).gamma == 0.9


def test_every_setting_says_what_it_means() -> None:
    settings = {setting.name: setting for setting in list_settings(DQNConfig)}
    assert list(settings) == [field.name for field in dataclasses.fields(DQNConfig)]
    config = DQNConfig()
    for setting in settings.values():
        assert len(setting.help.split()) >= 3
        assert not setting.help.endswith(".")
        assert setting.default == getattr(config, setting.name)
    units = {name: settings[name].unit for name in ("warm_up", "eps_steps", "sync_every")}
    assert units == {
        "warm_up": "environment steps",
        "eps_steps": "environment steps",
        "sync_every": "gradient updates",
    }


def test_every_number_says_its_range_and_numpy_numbers_become_plain() -> None:
    ranges = {setting.name: str(setting.range) for setting in list_settings(DQNConfig)}
    assert (ranges["gamma"], ranges["learning_rate"], ranges["n_atoms"], ranges["v_min"]) == (
        "in [0, 1]",
        "above 0",
        "of at least 2",
        "",
    )
    config = DQNConfig(batch_size=np.int64(8), gamma=np.float32(0.5))
    assert (type(config.batch_size), type(config.gamma)) == (int, float)
    with pytest.raises(ValueError, match=r"gamma must be a finite number in \[0, 1\], got 1.5"):
        DQNConfig(gamma=1.5)
