"""Long runs, and buffers that take many rows at once: the same rows, not a step more."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
)

from .envs import MODES, BigEnv, CountingAgent, Episode, PolicyOfPlace, decode, drive, make_envs
from .oracles import (
    check_experience,
    check_first_last,
    expected_windows,
    games_by_item,
    games_of,
)
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

DRIVERS = ["list", *sorted(MODES)]
LONG = [
    [Episode(700, "truncated"), Episode(1), Episode(255), Episode(256, "both"), Episode(257)],
    [Episode(3), Episode(901), Episode(64, "truncated")],
]

drivers = st.sampled_from(DRIVERS)
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def vector_steps(env, driver):
    resets = sum(event.kind != "step" for event in env.log)
    return env.steps_taken() + (resets - 1 if driver == "next_step" else 0)


def check_steps(envs, windows, driver, count):
    """No environment has gone further than the row of this number needs."""
    assert len(windows) >= count
    for env in envs:
        assert vector_steps(env, driver) == windows[count - 1].tick + 1


class TestPopulate:
    @PROPERTY
    @given(plans(), drivers, st.integers(1, 6), st.integers(1, 4), sizes, GAMMAS, TRUNCATIONS)
    def test_first_last_rows_in_chunks(self, plan, driver, n, delta, chunks, gamma, truncation):
        envs = make_envs(plan)
        source = ExperienceSourceFirstLast(
            drive(driver, envs), CountingAgent(), gamma, n, delta, truncation=truncation
        )
        buffer = ExperienceReplayBuffer(source, 1000)
        for number, size in enumerate(chunks, start=1):
            buffer.populate(size)
            windows = expected_windows(envs, n, delta, next_step=driver == "next_step")
            check_steps(envs, windows, driver, sum(chunks[:number]))
        rows = list(buffer)
        assert len(rows) == sum(chunks)
        for row, window in zip(rows, windows, strict=False):
            if row.terminated:
                # A buffer keeps no observation that nothing will ever bootstrap from.
                row = row._replace(
                    final_state=window.segment.observations[row.steps + window.start]
                )
            check_first_last(row, window, gamma, truncation)

    @PROPERTY
    @given(plans(lives=True), st.integers(1, 6), st.integers(1, 4), sizes)
    def test_tuples_in_chunks(self, plan, n, delta, chunks):
        envs = make_envs(plan)
        buffer = ExperienceReplayBuffer(
            ExperienceSource(envs, PolicyOfPlace(), n, delta), 1000, gamma=0.9
        )
        for size in chunks:
            buffer.populate(size)
        windows = expected_windows(envs, n, delta)
        check_steps(envs, windows, "list", sum(chunks))
        rows = list(buffer)
        assert len(rows) == sum(chunks)
        for row, window in zip(rows, windows, strict=False):
            segment = window.segment
            assert len(row) == window.steps
            for offset, item in enumerate(row):
                step = window.start + offset
                assert decode(item.state) == decode(segment.observations[step])
                assert (item.action, item.reward) == (segment.actions[step], segment.rewards[step])
                assert item.done is any(segment.flags[step])
                assert (item.terminated, item.truncated) == segment.flags[step]

    @PROPERTY
    @given(plans(), drivers, st.integers(1, 4), sizes)
    def test_statistics_of_rows_taken_in_chunks(self, plan, driver, n, chunks):
        envs = make_envs(plan)
        source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9, n)
        buffer = ExperienceReplayBuffer(source, 1000)
        taken, popped = 0, []
        for size in chunks:
            buffer.populate(size)
            taken += size
            popped.extend(source.pop_rewards_steps())
            next_step = driver == "next_step"
            windows = expected_windows(envs, n, next_step=next_step)
            by_item = games_by_item(games_of(envs, next_step=next_step), windows, taken)
            wanted = [game for item in by_item for game in item]
            assert [steps for _, steps in popped] == [steps for _, steps in wanted]
            assert [total for total, _ in popped] == pytest.approx([t for t, _ in wanted])

    def test_a_stream_of_rows_goes_on_where_a_buffer_stopped(self):
        envs = make_envs([[Episode(4)], [Episode(3, "truncated")], [Episode(5)]])
        buffer = ExperienceReplayBuffer(
            ExperienceSourceFirstLast(envs, PolicyOfPlace(), 0.9, 2), 100
        )
        buffer.populate(7)
        rows = list(islice(buffer.experience_source_iter, 20))
        for row, window in zip(rows, expected_windows(envs, 2)[7:], strict=False):
            check_first_last(row, window, 0.9)


class TestLongRuns:
    @pytest.mark.parametrize("driver", DRIVERS)
    @pytest.mark.parametrize(("n", "delta"), [(1, 1), (5, 1), (4, 3), (300, 7)])
    def test_thousands_of_rows_one_by_one(self, driver, n, delta):
        envs = make_envs(LONG)
        source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.99, n, delta)
        rows = list(islice(source, 2500))
        windows = expected_windows(envs, n, delta, next_step=driver == "next_step")
        check_steps(envs, windows, driver, 2500)
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.99)

    @pytest.mark.parametrize("driver", DRIVERS)
    @pytest.mark.parametrize("n", [1, 5, 300])
    def test_thousands_of_rows_at_once(self, driver, n):
        envs = make_envs(LONG)
        source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.99, n)
        buffer = ExperienceReplayBuffer(source, 5000)
        buffer.populate(1700)
        buffer.populate(1)
        buffer.populate(799)
        windows = expected_windows(envs, n, next_step=driver == "next_step")
        check_steps(envs, windows, driver, 2500)
        for row, window in zip(buffer, windows, strict=False):
            assert decode(row.state) == decode(window.segment.observations[window.start])
            assert row.steps == window.steps
            assert row.terminated is window.segment.flags[window.start + window.steps - 1][0]

    @pytest.mark.parametrize("driver", DRIVERS)
    def test_observations_of_more_than_a_megabyte(self, driver):
        envs = make_envs([[Episode(5, "truncated"), Episode(2)], [Episode(3)]], BigEnv)
        source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9, 3)
        rows = list(islice(source, 16))
        windows = expected_windows(envs, 3, next_step=driver == "next_step")
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9)

    def test_a_gamma_of_one_over_long_tuples(self):
        (env,) = make_envs([LONG[0]])
        rows = list(islice(ExperienceSource(env, PolicyOfPlace(), 40, 13), 300))
        for row, window in zip(rows, expected_windows([env], 40, 13), strict=False):
            check_experience(row, window)

    def test_a_window_longer_than_any_episode(self):
        envs = make_envs([[Episode(5), Episode(2, "truncated")]] * 2)
        source = VectorExperienceSourceFirstLast(
            drive("same_step", envs), PolicyOfPlace(), 0.99, steps_count=1000
        )
        rows = list(islice(source, 100))
        for row, window in zip(rows, expected_windows(envs, 1000), strict=False):
            check_first_last(row, window, 0.99)
