"""Uniform actions over every space, from one generator."""

import numpy as np
import pytest
from gymnasium import spaces

from ptan.actions.uniform import UniformPolicy

SPACES = [
    spaces.Discrete(5),
    spaces.Discrete(3, start=-1),
    spaces.MultiDiscrete([2, 5]),
    spaces.MultiBinary(4),
    spaces.Box(-2.0, 3.0, (2,), np.float32),
    spaces.Box(-np.inf, np.inf, (3,), np.float64),
    spaces.Box(np.array([0.0, -np.inf], np.float32), np.array([np.inf, 1.0], np.float32)),
    spaces.Box(0, 255, (2, 2), np.uint8),
    spaces.Dict(gas=spaces.Box(0, 1, (1,), np.float32), gear=spaces.Discrete(4)),
    spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (2,), np.float32))),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space)[:30])
def test_actions_are_drawn_from_every_space_by_one_generator(space):
    def drawn(seed, touched=False):
        policy = UniformPolicy(None, space, np.random.default_rng(seed))
        if touched:
            space.seed(3)
            space.sample()
        return [policy.step([None] * 3, [1, 2, 3]) for _ in range(40)]

    steps = drawn(0)
    assert all(step.states == [1, 2, 3] and step.actions is step.env_actions for step in steps)
    actions = [action for step in steps for action in step.actions]
    assert all(space.contains(action) for action in actions)
    assert len({str(action) for action in actions}) > min(getattr(space, "n", 9), 9) - 2
    assert str(drawn(0, touched=True)) == str(steps)
    assert str(drawn(1)) != str(steps)


def test_bounded_boxes_are_covered_evenly():
    policy = UniformPolicy(None, spaces.Box(-1, 3, (1,), np.float32), np.random.default_rng(0))
    actions = np.concatenate([policy.step(None, [None] * 8).actions for _ in range(500)])
    counts, _ = np.histogram(actions, bins=4, range=(-1, 3))
    assert np.abs(counts / len(actions) - 0.25).max() < 0.03


def test_a_state_goes_on_with_the_same_draws():
    one, other = (UniformPolicy(None, spaces.Discrete(9), np.random.default_rng(i)) for i in (0, 1))
    one.step(None, [None] * 5)
    other.load_state_dict(one.state_dict())
    assert other.step(None, [0] * 20).actions.tolist() == one.step(None, [0] * 20).actions.tolist()
    with pytest.raises(ValueError, match="rng"):
        other.load_state_dict({"bit_generator": "MT19937"})


def test_states_are_those_of_the_agent_of_the_moment():
    class Named:
        def __init__(self, name):
            self.initial_state = lambda: name

    policy = UniformPolicy(Named("old"), spaces.Discrete(2), np.random.default_rng(0))
    policy.agent = Named("new")
    assert policy.initial_state() == "new"
    policy.agent = None
    assert policy.initial_state() is None
