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


def swap(place, value):
    """Changes one part of an answer, by a function or to a value."""

    def spoil(*answer):
        part = value(answer[place]) if callable(value) else value
        return *answer[:place], part, *answer[place + 1 :]

    return spoil


def times(*factors):
    return lambda array: array * np.float32(factors)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("at", [1, 2, 4])
@table(
    ("three-parts", lambda *answer: answer[:3], TypeError, "step", r"got \(array", STEP),
    ("six-parts", lambda *answer: (*answer, 7), TypeError, "step", r", 7\)", STEP),
    ("nothing", lambda *answer: None, TypeError, "step", "got None", STEP),
    ("terminated-none", swap(2, None), TypeError, "terminated", "got None", "a bool"),
    ("terminated-text", swap(2, "no"), TypeError, "terminated", "got 'no'", "a bool"),
    ("truncated-none", swap(3, None), TypeError, "truncated", "got None", "a bool"),
    (
        "truncated-array",
        swap(3, np.zeros(2, bool)),
        TypeError,
        "truncated",
        r"array\(\[F",
        "a bool",
    ),
    ("done-none", lambda o, r, te, tr, i: (o, r, None, i), TypeError, "done", "got None", "a bool"),
    ("reward-text", swap(1, "many"), TypeError, "reward", "got 'many'", "a number"),
    ("reward-none", swap(1, None), TypeError, "reward", "got None", "a number"),
    ("reward-nan", swap(1, NAN), ValueError, "reward", "got .*nan", "finite"),
    ("reward-inf", swap(1, -INF), ValueError, "reward", "got .*-inf", "finite"),
    ("reward-large", swap(1, 1e39), ValueError, "reward", r"got 1e\+39", "finite, also in float32"),
    ("shape", swap(0, np.zeros(3, np.float32)), ValueError, "observation", r"got .*\(3,\)", LIKE),
    ("dtype", swap(0, np.zeros(2, complex)), ValueError, "observation", "got .*complex128", LIKE),
    ("observation-none", swap(0, None), ValueError, "observation", "got None", LIKE),
    ("observation-dict", swap(0, {"a": 1}), ValueError, "observation", r"got \{'a'", LIKE),
    ("observation-nan", swap(0, times(NAN)), ValueError, "observation", "got .*nan", "finite"),
    ("observation-inf", swap(0, times(1, INF)), ValueError, "observation", "got .*inf", "finite"),
    ("info-none", swap(4, None), TypeError, "info", "got None", "a dict"),
    ("info-list", swap(4, []), TypeError, "info", r"got \[\]", "a dict"),
    ("info-text", swap(4, "x"), TypeError, "info", "got 'x'", "a dict"),
    ("raw-reward-text", swap(4, {"raw_reward": "x"}), TypeError, "raw_reward.*", "'x'", "a number"),
)
def test_steps_that_break_the_contract(case, at, kind):
    envs = [Env(), Env(step=case.call, at=at)]
    argument = rf"(?s)(?=.*step {at - 1}\b).*{case.argument} of environment 1"
    error = case._replace(call=None, argument=argument)
    assert_breaks_and_works_again(SOURCES[kind], envs, Agent(), envs[1], error)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("at", [0, 1])
@table(
    ("nothing", lambda o, i: None, TypeError, "reset", "got None", RESET),
    ("observation-none", swap(0, None), TypeError, "observation", r"\(None, \{\}\)", "not be None"),
    ("no-parts", lambda o, i: (), TypeError, "reset", r"got \(\)", RESET),
    ("one-part", lambda o, i: (o,), TypeError, "reset", r"got \(array", RESET),
    ("three-parts", lambda o, i: (o, i, 1), TypeError, "reset", r"\{\}, 1\)", RESET),
    ("list", lambda o, i: [o, i], TypeError, "reset", r"got \[array", RESET),
    ("info-list", swap(1, [3]), TypeError, "reset", r"\[3\]", RESET),
    ("text", swap(0, "x"), TypeError, "reset", r"got \('x'", RESET),
    ("dict", lambda o, i: {"a": o}, TypeError, "reset", r"got \{'a'", RESET),
    ("nan", swap(0, np.float32([NAN, 0])), ValueError, "observation", "nan", "finite"),
    ("inf", swap(0, np.float32([0, -INF])), ValueError, "observation", "-inf", "finite"),
    ("shape", swap(0, np.zeros(3, np.float32)), ValueError, "observation", r"got .*\(3,\)", LIKE),
)
def test_resets_that_break_the_contract(case, at, kind):
    envs = [Env(), Env(reset=case.call, at=at)]
    error = case._replace(argument=f"{case.argument} of environment 1")
    assert_breaks_and_works_again(SOURCES[kind], envs, Agent(), envs[1], error)


PAIR = r"\(actions, agent states\)"
PER_ENV = r"one action and one state per observation \(2\)"


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
    ("few-actions", lambda n: ([0], [1.0] * n), ValueError, "agent", "got 1 actions", PER_ENV),
    ("many-actions", lambda n: (np.zeros(3, int), [1.0] * n), ValueError, "agent", "3 ac", PER_ENV),
    ("few-states", lambda n: ([0] * n, [1.0]), ValueError, "agent", "1 states", PER_ENV),
    ("states-number", lambda n: ([0] * n, 7), TypeError, "agent", r", 7\)", PAIR),
    ("ragged", lambda n: ([[0], [0, 1]], [1.0] * n), ValueError, "actions", r"\[0, 1\]\]", "int64"),
)
def test_agents_that_break_the_contract(case, driver, at, kind):
    env, agent = ([Env(), Env()] if driver == "list" else VecEnv()), Agent(case.call, at)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, agent, agent, case)


