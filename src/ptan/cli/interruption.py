"""Ctrl-C: the first one asks to stop, the second one stops."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interruption", "interruption"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody has asked to stop."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self) -> bool:
        """True once somebody has."""
        return self._asked

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take a signal.

        Raises:
            KeyboardInterrupt: it is the second.
        """
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Take Ctrl-C and SIGTERM as requests while inside; in other threads than the main one do not.

    Yields:
        To be asked, whenever it is convenient to stop.
    """
    request = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[signal.Signals, Any] = {one: signal.signal(one, request.ask) for one in _SIGNALS}
    try:
        yield request
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
