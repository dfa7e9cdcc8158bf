"""Sources over Gymnasium vector environments: the same rows in every auto-reset mode."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
)

from .envs import (
    KINDS,
    MODES,
    CountingAgent,
    DullAgent,
    Episode,
    PolicyOfPlace,
    decode,
    drive,
    make_envs,
)
from .oracles import (
    check_experience,
    check_first_last,
    expected_windows,
    games_by_item,
    games_of,
    same,
)
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

ITEMS = 45
PLAN = [
    [Episode(4, "truncated"), Episode(1), Episode(3, "both")],
    [Episode(1, "truncated"), Episode(6)],
    [Episode(2), Episode(2, "truncated")],
]

modes = st.sampled_from(sorted(MODES))
every_mode = pytest.mark.parametrize("mode", sorted(MODES))


def vector_steps(env, mode):
    """How many vector steps an environment's log stands for."""
    resets = sum(event.kind != "step" for event in env.log)
    return env.steps_taken() + (resets - 1 if mode == "next_step" else 0)


def take_checked(source, envs, mode, n, delta=1, items=ITEMS):
    """Takes rows and checks that each comes out in the very vector step that completes it."""
    stream, rows = iter(source), []
    for number in range(items):
        rows.append(next(stream))
        windows = expected_windows(envs, n, delta, next_step=mode == "next_step")
        assert len(windows) > number, "a row came that the log does not know"
        assert all(vector_steps(env, mode) == windows[number].tick + 1 for env in envs)
    return rows, expected_windows(envs, n, delta, next_step=mode == "next_step")


class TestAgainstTheOracle:
    @PROPERTY
    @given(plans(), modes, st.integers(1, 6), GAMMAS, TRUNCATIONS)
    def test_vector_first_last_rows(self, plan, mode, n, gamma, truncation):
        envs = make_envs(plan)
        source = VectorExperienceSourceFirstLast(
            drive(mode, envs), PolicyOfPlace(), gamma, steps_count=n, truncation=truncation
        )
        rows, windows = take_checked(source, envs, mode, n)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, gamma, truncation)

    @PROPERTY
    @given(plans(), modes, st.integers(1, 6), st.integers(1, 4), st.booleans(), TRUNCATIONS)
    def test_first_last_rows_by_flag_and_by_recognition(
        self, plan, mode, n, delta, flag, truncation
    ):
        envs = make_envs(plan)
        source = ExperienceSourceFirstLast(
            drive(mode, envs),
            PolicyOfPlace(),
            0.9,
            n,
            delta,
            vectorized=flag,
            truncation=truncation,
        )
        rows, windows = take_checked(source, envs, mode, n, delta)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9, truncation)

    @PROPERTY
    @given(plans(), modes, st.integers(1, 6), st.integers(1, 4), st.booleans(), TRUNCATIONS)
    def test_tuples_of_experience(self, plan, mode, n, delta, flag, truncation):
        envs = make_envs(plan)
        source = ExperienceSource(
            drive(mode, envs),
            PolicyOfPlace("list"),
            n,
            delta,
            vectorized=flag,
            truncation=truncation,
        )
        rows, windows = take_checked(source, envs, mode, n, delta)
        for row, window in zip(rows, windows, strict=False):
            check_experience(row, window, truncation)

    @PROPERTY
    @given(plans(lives=True), modes, st.integers(1, 5), GAMMAS)
    def test_lost_lives_of_environments_that_go_on_at_a_reset(self, plan, mode, n, gamma):
        # A vector env resets what says "terminated"; a life-loss wrapper then goes on.
        envs = make_envs(plan, resume=True, raw=True)
        source = VectorExperienceSourceFirstLast(drive(mode, envs), CountingAgent(), gamma, n)
        rows, windows = take_checked(source, envs, mode, n)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, gamma)
        check_counted(envs)
        popped = source.pop_rewards_steps()
        wanted = games_of(envs, next_step=mode == "next_step")
        assert [steps for _, steps in popped] == [game.steps for game in wanted[: len(popped)]]

    @PROPERTY
    @given(plans(), modes, st.integers(1, 4), st.booleans())
    def test_statistics_appear_when_the_item_after_the_last_is_asked_for(self, plan, mode, n, raw):
        envs = make_envs(plan, raw=raw)
        source = VectorExperienceSourceFirstLast(drive(mode, envs), PolicyOfPlace(), 0.9, n)
        popped = [source.pop_rewards_steps() for _ in islice(source, ITEMS)]
        next_step = mode == "next_step"
        windows = expected_windows(envs, n, next_step=next_step)
        expected = games_by_item(games_of(envs, next_step=next_step), windows, ITEMS)
        assert [len(item) for item in popped] == [len(item) for item in expected]
        flat = [pair for item in popped for pair in item]
        wanted = [pair for item in expected for pair in item]
        assert [steps for _, steps in flat] == [steps for _, steps in wanted]
        assert [total for total, _ in flat] == pytest.approx([total for total, _ in wanted])

    @PROPERTY
    @given(plans(), modes)
    def test_agent_states_begin_with_every_episode(self, plan, mode):
        envs = make_envs(plan)
        source = VectorExperienceSourceFirstLast(drive(mode, envs), CountingAgent(), 0.9)
        list(islice(source, ITEMS))
        check_counted(envs)

    @PROPERTY
    @given(plans(), modes, st.integers(1, 5), st.integers(0, 1000))
    def test_equal_seeds_give_each_environment_the_rows_it_gives_in_a_list(
        self, plan, mode, n, seed
    ):
        def by_environment(driver):
            envs = make_envs(plan, noise=True)
            source = ExperienceSourceFirstLast(
                drive(driver, envs), PolicyOfPlace(), 0.9, n, env_seed=seed
            )
            found = [[] for _ in envs]
            for row in islice(source, 60):
                found[decode(row.state)[0] - 1].append(row)
            return found

        for one, other in zip(by_environment("list"), by_environment(mode), strict=True):
            shorter = min(len(one), len(other))
            assert shorter > 0 or len(plan) > 1
            assert one[:shorter] == other[:shorter]
            for left, right in zip(one, other, strict=False):
                assert left.discount == right.discount
                assert same(left.final_state, right.final_state)


