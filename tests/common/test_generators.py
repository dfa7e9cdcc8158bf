"""Generators made from `rng` arguments, and their states."""

import copy

import numpy as np
import pytest
from tests.replay.oracles import same

from ptan.common.generators import as_generator, check_generator_state, generator_state

KINDS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def make(kind: str, seed: int) -> np.random.Generator:
    return np.random.Generator(getattr(np.random, kind)(seed))


def test_a_generator_is_used_as_it_is_and_a_number_is_a_seed():
    generator = np.random.default_rng(0)
    assert as_generator(generator) is generator
    assert as_generator(np.int64(3)).random() == np.random.default_rng(3).random()
    assert as_generator(None).random() != as_generator(None).random()


@pytest.mark.parametrize("rng", ["0", 1.0, True, np.random.PCG64(0), -1])
def test_an_rng_of_another_type_raises(rng):
    with pytest.raises((TypeError, ValueError), match=r"rng.* must be .*got .*"):
        as_generator(rng)


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_goes_on_where_another_stood(kind: str) -> None:
    one, other = make(kind, 1), make(kind, 2)
    one.random(5)
    one.integers(9, dtype=np.uint32)  # half of a 64-bit number is kept for later
    state = generator_state(one)
    untouched = copy.deepcopy(state)
    check_generator_state(other, state)
    other.bit_generator.state = state
    assert other.integers(2**32, size=4, dtype=np.uint32).tolist() == (
        one.integers(2**32, size=4, dtype=np.uint32).tolist()
    )
    assert same(state, untouched)


def test_the_kinds_are_named() -> None:
    with pytest.raises(ValueError, match=r"the_rng must be a state of PCG64.*SFC64"):
        check_generator_state(make("PCG64", 0), generator_state(make("SFC64", 0)), "the_rng")
    state = generator_state(make("PCG64", 0))
    for broken in ([], {}, None, {**state, "state": {}}, {**state, "has_uint32": "x"}):
        with pytest.raises(ValueError, match=r"the_rng must be a state of PCG64.*got "):
            check_generator_state(make("PCG64", 0), broken, "the_rng")
