"""Environments and agents that break the contract; a source works again afterwards."""

import copy

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from refusals import INF, NAN, assert_text, table

from .spoiled import SOURCES, VECTOR_SOURCES, Agent, Env, VecEnv, first_items, same


def assert_breaks_and_works_again(make, env, agent, mend, case):
    """The error comes after good items; then the stream goes on, and a new one is as ever."""
    source = make(env, agent)
    stream, items, error = iter(source), [], None
    try:
        while len(items) < 40:
            items.append(next(stream))
    except Exception as caught:
        error = caught
    assert error is not None, "nothing was raised"
    assert_text(case, error)
    untouched = copy.deepcopy(items)
    mend.mend()
    first_items(stream, 20)  # the rest of what was complete, and a fresh start
    assert same(items, untouched)
    whole = first_items(source)
    assert same(whole, first_items(make(fresh(env), Agent())))


def fresh(env):
    if isinstance(env, list):
        return [Env(cut=one.cut) for one in env]
    return VecEnv(mode=env.metadata["autoreset_mode"])


LIKE = r"shape \(2,\) and dtype float32"
STEP = r"\(observation, reward, terminated, truncated, info\)"
RESET = r"\(observation, info\)"


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("at", [1, 2, 4])
@table(
    ("three-parts", lambda o, r, te, tr, i: (o, r, te), TypeError, "step of environment 1",
     r"got \(array", STEP),
    ("six-parts", lambda *answer: (*answer, 7), TypeError, "step of environment 1", r", 7\)",
     STEP),
    ("nothing", lambda *answer: None, TypeError, "step of environment 1", "got None", STEP),
    ("terminated-none", lambda o, r, te, tr, i: (o, r, None, tr, i), TypeError,
     "terminated of environment 1", "got None", "a bool"),
    ("terminated-text", lambda o, r, te, tr, i: (o, r, "no", tr, i), TypeError,
     "terminated of environment 1", "got 'no'", "a bool"),
    ("truncated-none", lambda o, r, te, tr, i: (o, r, te, None, i), TypeError,
     "truncated of environment 1", "got None", "a bool"),
    ("truncated-array", lambda o, r, te, tr, i: (o, r, te, np.zeros(2, bool), i), TypeError,
     "truncated of environment 1", r"got array\(\[False", "a bool"),
    ("done-none", lambda o, r, te, tr, i: (o, r, None, i), TypeError, "done of environment 1",
     "got None", "a bool"),
    ("reward-text", lambda o, r, *rest: (o, "many", *rest), TypeError, "reward of environment 1",
     "got 'many'", "a number"),
    ("reward-none", lambda o, r, *rest: (o, None, *rest), TypeError, "reward of environment 1",
     "got None", "a number"),
    ("reward-nan", lambda o, r, *rest: (o, NAN, *rest), ValueError, "reward of environment 1",
     "got .*nan", "finite"),
    ("reward-inf", lambda o, r, *rest: (o, -INF, *rest), ValueError, "reward of environment 1",
     "got .*-inf", "finite"),
    ("observation-shape", lambda o, *rest: (np.zeros(3, np.float32), *rest), ValueError,
     "observation of environment 1", r"got .*\(3,\)", LIKE),
    ("observation-dtype", lambda o, *rest: (o.astype(complex), *rest), ValueError,
     "observation of environment 1", "got .*complex128", LIKE),
    ("observation-none", lambda o, *rest: (None, *rest), ValueError,
     "observation of environment 1", "got None", LIKE),
    ("observation-dict", lambda o, *rest: ({"a": o}, *rest), ValueError,
     "observation of environment 1", r"got \{'a'", LIKE),
    ("observation-nan", lambda o, *rest: (o * np.float32(NAN), *rest), ValueError,
     "observation of environment 1", "got .*nan", "finite"),
    ("observation-inf", lambda o, *rest: (o + np.float32([0, INF]), *rest), ValueError,
     "observation of environment 1", "got .*inf", "finite"),
    ("info-none", lambda o, r, te, tr, i: (o, r, te, tr, None), TypeError,
     "info of environment 1", "got None", "a dict"),
    ("info-list", lambda o, r, te, tr, i: (o, r, te, tr, []), TypeError,
     "info of environment 1", r"got \[\]", "a dict"),
    ("reward-large", lambda o, r, *rest: (o, 1e39, *rest), ValueError, "reward of environment 1",
     r"got 1e\+39", "finite, also in float32"),
    ("info-text", lambda o, r, te, tr, i: (o, r, te, tr, "x"), TypeError,
     "info of environment 1", "got 'x'", "a dict"),
    ("raw-reward-text", lambda o, r, te, tr, i: (o, r, te, tr, {"raw_reward": "x"}), TypeError,
     "raw_reward.* of environment 1", "got 'x'", "a number"),
)  # fmt: skip
def test_steps_that_break_the_contract(case, at, kind):
    envs = [Env(), Env(step=case.call, at=at)]
    error = case._replace(call=None, argument=rf"(?s)(?=.*step {at - 1}\b).*{case.argument}")
    assert_breaks_and_works_again(SOURCES[kind], envs, Agent(), envs[1], error)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("at", [0, 1])
