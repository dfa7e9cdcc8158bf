"""One run through a source's environments: an iterator over rows, or over chunks of them."""

from collections import deque
from typing import Any, Protocol

from ptan.experience.coding import decode
from ptan.experience.stepping import Stepper
from ptan.experience.transitions import Transitions, TransitionStream

FinishedEpisodes = list[tuple[float, int]]


class Seated(Protocol):
    """A stream that lives until a newer one of the same source begins."""

    seated: bool

    def close(self) -> None:
        """Hand over what is left: a newer stream takes the place."""

    def progress(self) -> dict[str, Any]:
        """What the items to come depend on, beside the environments."""

    def go_on(self, progress: dict[str, Any]) -> None:
        """Go on where another stream was; from a fresh start if nothing is said."""


class Seat:
    """Which stream of a source is the newest one that began."""

    def __init__(self) -> None:
        self.holder: Seated | None = None
        self._waiting: dict[str, Any] = {}  # where the stream goes on that begins next

    def claim(self, stream: Seated) -> None:
        """Put a stream that begins in the place of the one before; nothing if it is there.

        Raises:
            RuntimeError: it had the place, and a newer one took it.
        """
        if self.holder is stream:
            return
        if stream.seated:
            raise RuntimeError(
                "this iterator is out of date: its source was iterated anew, which starts "
                "everything afresh"
            )
        if self.holder is not None:
            self.holder.close()
        stream.seated = True
        self.holder = stream
        waiting, self._waiting = self._waiting, {}
        if waiting:
            stream.go_on(waiting)

    def progress(self) -> dict[str, Any]:
        """Where the newest stream is, or the one that begins next will go on."""
        return self._waiting if self.holder is None else self.holder.progress()

    def go_on(self, progress: dict[str, Any]) -> None:
        """Let the newest stream go on there; where there is none yet, the one that begins next."""
        if self.holder is None:
            self._waiting = progress
        else:
            self.holder.go_on(progress)


class Stream(TransitionStream):
    """The rows of a source from a fresh start on.

    After an exception it goes on: rows that were complete come first; if the exception left the
    environments half stepped, they are all reset.

    Args:
        stepper: the environments and the agent.
        finished: list that receives (return, steps) of finished episodes, each when the row after
            its last one is asked for.
        seat: held by the stream of the source that began last; the others are out of date.
    """

    def __init__(self, stepper: Stepper, finished: FinishedEpisodes, seat: Seat) -> None:
        self._stepper = stepper
        self._finished = finished
        self._seat = seat
        self.seated = False
        self.go_on({})

    def progress(self) -> dict[str, Any]:
        """What the rows to come depend on, beside the environments and the tape."""
        return {
            "begun": self._begun,
            "rows": None if self._rows is None else self._rows[self._next :],
            "cut": self._cut,
            "asked": self._asked,
            "episodes": list(self._episodes),
        }

    def go_on(self, progress: dict[str, Any]) -> None:
        """Go on where another stream was; from a fresh start if nothing is said."""
        self._begun = progress.get("begun", False)
        # Cut and not yet delivered from `_next` on.
        self._rows: Transitions | None = progress.get("rows")
        self._next = 0
        self._items: list[Any] | None = None  # the same as objects
        self._cut = progress.get("cut", 0)  # rows cut so far
        self._asked = progress.get("asked", 0)  # rows asked for so far
        self._episodes: deque[tuple[int, float, int]] = deque(progress.get("episodes", ()))

    def __next__(self) -> Any:
        rows = self._ready(1)
        if self._items is None:
            self._items = decode(rows)
        item = self._items[self._next]
        self._deliver(1)
        return item

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows as columns, valid until the next call."""
        rows = self._ready(count)
        begin, size = self._next, len(rows)
        number = min(count, size - begin)
        self._deliver(number)
        return rows if number == size else rows[begin : begin + number]

    def take_step(self) -> list[Any]:
        """All rows that come next out of one step of the environments, as objects."""
        rows = self._ready(1)
        items = (self._items or decode(rows))[self._next :]
        self._deliver(len(items))
        return items

    def close(self) -> None:
        """Hand over the episodes that nobody asked beyond: a newer stream takes the place."""
        self._asked = self._cut + 1
        self._publish()

    def _deliver(self, number: int) -> None:
        rows = self._rows
        assert rows is not None
        self._next += number
        left = len(rows) - self._next
        self._asked = self._cut - left
        if not left:
            self._rows = self._items = None
            self._next = 0
        self._publish()

    def _ready(self, wanted: int) -> Transitions:
        """Rows at hand, after as many steps as it takes to have one, towards `wanted`."""
        if self._seat.holder is not self:
            self._seat.claim(self)
        if self._episodes and self._rows is None:
            self._asked = self._cut + 1
            self._publish()
        while self._rows is None:
            self._advance(wanted)
        return self._rows

    def _advance(self, wanted: int) -> None:
        stepper = self._stepper
        tape = stepper.tape
        try:
            if not self._begun or stepper.torn or tape is None:
                tape = stepper.begin()
                self._begun = True
            # No more steps than are certain to be needed: each may complete one row per
            # environment, and an end completes the windows that are open.
            steps = -(-(wanted - tape.open_steps) // stepper.count)
            stepper.advance(max(1, min(steps, tape.room)))
        except BaseException as error:
            if self._begun and tape is not None:
                self._settle(error)
            raise
        self._settle(None)

    def _settle(self, cause: BaseException | None) -> None:
        """Cut the rows of the steps taken."""
        stepper, tape = self._stepper, self._stepper.tape
        assert tape is not None
        flaw = tape.first_flaw() if stepper.check_finite else None
        self._rows, episodes = tape.cut_rows()
        self._next = 0
        for total, steps, rows in episodes.tolist():
            self._episodes.append((self._cut + int(rows), total, int(steps)))
        if self._rows is not None:
            self._cut += len(self._rows)
        if self._episodes:
            self._publish()
        if flaw is not None:
            stepper.torn = True
            raise ValueError(flaw) from cause

    def _publish(self) -> None:
        """Show the episodes whose last row lies before the newest one asked for."""
        while self._episodes and self._episodes[0][0] < self._asked:
            self._finished.append(self._episodes.popleft()[1:])
