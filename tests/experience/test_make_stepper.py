"""Settings of sources: what can be stepped, and by whom."""

import pytest

from ptan.experience import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    ExperienceSourceRollouts,
    VectorExperienceSourceFirstLast,
)
from refusals import NAN, assert_tells, table

from .spoiled import SOURCES, Agent, Env, VecEnv, first_items, same

ONE = Env()


@pytest.mark.parametrize("kind", SOURCES)
@table(
    ("truncation", {"truncation": "x"}, ValueError, "truncation", "'x'", "'bootstrap' or 'term"),
    ("truncation-none", {"truncation": None}, ValueError, "truncation", "None", "'bootstrap'"),
    ("seed-negative", {"env_seed": -1}, ValueError, "env_seed", "got -1", "at least 0"),
    ("seed-text", {"env_seed": "3"}, TypeError, "env_seed", "'3'", "an int"),
    ("seed-half", {"env_seed": 1.5}, TypeError, "env_seed", "got 1.5", "an int"),
    ("no-vector", {"vectorized": True}, TypeError, "env", "got <", "VectorEnv"),
    ("no-vector-list", {"env": [ONE], "vectorized": True}, TypeError, "env", r"got \[",
     "VectorEnv"),
    ("env-empty", {"env": []}, ValueError, "env", "an empty list", "at least one"),
    ("env-none", {"env": None}, TypeError, "env", "got None", r"reset\(\) and step\(\)"),
    ("env-text", {"env": "CartPole-v1"}, TypeError, "env", "'CartPole-v1'", r"reset\(\)"),
    ("env-class", {"env": Env}, TypeError, "env", "got <class", "an object with reset"),
    ("env-mixed", {"env": [ONE, VecEnv()]}, TypeError, "env", r"got \[", "one VectorEnv"),
    ("env-mode", {"env": VecEnv(mode="often")}, ValueError, "autoreset_mode", "'often'",
     "NEXT_STEP"),
    ("agent-none", {"agent": None}, TypeError, "agent", "got None", "callable"),
    ("agent-number", {"agent": 3}, TypeError, "agent", "got 3", "callable"),
)  # fmt: skip
def test_settings_of_all_sources(case, kind):
    settings = {"env": ONE, "agent": Agent(), **case.call}
    assert_tells(case._replace(call=lambda: SOURCES[kind](**settings)))


@pytest.mark.parametrize("kind", SOURCES)
def test_an_agent_that_cannot_act_takes_no_others_place(kind):
    agent = Agent()
    source = SOURCES[kind](Env(), agent)
    with pytest.raises(TypeError, match="agent must be callable, got 3"):
        source.agent = 3
    assert source.agent is agent
    assert same(first_items(source), first_items(SOURCES[kind](Env(), Agent())))


def first_last(*arguments, **settings):
    return lambda: ExperienceSourceFirstLast(Env(), Agent(), *arguments, **settings)


def rollouts(*arguments):
    return lambda: ExperienceSourceRollouts(Env(), Agent(), *arguments)


def vector(env, *arguments):
    return lambda: VectorExperienceSourceFirstLast(env, Agent(), *arguments)


@table(
    ("gamma-above", first_last(1.1), ValueError, "gamma", "got 1.1", r"\[0, 1\]"),
    ("gamma-below", first_last(-0.1), ValueError, "gamma", "got -0.1", r"\[0, 1\]"),
    ("gamma-nan", first_last(NAN), ValueError, "gamma", "got nan", r"\[0, 1\]"),
    ("gamma-none", first_last(None), TypeError, "gamma", "got None", r"\[0, 1\]"),
    ("steps-0", first_last(0.9, 0), ValueError, "steps_count", "got 0", "at least 1"),
    ("steps-half", first_last(0.9, 1.5), TypeError, "steps_count", "got 1.5", "an int"),
    ("steps-bool", first_last(0.9, True), TypeError, "steps_count", "got True", "an int"),
    ("delta-0", first_last(0.9, 1, 0), ValueError, "steps_delta", "got 0", "at least 1"),
    ("windows-0", lambda: ExperienceSource(Env(), Agent(), 0), ValueError, "steps_count",
     "got 0", "at least 1"),
    ("rollouts-gamma", rollouts(2), ValueError, "gamma", "got 2", r"\[0, 1\]"),
    ("rollouts-steps", rollouts(0.9, 0), ValueError, "steps_count", "got 0", "at least 1"),
    ("vector-env", vector(Env(), 0.9), TypeError, "env", "got <", "VectorEnv"),
    ("vector-gamma", vector(VecEnv(), 1.5), ValueError, "gamma", "got 1.5", r"\[0, 1\]"),
    ("vector-steps", vector(VecEnv(), 0.9, -1), ValueError, "steps_count", "-1", "at least 1"),
)  # fmt: skip
def test_settings_of_single_sources(case):
    assert_tells(case)