def check_counted(envs):
    """Every action is the number of steps since its own game began."""
    for env in envs:
        count = 0
        for event in env.log:
            count = 0 if event.kind == "reset" else count
            if event.kind == "step":
                assert event.action == count % 4
                count += 1


class TestKinds:
    @every_mode
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [1, 3])
    def test_every_kind_of_observation(self, mode, kind, n):
        envs = make_envs(PLAN, kind=kind)
        source = VectorExperienceSourceFirstLast(drive(mode, envs), PolicyOfPlace(), 0.9, n)
        rows, windows = take_checked(source, envs, mode, n)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9)

    @every_mode
    @pytest.mark.parametrize(("kind", "dtype"), [("vector", np.float32), ("pixels", np.uint8)])
    def test_arrays_keep_their_dtype(self, mode, kind, dtype):
        source = ExperienceSourceFirstLast(
            drive(mode, make_envs(PLAN, kind=kind)), PolicyOfPlace(), 0.9
        )
        for row in islice(source, 12):
            assert row.state.dtype == dtype
            assert row.final_state.dtype == dtype

    @every_mode
    def test_numbers_are_python_numbers(self, mode):
        source = ExperienceSourceFirstLast(
            drive(mode, make_envs(PLAN, kind="discrete")), PolicyOfPlace(), 0.9
        )
        row = next(iter(source))
        assert [type(value) for value in row] == [int, int, float, int]
        item = next(
            iter(ExperienceSource(drive(mode, make_envs(PLAN, kind="discrete")), DullAgent(1)))
        )[0]
        assert [type(value) for value in item] == [int, int, float, bool]

    @every_mode
    @pytest.mark.parametrize("kind", ["vector", "pixels", "dict"])
    @pytest.mark.parametrize("n", [1, 3])
    def test_a_vector_environment_that_reuses_its_arrays_changes_no_row(self, mode, kind, n):
        # In SAME_STEP mode an environment that reuses its own array overwrites the final
        # observation before Gymnasium hands it out: there only the vector env reuses arrays.
        envs = make_envs(PLAN, kind=kind, reuse=kind != "dict" and mode != "same_step")
        source = VectorExperienceSourceFirstLast(
            drive(mode, envs, copy=False), PolicyOfPlace(), 0.9, n
        )
        rows = list(islice(source, ITEMS))
        windows = expected_windows(envs, n, next_step=mode == "next_step")
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9)

    def test_the_agent_gets_the_batch_as_an_array(self):
        class Watching(DullAgent):
            def __call__(self, observations, agent_states="missing"):
                assert isinstance(observations, np.ndarray)
                assert observations.shape == (3, 3)
                assert agent_states != "missing"
                return super().__call__(observations, agent_states)

        source = VectorExperienceSourceFirstLast(
            drive("next_step", make_envs(PLAN)), Watching(1), 0.9
        )
        assert len(list(islice(source, 20))) == 20


class TestUnnested:
    @every_mode
    @pytest.mark.parametrize("n", [1, 3])
    def test_one_list_per_vector_step_holds_the_same_rows(self, mode, n):
        envs = make_envs(PLAN)
        source = VectorExperienceSourceFirstLast(
            drive(mode, envs), PolicyOfPlace(), 0.9, n, unnest_data=False
        )
        lists = list(islice(source, 25))
        assert all(type(rows) is list for rows in lists)
        windows = expected_windows(envs, n, next_step=mode == "next_step")
        flat = [row for rows in lists for row in rows]
        for row, window in zip(flat, windows, strict=False):
            check_first_last(row, window, 0.9)
        # What one list holds was completed by one vector step.
        ticks = [window.tick for window in windows]
        place = 0
        for rows in filter(None, lists):
            assert len(set(ticks[place : place + len(rows)])) == 1
            assert ticks[place + len(rows) :] == [] or ticks[place + len(rows)] != ticks[place]
            place += len(rows)

    def test_a_full_step_of_rows_comes_at_once(self):
        envs = make_envs([[Episode(9)]] * 3)
        source = VectorExperienceSourceFirstLast(
            drive("next_step", envs), PolicyOfPlace(), 0.9, unnest_data=False
        )
        assert [len(rows) for rows in islice(source, 9)] == [3] * 9
