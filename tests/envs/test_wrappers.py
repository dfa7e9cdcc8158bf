"""Wrappers that reorder and stack observations, on an environment that counts."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ptan.common.wrappers import BufferWrapper, ImageToPyTorch
from ptan.common.wrappers_simple import FrameStack1D


class Counting(gymnasium.Env):
    """Observations full of the seed plus the number of steps, in one array used again and again."""

    action_space = Discrete(2)

    def __init__(self, shape, low=0, high=255, dtype=np.uint8):
        self.observation_space = Box(low, high, shape, dtype)
        self.array = np.zeros(shape, dtype)
        self.reset_arguments = None

    def reset(self, *, seed=None, options=None):
        self.reset_arguments = (seed, options)
        self.array[...] = 10 if seed is None else seed
        return self.array, {"new": True}

    def step(self, action):
        self.array += 1
        return self.array, 1.0, False, False, {}


def test_channels_come_first():
    env = Counting((5, 6, 3))
    image = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
    env.observation_space = Box(image, np.full((5, 6, 3), 200, np.uint8), dtype=np.uint8)
    wrapped = ImageToPyTorch(env)
    turned = wrapped.observation(image)
    assert turned.shape == wrapped.observation_space.shape == (3, 5, 6)
    assert turned.dtype == wrapped.observation_space.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(turned[channel], image[:, :, channel])
    np.testing.assert_array_equal(wrapped.observation_space.low, turned)
    obs, info = wrapped.reset(seed=7, options={"a": 1})
    assert env.reset_arguments == (7, {"a": 1})
    assert info == {"new": True}
    assert (obs == 7).all()
    assert wrapped.step(0)[0].shape == (3, 5, 6)


def levels(obs, frames):
    parts = np.split(obs, frames)
    assert all((part == part.flat[0]).all() for part in parts)
    return [float(part.flat[0]) for part in parts]


def test_buffer_joins_the_last_observations_along_the_first_axis():
    env = Counting((2, 3, 3))
    wrapped = BufferWrapper(env, 3)
    assert wrapped.observation_space == Box(0, 255, (6, 3, 3), np.uint8)
    first, _ = wrapped.reset(seed=20)
    assert env.reset_arguments == (20, None)
    assert first.dtype == np.uint8
    second = wrapped.step(0)[0]
    # Read only now: earlier stacks must not change with the environment's array.
    assert levels(first, 3) == [0, 0, 20]
    assert levels(second, 3) == [0, 20, 21]
    assert levels(wrapped.step(0)[0], 3) == [20, 21, 22]
    assert levels(wrapped.step(0)[0], 3) == [21, 22, 23]
    assert levels(wrapped.reset()[0], 3) == [0, 0, 10]


def test_buffer_begins_with_the_lowest_value_and_with_0_where_there_is_none():
    bounded = BufferWrapper(Counting((2,), -5, 5, np.float32), 2)
    assert levels(bounded.reset(seed=1)[0], 2) == [-5, 1]
    unbounded = BufferWrapper(Counting((2,), -np.inf, np.inf, np.float32), 2)
    assert levels(unbounded.reset(seed=1)[0], 2) == [0, 1]


def test_vectors_are_stacked_and_the_first_fills_the_stack():
    env = Counting((4,), -100, 100, np.float32)
    wrapped = FrameStack1D(env, 3)
    assert wrapped.observation_space.shape == (3, 4)
    first, info = wrapped.reset(seed=20, options={"a": 1})
    assert env.reset_arguments == (20, {"a": 1})
    assert info == {"new": True}
    first_seen = first[:, 0].tolist()
    assert first.dtype == np.float32
    assert first_seen == [20, 20, 20]
    # The environment writes each observation into the same array.
    assert wrapped.step(0)[0][:, 0].tolist() == [20, 20, 21]
    assert wrapped.step(0)[0][:, 0].tolist() == [20, 21, 22]
    assert first[:, 0].tolist() == [20, 20, 20]
    assert wrapped.reset()[0][:, 0].tolist() == [10, 10, 10]


def test_what_cannot_be_wrapped_raises():
    for shape in [(4,), (84, 84), (1, 2, 3, 4)]:
        with pytest.raises(ValueError, match="in a Box of 3 axes, got Box"):
            ImageToPyTorch(Counting(shape))
    with pytest.raises(ValueError, match="in a Box of at least one axis, got Discrete"):
        BufferWrapper(gymnasium.make("FrozenLake-v1"), 2)
    with pytest.raises(ValueError, match="in a Box of at least one axis, got Box"):
        BufferWrapper(Counting(()), 2)
    with pytest.raises(ValueError, match="n_steps"):
        BufferWrapper(Counting((2,)), 0)
    with pytest.raises(ValueError, match="in a Box of 1 axes, got Box"):
        FrameStack1D(Counting((3, 3)), 2)
    with pytest.raises(ValueError, match="k must"):
        FrameStack1D(Counting((3,)), 0)
