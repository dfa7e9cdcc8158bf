"""Random operations: a buffer is a list of the newest rows, and loses no frame."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import BUFFERS, RowKitchen
from .twins import OPERATIONS, Twins

SEQUENCES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=10)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@given(
    capacity=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    operations=SEQUENCES,
    buffer_kind=st.sampled_from(BUFFERS),
    with_discount=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_buffer_is_a_list_of_the_newest_rows(
    kind: str, capacity: int, seed: int, operations: Any, buffer_kind: str, with_discount: bool
) -> None:
    twins = Twins(RowKitchen(kind, seed, with_discount=with_discount), buffer_kind, capacity)
    for operation, n in [*operations, ("sample", 5)]:
        twins.do(operation, n)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_a_hundred_operations_on_one_buffer(kind: str, buffer_kind: str) -> None:
    rng = np.random.default_rng(9)
    twins = Twins(RowKitchen(kind, 2), buffer_kind, 23)
    for _ in range(100):
        twins.do(str(rng.choice(OPERATIONS)), int(rng.integers(12)))
