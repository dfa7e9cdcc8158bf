"""Wrappers that reorder and stack observations; `tests.conformance` checks their episodes."""

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

    def reset(self, *, seed=None, options=None):
        self.array[...] = 10 if seed is None else seed
        return self.array, {"options": options}

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
    assert turned.flags.c_contiguous
    for channel in range(3):
        np.testing.assert_array_equal(turned[channel], image[:, :, channel])
    np.testing.assert_array_equal(wrapped.observation_space.low, turned)


SMALL, FREE = (-5, 5, np.float32), (-np.inf, np.inf, np.float32)


@pytest.mark.parametrize(
    ("wrap", "shape", "box", "stacked", "before"),
    [
        (BufferWrapper, (2, 3, 3), (0, 255, np.uint8), (6, 3, 3), 0),
        (BufferWrapper, (2,), SMALL, (6,), -5),
        (BufferWrapper, (2,), FREE, (6,), 0),
        (FrameStack1D, (4,), SMALL, (3, 4), None),  # the first fills the stack
    ],
)
def test_the_newest_observations_are_stacked(wrap, shape, box, stacked, before):
    wrapped = wrap(Counting(shape, *box), 3)
    space = wrapped.observation_space
    assert (space.shape, space.dtype) == (stacked, box[2])
    first, info = wrapped.reset(seed=1, options={"a": 1})
    assert info == {"options": {"a": 1}}
    shown = [first, *(wrapped.step(0)[0] for _ in range(3)), wrapped.reset()[0]]
    # Read only now: earlier stacks must not change with the environment's array.
    levels = [[float(part.flat[0]) for part in np.split(stack, 3)] for stack in shown]
    start, again = (1, 10) if before is None else (before, before)
    assert levels == [[start, start, 1], [start, 1, 2], [1, 2, 3], [2, 3, 4], [again, again, 10]]
    assert all(stack.dtype == box[2] for stack in shown)


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (lambda: ImageToPyTorch(Counting((84, 84))), "in a Box of 3 axes, got Box"),
        (lambda: ImageToPyTorch(Counting((1, 2, 3, 4))), "in a Box of 3 axes, got Box"),
        (lambda: BufferWrapper(gymnasium.make("FrozenLake-v1"), 2), "at least one axis, got Discr"),
        (lambda: BufferWrapper(Counting(()), 2), "in a Box of at least one axis, got Box"),
        (lambda: BufferWrapper(Counting((2,)), 0), "n_steps must"),
        (lambda: FrameStack1D(Counting((3, 3)), 2), "in a Box of 1 axes, got Box"),
        (lambda: FrameStack1D(Counting((3,)), 0), "k must"),
    ],
)
def test_what_cannot_be_wrapped_raises(wrap, words):
    with pytest.raises(ValueError, match=words):
        wrap()
