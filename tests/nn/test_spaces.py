"""What networks are told about their outputs; what about their inputs, `test_bodies` shows."""

import numpy as np
import pytest
from gymnasium import spaces

from ptan.nn import QNetwork
from ptan.nn.spaces import count_actions


def test_actions_are_counted():
    assert [count_actions(a) for a in (3, np.int64(3), spaces.Discrete(3))] == [3, 3, 3]


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
