"""Vector environments that break the contract, and settings of single sources."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.experience import (
    Experience,
    ExperienceSource,
    ExperienceSourceBuffer,
    ExperienceSourceFirstLast,
    ExperienceSourceRollouts,
    VectorExperienceSourceFirstLast,
)
from refusals import INF, NAN, assert_tells, table

from .spoiled import VECTOR_SOURCES, Agent, Env, VecEnv, first_items
from .test_answers import assert_breaks_and_works_again

FLAGS = "array of 2 bools"
LIKE = r"shape \(2, 2\) and dtype float32"
STEP = r"\(observations, rewards, terminated, truncated, info\)"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("four-parts", lambda o, r, te, tr, i: (o, r, te, i), TypeError, "step of env", r"got \(",
     STEP),
    ("nothing", lambda *answer: None, TypeError, "step of env", "got None", STEP),
    ("flags-list", lambda o, r, te, tr, i: (o, r, te.tolist(), tr, i), TypeError, "terminated",
     r"got \[False, False\]", FLAGS),
    ("flags-int", lambda o, r, te, tr, i: (o, r, te.astype(int), tr, i), TypeError, "terminated",
     r"got array\(\[0, 0\]\)", FLAGS),
    ("flags-none", lambda o, r, te, tr, i: (o, r, te, None, i), TypeError, "truncated",
     "got None", FLAGS),
    ("flags-one", lambda o, r, te, tr, i: (o, r, te[:1], tr, i), TypeError, "terminated",
     r"got array\(\[False\]\)", FLAGS),
    ("flags-three", lambda o, r, te, tr, i: (o, r, te, np.zeros(3, bool), i), TypeError,
     "truncated", "False, False, False", FLAGS),
    ("rewards-text", lambda o, r, *rest: (o, np.array(["a", "b"]), *rest), TypeError, "rewards",
     "'a'", "numbers"),
    ("rewards-one", lambda o, r, *rest: (o, r[:1], *rest), ValueError, "rewards",
     r"got array\(\[1.\]\)", r"one per environment \(2\)"),
    ("rewards-number", lambda o, r, *rest: (o, 1.0, *rest), ValueError, "rewards",
     r"array\(1.\)", r"one per environment \(2\)"),
    ("rewards-three", lambda o, r, *rest: (o, np.ones(3), *rest), ValueError, "rewards",
     r"\[1., 1., 1.\]", r"one per environment \(2\)"),
    ("rewards-nan", lambda o, r, *rest: (o, np.array([1, NAN]), *rest), ValueError,
     "reward of environment 1", "nan", "finite"),
    ("rewards-inf", lambda o, r, *rest: (o, np.array([INF, 1]), *rest), ValueError,
     "reward of environment 0", "inf", "finite"),
    ("observations-one", lambda o, *rest: (o[:1], *rest), ValueError, "observations",
     r"got array\(\[\[3", LIKE),
    ("observations-dtype", lambda o, *rest: (o.astype(complex), *rest), ValueError,
     "observation of environment 0", "complex128", "dtype float32"),
    ("observations-none", lambda o, *rest: (None, *rest), ValueError, "observations", "None",
     r"per environment \(2\)"),
    ("observations-nan", lambda o, *rest: (np.float32([[1, 1], [1, NAN]]), *rest), ValueError,
     "observation of environment 1", "nan", "finite"),
    ("info-none", lambda o, r, te, tr, i: (o, r, te, tr, None), TypeError, "info", "got None",
     "a dict"),
    ("raw-reward-text", lambda o, r, te, tr, i: (o, r, te, tr, {"raw_reward": "x"}), TypeError,
     "raw_reward", "'x'", "a number per environment"),
    ("raw-reward-three", lambda o, r, te, tr, i: (o, r, te, tr, {"raw_reward": np.ones(3)}),
     TypeError, "raw_reward", r"\[1., 1., 1.\]", "a number per environment"),
)  # fmt: skip
def test_vector_steps_that_break_the_contract(case, kind):
    env = VecEnv(step=case.call)
    error = case._replace(argument=rf"(?s)(?=.*step 2\b).*{case.argument}")
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, error)


def ends(info):
    return lambda o, r, te, tr, i: (o, r, ~te, tr, info)


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("missing", ends({}), ValueError, "final observation of environment 0", "got None",
     "like the first one"),
    ("none", ends({"final_obs": np.array([None, None])}), ValueError,
     "final observation of environment 0", "got None", "like the first one"),
    ("shape", ends({"final_obs": np.zeros((2, 3), np.float32)}), ValueError,
     "final observation of environment 0", r"got .*\(3,\)", r"shape \(2,\)"),
    ("nan", ends({"final_obs": np.float32([[1, 1], [NAN, 1]])}), ValueError,
     "final observation of environment 1", "nan", "finite"),
)  # fmt: skip
def test_final_observations_that_are_none(case, kind):
    env = VecEnv(step=case.call, mode=AutoresetMode.SAME_STEP)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, case)


RESET = r"\(observations, info\)"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("nothing", lambda o, i: None, TypeError, "reset of env", "got None", RESET),
    ("observations-alone", lambda o, i: o, TypeError, "reset of env", "got array", RESET),
    ("info-none", lambda o, i: (o, None), TypeError, "reset of env", r"None\)", RESET),
    ("nan", lambda o, i: (o * np.float32(NAN), i), ValueError, "observation of environment 0",
     "nan", "finite"),
    ("one", lambda o, i: (o[:1], i), ValueError, "observations", r"got array\(\[\[0", LIKE),
    ("three", lambda o, i: (np.zeros((3, 2), np.float32), i), ValueError, "observations",
     r"got array\(\[\[0", LIKE),
)  # fmt: skip
def test_vector_resets_that_break_the_contract(case, kind):
    env = VecEnv(reset=case.call)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, case)


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


def test_the_same_environment_twice_warns():
    env = Env()
    with pytest.warns(UserWarning, match="env holds the same environment more than once"):
        source = ExperienceSourceFirstLast([env, env], Agent(), 0.9)
    assert len(first_items(source)) == 12


def test_sound_vector_environments_pass():
    env = SyncVectorEnv([Env, Env], autoreset_mode=AutoresetMode.SAME_STEP)
    assert len(first_items(VECTOR_SOURCES["vector"](env, Agent()))) == 12


GOOD = Experience(np.zeros(2), 0, 1.0, False)


def holding(*episodes, **settings):
    return lambda: ExperienceSourceBuffer(list(episodes), **settings)


def spoiled(**fields):
    return holding([GOOD], [GOOD, GOOD._replace(**fields)])


@table(
    ("empty", holding(), ValueError, "buffer", "longest of 0 has 0", "at least steps_count=1"),
    ("short", holding([GOOD], steps_count=3), ValueError, "buffer", "longest of 1 has 1",
     "at least steps_count=3"),
    ("none", lambda: ExperienceSourceBuffer(None), TypeError, "buffer", "got None", "episodes"),
    ("numbers", holding([1, 2]), TypeError, "buffer", r"got \[\[1, 2\]\]", "of Experience"),
    ("one-episode", holding(GOOD, GOOD), TypeError, "buffer", r"got \[Experience", "episodes"),
    ("steps-0", holding([GOOD], steps_count=0), ValueError, "steps_count", "got 0", "at least 1"),
    ("truncation", holding([GOOD], truncation="x"), ValueError, "truncation", "'x'",
     "'bootstrap'"),
    ("rng", holding([GOOD], rng="x"), TypeError, "rng", "'x'", "Generator"),
    ("state-nan", spoiled(state=np.array([0, NAN])), ValueError, "state of episode 1 at step 1",
     "nan", "finite"),
    ("state-inf", spoiled(state={"a": np.array(INF)}), ValueError, "state of episode 1",
     "inf", "finite"),
    ("final-nan", spoiled(final_state=np.array(NAN)), ValueError, "final_state of episode 1",
     "nan", "finite"),
    ("reward-nan", spoiled(reward=NAN), ValueError, "reward of episode 1 at step 1", "got nan",
     "finite"),
)  # fmt: skip
def test_stored_episodes(case):
    assert_tells(case)
    source = ExperienceSourceBuffer([[GOOD]])
    if case.name in ("empty", "none", "numbers", "state-nan", "reward-nan"):
        wrong = {"empty": [], "none": None, "numbers": [[1]]}.get(
            case.name, [[GOOD._replace(state=np.array(NAN))]]
        )
        with pytest.raises((ValueError, TypeError)):
            source.update_buffer(wrong)
    assert next(iter(source)) == (GOOD,)
