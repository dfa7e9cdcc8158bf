"""The rows that come out of stepping environments, one after another."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from ptan.experience.coding import decode
from ptan.experience.state import restored_rows, rows_state
from ptan.experience.stepper import Stepper
from ptan.experience.transitions import Transitions


class Stream:
    """The rows of a stepper in order, and the episodes that they finish.

    After an exception it goes on: rows that were complete come first; if the exception left the
    environments half stepped, they are all reset.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self._finished: list[tuple[float, int]] = []
        self._drop()

    def _drop(self) -> None:
        self._rows: Transitions | None = None  # cut, and not delivered from `_next` on
        self._next = 0
        self._items: list[Any] | None = None  # the same rows as objects
        self._cut = 0  # rows cut so far
        # (rows that come before its end, return, steps) of episodes that are not shown yet
        self._episodes: deque[tuple[int, float, int]] = deque()

    def start(self) -> None:
        """Begin new episodes everywhere before the next row; what was not delivered is dropped."""
        self._show(self._cut)
        self._drop()
        self.stepper.needs_reset = True

    # Rows. An episode is shown when the row after its last one is asked for.

    def next_row(self) -> Any:
        """The next row, as an object."""
        rows = self._ready(1)
        if self._items is None:
            self._items = decode(rows)
        item = self._items[self._next]
        self._deliver(1)
        return item

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        rows = self._ready(count)
        first, size = self._next, len(rows)
        number = min(count, size - first)
        self._deliver(number)
        return rows if number == size else rows[first : first + number]

    def take_step(self) -> list[Any]:
        """All rows that come next out of one step, as objects. Their episodes are shown at once."""
        while (rows := self.advance()) is None:
            pass
        return decode(rows)

    def advance(self) -> Transitions | None:
        """Take one step in every environment; the rows that are complete now.

        Rows that an exception left behind come alone, without a step. Episodes are shown at once.
        """
        if self._rows is None:
            self._step(1)
        rows = self._rows
        if rows is not None:
            rows = rows[self._next :]
            self._deliver(len(rows))
        self._show(self._cut)
        return rows

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes shown since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def _ready(self, wanted: int) -> Transitions:
        """Rows at hand, after as many steps as it takes to have one, towards `wanted`."""
        if self._episodes:
            self._show(self._delivered)
        while self._rows is None:
            self._step(wanted)
        return self._rows

    def _step(self, wanted: int) -> None:
        """Steps towards some rows; what they complete is kept, also after an exception."""
        stepper = self.stepper
        if stepper.needs_reset:
            stepper.begin()
        # No more steps than are certain to be needed: each may complete one row per environment,
        # and an end completes the windows that are open.
        steps = -(-(wanted - stepper.windows.open_steps) // stepper.count)
        interrupted = False
        try:
            stepper.advance(max(1, min(steps, stepper.tape.room)))
        except BaseException as error:
            interrupted = not isinstance(error, Exception)
            raise
        finally:
            self._rows, episodes, flaw = stepper.cut()
            for total, length, rows in episodes.tolist():
                self._episodes.append((self._cut + int(rows), total, int(length)))
            if self._rows is not None:
                self._cut += len(self._rows)
            if flaw is not None and not interrupted:
                raise ValueError(flaw)

    @property
    def _delivered(self) -> int:
        return self._cut - (0 if self._rows is None else len(self._rows) - self._next)

    def _deliver(self, number: int) -> None:
        assert self._rows is not None
        self._next += number
        if self._next == len(self._rows):
            self._rows = self._items = None
            self._next = 0
        if self._episodes:
            self._show(self._delivered - 1)

    def _show(self, rows: int) -> None:
        """Show the episodes whose last row is among the first so many."""
        while self._episodes and self._episodes[0][0] <= rows:
            self._finished.append(self._episodes.popleft()[1:])

    # State.

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rows to come depend on, see `Stepper.state_dict`."""
        rows, delivered = self._rows, self._delivered
        return {
            "stepper": self.stepper.state_dict(),
            "rows": None if rows is None else rows_state(rows[self._next :]),
            "episodes": [(rows - delivered, *episode) for rows, *episode in self._episodes],
            "finished": list(self._finished),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the stream was whose state it is; the state is not changed.

        Raises:
            ValueError: it is of another stream, or of other environments. Nothing is changed.
        """
        try:
            episodes = deque((rows, total, steps) for rows, total, steps in state["episodes"])
            finished = [(total, steps) for total, steps in state["finished"]]
            rows, stepper = state["rows"], state["stepper"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self.stepper.load_state_dict(stepper)
        self._drop()
        self._episodes, self._finished = episodes, finished
        if rows is not None:
            self._rows = restored_rows(rows, self.stepper.windows)
            self._cut = len(self._rows)
