"""Generators made from `rng` arguments."""

import numpy as np
import pytest

from ptan.actions import EpsilonGreedyActionSelector
from ptan.common.generators import as_generator


def test_a_given_generator_is_used_as_it_is():
    generator = np.random.default_rng(0)
    assert as_generator(generator) is generator
    assert EpsilonGreedyActionSelector(rng=generator).rng is generator


@pytest.mark.parametrize("rng", ["0", 1.0, True, np.random.PCG64(0)])
def test_an_rng_of_another_type_raises(rng):
    with pytest.raises(TypeError, match="rng must be"):
        as_generator(rng)


def test_a_negative_seed_raises():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        as_generator(-1)
