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


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 99))
def test_cuts_are_all_the_stretches_of_one_episode(lengths, steps_count, seed):
    buffer = [episode(number, length) for number, length in enumerate(lengths)]
    starts = {
        (number, first)
        for number, length in enumerate(lengths)
        for first in range(length - steps_count + 1)
    }
    if not starts:
        with pytest.raises(ValueError, match="steps_count"):
            ExperienceSourceBuffer(buffer, steps_count)
        return
    drawn = list(islice(ExperienceSourceBuffer(buffer, steps_count, rng=seed), 600))
    assert {cut[0].state for cut in drawn} == starts
    for cut in drawn:
        number, first = cut[0].state
        assert cut == tuple(buffer[number][first : first + steps_count])
    again = ExperienceSourceBuffer(buffer, steps_count, rng=np.random.default_rng(seed))
    assert list(islice(again, 20)) == drawn[:20]


def test_one_step_is_the_default():
    source = ExperienceSourceBuffer([episode(0, 4)])
    assert all(len(cut) == 1 for cut in islice(source, 10))


def test_a_truncation_can_be_taken_as_a_termination():
    steps = [step._replace(truncated=True, discount=0.5) for step in episode(0, 2)]
    for truncation, wanted in (("bootstrap", (None, 0.5)), ("terminal", (True, 0.0))):
        for cut in islice(ExperienceSourceBuffer([steps], truncation=truncation), 5):
            assert (cut[0].terminated, cut[0].discount) == wanted


def test_update_buffer_reaches_a_running_iterator():
    source = ExperienceSourceBuffer([episode(0, 4)], steps_count=2, rng=0)
    stream = iter(source)
    assert {cut[0].state[0] for cut in islice(stream, 20)} == {0}
    source.update_buffer([episode(8, 4), episode(9, 4)])
    assert {cut[0].state[0] for cut in islice(stream, 60)} == {8, 9}


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


@pytest.mark.parametrize("wrong", [[], None, [[1]], [[GOOD._replace(state=np.array(NAN))]]])
def test_refused_episodes_change_nothing(wrong):
    source = ExperienceSourceBuffer([[GOOD]])
    with pytest.raises((ValueError, TypeError)):
        source.update_buffer(wrong)
    assert next(iter(source)) == (GOOD,)
