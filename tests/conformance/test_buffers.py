"""Wrong buffers are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_buffer

from . import planted_buffers as planted


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (planted.NeverLastSlot, "(the last slot) is drawn never"),
        (planted.RecursesOnOne, "after 1 row in a buffer of 8 raised RecursionError"),
        (planted.InternalList, "sample(3) returned the internal list"),
        (
            planted.TooFewRows,
            "after 1 row in a buffer of 8: the length of sample(3) is 1, right is 3",
        ),
        (planted.KeepsTooLong, "row 2 is sampled, it was overwritten"),
        (
            planted.TakesAhead,
            "after populate(3): the length is 5, right is 4",
        ),
        (planted.HalfExtends, "after extend refused a row of another shape: the length is 6"),
        (planted.NewestFirst, "what iteration gives, oldest first, is [2, 1], right is [1, 2]"),
        (planted.SamplesWhenEmpty, "sampling an empty buffer raises nothing"),
        (planted.FavoursOld, "after 2 rows in a buffer of 8: row 1 is drawn 0.7"),
        (
            planted.FullDiscounts,
            "discount of the terminated row 1 is 0.9, right is 0.0",
        ),
        (planted.SharedColumns, "batch.states and batch.last_states share memory"),
        (
            planted.LosesTruncatedState,
            "batch.last_states of the truncated row 2 is [2. 2. 2.], right is [2.5 2.5 2.5]",
        ),
        (planted.LivingColumns, "batch.states changed when rows were added after it was sampled"),
    ],
)
def test_wrong_buffers(make, words):
    found = check_buffer(make)
    assert any(words in line for line in found), found


def test_things_that_are_no_buffers():
    assert "needs sample(n)" in check_buffer(lambda source, capacity: [])[0]
    assert "raised ZeroDivisionError" in check_buffer(lambda source, capacity: 1 / 0)[0]
