"""The stepping engine: shares of episodes, limits of steps, restarts, decisions, and notes."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from ptan.actions.policy import PolicyStep
from ptan.agent import BaseAgent
from ptan.experience import ExperienceSourceFirstLast
from ptan.experience.flags import NO_TRANSITION
from ptan.experience.make_stepper import make_stepper
from ptan.experience.stepper import Stepper
from ptan.experience.windows import WindowSpec

from .envs import (
    MODES,
    CountingAgent,
    Episode,
    Fault,
    PolicyOfPlace,
    ScriptedEnv,
    decode,
    drive,
    make_envs,
)
from .strategies import PROPERTY, plans

DRIVERS = ["list", *sorted(MODES)]
PLAN = [[Episode(2), Episode(3)], [Episode(5, "truncated"), Episode(1)], [Episode(1)]]
every_driver = pytest.mark.parametrize("driver", DRIVERS)


def stepper_of(env: Any, agent: Any = None, **settings: Any) -> Stepper:
    stepper = make_stepper(
        env, agent or PolicyOfPlace(), WindowSpec(gamma=0.5, n_step=2), **settings
    )
    stepper.begin()
    return stepper


def places(stepper: Stepper) -> list[tuple[int, int, int]]:
    return [decode(stepper.one_observation(e)) for e in range(stepper.count)]


def play_shares(stepper: Stepper, shares: list[int]) -> list[list[list[tuple[int, int, int]]]]:
    """Every environment plays its share; per environment and episode the places acted on."""
    played: list[Any] = [[[]] for _ in shares]
    left = list(shares)
    for e in np.flatnonzero(np.array(shares) == 0):
        stepper.wait(int(e))
    while not stepper.waiting.all():
        before, playing = places(stepper), ~stepper.waiting
        stepper.advance(1)
        assert stepper.cut()[2] is None
        made = stepper.tape.flags[stepper.tape.newest] & NO_TRANSITION == 0
        assert not (made & ~playing).any()
        for e in np.flatnonzero(made).tolist():
            played[e][-1].append(before[e])
            if stepper.over[e]:
                left[e] -= 1
                played[e].append([])
                if not left[e]:
                    stepper.wait(e)
    return [episodes[:-1] for episodes in played]


class TestShares:
    @PROPERTY
    @given(plans(), st.sampled_from(DRIVERS), st.integers(1, 3), st.data())
    def test_every_environment_plays_its_share_and_waits(self, plan, driver, rounds, data):
        envs = make_envs(plan)
        stepper = stepper_of(drive(driver, envs))
        made = 0
        for _ in range(rounds):
            shares = data.draw(st.lists(st.integers(0, 3), min_size=len(envs), max_size=len(envs)))
            played = play_shares(stepper, shares)
            assert list(map(len, played)) == shares
            for env, episodes in zip(envs, played, strict=True):
                for episode in episodes:
                    (number,) = {place[1] for place in episode}
                    length = env.plan[(number - 1) % len(env.plan)].length
                    assert [place[2] for place in episode] == list(range(length))
                    made += length
            assert stepper.transitions == made
            stepper.play_all()
            assert all(place[2] == 0 for place in places(stepper))

    def test_a_waiting_environment_of_a_list_is_neither_stepped_nor_shown_to_the_agent(self):
        envs, agent = make_envs(PLAN), PolicyOfPlace()
        stepper = stepper_of(envs, agent)
        stepper.wait(1)
        stepper.advance(4)
        assert agent.batch_sizes == [2] * 4
        assert [env.steps_taken() for env in envs] == [4, 0, 4]
        assert stepper.transitions == 8
        resets = [env.episode for env in envs]
        stepper.play_all()
        assert [env.episode for env in envs] == resets  # it waited at the start of an episode

    @every_driver
    def test_agent_states_begin_with_the_episodes_after_waiting(self, driver):
        agent = CountingAgent()
        stepper = stepper_of(drive(driver, make_envs([[Episode(3)]] * 2)), agent)
        stepper.wait(0)
        stepper.advance(3)
        stepper.play_all()
        if driver == "next_step":
            stepper.advance(1)  # the second one is reset
        assert stepper.agent_states[1] == 0
        assert stepper.agent_states[0] == (driver == "next_step")

    @every_driver
    def test_none_can_wait_in_the_middle_of_an_episode_nor_step_when_all_wait(self, driver):
        stepper = stepper_of(drive(driver, make_envs([[Episode(3)]] * 2)))
        stepper.wait(0)
        stepper.advance(1)
        with pytest.raises(ValueError, match="1 is in the middle"):
            stepper.wait(1)
        stepper.advance(2)
        stepper.wait(1)
        with pytest.raises(RuntimeError, match="play_all"):
            stepper.advance(1)

    def test_what_waits_is_part_of_the_state(self):
        class Known(ScriptedEnv):
            def state_dict(self):
                return {name: getattr(self, name) for name in ("episode", "at", "running")}

            def load_state_dict(self, state):
                vars(self).update(state)

        one, other = (stepper_of(make_envs(PLAN, Known), CountingAgent()) for _ in range(2))
        one.wait(0)
        one.advance(3)
        one.cut()
        other.load_state_dict(one.state_dict())
        for stepper in (one, other):
            stepper.advance(2)
            stepper.play_all()
            stepper.advance(1)
        assert places(one) == places(other)
        assert one.transitions == other.transitions == 13

    def test_a_failed_beginning_lets_them_wait_on(self):
        class Late(ScriptedEnv):
            broken = False

            def reset(self, **kwargs):
                if self.broken:
                    raise Fault
                return super().reset(**kwargs)

        envs = make_envs([[Episode(2)]] * 2, Late)
        stepper = stepper_of(drive("disabled", envs))
        stepper.wait(1)
        envs[1].broken = True
        with pytest.raises(Fault):
            stepper.play_all()
        assert stepper.waiting.tolist() == [False, True]
        envs[1].broken = False
        stepper.play_all()
        stepper.advance(2)
        assert stepper.over.tolist() == [True, True]


def rows_of(stepper: Stepper, steps: int = 30) -> list[list[Any]]:
    """Per environment the (state, state after, action, flags) of the next rows."""
    found: list[list[Any]] = [[] for _ in range(stepper.count)]
    for _ in range(steps):
        stepper.advance(1)
        rows, *_ = stepper.cut()
        if rows is not None:
            before, after = (rows.frames[0][rows.refs[:, 0, i]] for i in (0, 1))
            columns = (before, after, rows.actions, rows.flags)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                found[int(row[0][0]) - 1].append(row)
    return found


class TestLimits:
    @every_driver
    @pytest.mark.parametrize("end", ["terminated", "truncated"])
    def test_a_longer_episode_is_truncated(self, driver, end):
        envs = make_envs([[Episode(9, end)], [Episode(4, end)], [Episode(3, end)]])
        stepper = stepper_of(drive(driver, envs), CountingAgent(), max_steps=4)
        seen = [
            [(int(before[2]), int(after[2]), flags) for before, after, _, flags in rows]
            for rows in rows_of(stepper)
        ]
        cut, own = 2, 1 if end == "terminated" else 2
        for found, last, flag in zip(seen, (4, 4, 3), (cut, own, own), strict=True):
            episode = [(t, t + 2, 0) for t in range(last - 2)]
            episode += [(last - 2, last, flag), (last - 1, last, flag)]
            assert found[: 3 * last] == (episode * 3)[: len(found)]

    def test_a_vector_that_cannot_reset_one_alone_plays_on_unseen(self):
        stepper = stepper_of(
            drive("next_step", make_envs([[Episode(6)], [Episode(2)]])), max_steps=3
        )
        stepper._resets_single = False
        made = []
        for _ in range(12):
            stepper.advance(1)
            made.append(stepper.tape.flags[stepper.tape.newest][0] & NO_TRANSITION == 0)
        # three steps, three that end the episode unseen, the reset, three steps, …
        assert made == [True] * 3 + [False] * 4 + [True] * 3 + [False] * 2

    def test_lost_lives_do_not_begin_the_count_again(self):
        (env,) = make_envs([[Episode(9, lost=(2, 3))]])
        stepper = stepper_of(env, max_steps=5)
        stepper.advance(5)
        assert stepper.over.tolist() == [True]
        assert places(stepper) == [(1, 2, 0)]

    @pytest.mark.parametrize("driver", MODES)
    def test_a_life_lost_in_the_last_step(self, driver):
        class Onward(ScriptedEnv):  # a game goes on elsewhere than where the life was lost
            def reset(self, **kwargs):
                observation, info = super().reset(**kwargs)
                return observation + 50 * len(info), info

        def seen(driver):
            plans = [[Episode(9, lost=(3,))], [Episode(5, lost=(2,)), Episode(2)]]
            agent = CountingAgent()
            envs = [Onward(plans[0], 1, resume=True), ScriptedEnv(plans[1], 2, resume=True)]
            stepper = stepper_of(drive(driver, envs), agent, max_steps=3)
            return [rows[:18] for rows in rows_of(stepper)]

        assert seen(driver) == seen("list")


class TestRestart:
    @every_driver
    def test_new_seeds_and_no_windows_of_before(self, driver):
        envs = make_envs([[Episode(5)]] * 2)
        stepper = stepper_of(drive(driver, envs), env_seed=3)
        stepper.advance(1)
        assert stepper.cut()[0] is None
        stepper.restart(70)
        assert [place[2] for place in places(stepper)] == [0, 0]
        rows = rows_of(stepper, 2)
        assert [[decode(row[0])[1] for row in found] for found in rows] == [[2], [2]]
        stepper.restart(None)
        for seed, env in enumerate(envs):
            asked = [event.kwargs for event in env.log if event.kind == "reset"]
            assert asked == [{"seed": seed + 3}, {"seed": seed + 70}, {}]


class Explaining(BaseAgent):
    """Stores doubled actions, and says for which observation it chose them."""

    def initial_state(self):
        return 0

    def __call__(self, observations, agent_states=None):
        raise AssertionError("step is asked")

    def step(self, observations, agent_states=None):
        numbers = np.array([decode(o)[0] for o in observations])
        states = [state + 1 for state in agent_states]
        return PolicyStep(numbers * 2, numbers, states, {"values": numbers * 1.5})


class TestDecisions:
    @every_driver
    def test_what_is_stored_and_what_environments_get_may_differ(self, driver):
        envs = make_envs([[Episode(4)]] * 3)
        stepper = stepper_of(drive(driver, envs), Explaining())
        stepper.wait(1)
        stepper.advance(2)
        assert stepper.tape.actions[stepper.tape.newest].tolist()[::2] == [2, 6]
        assert [envs[e].log[-1].action for e in (0, 2)] == [1, 3]
        last = stepper.last
        assert isinstance(last, PolicyStep)
        assert last.columns["values"].shape == (3,)
        assert last.columns["values"][[0, 2]].tolist() == [1.5, 4.5]
        assert [last.states[e] for e in range(3)] == [2, 0, 2]

    def test_a_class_that_says_again_how_it_acts_is_believed(self):
        class Own(Explaining):
            def __call__(self, observations, agent_states=None):
                return [3] * len(observations), agent_states

        stepper = stepper_of(make_envs(PLAN), Own())
        stepper.advance(1)
        assert stepper.last.actions == [3, 3, 3]
        assert stepper.last.columns == {}

    def test_a_step_that_is_none_raises(self):
        class Wrong(Explaining):
            def step(self, observations, agent_states=None):
                return [0] * 3, agent_states

        with pytest.raises(TypeError, match=r"step of agent must return a PolicyStep, got \(\["):
            stepper_of(make_envs(PLAN), Wrong()).advance(1)

    @every_driver
    @pytest.mark.parametrize("batched", [True, False])
    def test_dicts_of_actions_one_by_one_or_as_a_batch(self, driver, batched):
        class Grips(ScriptedEnv):
            def __init__(self, *args: Any):
                super().__init__(*args)
                self.action_space = spaces.Dict(a=spaces.Discrete(4), b=spaces.Discrete(2))

            def step(self, action):
                assert set(action) == {"a", "b"}
                return super().step(int(action["a"]))

        def agent(observations, states):
            numbers = np.array([decode(o)[0] for o in observations])
            if batched:
                return {"a": numbers, "b": numbers % 2}, states
            return [{"a": n, "b": n % 2} for n in numbers], states

        envs = [Grips([Episode(4)], index) for index in (1, 2)]
        rows = list(islice(ExperienceSourceFirstLast(drive(driver, envs), agent, 0.9), 4))
        assert [row.action for row in rows] == [{"a": n, "b": n % 2} for n in (1, 2)] * 2
        assert [env.log[1].action for env in envs] == [1, 2]

    def test_actions_that_disagree_on_a_precision_follow_the_first(self):
        class Pushed(ScriptedEnv):
            def step(self, action):
                return super().step(1)

        def rows(space):
            env = Pushed([Episode(9)])
            env.action_space = space
            dtypes = iter([np.float32, np.float64] * 4)
            source = ExperienceSourceFirstLast(
                env, lambda observations, states: (np.full((1, 2), 0.1, next(dtypes)), states), 0.9
            )
            return list(islice(source, 4))

        box = spaces.Box(-1, 1, (2,), np.float32)
        assert {row.action.dtype for row in rows(box)} == {np.dtype(np.float32)}
        with pytest.raises(ValueError, match=r"actions at step 1 .*float32.*got .*float64"):
            rows(None)


@every_driver
@pytest.mark.parametrize("call", ["step", "reset"])
@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_an_exception_of_an_environment_says_where(driver, call, error):
    class Broken(ScriptedEnv):
        def reset(self, **kwargs):
            if call == "reset" and self.index == 2 and self.episode == 1:
                raise error("no floor")
            return super().reset(**kwargs)

        def step(self, action):
            if call == "step" and self.index == 2 and self.at == 2:
                raise error("no floor")
            return super().step(action)

    stepper = stepper_of(drive(driver, make_envs([[Episode(3)]] * 2, Broken)))
    with pytest.raises(error, match="no floor") as caught:
        stepper.advance(20)
    (note,) = caught.value.__notes__
    if driver == "list":
        assert note == {"step": "environment 1, step 2", "reset": "environment 1, reset"}[call]
    else:
        assert note in ("step 2 of env", "step 3 of env", "reset of env")
    assert stepper.needs_reset


class Rewards(ScriptedEnv):
    def __init__(self, reward: Any, index: int) -> None:
        super().__init__([Episode(4)], index)
        self.given = reward

    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, self.given, *rest


class TestRewards:
    @every_driver
    @pytest.mark.parametrize("reward", [np.array([0.5]), np.float32([0.5]), np.array(0.5)])
    def test_an_array_of_one_number_is_that_number(self, driver, reward):
        if driver != "list" and reward.shape:
            pytest.skip("Gymnasium's vector environments raise, and the note says where")
        envs = [Rewards(reward, index) for index in (1, 2)]
        rows = list(islice(ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9), 9))
        assert [row.reward for row in rows] == [0.5] * 9
        assert {type(row.reward) for row in rows} == {float}

    @every_driver
    @pytest.mark.parametrize("reward", [1e39, -1e39])
    def test_a_reward_that_no_batch_can_hold_is_named(self, driver, reward):
        envs = [Rewards(reward if index == 2 else 1.0, index) for index in (1, 2)]
        source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9)
        with pytest.raises(ValueError, match=r"reward of environment 1 at .*float32.*1e\+39"):
            next(iter(source))

    def test_a_column_of_rewards_counts_as_one_per_environment(self):
        vector = drive("same_step", make_envs([[Episode(4)]] * 2))
        step = vector.step
        vector.step = lambda actions: (lambda o, r, *rest: (o, r[:, None], *rest))(*step(actions))
        rows = list(islice(ExperienceSourceFirstLast(vector, PolicyOfPlace(), 0.9), 8))
        assert {type(row.reward) for row in rows} == {float}
