"""Settings of runs: ranges, JSON, names that are nearly right."""

import json
from dataclasses import asdict

import pytest

from ptan.algorithms import DQNConfig
from ptan.runs import RunConfig, RunError, RunSettings
from ptan.runs.errors import EnvironmentFailure


def test_settings_survive_json() -> None:
    config = RunConfig(
        algorithm="dqn",
        preset="pong",
        settings=RunSettings(env_id="CartPole-v1", stop_reward=3.5, vector="sync"),
        config=DQNConfig(hidden=(8, 4), eps_decay=0.5),
    )
    assert RunConfig.from_json(json.loads(json.dumps(asdict(config)))) == config


def test_an_unknown_algorithm_or_foreign_settings_are_refused() -> None:
    with pytest.raises(RunError, match="did you mean 'dqn'"):
        RunConfig(algorithm="dqnn", settings=RunSettings(), config=DQNConfig())
    with pytest.raises(RunError, match="config must be a DQNConfig"):
        RunConfig(algorithm="dqn", settings=RunSettings(), config=RunSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("threads", -1),
        ("eval_every", 0),
        ("eval_max_steps", 0),
        ("stop_reward", float("inf")),
        ("vector", "both"),
    ],
)
def test_impossible_settings_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        RunSettings(**{name: value})


def test_failures_of_environments_are_one_line_with_their_notes() -> None:
    error = KeyError("a\nb")
    error.add_note("environment 3, step 17")
    failure = EnvironmentFailure.of(error, "X-v0 failed")
    assert str(failure) == r"X-v0 failed (environment 3, step 17): KeyError: 'a\nb'"
    assert failure.status == 1
    assert str(EnvironmentFailure.of(ValueError("reward\nis None"), "X")) == "X: reward is None"
