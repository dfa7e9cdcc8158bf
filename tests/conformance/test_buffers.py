"""Wrong buffers are found, and the finding says what is wrong."""

import numpy as np
import pytest

from ptan.conformance import check_buffer, check_prioritized

from . import planted_buffers as planted
from .planted_buffers import BatchBuffer, ListBuffer, PriorityList, wrong


def picked(self, slots):
    return [self.rows[i] for i in slots]


NEVER_LAST_SLOT = wrong(
    ListBuffer,
    sample=lambda self, right, n: picked(
        self, self.rng.integers(max(1, len(self.rows) - 1), size=n)
    ),
)
INTERNAL_LIST = wrong(
    ListBuffer,
    sample=lambda self, right, n: self.rows if len(self.rows) == n else right.sample(n),
)
TOO_FEW_ROWS = wrong(
    ListBuffer, sample=lambda self, right, n: right.sample(n)[: max(1, len(self.rows))]
)
TAKES_AHEAD = wrong(ListBuffer, populate=lambda self, right, n: right.populate(n + (n > 1)))
NEWEST_FIRST = wrong(ListBuffer, __iter__=lambda self, right: reversed(list(right.__iter__())))
SAMPLES_WHEN_EMPTY = wrong(
    ListBuffer, sample=lambda self, right, n: right.sample(n) if self.rows else []
)
FAVOURS_OLD = wrong(
    ListBuffer,
    sample=lambda self, right, n: picked(
        self, np.minimum(*self.rng.integers(len(self.rows), size=(2, n)))
    ),
)
BOOTSTRAPS_PAST_ENDS = wrong(
    BatchBuffer, add=lambda self, right, row: right.add(row._replace(discount=0.9))
)
LOSES_TRUNCATED_STATE = wrong(
    BatchBuffer,
    add=lambda self, right, row: right.add(
        row._replace(final_state=row.state if row.truncated else row.final_state)
    ),
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (NEVER_LAST_SLOT, "(the last slot) is drawn never"),
        (planted.RecursesOnOne, "after 1 row in a buffer of 8 raised RecursionError"),
        (INTERNAL_LIST, "sample(3) returned the internal list"),
        (TOO_FEW_ROWS, "after 1 row in a buffer of 8: the length of sample(3) is 1, right is 3"),
        (planted.KeepsTooLong, "row 2 is sampled, it was overwritten"),
        (TAKES_AHEAD, "after populate(3): the length is 5, right is 4"),
        (planted.HalfExtends, "after extend refused a row of another shape: the length is 6"),
        (NEWEST_FIRST, "what iteration gives, oldest first, is [2, 1], right is [1, 2]"),
        (SAMPLES_WHEN_EMPTY, "sampling an empty buffer raises nothing"),
        (FAVOURS_OLD, "after 2 rows in a buffer of 8: row 1 is drawn 0.7"),
        (BOOTSTRAPS_PAST_ENDS, "discount of the terminated row 1 is 0.9, right is 0.0"),
        (planted.SharedColumns, "batch.states and batch.last_states share memory"),
        (
            LOSES_TRUNCATED_STATE,
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


def shares(powers):
    return powers / powers.sum()


def weights_by_least_priority(self, right, chances, slots, beta):
    """Normalised by the least priority, not raised to alpha."""
    priorities = self.priorities[: len(self.rows)]
    least = priorities.min() / (priorities**self.alpha).sum()
    return (chances[slots] / least) ** -beta


def update_slot(self, right, number, priority):
    """Whichever row is in it by now."""
    self.priorities[number % self.capacity] = priority


def beta_from_the_last(self, right, frame):
    self.beta += (1 - self.beta) * min(1.0, frame / self.beta_frames)
    return self.beta


def sample_and_move_beta(self, right, n, beta=None):
    self.beta = min(1.0, self.beta * 1.01)
    return right.sample(n, beta)


def all_but_the_last(self, right):
    """Sums one row short, as an exclusive upper bound of a tree does."""
    chances = right.chances()
    chances[-1] *= len(chances) == 1
    return shares(chances)


WEIGHTS = "(N P)^-beta over its maximum, where P = p^alpha / sum of p^alpha"


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"chances": all_but_the_last}, "(the last slot) is drawn never"),
        ({"weights": weights_by_least_priority}, WEIGHTS),
        (
            {
                "weights": lambda self, right, chances, *rest: right.weights(
                    shares(self.priorities[: len(self.rows)]), *rest
                )
            },
            WEIGHTS,
        ),
        (
            {"chances": lambda self, right: shares(self.priorities[: len(self.rows)])},
            "with priorities [0.5, 4.0",
        ),
        (
            {"update_beta": beta_from_the_last},
            "is 0.4295224, right is 0.41200000000000003: it must follow from the frame alone",
        ),
        ({"sample": sample_and_move_beta}, "right is 0.404: it compounds without update_beta"),
        (
            {"update_beta": lambda self, right, frame: min(0.9, right.update_beta(frame))},
            "beta at the end is 0.9, right is 1.0",
        ),
        (
            {"newest_priority": lambda self, right: 1.0},
            "after a new row, 9, which gets the greatest priority so far",
        ),
        ({"update": update_slot}, "overwritten by row 9, and its priority updated: row 9 is drawn"),
        (
            {
                "update_priorities": lambda self, right, numbers, priorities: (
                    right.update_priorities(numbers, np.nan_to_num(priorities, nan=1.0))
                )
            },
            "update_priorities with a NaN priority raises nothing",
        ),
        (
            {
                "update_priorities": lambda self, right, numbers, priorities: [
                    right.update_priorities(np.array([number]), np.array([priority]))
                    for number, priority in zip(numbers, priorities, strict=True)
                ]
            },
            "after update_priorities refused a NaN priority: row 1 is drawn 0.3",
        ),
    ],
)
def test_wrong_prioritized_buffers(methods, words):
    found = check_prioritized(wrong(PriorityList, **methods))
    assert any(words in line for line in found), found


def test_a_buffer_without_priorities():
    found = check_prioritized(lambda source, capacity, alpha: ListBuffer(source, capacity))
    assert "no update_priorities" in found[-1]
