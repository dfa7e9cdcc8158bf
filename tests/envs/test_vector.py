"""Vector environments of the library's own."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from tests.envs.games import Odd, maker

from ptan.envs.vector import make_vector

both = pytest.mark.parametrize("asynchronous", [False, True])


@both
def test_only_what_is_in_the_mask_is_reset(asynchronous):
    env = make_vector([maker("CartPole-v1")] * 3, asynchronous)
    first, _ = env.reset(seed=5)
    obs = env.step(np.zeros(3, np.int64))[0]
    mask = np.array([False, True, False])
    after, _ = env.reset(options={"reset_mask": mask}, seed=[None, 6, None])
    assert after[[0, 2]].tolist() == obs[[0, 2]].tolist()
    assert after[1].tolist() == first[1].tolist()  # environment 1 was seeded with 5 + 1
    assert env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    env.close()


class Custom(spaces.Space):
    """A user's own space."""

    def __init__(self):
        super().__init__((), None)

    def __eq__(self, other):
        return isinstance(other, Custom)


class Opaque(Odd):
    observation_space = Custom()


@both
def test_spaces_that_do_not_fit_into_shared_memory(asynchronous):
    env = make_vector([lambda: Opaque(lambda rng, t: ("opaque", t))] * 2, asynchronous)
    obs, _ = env.reset(seed=1)
    assert tuple(obs) == (("opaque", 0), ("opaque", 0))
    env.close()


@both
def test_an_error_of_making_is_the_environments_own(asynchronous):
    def fails() -> gymnasium.Env:
        raise ValueError("no such level")

    with pytest.raises(ValueError, match="no such level"):
        make_vector([fails], asynchronous)
    with pytest.raises(ValueError, match="at least one environment"):
        make_vector([], asynchronous)
