"""Wrong buffers are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_buffer, check_prioritized

from . import planted_buffers as planted


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (planted.NeverLastSlot, "(the last slot) is never sampled"),
        (planted.RecursesOnOne, "after 1 row in a buffer of 8: sample(1) raised RecursionError"),
        (planted.InternalList, "sample(3) returned the internal list"),
        (
            planted.TooFewRows,
            "after 1 row in a buffer of 8: sample(3) returned 1 rows, not exactly 3",
        ),
        (planted.KeepsTooLong, "row 2 is sampled, it was overwritten"),
        (planted.TakesAhead, "populate(3) took 4 rows from the source"),
        (planted.HalfExtends, "after extend refused a row of another shape: the length is 6"),
        (planted.NewestFirst, "iteration gives rows [2, 1], right is [1, 2], oldest first"),
        (planted.SamplesWhenEmpty, "sampling an empty buffer raises nothing"),
        (planted.FavoursOld, "after 2 rows in a buffer of 8: row 1 was drawn with frequency 0.7"),
        (
            planted.FullDiscounts,
            "the terminated row 1 came back with discount=0.9, it was added with 0.0",
        ),
        (planted.SharedColumns, "batch.states and batch.last_states share memory"),
        (
            planted.LosesTruncatedState,
            "the truncated row 2 came back with batch.last_states=[2. 2. 2.]",
        ),
        (planted.LivingColumns, "batch.states changed when rows were added after it was sampled"),
    ],
)
def test_wrong_buffers(make, words):
    found = check_buffer(make)
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (planted.LastSlotHasNoPriority, "(the last slot) is never sampled"),
        (planted.LeastPriorityWithoutAlpha, "least priority of all must be raised to alpha"),
        (planted.WeightsWithoutAlpha, "(N P)^-beta with P = p^alpha / sum of p^alpha"),
        (planted.DrawsWithoutAlpha, "with priorities [0.5, 4.0"),
        (planted.CompoundingBeta, "beta compounds from call to call"),
        (planted.BetaMovesBySampling, "by sampling 20 times, without update_beta"),
        (planted.BetaNeverOne, "beta ends at 0.9"),
        (planted.NewRowsGetOne, "after a new row, 9, which gets the greatest priority so far"),
        (
            planted.StaleUpdates,
            "overwritten by row 9, and its priority updated: row 9 was drawn with",
        ),
        (planted.TakesNan, "update_priorities with a NaN priority raises nothing"),
        (
            planted.HalfUpdates,
            "after update_priorities refused a NaN priority: row 1 was drawn with",
        ),
    ],
)
def test_wrong_prioritized_buffers(make, words):
    found = check_prioritized(make)
    assert any(words in line for line in found), found


def test_things_that_are_no_buffers():
    assert "needs sample(n)" in check_buffer(lambda source, capacity: [])[0]
    assert "raised ZeroDivisionError" in check_buffer(lambda source, capacity: 1 / 0)[0]
    assert (
        "no update_priorities"
        in check_prioritized(lambda source, capacity, alpha: planted.ListBuffer(source, capacity))[
            -1
        ]
    )
