"""Findings: what a check has to say, in plain words."""

from collections.abc import Callable
from typing import Any

FAILED: Any = object()
"""What `Findings.attempt` returns where the call raised."""


class Findings:
    """Collects findings; of many that are alike, the first speaks for all.

    Args:
        context: words that say under which settings the check ran, put behind each finding.
    """

    def __init__(self, context: str = "") -> None:
        self.context = context
        self._first: dict[tuple[str, ...], str] = {}
        self._more: dict[tuple[str, ...], int] = {}

    def add(self, kind: str, text: str, *, group: str = "") -> None:
        """Keep a finding, or count it if the group has one of its kind already."""
        key = (group, kind)
        if key in self._first:
            self._more[key] += 1
            return
        self._first[key] = f"{text} [{self.context}]" if self.context else text
        self._more[key] = 0

    def lines(self) -> list[str]:
        """One text per kind of finding, in the order they came up."""
        return [
            f"{text} (and {self._more[key]} more like it)" if self._more[key] else text
            for key, text in self._first.items()
        ]

    def attempt(self, kind: str, what: str, call: Callable[[], Any], *, group: str = "") -> Any:
        """The result of the call; an exception becomes a finding, and the result FAILED."""
        try:
            return call()
        except Exception as error:
            self.add(kind, f"{what} raised {describe_error(error)}", group=group)
            return FAILED


def describe_error(error: Exception) -> str:
    """Class and first line of an exception."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
