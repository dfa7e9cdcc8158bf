"""What all sources share: iterators, rows in order, finished episodes."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from typing import Any, Generic, TypeVar

from ptan.actions.policy import Agent
from ptan.experience.coding import decode
from ptan.experience.stepper import EndedEpisode, Stepper
from ptan.experience.transitions import Transitions, TransitionStream

T = TypeVar("T")


class Source(ABC):
    """What all sources share: finished episodes, and iterators of which the newest is alive."""

    _newest: "SourceIterator[Any] | None" = None

    def _start(self) -> None:  # noqa: B027 - some have nothing to start
        """Start everything afresh, for an iterator that begins."""

    def pop_total_rewards(self) -> list[float]:
        """Undiscounted returns of the episodes finished since the last call.

        It is the raw game's return where a wrapper clips rewards (`info["raw_reward"]`); of vector
        rewards, the sum of all parts.
        """
        return [total for total, _ in self.pop_rewards_steps()]

    @abstractmethod
    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes finished since the last call.

        An episode appears when the item after its last one is asked for; of lists of rows,
        together with the list that holds its last row.
        """


class SourceIterator(Iterator[T], Generic[T]):
    """An iterator of a source, of which `next_item` gives the items."""

    def __init__(self, source: Source, next_item: Callable[[], T]) -> None:
        self._source = source
        self._next_item = next_item
        self._begun = False

    def __next__(self) -> T:
        if self._source._newest is not self:
            self._enter()
        return self._next_item()

    def _enter(self) -> None:
        """Begin; RuntimeError if another iterator began after this one."""
        if self._begun:
            raise RuntimeError(
                "this iterator is out of date: its source was iterated anew, which starts "
                "everything afresh"
            )
        self._begun, self._source._newest = True, self
        self._source._start()


class RowIterator(SourceIterator[Any], TransitionStream):
    """An iterator over the rows of a source, which also gives them as columns."""

    def __init__(self, source: "SteppedSource") -> None:
        super().__init__(source, source._next_row)
        self._take = source._take

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        if self._source._newest is not self:
            self._enter()
        return self._take(count)


class SteppedSource(Source):
    """The rows of a stepper in order, and the episodes that they finish.

    After an exception it goes on: rows that were complete come first; if the exception left the
    environments half stepped, they are all reset.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._shown: list[tuple[float, int]] = []
        self._drop()

    @property
    def agent(self) -> Agent:
        """Who acts; another agent acts from the next step on."""
        agent: Agent = self._stepper.agent
        return agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._stepper.agent = agent

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        shown, self._shown = self._shown, []
        return shown

    def _drop(self) -> None:
        self._rows: Transitions | None = None  # cut, and not delivered from `_next` on
        self._items: list[object] | None = None  # the same rows as objects
        self._next = 0
        self._episodes: deque[EndedEpisode] = deque()  # not shown yet

    def _start(self) -> None:
        self._show()
        self._drop()
        self._stepper.needs_reset = True

    # Deliveries.

    def _next_row(self) -> object:
        rows = self._ready(1)
        if self._items is None:
            self._items = decode(rows)
        item = self._items[self._next]
        self._deliver(rows, 1)
        return item

    def _take(self, count: int) -> Transitions:
        rows = self._ready(count)
        first, size = self._next, len(rows)
        number = min(count, size - first)
        self._deliver(rows, number)
        return rows if number == size else rows[first : first + number]

    def _take_step(self) -> list[object]:
        """All rows that come next out of one step. Their episodes are shown at once."""
        rows = self._ready(1)
        rest = rows[self._next :]
        self._deliver(rows, len(rest))
        self._show()
        return decode(rest)

    def _deliver(self, rows: Transitions, number: int) -> None:
        self._next += number
        if self._episodes:
            self._show(self._next - 1)
        if self._next == len(rows):
            self._rows = self._items = None

    def _show(self, rows: float = inf) -> None:
        """Show the episodes that end with the first so many of the present rows."""
        while self._episodes and self._episodes[0][2] <= rows:
            self._shown.append(self._episodes.popleft()[:2])

    # Steps.

    def _ready(self, wanted: int) -> Transitions:
        """Rows at hand, after as many steps as it takes to have one, towards `wanted`."""
        if self._episodes:
            self._show(self._next)
        while self._rows is None:
            self._step(wanted)
        return self._rows

    def _step(self, wanted: int) -> None:
        stepper, steps = self._stepper, 1
        if stepper.needs_reset:
            stepper.begin()
        if wanted > 1:
            # No more steps than are certain to be needed: each may complete one row per
            # environment, and an end completes the windows that are open.
            steps = -(-(wanted - stepper.windows.open_steps) // stepper.count)
            steps = max(1, min(steps, stepper.tape.room))
        stepper.step_and_cut(steps, self._keep)

    def _keep(self, rows: Transitions | None, episodes: list[EndedEpisode]) -> None:
        self._rows, self._next = rows, 0
        self._episodes += episodes
