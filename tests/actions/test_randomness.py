"""Seeds repeat a run; nothing is shared by accident."""

import copy
import pickle

import numpy as np
import pytest

from ptan.actions import (
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    GaussianNoise,
    ProbabilityActionSelector,
    as_generator,
)


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: EpsilonGreedyActionSelector(0.5, rng=rng),
        lambda rng: ProbabilityActionSelector(rng=rng),
        lambda rng: GaussianNoise(1.0, rng=rng),
    ],
)
def test_a_seed_repeats_a_run_and_default_generators_differ(make):
    scores = np.full((100, 4), 0.25)
    first, second, other = (make(seed)(scores) for seed in (3, np.int64(3), 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    a, b = make(None), make(None)
    assert a.rng is not b.rng
    assert not np.array_equal(a(scores), b(scores))


def test_default_inner_selectors_are_not_shared():
    assert EpsilonGreedyActionSelector().selector is not EpsilonGreedyActionSelector().selector


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


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    EpsilonGreedyActionSelector(1.0)(np.zeros((4, 2)))
    ProbabilityActionSelector()(np.full((4, 2), 0.5))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize(
    "selector",
    [
        ArgmaxActionSelector(),
        EpsilonGreedyActionSelector(0.5, ProbabilityActionSelector(rng=1), rng=2),
        ProbabilityActionSelector(rng=3),
        GaussianNoise(0.5, -1, 1, rng=4),
    ],
)
def test_selectors_pickle_with_their_generators(selector):
    scores = np.full((50, 3), 1 / 3)
    twin = pickle.loads(pickle.dumps(selector))
    assert np.array_equal(twin(scores), copy.deepcopy(selector)(scores))
