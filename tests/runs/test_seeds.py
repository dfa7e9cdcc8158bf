"""Seeds of different purposes."""

from hypothesis import given
from hypothesis import strategies as st

from ptan.runs.seeds import EVALUATED, EVALUATION, FINAL, NEW_EPISODES, derived_seed


@given(st.integers(0, 2**40), st.integers(0, 50))
def test_seeds_of_different_purposes_differ_and_leave_room(seed: int, number: int) -> None:
    found = [derived_seed(seed, p, number) for p in (EVALUATION, FINAL, NEW_EPISODES, EVALUATED)]
    assert len(set(found)) == 4
    assert all(0 <= one < 2**31 - 2**16 for one in found)
    assert derived_seed(seed, FINAL, number) == found[1]
