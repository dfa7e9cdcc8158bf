"""The rows that come out of stepping environments, one after another."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TypeAlias

from ptan.common.types import SavedState, State
from ptan.experience.coding import decode
from ptan.experience.state import restored_rows, rows_state
from ptan.experience.stepper import Stepper
from ptan.experience.transitions import Transitions

Keep: TypeAlias = Callable[[Transitions | None, list[tuple[float, int, int]]], None]


def take_steps(
    stepper: Stepper, steps: int, keep: Keep, on_steps: Callable[[int], None] | None = None
) -> None:
    """Take some steps in every environment.

    Args:
        stepper: whose episodes have begun.
        steps: how many.
        keep: gets the rows that they complete, and (return, steps, rows before its end) of each
            episode that ended; after an exception, what was complete before.
        on_steps: called after each step with the number of transitions made.
    """
    interrupted = False
    try:
        if on_steps is None:
            stepper.advance(steps)
        else:
            for _ in range(steps):
                before = stepper.transitions
                stepper.advance(1)
                on_steps(stepper.transitions - before)
    except BaseException as error:
        interrupted = not isinstance(error, Exception)
        raise
    finally:
        rows, episodes, flaw = stepper.cut()
        keep(rows, [(total, int(length), int(n)) for total, length, n in episodes.tolist()])
        if flaw is not None and not interrupted:
            raise ValueError(flaw)


class Stream:
    """The rows of a stepper in order, and the episodes that they finish.

    After an exception it goes on: rows that were complete come first; if the exception left the
    environments half stepped, they are all reset. An episode is shown when the row after its last
    one is asked for.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self._shown: list[tuple[float, int]] = []
        self._drop()

    def _drop(self) -> None:
        self._rows: Transitions | None = None  # cut, and not delivered from `_next` on
        self._items: list[object] | None = None  # the same rows as objects
        self._next = 0
        # (return, steps, rows before its end) of episodes that are not shown yet
        self._episodes: deque[tuple[float, int, int]] = deque()

    def start(self) -> None:
        """Begin new episodes everywhere before the next row; what was not delivered is dropped."""
        self.show()
        self._drop()
        self.stepper.needs_reset = True

    def next_row(self) -> object:
        """The next row, as an object."""
        rows = self._ready(1)
        if self._items is None:
            self._items = decode(rows)
        item = self._items[self._next]
        self._deliver(rows, 1)
        return item

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        rows = self._ready(count)
        first, size = self._next, len(rows)
        number = min(count, size - first)
        self._deliver(rows, number)
        return rows if number == size else rows[first : first + number]

    def take_step(self) -> list[object]:
        """All rows that come next out of one step, as objects. Their episodes are shown at once."""
        rows = self._ready(1)
        rest = rows[self._next :]
        self._deliver(rows, len(rest))
        self.show()
        return decode(rest)

    def skip_step(self) -> None:
        """Take one step without its rows. Episodes wait for `show`."""
        self._step(1)
        self._rows = None

    def show(self, rows: float = inf) -> None:
        """Show the episodes that end with the first so many of the present rows."""
        while self._episodes and self._episodes[0][2] <= rows:
            self._shown.append(self._episodes.popleft()[:2])

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes shown since the last call."""
        shown, self._shown = self._shown, []
        return shown

    def _ready(self, wanted: int) -> Transitions:
        """Rows at hand, after as many steps as it takes to have one, towards `wanted`."""
        if self._episodes:
            self.show(self._next)
        while self._rows is None:
            self._step(wanted)
        return self._rows

    def _step(self, wanted: int) -> None:
        stepper, steps = self.stepper, 1
        if stepper.needs_reset:
            stepper.begin()
        if wanted > 1:
            # No more steps than are certain to be needed: each may complete one row per
            # environment, and an end completes the windows that are open.
            steps = -(-(wanted - stepper.windows.open_steps) // stepper.count)
            steps = max(1, min(steps, stepper.tape.room))
        take_steps(stepper, steps, self._keep)

    def _keep(self, rows: Transitions | None, episodes: list[tuple[float, int, int]]) -> None:
        self._rows, self._next = rows, 0
        self._episodes += episodes

    def _deliver(self, rows: Transitions, number: int) -> None:
        self._next += number
        if self._episodes:
            self.show(self._next - 1)
        if self._next == len(rows):
            self._rows = self._items = None

    def state_dict(self) -> State:
        """Everything that the rows to come depend on, see `Stepper.state_dict`."""
        rows, first = self._rows, self._next
        return {
            "stepper": self.stepper.state_dict(),
            "rows": None if rows is None else rows_state(rows[first:]),
            "episodes": [(total, steps, rows - first) for total, steps, rows in self._episodes],
            "finished": list(self._shown),
        }

    def load_state_dict(self, state: SavedState) -> None:
        """Go on where the stream was whose state it is; the state is not changed.

        Raises:
            ValueError: it is of another stream, or of other environments. Nothing is changed.
        """
        try:
            episodes = deque((total, steps, rows) for total, steps, rows in state["episodes"])
            shown = [(total, steps) for total, steps in state["finished"]]
            rows, stepper = state["rows"], state["stepper"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self.stepper.load_state_dict(stepper)
        self._drop()
        self._episodes, self._shown = episodes, shown
        if rows is not None:
            self._rows = restored_rows(rows, self.stepper.windows)
