"""Batches, segment trees, trackers and wrappers."""

import ale_py
import gymnasium
import numpy as np
import pytest

from ptan.common.utils import RewardTracker, SMAQueue, TBMeanTracker
from ptan.common.wrappers import BufferWrapper, ImageToPyTorch, make_atari_vec, wrap_dqn
from ptan.common.wrappers_simple import FrameStack1D
from ptan.experience import Batch, Experience, ExperienceFirstLast, unpack_batch
from ptan.replay.trees import MinSegmentTree, SumSegmentTree
from refusals import NAN, assert_tells, table

gymnasium.register_envs(ale_py)
ROW = ExperienceFirstLast(np.zeros(2), 0, 1.0, np.ones(2))
STEP = Experience(np.zeros(2), 0, 1.0, False, final_state=np.ones(2))


@table(
    ("no-rows", lambda: Batch.from_rows([]), ValueError, "rows", "got none", "at least one"),
    ("unpack-no-rows", lambda: unpack_batch([]), ValueError, "rows", "none", "at least one"),
    ("other-class", lambda: Batch.from_rows([ROW, STEP]), TypeError, "row", r"got Experience\(",
     "class ExperienceFirstLast"),
    ("other-shape", lambda: Batch.from_rows([ROW, ROW._replace(state=np.zeros(3))]), ValueError,
     "state", r"got .*\(3,\)", r"shape \(2,\)"),
    ("reward-nan", lambda: Batch.from_rows([ROW._replace(reward=NAN)]), ValueError, "reward",
     "got nan", "finite"),
    ("gamma-above", lambda: Batch.from_rows([ROW], gamma=1.5), ValueError, "gamma", "got 1.5",
     r"\[0, 1\]"),
    ("gamma-nan", lambda: Batch.from_rows([ROW], gamma=NAN), ValueError, "gamma", "got nan",
     r"\[0, 1\]"),
    ("no-gamma", lambda: Batch.from_rows([ROW]).discounts, ValueError, "gamma", "not known",
     "give the buffer or Batch.from_rows a gamma"),
    ("no-columns", lambda: Batch.from_rows([3]).states, AttributeError, "'states'", "no rows",
     "have no columns"),
    ("no-such-field", lambda: ROW._replace(colour=1), ValueError, "ExperienceFirstLast",
     "'colour'", "no field"),
)  # fmt: skip
def test_batches_and_rows_refuse(case):
    assert_tells(case)


def filled(kind):
    tree = kind(4)
    tree[np.arange(4)] = np.array([1.0, 2.0, 3.0, 4.0])
    return tree


def assigned(kind, index, value):
    """Sets leaves of a tree, which must stay as it was."""
    tree = filled(kind)
    try:
        tree[index] = value
    finally:
        assert tree[np.arange(4)].tolist() == [1.0, 2.0, 3.0, 4.0]
        whole = tree.sum() if kind is SumSegmentTree else tree.min()
        assert whole == (10.0 if kind is SumSegmentTree else 1.0)


@table(
    ("capacity-0", lambda: SumSegmentTree(0), ValueError, "capacity", "got 0", "at least 1"),
    ("capacity-half", lambda: MinSegmentTree(1.5), TypeError, "capacity", "got 1.5", "an int"),
    ("capacity-bool", lambda: SumSegmentTree(True), TypeError, "capacity", "got True", "an int"),
    ("sum-nan", lambda: assigned(SumSegmentTree, 1, NAN), ValueError, "values", "got nan",
     "finite and not negative"),
    ("sum-negative", lambda: assigned(SumSegmentTree, [0, 1], [5.0, -1.0]), ValueError, "values",
     r"-1\.", "finite and not negative"),
    ("sum-text", lambda: assigned(SumSegmentTree, 1, "x"), ValueError, "value", "'x'", "numbers"),
    ("min-nan", lambda: assigned(MinSegmentTree, [0, 1], [5.0, NAN]), ValueError, "values", "nan",
     "must not be NaN"),
    ("index-above", lambda: assigned(SumSegmentTree, [0, 4], [5.0, 5.0]), IndexError, "index",
     "got 4", r"\[0, 4\)"),
    ("index-below", lambda: assigned(MinSegmentTree, -1, 5.0), IndexError, "index", "got -1",
     r"\[0, 4\)"),
    ("index-float", lambda: assigned(SumSegmentTree, 1.5, 5.0), TypeError, "indices", "got 1.5",
     "integers"),
    ("index-read", lambda: filled(SumSegmentTree)[7], IndexError, "index", "got 7", r"\[0, 4\)"),
    ("lengths", lambda: assigned(SumSegmentTree, [0, 1], [1.0, 2.0, 3.0]), ValueError, "value",
     r"got \(3,\)", r"\(2,\)"),
    ("range", lambda: filled(SumSegmentTree).sum(3, 1), ValueError, "start and end",
     "start=3, end=1", "0 <= start <= end <= 4"),
    ("range-above", lambda: filled(MinSegmentTree).min(0, 5), ValueError, "start and end",
     "end=5", "0 <= start <= end <= 4"),
    ("prefix-above", lambda: filled(SumSegmentTree).find_prefixsum_idx(11.0), ValueError, "x",
     "got 11.0", r"\[0, 10.0\]"),
    ("prefix-nan", lambda: filled(SumSegmentTree).find_prefixsum_idx(NAN), ValueError, "x",
     "got nan", r"\[0, 10.0\]"),
)  # fmt: skip
def test_trees_refuse(case):
    assert_tells(case)


class Writer:
    def add_scalar(self, name, value, step):
        raise AssertionError("nothing must be written")

    def close(self):
        pass


