"""Findings: what a check has to say, in plain words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FAILED: Any = object()
"""What `Findings.attempt` returns where the call raised."""


@dataclass
class Findings:
    """Collects findings; of several of one kind in a group, the first speaks for all.

    Args:
        context: the settings that the check runs under, put behind each finding.
        group: set it where equal kinds shall be told again.
    """

    context: str = ""
    group: str = ""
    _texts: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, kind: str, text: str) -> None:
        """Keep a finding."""
        told = f"{text} [{self.context}]" if self.context else text
        self._texts.setdefault((self.group, kind), []).append(told)

    def lines(self) -> list[str]:
        """One text per kind of finding, in the order they came up."""
        counts = [(texts[0], len(texts) - 1) for texts in self._texts.values()]
        return [f"{text} (and {n} more like it)" if n else text for text, n in counts]

    def attempt(self, what: str, call: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """The result of the call; an exception becomes a finding, and the result FAILED."""
        try:
            return call(*arguments, **settings)
        except Exception as error:
            self.add(what, f"{what} raised {type(error).__name__}: {error}".splitlines()[0])
            return FAILED
