"""The rows that come out of stepping environments, one after another.

* `Stream`: rows and finished episodes of a stepper
* `Runs`, `SourceIterator`, `RowIterator`: iterators of sources, of which the newest is alive
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from ptan.experience.coding import decode
from ptan.experience.state import restored_rows, rows_state
from ptan.experience.stepper import Stepper
from ptan.experience.transitions import Transitions, TransitionStream

T = TypeVar("T")


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

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere now, with new seeds."""
        self.start()
        self.stepper.restart(env_seed)

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
        while (rows := self.advance(1)) is None:
            pass
        return decode(rows)

    def advance(self, steps: int) -> Transitions | None:
        """Take exactly so many steps in every environment.

        Rows that an exception left behind come alone, before any step is taken.

        Args:
            steps: at most `stepper.tape.room`, which is at least 16.

        Returns:
            The rows that are complete now, valid until the next call; None where there are none.
            Their episodes are shown at once.
        """
        if self._rows is None:
            self._step(steps)
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
            self._step(0, wanted=wanted)
        return self._rows

    def _step(self, steps: int, *, wanted: int = 0) -> None:
        """Some steps, and the rows that they complete, also where an exception cut them off."""
        stepper = self.stepper
        if stepper.needs_reset:
            stepper.begin()
        if wanted:
            # No more steps than are certain to be needed: each may complete one row per
            # environment, and an end completes the windows that are open.
            steps = -(-(wanted - stepper.windows.open_steps) // stepper.count)
            steps = max(1, min(steps, stepper.tape.room))
        try:
            stepper.advance(steps)
        finally:
            flaw = stepper.first_flaw()
            self._rows, episodes = stepper.cut()
            for total, length, rows in episodes.tolist():
                self._episodes.append((self._cut + int(rows), total, int(length)))
            if self._rows is not None:
                self._cut += len(self._rows)
            if flaw is not None:
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


class Runs:
    """The iterators of one source: one that begins calls `start`, and ends those before it."""

    def __init__(self, start: Callable[[], None]) -> None:
        self.newest: object = None
        self._start = start
        self._resumed = False

    def enter(self, iterator: "SourceIterator[Any]") -> None:
        """Let an iterator begin, or go on; RuntimeError if another one began after it."""
        if self.newest is iterator:
            return
        if iterator.begun:
            raise RuntimeError(
                "this iterator is out of date: its source was iterated anew, which starts "
                "everything afresh"
            )
        iterator.begun, self.newest = True, iterator
        if not self._resumed:
            self._start()
        self._resumed = False

    def resume(self) -> None:
        """Let the newest iterator go on after a state was loaded; if there is none, the first."""
        self._resumed = self.newest is None


class SourceIterator(Iterator[T], Generic[T]):
    """An iterator of a source: its place among the others, and what gives the next item."""

    def __init__(self, runs: Runs, next_item: Callable[[], T]) -> None:
        self.begun = False
        self._runs = runs
        self._next_item = next_item

    def __next__(self) -> T:
        if self._runs.newest is not self:
            self._runs.enter(self)
        return self._next_item()


class RowIterator(SourceIterator[Any], TransitionStream):
    """An iterator over the rows of a stream, which also gives them as columns."""

    def __init__(self, runs: Runs, stream: Stream) -> None:
        super().__init__(runs, stream.next_row)
        self._stream = stream

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        self._runs.enter(self)
        return self._stream.take(count)