def added(value):
    """Adds to a queue, which must stay as it was."""
    queue = SMAQueue(3)
    queue += [1.0, 2.0]
    try:
        queue += value
    finally:
        assert list(queue.queue) == [1.0, 2.0]


def tracked(value):
    tracker = TBMeanTracker(Writer(), 2)
    tracker.track("loss", 1.0, 0)
    tracker.track("loss", value, 1)


def rewarded(value):
    tracker = RewardTracker(Writer())
    try:
        tracker.reward(value, 1)
    finally:
        assert tracker.total_rewards == []


@table(
    ("queue-0", lambda: SMAQueue(0), ValueError, "size", "got 0", "at least 1"),
    ("queue-half", lambda: SMAQueue(1.5), TypeError, "size", "got 1.5", "an int"),
    ("queue-text", lambda: SMAQueue("3"), TypeError, "size", "'3'", "an int"),
    ("queue-none", lambda: added(None), TypeError, "value", "got None", "a float"),
    ("queue-one-bad", lambda: added([3.0, "two"]), ValueError, "value", "'two'", "a float"),
    ("mean-0", lambda: TBMeanTracker(Writer(), 0), ValueError, "batch_size", "got 0", "at least 1"),
    ("mean-half", lambda: TBMeanTracker(Writer(), 1.5), TypeError, "batch_size", "1.5", "an int"),
    ("mean-writer", lambda: TBMeanTracker(None, 2), TypeError, "writer", "None", "add_scalar"),
    ("mean-text", lambda: tracked("x"), TypeError, "value", "'x'", "a number or an array"),
    ("mean-none", lambda: tracked(None), TypeError, "value", "None", "a number or an array"),
    ("reward-writer", lambda: RewardTracker(3), TypeError, "writer", "got 3", "add_scalar"),
    ("reward-seconds", lambda: RewardTracker(Writer(), min_ts_diff=-1), ValueError, "min_ts_diff",
     "got -1", "not be negative"),
    ("reward-stop", lambda: RewardTracker(Writer(), "x"), ValueError, "stop_reward", "'x'",
     "a number or None"),
    ("reward-stop-nan", lambda: RewardTracker(Writer(), NAN), ValueError, "stop_reward", "nan",
     "a number or None"),
    ("reward-text", lambda: rewarded("x"), ValueError, "value", "'x'", "a float"),
    ("reward-none", lambda: rewarded(None), TypeError, "value", "None", "a float"),
)  # fmt: skip
def test_trackers_refuse(case):
    assert_tells(case)


class Images(gymnasium.Env):
    """Spaces only: constructors look at nothing else."""

    def __init__(self, *shape):
        self.observation_space = gymnasium.spaces.Box(0, 1, shape)


class Numbers(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(16)


@table(
    ("stack-0", lambda: BufferWrapper(Images(1, 4, 4), 0), ValueError, "n_steps", "got 0",
     "at least 1"),
    ("stack-half", lambda: BufferWrapper(Images(1, 4, 4), 1.5), TypeError, "n_steps", "got 1.5",
     "an int"),
    ("stack-no-box", lambda: BufferWrapper(Numbers(), 2), ValueError, "observations",
     r"Discrete\(16\)", "in a Box"),
    ("image-vector", lambda: ImageToPyTorch(Images(4)), ValueError, "observations", r"\(4,\)",
     r"\(height, width, C\)"),
    ("vectors-0", lambda: FrameStack1D(Images(4), 0), ValueError, "k", "got 0", "at least 1"),
    ("vectors-half", lambda: FrameStack1D(Images(4), 1.5), TypeError, "k", "got 1.5", "an int"),
    ("vectors-image", lambda: FrameStack1D(Images(4, 4), 2), ValueError, "observations",
     r"\(4, 4\)", "one axis"),
    ("dqn-no-game", lambda: wrap_dqn(Images(4)), ValueError, "env", "Images", "an Atari game"),
    ("dqn-none", lambda: wrap_dqn(None), ValueError, "env", "None", "an Atari game"),
    ("dqn-screen", lambda: wrap_dqn(None, screen_size=0), ValueError, "screen_size", "got 0",
     "at least 1"),
    ("dqn-noops", lambda: wrap_dqn(None, noop_max=-1), ValueError, "noop_max", "got -1",
     "at least 0"),
    ("dqn-stack", lambda: wrap_dqn(None, 0), ValueError, "stack_frames", "got 0", "at least 1"),
    ("dqn-skip", lambda: wrap_dqn(None, frame_skip=1.5), ValueError, "frame_skip", "got 1.5",
     "an int of at least 1"),
    ("dqn-clip-twice", lambda: wrap_dqn(None, reward_clipping=False, clip_reward=True), TypeError,
     "clip_reward", "reward_clipping", "give one of them"),
    ("vector-none", lambda: make_atari_vec("pong", 0), ValueError, "num_envs", "got 0",
     "at least 1"),
    ("vector-half", lambda: make_atari_vec("pong", 1.5), TypeError, "num_envs", "got 1.5",
     "an int"),
)  # fmt: skip
def test_wrappers_refuse(case):
    assert_tells(case)


@pytest.mark.atari
@table(
    ("own-skip", lambda: wrap_dqn(gymnasium.make("ALE/Pong-v5")), ValueError, "env",
     "frameskip=4", "NoFrameskip-v4, or frameskip=1"),
    ("no-game", lambda: make_atari_vec("nope", 1), ValueError, "game", "'nope'",
     "a ROM name like 'pong'"),
)  # fmt: skip
def test_atari_wrappers_refuse(case):
    assert_tells(case)
