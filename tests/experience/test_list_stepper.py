"""What environments may and may not be, and what a source says about the latter."""

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

from .envs import (
    DullAgent,
    Episode,
    NewToyEnv,
    ScriptedEnv,
    ToyEnv,
    drive,
    make_envs,
)
from .oracles import same


class TestOldAndSimpleEnvironments:
    TUPLES = (
        "(Experience(state=0, action=1, reward=1.0, done=False),"
        " Experience(state=1, action=1, reward=1.0, done=False))",
        "(Experience(state=1, action=1, reward=1.0, done=False),"
        " Experience(state=2, action=1, reward=1.0, done=False))",
    )
    LAST_TUPLES = (
        "(Experience(state=3, action=1, reward=1.0, done=False),"
        " Experience(state=4, action=1, reward=1.0, done=True))",
        "(Experience(state=4, action=1, reward=1.0, done=True),)",
    )

    @pytest.mark.parametrize("toy", [ToyEnv, NewToyEnv])
    def test_the_textbook_prints_these_tuples(self, toy):
        source = ExperienceSource(env=toy(), agent=DullAgent(action=1), steps_count=2)
        printed = [repr(row) for _, row in zip(range(20), source, strict=False)]
        assert tuple(printed[:2]) == self.TUPLES
        assert tuple(printed[8:10]) == self.LAST_TUPLES
        assert printed[10:] == printed[:10]

    @pytest.mark.parametrize("toy", [ToyEnv, NewToyEnv])
    def test_the_textbook_prints_these_first_last_rows(self, toy):
        source = ExperienceSourceFirstLast(
            env=toy(), agent=DullAgent(action=1), gamma=1.0, steps_count=1
        )
        printed = [repr(row) for _, row in zip(range(11), source, strict=False)]
        assert printed[0] == "ExperienceFirstLast(state=0, action=1, reward=1.0, last_state=1)"
        assert printed[8] == "ExperienceFirstLast(state=3, action=1, reward=1.0, last_state=4)"
        assert printed[9] == "ExperienceFirstLast(state=4, action=1, reward=1.0, last_state=None)"
        assert printed[10] == printed[0]

    def test_the_textbook_rewards_and_steps(self):
        source = ExperienceSource(env=ToyEnv(), agent=DullAgent(action=2), steps_count=4)
        for number, _ in enumerate(source, start=1):
            if number == 21:
                break
        assert source.pop_total_rewards() == [20.0, 20.0]
        assert source.pop_total_rewards() == []

    def test_the_textbook_uses_one_environment_twice(self):
        env = ToyEnv()
        with pytest.warns(UserWarning, match="same"):
            source = ExperienceSource(env=[env, env], agent=DullAgent(action=1), steps_count=2)
        rows = list(islice(source, 5))
        # Both streams step the one environment in turn.
        assert [tuple(item.state for item in row) for row in rows] == [
            (0, 1),
            (0, 2),
            (1, 3),
            (2, 4),
            (3, 0),
        ]

    @pytest.mark.parametrize(
        "make", [ExperienceSource, ExperienceSourceFirstLast, ExperienceSourceRollouts]
    )
    def test_the_warning_points_at_the_line_that_made_the_source(self, make):
        env = ToyEnv()
        gamma = () if make is ExperienceSource else (0.9,)
        with pytest.warns(UserWarning, match="same") as caught:
            make([env, env], DullAgent(1), *gamma)
        assert [warning.filename for warning in caught] == [__file__]

    def test_different_instances_do_not_warn(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = list(islice(ExperienceSource([ToyEnv(), ToyEnv()], DullAgent(1)), 4))
        assert repr(rows[0]) == repr(rows[1]) == self.TUPLES[0]
        assert repr(rows[2]) == repr(rows[3]) == self.TUPLES[1]

    def test_a_tuple_of_environments_is_a_list_of_them(self):
        rows = list(islice(ExperienceSource((ToyEnv(), ToyEnv()), DullAgent(1)), 2))
        assert repr(rows[0]) == repr(rows[1])

    @pytest.mark.parametrize(
        ("info", "flags", "discount"),
        [({}, (True, False), 0.0), ({"TimeLimit.truncated": True}, (False, True), 0.5)],
    )
    def test_old_time_limits_are_truncations(self, info, flags, discount):
        class OldTimeLimit(ToyEnv):
            def step(self, action):
                observation, reward, done, _ = super().step(action)
                return observation, reward, done, dict(info) if done else {}

        rows = list(islice(ExperienceSourceFirstLast(OldTimeLimit(), DullAgent(1), 0.5), 10))
        assert (rows[9].terminated, rows[9].truncated) == flags
        assert rows[9].discount == discount
        assert rows[9].last_state is None
        assert rows[9].final_state == 0

    def test_an_old_environment_may_have_tuple_observations(self):
        class Pairs(ToyEnv):
            def reset(self):
                return (super().reset(), 7)

            def step(self, action):
                observation, *rest = super().step(action)
                return (observation, 7), *rest

        row = next(iter(ExperienceSourceFirstLast(Pairs(), DullAgent(1), 0.5)))
        assert same(row.state, (0, 7))
        assert same(row.last_state, (1, 7))

    def test_vector_rewards_stay_arrays(self):
        class TwoRewards(ScriptedEnv):
            def step(self, action):
                observation, reward, *rest = super().step(action)
                return observation, np.array([reward, 1.0], dtype=np.float32), *rest

        row = next(iter(ExperienceSource(TwoRewards([Episode(3)]), DullAgent(1), 1)))[0]
        assert row.reward.dtype == np.float32
        assert row.reward.shape == (2,)
        source = ExperienceSourceFirstLast(TwoRewards([Episode(3)]), DullAgent(1), 0.5, 3)
        row = next(iter(source))
        assert row.reward.shape == (2,)
        assert row.reward[1] == 1.75


class SpoiledEnv(ScriptedEnv):
    """Changes what a step or a reset answers, once, at the step of this number."""

    def __init__(self, spoil, at=3, index=1, at_reset=False):
        super().__init__([Episode(9)], index)
        self.spoil, self.spoils_at, self.at_reset, self.spoiled = spoil, at, at_reset, False

    def reset(self, **kwargs):
        answer = super().reset(**kwargs)
        if self.at_reset and not self.spoiled:
            self.spoiled = True
            return self.spoil(*answer)
        return answer

    def step(self, action):
        answer = super().step(action)
        if not self.at_reset and self.steps_taken() == self.spoils_at and not self.spoiled:
            self.spoiled = True
            return self.spoil(*answer)
        return answer


def bad_observation(value):
    return lambda obs, *rest: (np.array([obs[0], value, obs[2]], np.float32), *rest)


class TestFiniteness:
    def test_nested_observations_are_checked(self):
        class Nested(ScriptedEnv):
            def observe(self):
                observation = super().observe()
                if self.at == 2:
                    observation["where"] = observation["where"] * np.nan
                return observation

        stream = iter(
            ExperienceSourceFirstLast(Nested([Episode(5)], kind="dict"), DullAgent(1), 0.9)
        )
        next(stream)
        with pytest.raises((ValueError, ArithmeticError), match="env"):
            next(stream)

    def test_the_check_can_be_switched_off(self):
        env = SpoiledEnv(
            lambda obs, reward, *rest: (obs * np.float32(np.nan), float("inf"), *rest), at=2
        )
        source = ExperienceSourceFirstLast(env, DullAgent(1), 0.9, check_finite=False)
        rows = list(islice(source, 3))
        assert np.isnan(rows[1].last_state).all()
        assert rows[1].reward == float("inf")

    def test_large_finite_numbers_pass(self):
        env = SpoiledEnv(lambda obs, reward, *rest: (obs * 0 + np.float32(3e38), 3e38, *rest), at=2)
        rows = list(islice(ExperienceSourceFirstLast(env, DullAgent(1), 0.9), 3))
        assert rows[1].reward == 3e38

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, ">f8"])
    def test_observations_of_every_float_dtype_are_checked(self, dtype):
        class Floats(NewToyEnv):
            def step(self, action):
                observation, *rest = super().step(action)
                bad = np.nan if observation == 3 else observation
                return np.full(2, bad, dtype), *rest

            def reset(self, **kwargs):
                return np.zeros(2, dtype), super().reset(**kwargs)[1]

        buffer = ExperienceReplayBuffer(ExperienceSourceFirstLast(Floats(), DullAgent(1), 0.9), 9)
        buffer.populate(2)
        assert buffer.sample(3).states.dtype == np.dtype(dtype).newbyteorder("=")
        with pytest.raises(ValueError, match="environment 0 at step 2 must be finite"):
            buffer.populate(1)


