"""Trackers of training progress."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptan.common import trackers
from ptan.common.utils import RewardTracker, SMAQueue, TBMeanTracker
from refusals import NAN, assert_tells, table


class Writer:
    def __init__(self):
        self.scalars, self.closed = [], 0

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def close(self):
        self.closed += 1

    def of(self, name):
        return [(value, step) for n, value, step in self.scalars if n == name]


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests turn by hand."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(trackers.time, "perf_counter", lambda: Clock.now)
    return Clock


# SMAQueue


@given(st.integers(1, 5), st.lists(st.lists(st.integers(-9, 9), max_size=8), max_size=6))
def test_queue_keeps_the_last_values(size, pieces):
    queue, everything = SMAQueue(size), []
    for piece in pieces:
        queue += piece[0] if len(piece) == 1 else piece
        everything += piece
    last = everything[-size:]
    assert len(queue) == len(last)
    assert (queue.min(), queue.max()) == (min(last, default=None), max(last, default=None))
    assert queue.mean() == (pytest.approx(sum(last) / len(last)) if last else None)


def test_queue_takes_lists_tuples_arrays_and_scalars_of_any_kind():
    queue = SMAQueue(10)
    for values in ([1, 2.5], (3.0,), np.array([4.0, 5.0]), np.float32(6.0), torch.tensor(7.0)):
        queue += values
    assert list(queue.queue) == [1.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert repr(queue) == "SMAQueue(size=10, len=7)"


# TBMeanTracker


def test_mean_of_every_batch_of_values_is_written():
    writer = Writer()
    with TBMeanTracker(writer, batch_size=3) as tracker:
        for step, value in enumerate([1.0, 2.0, 6.0, 4.0, 4.0, 1.0, 100.0]):
            tracker.track("loss", value, step)
            tracker.track("other", -value, step)
    assert writer.of("loss") == [(3.0, 2), (3.0, 5)]
    assert writer.of("other") == [(-3.0, 2), (-3.0, 5)]
    assert writer.closed == 1


@pytest.mark.parametrize(
    "value",
    [
        *(2, np.float32(2.0), np.array([[1, 3], [0, 4]]), [1.0, 3.0], torch.tensor([1, 3])),
        torch.tensor([1.0, 3.0], requires_grad=True) * 1.0,
        torch.tensor([1.0, 3.0], dtype=torch.bfloat16),
    ],
)
def test_a_value_counts_as_its_mean(value):
    writer = Writer()
    TBMeanTracker(writer, 1).track("x", value, 7)
    assert writer.scalars == [("x", 2.0, 7)]
    assert type(writer.scalars[0][1]) is float


@pytest.mark.parametrize("make", [lambda w: TBMeanTracker(w, 1), RewardTracker])
def test_closing_twice_closes_the_writer_once(make):
    writer = Writer()
    tracker = make(writer)
    with pytest.raises(RuntimeError, match="stop"), tracker:
        raise RuntimeError("stop")
    tracker.close()
    assert writer.closed == 1
    with pytest.raises(TypeError, match="writer must have add_scalar and close, got None"):
        make(None)


# RewardTracker


def test_line_of_an_episode_has_the_known_form(capsys, clock):
    with RewardTracker(Writer(), stop_reward=18) as tracker:
        clock.now += 10.0
        assert tracker.reward(-20.0, 900) is False
        clock.now += 4.0
        assert tracker.reward(-21.0, 1600, epsilon=0.8512) is False
    assert capsys.readouterr().out.splitlines() == [
        "900: done 1 games, mean reward -20.000, speed 90.00 f/s",
        "1600: done 2 games, mean reward -20.500, speed 175.00 f/s, eps 0.85",
    ]


def test_solved_once_the_mean_of_100_episodes_passes(capsys):
    tracker = RewardTracker(Writer(), stop_reward=5)
    answers = [tracker.reward(0.0, i) for i in range(50)]
    answers += [tracker.reward(10.0, 50 + i) for i in range(51)]
    # After 50 + 50 episodes the mean is 5.0: reached, not passed. The next one pushes a 0 out.
    assert answers == [False] * 100 + [True]
    assert capsys.readouterr().out.splitlines()[-1] == "Solved in 100 frames!"


def test_without_a_stop_reward_the_mean_is_told_from_30_episodes_on(capsys):
    tracker = RewardTracker(Writer())
    answers = [tracker.reward(float(i), i) for i in range(130)]
    assert answers[:29] == [None] * 29
    assert answers[29] == np.mean(np.arange(30))
    assert answers[129] == np.mean(np.arange(30, 130))
    assert capsys.readouterr().out == ""


def test_rewards_means_and_epsilon_are_logged_at_their_frame():
    writer = Writer()
    tracker = RewardTracker(writer)
    tracker.reward(1.0, 10)
    tracker.reward(2.0, 30, epsilon=0.25)
    assert writer.of("reward") == [(1.0, 10), (2.0, 30)]
    assert writer.of("reward_100") == [(1.0, 10), (1.5, 30)]
    assert writer.of("epsilon") == [(0.25, 30)]


def test_speed_is_logged_at_most_every_min_ts_diff_seconds(clock):
    writer = Writer()
    tracker = RewardTracker(writer, min_ts_diff=2.0)
    clock.now += 1000.0  # before the block: does not count
    with tracker:
        tracker.reward(0.0, 0)  # a clock that stands still divides nothing by zero
        for seconds, frame in [(0.5, 100), (0.5, 150), (1.0, 400), (1.0, 500), (1.0, 600)]:
            clock.now += seconds
            tracker.reward(0.0, frame)
    # 400 frames in the first 2 s; 200 in the next 2 s.
    assert writer.of("speed") == [(0.0, 0), (200.0, 400), (100.0, 600)]


def test_tensorboard_writer_works(tmp_path):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter(str(tmp_path))
    with RewardTracker(writer) as rewards, TBMeanTracker(writer, 1) as means:
        rewards.reward(1.0, 1)
        means.track("loss", torch.ones(3), 1)
    assert list(tmp_path.iterdir())


def test_bad_values_are_refused_and_change_nothing():
    queue, writer = SMAQueue(3), Writer()
    queue += [1.0, 2.0]
    means, rewards = TBMeanTracker(writer, 1), RewardTracker(writer)
    for wrong in (None, "x", [3.0, "two"]):
        with pytest.raises((TypeError, ValueError), match="value must be a float or a list of th"):
            queue += wrong
        with pytest.raises(TypeError, match="value must be a number or an array, got"):
            means.track("loss", wrong, 1)
        with pytest.raises((TypeError, ValueError), match="value must be a float"):
            rewards.reward(wrong, 1)
    assert (list(queue.queue), rewards.total_rewards, writer.scalars) == ([1.0, 2.0], [], [])


@table(
    ("queue-0", lambda: SMAQueue(0), ValueError, "size", "got 0", "at least 1"),
    ("queue-text", lambda: SMAQueue("3"), TypeError, "size", "'3'", "an int"),
    ("batch-0", lambda: TBMeanTracker(Writer(), 0), ValueError, "batch_size", "0", "at least 1"),
    ("batch-half", lambda: TBMeanTracker(Writer(), 1.5), TypeError, "batch_size", "1.5", "an int"),
    ("diff", lambda: RewardTracker(Writer(), min_ts_diff=-1.0), ValueError, "min_ts_diff", "-1.0",
     "at least 0"),
    ("stop", lambda: RewardTracker(Writer(), "x"), TypeError, "stop_reward", "'x'", "a number"),
    ("stop-nan", lambda: RewardTracker(Writer(), NAN), ValueError, "stop_reward", "nan",
     "a number or None"),
)  # fmt: skip
def test_trackers_refuse(case):
    assert_tells(case)
