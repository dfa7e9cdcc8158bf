"""What networks are told about their inputs and outputs."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ptan.nn import QNetwork
from ptan.nn.spaces import count_actions, read_observations, zero_batch


def test_actions_are_counted():
    assert [count_actions(a) for a in (3, np.int64(3), spaces.Discrete(3))] == [3, 3, 3]


@pytest.mark.parametrize(
    ("observations", "shape", "divisor"),
    [
        (spaces.Box(0, 255, (4, 84, 84), np.uint8), (4, 84, 84), 256),
        (spaces.Box(0, 1, (4, 84, 84)), (4, 84, 84), 1),
        ((4, 84, 84), (4, 84, 84), 256),
        (spaces.Box(0, 255, (4,)), (4,), 1),
        (torch.Size([3, 2]), (3, 2), 1),
        (spaces.Discrete(5), None, 1),
    ],
)
def test_three_axes_are_an_image_in_0_to_255_unless_the_space_says_otherwise(
    observations, shape, divisor
):
    spec = read_observations(observations)
    assert (spec.shape, spec.divisor) == (shape, divisor)
    assert spec.is_image == (shape is not None and len(shape) == 3)


def test_a_batch_of_zeros_nests_as_the_space_does():
    space = spaces.Dict(a=spaces.Box(0, 1, (2,)), b=spaces.Tuple([spaces.Discrete(3)]))
    zeros = zero_batch(space, torch.device("cpu"))
    assert zeros["a"].tolist() == [[0.0, 0.0]]
    assert zeros["b"][0].tolist() == [0]


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (spaces.Box(-1, 1, (2,)), TypeError, "action space must be Discrete, got Box"),
        (spaces.MultiDiscrete([2, 2]), TypeError, "vector environment, take single_action_space"),
        (spaces.Discrete(3, start=1), ValueError, "must start at 0, got Discrete"),
        (0, ValueError, "n_actions must be at least 1, got 0"),
        (2.0, TypeError, "n_actions must be an int or a Discrete action space, got 2.0"),
        (True, TypeError, "must be Discrete, got True"),
    ],
)
def test_actions_that_do_not_fit_are_refused_by_name(actions, error, message):
    with pytest.raises(error, match=message):
        QNetwork((4,), actions)
