"""Sources over one environment or a list of them, against the brute-force oracle."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import (
    Batch,
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
)

from .envs import (
    KINDS,
    CountingAgent,
    DullAgent,
    Episode,
    NewToyEnv,
    PolicyOfPlace,
    ValueAgent,
    decode,
    drive,
    make_envs,
)
from .oracles import check_experience, check_first_last, expected_windows, games_by_item, games_of
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

ITEMS = 45


def driver_of(envs):
    return "single" if len(envs) == 1 else "list"


def take_checked(source, envs, n, delta=1, items=ITEMS):
    """Takes rows and checks that each comes out in the very vector step that completes it."""
    stream, rows = iter(source), []
    for number in range(items):
        rows.append(next(stream))
        windows = expected_windows(envs, n, delta)
        assert len(windows) > number, "a row came that the log does not know"
        assert all(env.steps_taken() == windows[number].tick + 1 for env in envs)
    return rows, expected_windows(envs, n, delta)


class TestAgainstTheOracle:
    @PROPERTY
    @given(plans(lives=True), st.integers(1, 6), st.integers(1, 4), GAMMAS, TRUNCATIONS)
    def test_first_last_rows_of_any_episodes(self, plan, n, delta, gamma, truncation):
        envs = make_envs(plan)
        source = ExperienceSourceFirstLast(
            drive(driver_of(envs), envs),
            PolicyOfPlace(),
            gamma,
            steps_count=n,
            steps_delta=delta,
            truncation=truncation,
        )
        rows, windows = take_checked(source, envs, n, delta)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, gamma, truncation)

    @PROPERTY
    @given(plans(lives=True), st.integers(1, 6), st.integers(1, 4), TRUNCATIONS)
    def test_tuples_of_experience_of_any_episodes(self, plan, n, delta, truncation):
        envs = make_envs(plan)
        source = ExperienceSource(
            drive(driver_of(envs), envs),
            PolicyOfPlace("list"),
            steps_count=n,
            steps_delta=delta,
            truncation=truncation,
        )
        rows, windows = take_checked(source, envs, n, delta)
        for row, window in zip(rows, windows, strict=False):
            check_experience(row, window, truncation)

    @PROPERTY
    @given(plans(lives=True), st.integers(1, 6), st.integers(1, 4), st.booleans())
    def test_statistics_appear_when_the_item_after_the_last_is_asked_for(self, plan, n, delta, raw):
        envs = make_envs(plan, raw=raw)
        source = ExperienceSourceFirstLast(
            drive(driver_of(envs), envs), PolicyOfPlace(), 0.9, n, delta
        )
        popped = [source.pop_rewards_steps() for _ in islice(source, ITEMS)]
        windows = expected_windows(envs, n, delta)
        expected = games_by_item(games_of(envs), windows, ITEMS)
        assert [len(item) for item in popped] == [len(item) for item in expected]
        flat = [pair for item in popped for pair in item]
        wanted = [pair for item in expected for pair in item]
        assert [steps for _, steps in flat] == [steps for _, steps in wanted]
        assert [total for total, _ in flat] == pytest.approx([total for total, _ in wanted])

    @PROPERTY
    @given(plans(), st.integers(1, 6))
    def test_an_episode_of_length_t_yields_t_items(self, plan, n):
        envs = make_envs(plan)
        source = ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, steps_count=n)
        rows = list(islice(source, 60))
        counts: dict[tuple[int, int], int] = {}
        for row in rows:
            place = decode(row.state)[:2]
            counts[place] = counts.get(place, 0) + 1
        for env in envs:
            # The newest episode of each environment may still be on its way.
            for number in range(1, env.episode - 1):
                length = env.plan[(number - 1) % len(env.plan)].length
                assert counts[env.index, number] == length

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [1, 3])
    def test_every_kind_of_observation(self, kind, n):
        envs = make_envs([[Episode(5, "truncated")], [Episode(2), Episode(4, "both")]], kind=kind)
        rows, windows = take_checked(
            ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, n), envs, n
        )
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9)
        tuples, windows = take_checked(
            ExperienceSource(fresh := make_envs([[Episode(5)]], kind=kind), PolicyOfPlace(), n),
            fresh,
            n,
        )
        for row, window in zip(tuples, windows, strict=False):
            check_experience(row, window)

    @pytest.mark.parametrize(("kind", "dtype"), [("vector", np.float32), ("pixels", np.uint8)])
    def test_arrays_keep_their_dtype(self, kind, dtype):
        envs = make_envs([[Episode(3, "truncated")]], kind=kind)
        for row in islice(ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9), 9):
            assert row.state.dtype == dtype
            assert row.final_state.dtype == dtype

    def test_discrete_observations_and_actions_are_python_numbers(self):
        envs = make_envs([[Episode(3)]], kind="discrete")
        row = next(iter(ExperienceSourceFirstLast(envs, PolicyOfPlace("array"), 0.9)))
        assert [type(value) for value in row] == [int, int, float, int]

    @pytest.mark.parametrize("kind", ["vector", "pixels"])
    @pytest.mark.parametrize("n", [1, 3])
    def test_an_environment_that_reuses_its_array_changes_no_row(self, kind, n):
        envs = make_envs(
            [[Episode(4, "truncated"), Episode(2)], [Episode(3)]], kind=kind, reuse=True
        )
        rows = list(islice(ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, n), 40))
        for row, window in zip(rows, expected_windows(envs, n), strict=False):
            check_first_last(row, window, 0.9)
        (env,) = make_envs([[Episode(4, "truncated"), Episode(2)]], kind=kind, reuse=True)
        tuples = list(islice(ExperienceSource(env, PolicyOfPlace(), n), 40))
        for row, window in zip(tuples, expected_windows([env], n), strict=False):
            check_experience(row, window)


class TestEnds:
    """The rules of episode ends, each spelled out once by hand."""

    def rows(self, end, n=3, truncation="bootstrap", length=4):
        (env,) = make_envs([[Episode(length, end)]])
        source = ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.5, n, truncation=truncation)
        return list(islice(source, length))

    def test_termination_has_discount_zero_and_no_last_state(self):
        rows = self.rows("terminated")
        assert [row.discount for row in rows] == [0.125, 0.0, 0.0, 0.0]
        assert [row.steps for row in rows] == [3, 3, 2, 1]
        assert [row.last_state is None for row in rows] == [False, True, True, True]
        assert [row.terminated for row in rows] == [False, True, True, True]
        assert [row.truncated for row in rows] == [False] * 4

    def test_truncation_keeps_the_discount_of_the_steps_spanned(self):
        rows = self.rows("truncated")
        assert [row.discount for row in rows] == [0.125, 0.125, 0.25, 0.5]
        assert [row.last_state is None for row in rows] == [False, True, True, True]
        assert [row.terminated for row in rows] == [False] * 4
        assert [row.truncated for row in rows] == [False, True, True, True]
        assert [decode(row.final_state) for row in rows] == [(1, 1, 3)] + [(1, 1, 4)] * 3

    def test_both_at_once_is_a_termination(self):
        rows = self.rows("both")
        assert [row.discount for row in rows] == [0.125, 0.0, 0.0, 0.0]
        assert [row.terminated for row in rows] == [False, True, True, True]
        assert [row.truncated for row in rows] == [False, True, True, True]

    def test_a_truncation_can_be_taken_as_a_termination(self):
        rows = self.rows("truncated", truncation="terminal")
        assert [row.discount for row in rows] == [0.125, 0.0, 0.0, 0.0]
        assert [row.terminated for row in rows] == [False, True, True, True]

    @pytest.mark.parametrize("end", ["terminated", "truncated", "both"])
    @pytest.mark.parametrize("truncation", ["bootstrap", "terminal"])
    def test_batch_columns_follow_the_rows(self, end, truncation):
        rows = self.rows(end, truncation=truncation)
        batch = Batch.from_rows(rows)
        final = end == "truncated" and truncation == "bootstrap"
        assert batch.dones.tolist() == [False] + [not final] * 3
        assert batch.discounts.tolist() == [0.125] + ([0.125, 0.25, 0.5] if final else [0.0] * 3)
        assert batch.steps.tolist() == [3, 3, 2, 1]
        after = [decode(state)[2] for state in batch.last_states]
        # A terminated row holds its own state there, a truncated one the true last observation.
        assert after == [3] + ([4, 4, 4] if final else [1, 2, 3])

    def test_episodes_of_one_step(self):
        rows = self.rows("truncated", n=4, length=1)
        assert [(row.steps, row.discount, row.last_state) for row in rows] == [(1, 0.5, None)]

    def test_tuples_end_with_the_shorter_tails(self):
        (env,) = make_envs([[Episode(5), Episode(2)]])
        lengths = [len(row) for row in islice(ExperienceSource(env, PolicyOfPlace(), 3), 14)]
        assert lengths == [3, 3, 3, 2, 1, 2, 1] * 2

    def test_strides_leave_out_starts_but_no_tail(self):
        (env,) = make_envs([[Episode(7)]])
        source = ExperienceSource(env, PolicyOfPlace(), steps_count=3, steps_delta=2)
        starts = [(decode(row[0].state)[2], len(row)) for row in islice(source, 5)]
        assert starts == [(0, 3), (2, 3), (4, 3), (5, 2), (6, 1)]

    def test_the_default_is_two_steps_for_tuples_and_one_for_first_last(self):
        (env,) = make_envs([[Episode(5)]])
        assert len(next(iter(ExperienceSource(env, PolicyOfPlace())))) == 2
        row = next(iter(ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.9)))
        assert row.steps == 1


class TestLifeLoss:
    @pytest.mark.parametrize("end", ["truncated", "both"])
    def test_a_truncation_in_the_same_step_ends_the_game(self, end):
        (env,) = make_envs([[Episode(3, end, lost=(3,))]])
        source = ExperienceSourceFirstLast(env, CountingAgent(), 0.5)
        rows = list(islice(source, 7))
        assert [decode(row.state)[1:] for row in rows[2:5]] == [(1, 2), (2, 0), (2, 1)]
        assert [row.action for row in rows[:4]] == [0, 1, 2, 0]
        assert [steps for _, steps in source.pop_rewards_steps()] == [3, 3]

    def test_a_new_stream_starts_a_new_game_also_where_a_reset_would_go_on(self):
        (env,) = make_envs([[Episode(6, lost=(2,))]], resume=True)
        source = ExperienceSourceFirstLast(env, CountingAgent(), 0.5)
        assert [row.terminated for row in islice(source, 2)] == [False, True]
        row = next(iter(source))
        assert decode(row.state) == (1, 2, 0)
        assert row.action == 0

    def test_the_window_ends_and_the_game_goes_on(self):
        (env,) = make_envs([[Episode(6, "truncated", lost=(2, 3))]])
        agent = CountingAgent()
        source = ExperienceSourceFirstLast(env, agent, 0.5, steps_count=2)
        rows = list(islice(source, 6))
        assert [decode(row.state) for row in rows] == [(1, 1, step) for step in range(6)]
        assert [row.steps for row in rows] == [2, 1, 1, 2, 2, 1]
        assert [row.terminated for row in rows] == [True, True, True, False, False, False]
        assert [row.discount for row in rows] == [0.0, 0.0, 0.0, 0.25, 0.25, 0.5]
        assert [row.action for row in rows] == [0, 1, 2, 3, 0, 1]
        assert [event.kind for event in env.log[:7]] == ["reset"] + ["step"] * 6

    def test_statistics_count_the_whole_game(self):
        (env,) = make_envs([[Episode(6, "terminated", lost=(2, 3))]])
        source = ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.5)
        list(islice(source, 7))
        ((total, steps),) = source.pop_rewards_steps()
        assert steps == 6
        assert total == pytest.approx(sum(event.reward for event in env.log[1:7]))


def test_plain_classes_of_rows_come_out_of_sources():
    (env,) = make_envs([[Episode(3)]])
    assert type(next(iter(ExperienceSourceFirstLast(env, DullAgent(1), 0.9)))) is (
        ExperienceFirstLast
    )
    assert type(next(iter(ExperienceSource(env, DullAgent(1))))[0]) is Experience


def test_rollout_agents_also_work_with_the_other_sources():
    envs = make_envs([[Episode(3)], [Episode(2)]])
    rows = list(islice(ExperienceSourceFirstLast(envs, ValueAgent("list"), 0.9), 12))
    for row, window in zip(rows, expected_windows(envs, 1), strict=False):
        check_first_last(row, window, 0.9)


class GrowingRewards(NewToyEnv):
    """Vector rewards of integers at first, of halves later."""

    def step(self, action):
        observation, _, *rest = super().step(action)
        reward = [1, 2] if observation in (1, 2) else [0.5, 1.5]
        return observation, np.array(reward), *rest


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("by", [1, 10])
def test_vector_rewards_widen_when_a_later_one_needs_it(n, by):
    buffer = ExperienceReplayBuffer(ExperienceSource(GrowingRewards(), DullAgent(1), n), 40)
    for _ in range(40 // by):
        buffer.populate(by)
    rewards = [step.reward.tolist() for row in buffer for step in row]
    assert [1, 2] in rewards
    assert all(reward in ([1, 2], [0.5, 1.5]) for reward in rewards)
    joined = iter(ExperienceSourceFirstLast(GrowingRewards(), DullAgent(1), 0.5))
    rewards = [next(joined).reward.tolist() for _ in range(3)]
    assert rewards == [[1, 2], [1, 2], [0.5, 1.5]]


@pytest.mark.parametrize("driver", ["list", "sync"])
def test_a_tensor_of_actions_is_a_column_of_numbers(driver):
    def agent(observations, states):
        return torch.tensor([1, 2]), states

    envs = make_envs([[Episode(3)], [Episode(4)]])
    vector = envs if driver == "list" else drive("next_step", envs)
    buffer = ExperienceReplayBuffer(ExperienceSourceFirstLast(vector, agent, 0.9), 4)
    buffer.populate(4)
    assert [row.action for row in buffer] == [1, 2, 1, 2]
    assert buffer.sample(3).actions.dtype == np.int64