@pytest.mark.parametrize("kind", ["steps", "first-last", "n-step"])
@table(
    ("floats", lambda n: ([0.5] * n, None), ValueError, "actions", r"0\.5", "int64"),
    ("vectors", lambda n: (np.zeros((n, 2), int), None), ValueError, "actions", r"\[0, 0", "int64"),
    ("texts", lambda n: (["left"] * n, None), ValueError, "actions", "left", "int64"),
)
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


# Vector environments.

FLAGS = "array of 2 bools"
LIKE_BATCH = r"one like the first per environment \(2\)"
ONE_EACH = r"one per environment \(2\)"
NUMBERS = "a number per environment"
VECTOR_STEP = r"\(observations, rewards, terminated, truncated, info\)"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("four-parts", lambda *answer: answer[1:], TypeError, "step of env", r"got \(", VECTOR_STEP),
    ("nothing", lambda *answer: None, TypeError, "step of env", "got None", VECTOR_STEP),
    ("flags-list", swap(2, [False] * 2), TypeError, "terminated", r"got \[False, F", FLAGS),
    ("flags-int", swap(2, np.zeros(2, int)), TypeError, "terminated", r"array\(\[0, 0\]\)", FLAGS),
    ("flags-none", swap(3, None), TypeError, "truncated", "got None", FLAGS),
    ("flags-one", swap(2, np.zeros(1, bool)), TypeError, "terminated", r"\(\[False\]\)", FLAGS),
    ("flags-three", swap(3, np.zeros(3, bool)), TypeError, "truncated", "False, F.*, F", FLAGS),
    ("text", swap(1, np.array(["a", "b"])), TypeError, "reward of environment 0", "'a'", "numbers"),
    ("rewards-one", swap(1, np.ones(1)), ValueError, "rewards", r"array\(\[1.\]\)", ONE_EACH),
    ("rewards-number", swap(1, 1.0), ValueError, "rewards", r"array\(1.\)", ONE_EACH),
    ("rewards-three", swap(1, np.ones(3)), ValueError, "rewards", r"\[1., 1., 1.\]", ONE_EACH),
    ("nan", swap(1, np.array([1, NAN])), ValueError, "reward of environment 1", "nan", "finite"),
    ("inf", swap(1, np.array([INF, 1])), ValueError, "reward of environment 0", "inf", "finite"),
    ("one", swap(0, lambda o: o[:1]), ValueError, "observations", r"array\(\[\[3", LIKE_BATCH),
    ("dtype", swap(0, lambda o: o.astype(complex)), ValueError, "observation of environment 0",
     "complex128", "dtype float32"),
    ("none", swap(0, None), ValueError, "observations", "None", LIKE_BATCH),
    ("observations-nan", swap(0, np.float32([[1, 1], [1, NAN]])), ValueError,
     "observation of environment 1", "nan", "finite"),
    ("info-none", swap(4, None), TypeError, "info", "got None", "a dict"),
    ("raw-text", swap(4, {"raw_reward": "x"}), TypeError, "raw_reward", "'x'", NUMBERS),
    ("raw-three", swap(4, {"raw_reward": np.ones(3)}), TypeError, "raw_reward", "1., 1.", NUMBERS),
)  # fmt: skip
def test_vector_steps_that_break_the_contract(case, kind):
    env = VecEnv(step=case.call)
    error = case._replace(argument=rf"(?s)(?=.*step 2\b).*{case.argument}")
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, error)


def final(*observations):
    info = {"final_obs": np.array(observations)} if observations else {}
    return lambda o, r, te, tr, i: (o, r, ~te, tr, info)


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("missing", final(), ValueError, "0", "got None", "like the first one"),
    ("none", final(None, None), ValueError, "0", "got None", "like the first one"),
    ("shape", final(*np.zeros((2, 3), "f4")), ValueError, "0", r"got .*\(3,\)", r"shape \(2,\)"),
    ("nan", final(*np.float32([[1, 1], [NAN, 1]])), ValueError, "1", "nan", "finite"),
)
def test_final_observations_that_are_none(case, kind):
    env = VecEnv(step=case.call, mode=AutoresetMode.SAME_STEP)
    error = case._replace(argument=f"final observation of environment {case.argument}")
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, error)


VECTOR_RESET = r"\(observations, info\)"
FIRST = "observation of environment 0"


@pytest.mark.parametrize("kind", VECTOR_SOURCES)
@table(
    ("nothing", lambda o, i: None, TypeError, "reset of env", "got None", VECTOR_RESET),
    ("observations-alone", lambda o, i: o, TypeError, "reset of env", "got array", VECTOR_RESET),
    ("info-none", swap(1, None), TypeError, "reset of env", r"None\)", VECTOR_RESET),
    ("nan", swap(0, np.full((2, 2), NAN, np.float32)), ValueError, FIRST, "nan", "finite"),
    ("one", swap(0, lambda o: o[:1]), ValueError, "observations", r"array\(\[\[0", LIKE_BATCH),
    ("three", swap(0, np.zeros((3, 2), "f4")), ValueError, "observations", "0.*0.*0", LIKE_BATCH),
)
def test_vector_resets_that_break_the_contract(case, kind):
    env = VecEnv(reset=case.call)
    assert_breaks_and_works_again(VECTOR_SOURCES[kind], env, Agent(), env, case)
