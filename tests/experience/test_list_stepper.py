"""What single environments may be: old, simple, without spaces, with stacks of frames."""

import warnings
from itertools import islice

import gymnasium
import numpy as np
import pytest

from ptan.common import wrappers, wrappers_simple
from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    ExperienceSourceRollouts,
)

from .envs import DullAgent, Episode, NewToyEnv, ScriptedEnv, ToyEnv, drive, make_envs
from .oracles import same

TUPLES = [
    f"(Experience(state={t}, action=1, reward=1.0, done=False),"
    f" Experience(state={t + 1}, action=1, reward=1.0, done=False))"
    for t in range(2)
]
LAST_TUPLES = [
    "(Experience(state=3, action=1, reward=1.0, done=False),"
    " Experience(state=4, action=1, reward=1.0, done=True))",
    "(Experience(state=4, action=1, reward=1.0, done=True),)",
]


@pytest.mark.parametrize("toy", [ToyEnv, NewToyEnv])
def test_the_textbook_prints_these_rows(toy):
    source = ExperienceSource(env=toy(), agent=DullAgent(action=1), steps_count=2)
    printed = [repr(row) for row in islice(source, 20)]
    assert [*printed[:2], *printed[8:10]] == [*TUPLES, *LAST_TUPLES]
    assert printed[10:] == printed[:10]
    source = ExperienceSourceFirstLast(
        env=toy(), agent=DullAgent(action=1), gamma=1.0, steps_count=1
    )
    printed = [repr(row) for row in islice(source, 11)]
    assert [printed[i] for i in (0, 8, 9, 10)] == [
        f"ExperienceFirstLast(state={state}, action=1, reward=1.0, last_state={last_state})"
        for state, last_state in ((0, 1), (3, 4), (4, None), (0, 1))
    ]


def test_the_textbook_rewards():
    source = ExperienceSource(env=ToyEnv(), agent=DullAgent(action=2), steps_count=4)
    list(islice(source, 21))
    assert source.pop_total_rewards() == [20.0, 20.0]
    assert source.pop_total_rewards() == []


@pytest.mark.parametrize(
    "make", [ExperienceSource, ExperienceSourceFirstLast, ExperienceSourceRollouts]
)
def test_one_environment_twice_warns_at_the_line_that_made_the_source(make):
    env = ToyEnv()
    gamma = () if make is ExperienceSource else (0.9,)
    with pytest.warns(UserWarning, match="env holds the same environment more than once") as caught:
        source = make([env, env], DullAgent(1), *gamma)
    assert [warning.filename for warning in caught] == [__file__]
    if make is ExperienceSource:  # both streams step the one environment in turn
        states = [tuple(item.state for item in row) for row in islice(source, 5)]
        assert states == [(0, 1), (0, 2), (1, 3), (2, 4), (3, 0)]


@pytest.mark.parametrize("form", [list, tuple])
def test_different_instances_do_not_warn(form):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = list(islice(ExperienceSource(form([ToyEnv(), ToyEnv()]), DullAgent(1)), 4))
    assert list(map(repr, rows)) == [TUPLES[0]] * 2 + [TUPLES[1]] * 2


@pytest.mark.parametrize(
    ("info", "flags", "discount"),
    [({}, (True, False), 0.0), ({"TimeLimit.truncated": True}, (False, True), 0.5)],
)
def test_old_time_limits_are_truncations(info, flags, discount):
    class OldTimeLimit(ToyEnv):
        def step(self, action):
            observation, reward, done, _ = super().step(action)
            return observation, reward, done, dict(info) if done else {}

    row = list(islice(ExperienceSourceFirstLast(OldTimeLimit(), DullAgent(1), 0.5), 10))[9]
    assert (row.terminated, row.truncated, row.discount) == (*flags, discount)
    assert (row.last_state, row.final_state) == (None, 0)


def test_an_old_environment_may_have_tuple_observations():
    class Pairs(ToyEnv):
        def reset(self):
            return (super().reset(), 7)

        def step(self, action):
            observation, *rest = super().step(action)
            return (observation, 7), *rest

    row = next(iter(ExperienceSourceFirstLast(Pairs(), DullAgent(1), 0.5)))
    assert same((row.state, row.last_state), ((0, 7), (1, 7)))


def test_vector_rewards_stay_arrays():
    class TwoRewards(ScriptedEnv):
        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, np.array([reward, 1.0], dtype=np.float32), *rest

    reward = next(iter(ExperienceSource(TwoRewards([Episode(3)]), DullAgent(1), 1)))[0].reward
    assert (reward.dtype, reward.shape) == (np.float32, (2,))
    source = ExperienceSourceFirstLast(TwoRewards([Episode(3)]), DullAgent(1), 0.5, 3)
    assert next(iter(source)).reward[1] == 1.75


