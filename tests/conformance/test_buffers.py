"""Wrong buffers are found, and the finding says what is wrong."""

import numpy as np
import pytest

from ptan.conformance import check_buffer, check_prioritized
from ptan.experience import Batch

from .planted import BatchBuffer, ListBuffer, PriorityList, changed


def buffer(base=ListBuffer, **methods):
    return changed(base, **methods)


def draw_another(self, right, count):
    """Draws again until it is another row than the newest."""
    return right.sample(count) if len(self.rows) > 1 else self.sample(count)


def keep_too_long(self, right, row):
    """Overwrites one slot only."""
    if len(self.rows) == self.capacity:
        self.end = self.capacity
    right.add(row)


def extend_by_half(self, right, rows):
    """Refuses rows of another shape, after the ones before them went in."""
    for row in rows:
        if np.shape(row.state) != (3,):
            raise ValueError("shape")
        self.add(row)


def one_array(self, right, count):
    batch = right.sample(count)
    batch.last_states = batch.states
    return batch


def write_through(self, right, row):
    self.__dict__.setdefault("table", np.zeros((self.capacity, 3), np.float32))
    self.table[self.end % self.capacity] = row.state
    right.add(row)


def view_of_all(self, right, count):
    """Samples a view of its table when the whole buffer is asked for."""
    if count != len(self):
        return right.sample(count)
    batch = Batch.from_rows(self.rows)
    batch.states = self.table[:count]
    return batch


LOSES_TRUNCATED_STATE = buffer(
    BatchBuffer,
    add=lambda self, right, row: right.add(
        row._replace(final_state=row.state if row.truncated else row.final_state)
    ),
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (buffer(sample=lambda self, right, n: self.picked(
            self.rng.integers(max(1, len(self.rows) - 1), size=n))),
         "(the last slot) is drawn never"),
        (buffer(sample=draw_another), "after 1 row in a buffer of 8 raised RecursionError"),
        (buffer(sample=lambda self, right, n: self.rows if len(self) == n else right.sample(n)),
         "sample(3) returned the internal list"),
        (buffer(sample=lambda self, right, n: right.sample(n)[: max(1, len(self))]),
         "after 1 row in a buffer of 8: the length of sample(3) is 1, right is 3"),
        (buffer(add=keep_too_long), "row 2 is sampled, it was overwritten"),
        (buffer(populate=lambda self, right, n: right.populate(n + (n > 1))),
         "after populate(3): the length is 5, right is 4"),
        (buffer(extend=extend_by_half),
         "after extend refused a row of another shape: the length is 6"),
        (buffer(__iter__=lambda self, right: reversed([*right.__iter__()])),
         "what iteration gives, oldest first, is [2, 1], right is [1, 2]"),
        (buffer(sample=lambda self, right, n: right.sample(n) if self.rows else []),
         "sampling an empty buffer raises nothing"),
        (buffer(sample=lambda self, right, n: self.picked(
            np.minimum(*self.rng.integers(len(self.rows), size=(2, n))))),
         "after 2 rows in a buffer of 8: row 1 is drawn 0.7"),
        (buffer(BatchBuffer, add=lambda self, right, row: right.add(row._replace(discount=0.9))),
         "discount of the terminated row 1 is 0.9, right is 0.0"),
        (buffer(BatchBuffer, sample=one_array), "batch.states and batch.last_states share memory"),
        (LOSES_TRUNCATED_STATE,
         "batch.last_states of the truncated row 2 is [2. 2. 2.], right is [2.5 2.5 2.5]"),
        (buffer(BatchBuffer, add=write_through, sample=view_of_all),
         "batch.states changed when rows were added after it was sampled"),
        (lambda source, capacity: [], "needs sample(n)"),
        (lambda source, capacity: 1 / 0, "raised ZeroDivisionError"),
    ],
)  # fmt: skip
def test_wrong_buffers(make, words):
    found = check_buffer(make)
    assert any(words in line for line in found), found


def weights_by_least_priority(self, right, chances, slots, beta):
    """Normalised by the least priority, not raised to alpha."""
    least = self.priorities[: len(self)].min() / self.powers().sum()
    return (chances[slots] / least) ** -beta


def weights_without_alpha(self, right, chances, slots, beta):
    priorities = self.priorities[: len(self)]
    return right.weights(priorities / priorities.sum(), slots, beta)


def all_but_the_last(self, right):
    """Sums one row short, as an exclusive upper bound of a tree does."""
    powers = right.powers()
    powers[-1] *= len(powers) == 1
    return powers


def beta_from_the_last(self, right, frame):
    self.beta += (1 - self.beta) * min(1.0, frame / self.beta_frames)
    return self.beta


def sample_and_move_beta(self, right, n, beta=None):
    self.beta = min(1.0, self.beta * 1.01)
    return right.sample(n, beta)


def update_slot(self, right, number, priority):
    """Whichever row is in it by now."""
    self.priorities[number % self.capacity] = priority


def update_one_by_one(self, right, numbers, priorities):
    for number, priority in zip(numbers, priorities, strict=True):
        right.update_priorities(np.array([number]), np.array([priority]))


WEIGHTS = "(N P)^-beta over its maximum, where P = p^alpha / sum of p^alpha"


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"powers": all_but_the_last}, "(the last slot) is drawn never"),
        ({"weights": weights_by_least_priority}, WEIGHTS),
        ({"weights": weights_without_alpha}, WEIGHTS),
        ({"powers": lambda self, right: self.priorities[: len(self)]}, "with priorities [0.5, 4.0"),
        ({"update_beta": beta_from_the_last},
         "is 0.4295224, right is 0.41200000000000003: it must follow from the frame alone"),
        ({"sample": sample_and_move_beta}, "right is 0.404: it compounds without update_beta"),
        ({"update_beta": lambda self, right, frame: min(0.9, right.update_beta(frame))},
         "beta at the end is 0.9, right is 1.0"),
        ({"newest_priority": lambda self, right: 1.0},
         "after a new row, 9, which gets the greatest priority so far"),
        ({"update": update_slot}, "overwritten by row 9, and its priority updated: row 9 is drawn"),
        ({"update_priorities": lambda self, right, numbers, priorities: right.update_priorities(
            numbers, np.nan_to_num(priorities, nan=1.0))},
         "update_priorities with a NaN priority raises nothing"),
        ({"update_priorities": update_one_by_one},
         "after update_priorities refused a NaN priority: row 1 is drawn 0.3"),
    ],
)  # fmt: skip
def test_wrong_prioritized_buffers(methods, words):
    found = check_prioritized(changed(PriorityList, **methods))
    assert any(words in line for line in found), found


def test_a_buffer_without_priorities():
    found = check_prioritized(lambda source, capacity, alpha: ListBuffer(source, capacity))
    assert "no update_priorities" in found[-1]