@table(
    ("nothing", lambda o, i: None, TypeError, "reset", "got None", RESET),
    ("observation-none", lambda o, i: (None, i), TypeError, "observation", r"got \(None, \{\}\)",
     "must not be None"),
    ("no-parts", lambda o, i: (), TypeError, "reset", r"got \(\)", RESET),
    ("one-part", lambda o, i: (o,), TypeError, "reset", r"got \(array", RESET),
    ("three-parts", lambda o, i: (o, i, 1), TypeError, "reset", r"\{\}, 1\)", RESET),
    ("list", lambda o, i: [o, i], TypeError, "reset", r"got \[array", RESET),
    ("info-list", lambda o, i: (o, [3]), TypeError, "reset", r"\[3\]", RESET),
    ("text", lambda o, i: ("x", i), TypeError, "reset", r"got \('x'", RESET),
    ("dict", lambda o, i: {"a": o}, TypeError, "reset", r"got \{'a'", RESET),
    ("nan", lambda o, i: (o * np.float32(NAN), i), ValueError, "observation", "nan", "finite"),
    ("inf", lambda o, i: (o - np.float32(INF), i), ValueError, "observation", "-inf", "finite"),
    ("shape", lambda o, i: (np.zeros(3, np.float32), i), ValueError, "observation",
     r"got .*\(3,\)", LIKE),
)  # fmt: skip
def test_resets_that_break_the_contract(case, at, kind):
    envs = [Env(), Env(reset=case.call, at=at)]
    error = case._replace(argument=f"{case.argument} of environment 1")
    assert_breaks_and_works_again(SOURCES[kind], envs, Agent(), envs[1], error)


PAIR = r"\(actions, agent states\)"


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize(
    ("driver", "kind"),
    [("list", kind) for kind in SOURCES] + [("vector", kind) for kind in VECTOR_SOURCES],
)
@table(
    ("nothing", lambda n: None, TypeError, "agent", "got None", PAIR),
    ("actions-alone", lambda n: np.zeros(n), TypeError, "agent", r"got array", PAIR),
    ("one-action", lambda n: (0, [1.0] * n), TypeError, "agent", r"got \(0,", PAIR),
    ("three-parts", lambda n: ([0] * n, [1.0] * n, 1), TypeError, "agent", r"1\)$", PAIR),
    ("no-actions", lambda n: (None, [1.0] * n), TypeError, "agent", r"got \(None", PAIR),
    ("too-few-actions", lambda n: ([0] * (n - 1), [1.0] * n), ValueError, "agent",
     "got 1 actions", r"one action and one state per observation \(2\)"),
    ("too-many-actions", lambda n: (np.zeros(n + 1, int), [1.0] * n), ValueError, "agent",
     "got 3 actions", r"one action and one state per observation \(2\)"),
    ("too-few-states", lambda n: ([0] * n, [1.0]), ValueError, "agent", "1 states",
     r"one action and one state per observation \(2\)"),
    ("states-number", lambda n: ([0] * n, 7), TypeError, "agent", r", 7\)", PAIR),
    ("ragged-actions", lambda n: ([[0], [0, 1]], [1.0] * n), ValueError, "actions",
     r"got \[\[0\], \[0, 1\]\]", "int64"),
)  # fmt: skip
def test_agents_that_break_the_contract(case, driver, at, kind):
    env, agent = ([Env(), Env()] if driver == "list" else VecEnv()), Agent(case.call, at)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, agent, agent, case)


