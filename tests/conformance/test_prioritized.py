"""Wrong prioritized buffers are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_prioritized

from . import planted_buffers as planted


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (planted.LastSlotHasNoPriority, "(the last slot) is drawn never"),
        (
            planted.LeastPriorityWithoutAlpha,
            ": (N P)^-beta over its maximum, where P = p^alpha / sum of",
        ),
        (
            planted.WeightsWithoutAlpha,
            "(N P)^-beta over its maximum, where P = p^alpha / sum of p^alpha",
        ),
        (planted.DrawsWithoutAlpha, "with priorities [0.5, 4.0"),
        (
            planted.CompoundingBeta,
            "is 0.4295224, right is 0.41200000000000003: it must follow from the frame alone",
        ),
        (planted.BetaMovesBySampling, "right is 0.404: it compounds without update_beta"),
        (planted.BetaNeverOne, "beta at the end is 0.9, right is 1.0"),
        (planted.NewRowsGetOne, "after a new row, 9, which gets the greatest priority so far"),
        (
            planted.StaleUpdates,
            "overwritten by row 9, and its priority updated: row 9 is drawn",
        ),
        (planted.TakesNan, "update_priorities with a NaN priority raises nothing"),
        (
            planted.HalfUpdates,
            "after update_priorities refused a NaN priority: row 1 is drawn 0.3",
        ),
    ],
)
def test_wrong_prioritized_buffers(make, words):
    found = check_prioritized(make)
    assert any(words in line for line in found), found


def test_a_buffer_without_priorities():
    found = check_prioritized(lambda source, capacity, alpha: planted.ListBuffer(source, capacity))
    assert "no update_priorities" in found[-1]
