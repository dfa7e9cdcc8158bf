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

    @pytest.mark.parametrize("n", [1, 3])
    @pytest.mark.parametrize(
        ("kind", "reuse"), [*((kind, False) for kind in KINDS), ("vector", True), ("pixels", True)]
    )
    def test_every_kind_of_observation_also_in_one_array_that_is_reused(self, kind, n, reuse):
        plan = [[Episode(5, "truncated")], [Episode(2), Episode(4, "both")]]
        for make, check in (
            (lambda envs: ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, n), first_last),
            (lambda envs: ExperienceSource(envs, PolicyOfPlace(), n), check_experience),
        ):
            envs = make_envs(plan, kind=kind, reuse=reuse)
            rows, windows = take_checked(make(envs), envs, n)
            for row, window in zip(rows, windows, strict=False):
                check(row, window)

    @pytest.mark.parametrize(("kind", "dtype"), [("vector", np.float32), ("pixels", np.uint8)])
    def test_arrays_keep_their_dtype(self, kind, dtype):
        envs = make_envs([[Episode(3, "truncated")]], kind=kind)
        for row in islice(ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9), 9):
            assert row.state.dtype == row.final_state.dtype == dtype

    def test_discrete_observations_and_actions_are_python_numbers(self):
        envs = make_envs([[Episode(3)]], kind="discrete")
        row = next(iter(ExperienceSourceFirstLast(envs, PolicyOfPlace("array"), 0.9)))
        assert [type(value) for value in row] == [int, int, float, int]


def first_last(row, window):
    check_first_last(row, window, 0.9)


@pytest.mark.parametrize("end", ["terminated", "truncated", "both"])
@pytest.mark.parametrize("truncation", ["bootstrap", "terminal"])
def test_rows_and_batch_columns_of_every_end_by_hand(end, truncation):
    (env,) = make_envs([[Episode(4, end)]])
    source = ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.5, 3, truncation=truncation)
    rows = list(islice(source, 4))
    batch = Batch.from_rows(rows)
    final = end == "truncated" and truncation == "bootstrap"
    discounts = [0.125] + ([0.125, 0.25, 0.5] if final else [0.0] * 3)
    assert [row.discount for row in rows] == batch.discounts.tolist() == discounts
    assert [row.steps for row in rows] == batch.steps.tolist() == [3, 3, 2, 1]
    assert [row.terminated for row in rows] == batch.dones.tolist() == [False] + [not final] * 3
    assert [row.last_state is None for row in rows] == [False, True, True, True]
    assert [decode(row.final_state) for row in rows] == [(1, 1, 3)] + [(1, 1, 4)] * 3
    after = [decode(state)[2] for state in batch.last_states]
    # A terminated row of a batch holds its own state there, a truncated one the true last one.
    assert after == [3] + ([4, 4, 4] if final else [1, 2, 3])


def test_the_default_is_two_steps_for_tuples_and_one_for_first_last():
    (env,) = make_envs([[Episode(5)]])
    steps = next(iter(ExperienceSource(env, PolicyOfPlace())))
    assert [type(step) for step in steps] == [Experience, Experience]
    row = next(iter(ExperienceSourceFirstLast(env, PolicyOfPlace(), 0.9)))
    assert (type(row), row.steps) == (ExperienceFirstLast, 1)


def test_a_new_stream_starts_a_new_game_also_where_a_reset_would_go_on():
    (env,) = make_envs([[Episode(6, lost=(2,))]], resume=True)
    source = ExperienceSourceFirstLast(env, CountingAgent(), 0.5)
    assert [row.terminated for row in islice(source, 2)] == [False, True]
    row = next(iter(source))
    assert decode(row.state) == (1, 2, 0)
    assert row.action == 0


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