def test_spaces_are_not_needed():
    class Bare:
        def reset(self):
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.ones(2, np.float32), 1.0, False, True, {}

    rows = list(islice(ExperienceSourceFirstLast([Bare(), Bare()], DullAgent(0), 0.9), 4))
    assert [row.truncated for row in rows] == [True] * 4


def test_environments_whose_first_rewards_differ_in_shape_are_refused_at_once():
    class Two(NewToyEnv):
        def step(self, action):
            observation, _, *rest = super().step(action)
            return observation, np.array([1.0, 2.0]), *rest

    source = ExperienceSourceFirstLast([NewToyEnv(), Two()], DullAgent(1), 0.9)
    with pytest.raises(ValueError, match="reward of environment 1 at step 0 must be a Python"):
        next(iter(source))


class Spoiled(NewToyEnv):
    """The third observation, and the reward with it, are another."""

    def __init__(self, spoil, reward=1.0):
        super().__init__()
        self.spoil, self.spoiled_reward = spoil, reward

    def reset(self):
        return self.spoil(0), {}

    def step(self, action):
        observation, reward, *rest = super().step(action)
        reward = self.spoiled_reward if observation == 3 else reward
        return self.spoil(np.nan if observation == 3 else observation), reward, *rest


def array_of(dtype):
    return lambda number: np.full(2, number, dtype)


@pytest.mark.parametrize(
    "spoil",
    [
        *map(array_of, [np.float16, np.float32, np.longdouble, ">f8"]),
        lambda number: {"count": 1, "views": (0, np.full(2, number, float))},
    ],
)
def test_observations_of_every_kind_and_float_dtype_are_checked(spoil):
    source = ExperienceSourceFirstLast(Spoiled(spoil), DullAgent(1), 0.9)
    buffer = ExperienceReplayBuffer(source, 9)
    buffer.populate(2)
    states = buffer.sample(3).states
    if isinstance(states, np.ndarray):
        assert states.dtype == spoil(0).dtype.newbyteorder("=")
    with pytest.raises(ValueError, match="environment 0 at step 2 must be finite"):
        buffer.populate(1)


def test_the_check_can_be_switched_off_and_large_numbers_pass():
    env = Spoiled(array_of(np.float32), float("inf"))
    source = ExperienceSourceFirstLast(env, DullAgent(1), 0.9, check_finite=False)
    rows = list(islice(source, 3))
    assert np.isnan(rows[2].last_state).all()
    assert rows[2].reward == float("inf")
    env = Spoiled(lambda number: np.full(2, 1 if number == number else 3e38, np.float32), 3e38)
    assert list(islice(ExperienceSourceFirstLast(env, DullAgent(1), 0.9), 3))[2].reward == 3e38


STACKS = {
    "gymnasium": lambda env: gymnasium.wrappers.FrameStackObservation(env, 3, padding_type="zero"),
    "buffer": lambda env: wrappers.BufferWrapper(env, 3),
    "simple": lambda env: wrappers_simple.FrameStack1D(env, 3),
}


@pytest.mark.parametrize("wrapper", STACKS)
@pytest.mark.parametrize("driver", ["list", "next_step", "same_step", "disabled"])
def test_a_stack_never_spans_two_episodes(wrapper, driver):
    plan = [Episode(1), Episode(4, "truncated"), Episode(2, "both"), Episode(6)]
    envs = [STACKS[wrapper](env) for env in make_envs([plan, plan[1:]])]
    source = ExperienceSourceFirstLast(drive(driver, envs), DullAgent(1), 0.9, steps_count=2)
    for row in islice(source, 60):
        for stack in (row.state, row.final_state):
            frames = np.asarray(stack).reshape(-1, 3)
            index, episode, step = frames[-1]
            for age, frame in enumerate(frames[::-1]):
                empty = not frame.any() or (frame == -1e6).all()
                padding = age > step and (empty or frame.tolist() == [index, episode, 0])
                assert padding or frame.tolist() == [index, episode, step - age]


def test_a_stack_goes_on_over_a_lost_life():
    (env,) = make_envs([[Episode(8, lost=(3, 4))]])
    source = ExperienceSourceFirstLast(STACKS["gymnasium"](env), DullAgent(1), 0.9, steps_count=2)
    steps = [row.state[:, 2].tolist() for row in islice(source, 8)]
    assert steps == [[max(0, at - 2), max(0, at - 1), at] for at in range(8)]