@pytest.mark.parametrize("kind", ["steps", "first-last", "n-step"])
@table(
    ("floats", lambda n: ([0.5] * n, None), ValueError, "actions", r"0\.5", "int64"),
    ("vectors", lambda n: (np.zeros((n, 2), int), None), ValueError, "actions", r"\[0, 0\]",
     "int64"),
    ("texts", lambda n: (["left"] * n, None), ValueError, "actions", "left", "int64"),
)  # fmt: skip
def test_actions_of_another_kind_later_on(case, kind):
    agent = Agent(case.call)
    assert_breaks_and_works_again(SOURCES[kind], [Env(), Env()], agent, agent, case)


@table(
    ("text", lambda n: ([0] * n, ["a"] * n), TypeError, "agent", "'a'", "a float each"),
    ("none", lambda n: ([0] * n, None), TypeError, "agent", "None", "a float each"),
    ("nan", lambda n: ([0] * n, [1.0, NAN][:n]), ValueError, "agent", "nan", "finite"),
    ("inf", lambda n: ([0] * n, [INF, 1.0][:n]), ValueError, "agent", "inf", "finite"),
)
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_values_that_are_none(case, at):
    agent = Agent(case.call, at)
    assert_breaks_and_works_again(SOURCES["rollouts"], [Env(), Env()], agent, agent, case)


@table(
    ("too-few", ([0, 0], [1.0]), ValueError, "agent", "1 states", r"state per observation \(2\)"),
    ("too-many", ([0, 0], [1.0] * 3), ValueError, "agent", "3 states", r"observation \(2\)"),
    ("nothing", None, TypeError, "agent", "got None", PAIR),
)
@pytest.mark.parametrize(("at", "cut"), [(2, False), (5, True)])
def test_values_that_the_agent_does_not_act_on(case, at, cut):
    # Calls 0, 1, 3 and 4 are steps; 2 asks for the values after a rollout, 5 for those of the
    # final observations.
    agent = Agent(lambda n: case.call, at)
    envs = [Env(cut=cut), Env(cut=cut)]
    assert_breaks_and_works_again(SOURCES["rollouts"], envs, agent, agent, case)


@pytest.mark.parametrize("kind", ["steps", "first-last", "n-step"])
@pytest.mark.parametrize("action", [True, 0.5, np.array([1]), "left", np.float32([1, 2])])
def test_a_new_stream_may_begin_with_actions_of_another_kind(action, kind):
    source = SOURCES[kind]([Env(), Env()], Agent())
    assert len(first_items(source)) == 12
    source.agent = Agent(lambda n: ([action] * n, None), at=0)
    for item in first_items(source):
        row = item[0] if kind == "steps" else item
        assert type(row.action) is type(action)
        np.testing.assert_array_equal(row.action, action)


def test_an_environment_is_known_by_its_number():
    for number in range(3):
        envs = [Env() for _ in range(3)]
        envs[number] = Env(step=lambda o, r, *rest: (o, NAN, *rest), at=3)
        with pytest.raises(ValueError, match=f"reward of environment {number} at step 2 "):
            first_items(SOURCES["first-last"](envs, Agent()), 30)


# Vector environments.

FLAGS = "array of 2 bools"
LIKE_BATCH = r"one like the first per environment \(2\)"
VECTOR_STEP = r"\(observations, rewards, terminated, truncated, info\)"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("four-parts", lambda o, r, te, tr, i: (o, r, te, i), TypeError, "step of env", r"got \(",
     VECTOR_STEP),
    ("nothing", lambda *answer: None, TypeError, "step of env", "got None", VECTOR_STEP),
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
    ("rewards-text", lambda o, r, *rest: (o, np.array(["a", "b"]), *rest), TypeError,
     "reward of environment 0", "'a'", "numbers"),
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
     r"got array\(\[\[3", LIKE_BATCH),
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


VECTOR_RESET = r"\(observations, info\)"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("nothing", lambda o, i: None, TypeError, "reset of env", "got None", VECTOR_RESET),
    ("observations-alone", lambda o, i: o, TypeError, "reset of env", "got array", VECTOR_RESET),
    ("info-none", lambda o, i: (o, None), TypeError, "reset of env", r"None\)", VECTOR_RESET),
    ("nan", lambda o, i: (o * np.float32(NAN), i), ValueError, "observation of environment 0",
     "nan", "finite"),
    ("one", lambda o, i: (o[:1], i), ValueError, "observations", r"got array\(\[\[0", LIKE_BATCH),
    ("three", lambda o, i: (np.zeros((3, 2), np.float32), i), ValueError, "observations",
     r"got array\(\[\[0", LIKE_BATCH),
)  # fmt: skip
def test_vector_resets_that_break_the_contract(case, kind):
    env = VecEnv(reset=case.call)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, case)
