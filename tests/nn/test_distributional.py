"""Atoms and the means of distributions over them."""

import math

import numpy as np
import pytest
import torch

from ptan.nn.distributional import expected_values, make_supports

from .oracles import expected


@pytest.mark.parametrize(
    ("n_atoms", "v_min", "v_max"), [(51, -10, 10), (2, 0.0, 1.0), (7, -3.0, 0.5), (101, -1e3, 1e3)]
)
def test_atoms_are_evenly_spaced_from_end_to_end(n_atoms, v_min, v_max):
    supports = make_supports(n_atoms, v_min, v_max)
    assert supports.shape == (n_atoms,)
    assert (supports[0].item(), supports[-1].item()) == (v_min, v_max)
    np.testing.assert_allclose(supports, np.linspace(v_min, v_max, n_atoms), rtol=1e-12)


def test_a_symmetric_range_has_an_exact_zero():
    assert make_supports()[25].item() == 0.0


def test_expected_values_are_the_means():
    logits, supports = torch.randn(3, 2, 5), torch.linspace(-1, 3, 5)
    torch.testing.assert_close(expected_values(logits, supports), expected(logits, supports))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0.0, 1.0), "n_atoms must be at least 2, got 1"),
        ((51, 10.0, 10.0), "v_min must be below v_max, both finite, got 10.0 and 10.0"),
        ((51, -10.0, math.inf), "both finite, got -10.0 and inf"),
        ((51, math.nan, 10.0), "both finite, got nan and 10.0"),
    ],
)
def test_atoms_that_make_no_sense_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_supports(*arguments)
