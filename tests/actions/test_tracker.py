"""The line that epsilon follows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.actions import ArgmaxActionSelector, EpsilonGreedyActionSelector, EpsilonTracker
from refusals import INF, NAN, assert_tells, table


def test_the_tracker_draws_a_line_and_reaches_its_end_exactly():
    selector = EpsilonGreedyActionSelector()
    tracker = EpsilonTracker(selector, eps_start=1.0, eps_final=0.02, eps_frames=100)
    assert selector.epsilon == 1.0
    expected = {25: 0.755, 50: 0.51, 99: 0.0298, 100: 0.02, 101: 0.02, 10**9: 0.02, 0: 1.0}
    for frame, epsilon in expected.items():
        tracker.frame(frame)
        assert selector.epsilon == pytest.approx(epsilon, abs=1e-12)
    tracker.frame(100)
    assert selector.epsilon == 0.02
    kept = (tracker.selector, tracker.eps_start, tracker.eps_final, tracker.eps_frames)
    assert kept == (selector, 1.0, 0.02, 100)
    assert EpsilonTracker(selector, 1.0, 0.0, 1e5).eps_frames == 100_000


@given(
    st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 10**6), st.booleans()
)
def test_the_line_stays_between_its_ends(start, final, frames, frame, is_numpy):
    selector = EpsilonGreedyActionSelector()
    EpsilonTracker(selector, start, final, frames).frame(np.int64(frame) if is_numpy else frame)
    assert min(start, final) <= selector.epsilon <= max(start, final)
    if frame >= frames:
        assert selector.epsilon == final


def made(*values):
    """A tracker with impossible settings, which leaves epsilon alone."""

    def make():
        selector = EpsilonGreedyActionSelector(0.5)
        try:
            EpsilonTracker(selector, *values)
        finally:
            assert selector.epsilon == 0.5

    return make


def moved(frame):
    """A tracker at frame 5, asked for an impossible frame."""

    def move():
        selector = EpsilonGreedyActionSelector()
        tracker = EpsilonTracker(selector, 1.0, 0.0, 10)
        tracker.frame(5)
        try:
            tracker.frame(frame)
        finally:
            assert selector.epsilon == 0.5

    return move


@table(
    ("start-above", made(1.1, 0.0, 10), ValueError, "eps_start", "1.1", r"\[0, 1\]"),
    ("final-negative", made(1.0, -0.1, 10), ValueError, "eps_final", "-0.1", r"\[0, 1\]"),
    ("frames-0", made(1.0, 0.1, 0), ValueError, "eps_frames", "got 0", "at least 1"),
    ("frames-half", made(1.0, 0.1, 2.5), ValueError, "eps_frames", "2.5", "a whole number"),
    ("frames-inf", made(1.0, 0.1, INF), ValueError, "eps_frames", "inf", "a whole number"),
    ("frames-text", made(1.0, 0.1, "10"), TypeError, "eps_frames", "'10'", "a number"),
    ("selector-none", lambda: EpsilonTracker(None, 1, 0.1, 10), TypeError, "selector", "None",
     "settable epsilon"),
    ("selector-without-epsilon", lambda: EpsilonTracker(ArgmaxActionSelector(), 1, 0.1, 10),
     TypeError, "selector", "ArgmaxActionSelector", "settable epsilon"),
    ("frame-negative", moved(-1), ValueError, "frame", "got -1", "at least 0"),
    ("frame-nan", moved(NAN), ValueError, "frame", "got nan", "at least 0"),
    ("frame-none", moved(None), TypeError, "frame", "got None", "a number"),
)  # fmt: skip
def test_epsilon_trackers_refuse(case):
    assert_tells(case)
