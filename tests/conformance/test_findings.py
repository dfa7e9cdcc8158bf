"""What counts as equal."""

import numpy as np

from ptan.conformance.findings import same


def test_equal_means_structure_shape_and_numbers():
    nested = {"a": np.zeros(2), "b": (1, np.array([np.nan]))}
    assert same(nested, {"b": (1, np.array([np.nan])), "a": np.zeros(2)})
    assert same(None, None)
    assert same(1.0, 1.0 + 1e-7, rtol=1e-5)
    for other in (None, {"a": np.zeros(2)}, {**nested, "a": np.zeros((2, 1))}, np.zeros(2)):
        assert not same(nested, other)
    assert not same(1.0, 1.0 + 1e-7)
    assert not same("1", 1)