class TestFrameStacks:
    @staticmethod
    def stacked(wrapper, env):
        if wrapper == "gymnasium":
            return gymnasium.wrappers.FrameStackObservation(env, 3, padding_type="zero")

        if wrapper == "buffer":
            return wrappers.BufferWrapper(env, 3)
        return wrappers_simple.FrameStack1D(env, 3)

    @pytest.mark.parametrize("wrapper", ["gymnasium", "buffer", "simple"])
    @pytest.mark.parametrize("driver", ["list", "next_step", "same_step", "disabled"])
    def test_a_stack_never_spans_two_episodes(self, wrapper, driver):
        plan = [Episode(1), Episode(4, "truncated"), Episode(2, "both"), Episode(6)]
        envs = [self.stacked(wrapper, env) for env in make_envs([plan, plan[1:]])]
        source = ExperienceSourceFirstLast(drive(driver, envs), DullAgent(1), 0.9, steps_count=2)
        for row in islice(source, 60):
            for stack in (row.state, row.final_state):
                frames = np.asarray(stack).reshape(-1, 3)
                index, episode, step = frames[-1]
                for age, frame in enumerate(frames[::-1]):
                    empty = not frame.any() or (frame == -1e6).all()
                    padding = age > step and (empty or frame.tolist() == [index, episode, 0])
                    assert padding or frame.tolist() == [index, episode, step - age]

    def test_a_stack_goes_on_over_a_lost_life(self):
        (env,) = make_envs([[Episode(8, lost=(3, 4))]])
        source = ExperienceSourceFirstLast(
            self.stacked("gymnasium", env), DullAgent(1), 0.9, steps_count=2
        )
        steps = [row.state[:, 2].tolist() for row in islice(source, 8)]
        assert steps == [[max(0, at - 2), max(0, at - 1), at] for at in range(8)]


def test_spaces_are_not_needed():
    class Bare:
        def reset(self):
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.ones(2, np.float32), 1.0, False, True, {}

    rows = list(islice(ExperienceSourceFirstLast([Bare(), Bare()], DullAgent(0), 0.9), 4))
    assert [row.truncated for row in rows] == [True] * 4
