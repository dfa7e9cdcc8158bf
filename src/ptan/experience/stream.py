"""What all sources share: finished episodes, and iterators of which the newest is alive."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

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
