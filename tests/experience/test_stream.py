"""Streams of a source: agent calls, seeds, restarts, and what happens after exceptions."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import ExperienceSource, ExperienceSourceFirstLast

from .envs import (
    CountingAgent,
    DullAgent,
    Episode,
    Fault,
    FaultyEnv,
    NewToyEnv,
    NoStatesAgent,
    PolicyOfPlace,
    ScriptedEnv,
    ToyEnv,
    check_counted,
    decode,
    drive,
    make_envs,
)
from .oracles import check_first_last, expected_windows, games_of
from .strategies import PROPERTY, plans

ITEMS = 45


class TestAgentCalls:
    @PROPERTY
    @given(plans(lives=True))
    def test_agent_states_begin_with_every_episode_of_every_environment(self, plan):
        envs, agent = make_envs(plan), CountingAgent()
        list(islice(ExperienceSourceFirstLast(envs, agent, 0.9), ITEMS))
        check_counted(envs)
        begun = sum(env.episode for env in envs)
        assert begun <= agent.initial_states <= begun + len(envs)

    def test_the_agent_is_called_once_per_step_for_all_environments(self):
        envs, agent = make_envs([[Episode(3)], [Episode(5)], [Episode(1)]]), PolicyOfPlace()
        list(islice(ExperienceSource(envs, agent, steps_count=1), 30))
        assert agent.batch_sizes == [3] * 10

    def test_listed_environments_hand_the_agent_a_list_positionally(self):
        class Watching(DullAgent):
            def __call__(self, observations, agent_states="missing"):
                assert type(observations) is list
                assert agent_states != "missing"
                return super().__call__(observations, agent_states)

        for env in (make_envs([[Episode(3)]])[0], make_envs([[Episode(3)]] * 2)):
            assert len(list(islice(ExperienceSourceFirstLast(env, Watching(1), 0.9), 9))) == 9

    @pytest.mark.parametrize("count", [1, 2, 16])
    @pytest.mark.parametrize("n", [1, 3])
    def test_a_changed_agent_acts_in_the_very_next_step(self, count, n):
        envs = make_envs([[Episode(5), Episode(2, "truncated")]] * count)
        agent = PolicyOfPlace()
        stream = iter(ExperienceSourceFirstLast(envs, agent, 0.9, steps_count=n))
        for version in range(100):
            agent.version = version
            before = [len(env.log) for env in envs]
            next(stream)
            for env, length in zip(envs, before, strict=True):
                for place in range(length, len(env.log)):
                    event = env.log[place]
                    if event.kind == "step":
                        seen = decode(env.log[place - 1].observation)
                        assert event.action == agent.action(seen)

    @pytest.mark.parametrize("agent", [DullAgent(2), NoStatesAgent(2)])
    def test_agents_without_states_may_hand_back_what_they_like(self, agent):
        envs = make_envs([[Episode(2)], [Episode(3)]])
        rows = list(islice(ExperienceSourceFirstLast(envs, agent, 0.9), 20))
        assert [row.action for row in rows] == [2] * 20

    def test_continuous_actions_stay_arrays(self):
        class Pushing(DullAgent):
            def __call__(self, observations, agent_states=None):
                return np.full((len(observations), 2), 0.5, dtype=np.float32), agent_states

        class Pushed(ScriptedEnv):
            def step(self, action):
                assert isinstance(action, np.ndarray)
                assert action.shape == (2,)
                return super().step(1)

        row = next(iter(ExperienceSourceFirstLast([Pushed([Episode(3)])], Pushing(0), 0.9)))
        assert row.action.dtype == np.float32
        assert row.action.tolist() == [0.5, 0.5]


class TestSeeds:
    @pytest.mark.parametrize("seed", [0, 17])
    def test_environment_i_gets_seed_plus_i_at_its_first_reset_only(self, seed):
        envs = make_envs([[Episode(2)], [Episode(3)], [Episode(1)]])
        source = ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, env_seed=seed)
        list(islice(source, 30))
        list(islice(source, 5))
        for number, env in enumerate(envs):
            resets = [event.kwargs for event in env.log if event.kind == "reset"]
            assert len(resets) > 2
            assert resets == [{"seed": seed + number}] + [{}] * (len(resets) - 1)

    @pytest.mark.parametrize("make", [ToyEnv, NewToyEnv])
    def test_without_a_seed_reset_gets_no_arguments(self, make):
        envs = [make(), make()]
        assert len(list(islice(ExperienceSourceFirstLast(envs, DullAgent(0), 0.9), 50))) == 50

    @pytest.mark.parametrize("driver", ["list", "next_step"])
    def test_a_first_reset_that_failed_is_tried_again_with_its_seed(self, driver):
        class LateStart(ScriptedEnv):
            seeds = ()

            def reset(self, *, seed=None, options=None):
                self.seeds = (*self.seeds, seed)
                if len(self.seeds) == 1:
                    raise OSError("not ready")
                return super().reset(seed=seed, options=options)

        envs = [LateStart([Episode(2)], index) for index in (1, 2)]
        stream = iter(
            ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9, env_seed=5)
        )
        for _ in envs:
            with pytest.raises(OSError, match="not ready"):
                next(stream)
        list(islice(stream, 20))
        assert envs[0].seeds[:2] == (5, 5)
        assert envs[1].seeds[:2] == (6, 6)
        assert None in envs[0].seeds


class TestStreams:
    def source(self, count=2, **settings):
        envs = make_envs([[Episode(4), Episode(3, "truncated")]] * count)
        return envs, ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, 2, **settings)

    def test_a_new_stream_starts_afresh_and_ends_the_older_one(self):
        envs, source = self.source()
        older = iter(source)
        list(islice(older, 5))
        newer = iter(source)
        # The older one lives until the newer one is first asked for something.
        next(older)
        episodes = [env.episode for env in envs]
        first = next(newer)
        assert [env.episode for env in envs] == [number + 1 for number in episodes]
        assert decode(first.state) == (1, envs[0].episode, 0)
        with pytest.raises(RuntimeError, match="iter"):
            next(older)
        with pytest.raises(RuntimeError, match="iter"):
            next(older)
        assert decode(next(newer).state) == (2, envs[1].episode, 0)

    def test_agent_states_start_afresh_with_a_new_stream(self):
        (env,) = make_envs([[Episode(9)]])
        source = ExperienceSourceFirstLast(env, CountingAgent(), 0.9)
        assert [row.action for row in islice(source, 3)] == [0, 1, 2]
        assert [row.action for row in islice(source, 3)] == [0, 1, 2]

    def test_statistics_outlive_a_stream_without_the_episode_that_it_interrupted(self):
        (env,) = make_envs([[Episode(3)]])
        source = ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.9)
        list(islice(source, 5))
        list(islice(source, 4))
        rewards = [event.reward for event in env.log if event.kind == "step"]
        totals = [pytest.approx(sum(rewards[at : at + 3])) for at in (0, 5)]
        assert source.pop_rewards_steps() == [(total, 3) for total in totals]

    def test_both_pops_drain_the_same_episodes(self):
        _, source = self.source(1)
        list(islice(source, 5))
        ((total, steps),) = source.pop_rewards_steps()
        assert (type(total), type(steps)) == (float, int)
        assert source.pop_total_rewards() == []
        list(islice(source, 5))
        assert [type(total) for total in source.pop_total_rewards()] == [float]
        assert source.pop_rewards_steps() == []

    def test_a_subclass_may_loop_over_the_stream_it_inherits(self):
        class Doubling(ExperienceSourceFirstLast):
            def __iter__(self):
                for row in super().__iter__():
                    yield row._replace(reward=row.reward * 2)

        (env,) = make_envs([[Episode(3)]])
        rows = list(islice(Doubling(env, PolicyOfPlace(), 0.9), 7))
        for row, window in zip(rows, expected_windows([env], 1), strict=False):
            assert row.reward == 2 * window.segment.rewards[window.start]


def drain(stream, items):
    """Asks for items as often as told; a Fault counts as a try and is noted as None."""
    found = []
    for _ in range(items):
        try:
            found.append(next(stream))
        except Fault:
            found.append(None)
    return found


class TestAfterExceptions:
    @PROPERTY
    @given(plans(), st.integers(0, 12), st.integers(1, 4))
    def test_a_broken_step_restarts_the_stream(self, plan, fails_at, n):
        # The first environment breaks, so no other one steps in that vector step.
        envs = make_envs(plan)
        envs[0] = FaultyEnv(plan[0], 1, fails_at)
        source = ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, n)
        items = drain(iter(source), 60)
        assert items.count(None) == 1
        expected = expected_windows(envs, n)
        rows = [row for row in items if row is not None]
        for row, window in zip(rows, expected, strict=False):
            check_first_last(row, window, 0.9)
        stopped = items.index(None)
        assert all(window.tick < fails_at for window in expected[:stopped])
        assert decode(rows[stopped].state)[2] == 0
        flat = source.pop_rewards_steps()
        steps = [game.steps for game in games_of(envs)]
        assert [count for _, count in flat] == steps[: len(flat)]

    def test_all_environments_are_reset_when_a_later_one_breaks(self):
        envs = [ScriptedEnv([Episode(9)], 1), FaultyEnv([Episode(9)], 2, 3)]
        rows = drain(iter(ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, 2)), 9)
        assert rows.pop(4) is None
        begun = [(1, 2, 0), (2, 2, 0), (1, 2, 1), (2, 2, 1)]
        wanted = [(1, 1, 0), (2, 1, 0), (1, 1, 1), (2, 1, 1), *begun]
        assert [decode(row.state) for row in rows] == wanted

    def test_a_broken_agent_leaves_the_stream_as_it_was(self):
        class Faulty(PolicyOfPlace):
            broken = False

            def __call__(self, observations, agent_states=None):
                if self.broken:
                    raise Fault("the agent broke")
                return super().__call__(observations, agent_states)

        envs, agent = make_envs([[Episode(4)], [Episode(6)]]), Faulty()
        stream = iter(ExperienceSourceFirstLast(envs, agent, 0.9, 3))
        rows, faults = [], 0
        for number in range(60):
            agent.broken = number % 3 == 0
            steps = [env.steps_taken() for env in envs]
            (item,) = drain(stream, 1)
            if item is None:
                faults += 1
                assert [env.steps_taken() for env in envs] == steps
            else:
                rows.append(item)
        assert faults > 5
        for row, window in zip(rows, expected_windows(envs, 3), strict=False):
            check_first_last(row, window, 0.9)


def rows_of_a_child(count):
    """Makes a source of its own and sends rows: runs in a spawned process."""
    envs = make_envs([[Episode(3, "truncated")], [Episode(2)]])
    source = ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, 2)
    return list(islice(source, count))


def test_a_source_made_in_a_spawned_process_sends_its_rows():

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        rows = pool.submit(rows_of_a_child, 12).result(timeout=120)
    here = rows_of_a_child(12)
    assert rows == here
    assert [row.discount for row in rows] == [row.discount for row in here]
