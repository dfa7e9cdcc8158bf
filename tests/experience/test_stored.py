"""Sampling sub-trajectories from stored episodes."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import Experience, ExperienceSourceBuffer
from refusals import INF, NAN, assert_tells, table


def episode(number, length):
    return [Experience((number, step), step, 1.0, step == length - 1) for step in range(length)]


def valid_cuts(lengths, steps_count):
    """All (episode, first step) pairs a cut may begin at, by counting."""
    return {
        (number, first)
        for number, length in enumerate(lengths)
        for first in range(length)
        if first + steps_count <= length
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 5), st.integers(0, 999))
def test_every_cut_is_a_stretch_of_one_episode(lengths, steps_count, seed):
    buffer = [episode(number, length) for number, length in enumerate(lengths)]
    allowed = valid_cuts(lengths, steps_count)
    if not allowed:
        with pytest.raises(ValueError, match="steps_count"):
            next(iter(ExperienceSourceBuffer(buffer, steps_count, rng=seed)))
        return
    for cut in islice(ExperienceSourceBuffer(buffer, steps_count, rng=seed), 30):
        assert isinstance(cut, tuple)
        assert len(cut) == steps_count
        number, first = cut[0].state
        assert (number, first) in allowed
        assert list(cut) == buffer[number][first : first + steps_count]


@pytest.mark.parametrize("steps_count", [1, 2, 3])
def test_every_valid_offset_is_reached(steps_count):
    lengths = [3, 1, 5, 0, 2]
    buffer = [episode(number, length) for number, length in enumerate(lengths)]
    source = ExperienceSourceBuffer(buffer, steps_count, rng=3)
    seen = {cut[0].state for cut in islice(source, 2000)}
    assert seen == valid_cuts(lengths, steps_count)


def test_one_step_is_the_default():
    source = ExperienceSourceBuffer([episode(0, 4)])
    assert all(len(cut) == 1 for cut in islice(source, 10))


def test_an_episode_of_just_the_length_is_used_whole():
    source = ExperienceSourceBuffer([episode(0, 3)], steps_count=3)
    assert next(iter(source)) == tuple(episode(0, 3))


def test_a_seed_makes_it_reproducible():
    buffer = [episode(number, 9) for number in range(4)]

    def draw(rng):
        return [
            cut[0].state
            for cut in islice(ExperienceSourceBuffer(buffer, steps_count=2, rng=rng), 50)
        ]

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert draw(np.random.default_rng(5)) == draw(np.random.default_rng(5))


def test_two_sources_without_a_seed_do_not_draw_alike():
    buffer = [episode(0, 1000)]
    one, two = (
        [cut[0].state for cut in islice(ExperienceSourceBuffer(buffer), 20)] for _ in range(2)
    )
    assert one != two


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    list(islice(ExperienceSourceBuffer([episode(0, 9)]), 10))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_update_buffer_changes_what_is_sampled():
    source = ExperienceSourceBuffer([episode(0, 4)], steps_count=2, rng=0)
    assert {cut[0].state[0] for cut in islice(source, 20)} == {0}
    source.update_buffer([episode(8, 4), episode(9, 4)])
    assert {cut[0].state[0] for cut in islice(source, 60)} == {8, 9}


def test_update_buffer_reaches_a_running_iterator():
    source = ExperienceSourceBuffer([episode(0, 4)], steps_count=2, rng=0)
    stream = iter(source)
    next(stream)
    source.update_buffer([episode(5, 4)])
    assert next(stream)[0].state[0] == 5


@pytest.mark.parametrize("steps_count", [0, -1])
def test_a_steps_count_below_one_raises(steps_count):
    with pytest.raises(ValueError, match="steps_count"):
        ExperienceSourceBuffer([episode(0, 4)], steps_count)


@pytest.mark.parametrize("buffer", [[], [[]], [episode(0, 1), episode(1, 2)]])
def test_no_episode_that_is_long_enough_raises(buffer):
    with pytest.raises(ValueError, match="steps_count"):
        next(iter(ExperienceSourceBuffer(buffer, steps_count=3)))


def test_an_iterator_is_out_of_date_once_a_newer_one_was_asked_for_an_item():
    source = ExperienceSourceBuffer([episode(0, 5)], rng=0)
    old, new = iter(source), iter(source)
    next(old)
    next(new)
    with pytest.raises(RuntimeError, match="out of date"):
        next(old)
    next(new)


GOOD = Experience(np.zeros(2), 0, 1.0, False)


def holding(*episodes, **settings):
    return lambda: ExperienceSourceBuffer(list(episodes), **settings)


def spoiled(**fields):
    return holding([GOOD], [GOOD, GOOD._replace(**fields)])


@table(
    ("empty", holding(), ValueError, "buffer", "longest of 0 has 0", "at least steps_count=1"),
    ("short", holding([GOOD], steps_count=3), ValueError, "buffer", "longest of 1 has 1",
     "at least steps_count=3"),
    ("none", lambda: ExperienceSourceBuffer(None), TypeError, "buffer", "got None", "episodes"),
    ("numbers", holding([1, 2]), TypeError, "buffer", r"got \[\[1, 2\]\]", "of Experience"),
    ("one-episode", holding(GOOD, GOOD), TypeError, "buffer", r"got \[Experience", "episodes"),
    ("steps-0", holding([GOOD], steps_count=0), ValueError, "steps_count", "got 0", "at least 1"),
    ("truncation", holding([GOOD], truncation="x"), ValueError, "truncation", "'x'",
     "'bootstrap'"),
    ("rng", holding([GOOD], rng="x"), TypeError, "rng", "'x'", "Generator"),
    ("state-nan", spoiled(state=np.array([0, NAN])), ValueError, "state of episode 1 at step 1",
     "nan", "finite"),
    ("state-inf", spoiled(state={"a": np.array(INF)}), ValueError, "state of episode 1",
     "inf", "finite"),
    ("final-nan", spoiled(final_state=np.array(NAN)), ValueError, "final_state of episode 1",
     "nan", "finite"),
    ("reward-nan", spoiled(reward=NAN), ValueError, "reward of episode 1 at step 1", "got nan",
     "finite"),
)  # fmt: skip
def test_stored_episodes(case):
    assert_tells(case)
    source = ExperienceSourceBuffer([[GOOD]])
    if case.name in ("empty", "none", "numbers", "state-nan", "reward-nan"):
        wrong = {"empty": [], "none": None, "numbers": [[1]]}.get(
            case.name, [[GOOD._replace(state=np.array(NAN))]]
        )
        with pytest.raises((ValueError, TypeError)):
            source.update_buffer(wrong)
    assert next(iter(source)) == (GOOD,)
