"""Findings: what a check has to say, in plain words."""

import re
from collections.abc import Callable
from typing import Any

from ptan.conformance.oracles import same

FAILED: Any = object()
"""What `Findings.attempt` returns where the call raised."""


class Findings:
    """Collects findings; of those that differ in numbers only, the first speaks for all."""

    def __init__(self) -> None:
        self.context = ""  # the settings a check runs under, put behind each finding
        self._alike: dict[str, list[str]] = {}

    def add(self, text: str) -> None:
        """Keep a finding."""
        text += f" [{self.context}]" if self.context else ""
        self._alike.setdefault(re.sub(r"[\d.]+", "", text), []).append(text)

    def expect(self, what: str, found: Any, right: Any, why: str = "") -> None:
        """A finding unless both are equal, numbers within the rounding of float32."""
        if not same(found, right, rtol=1e-5):
            self.add(f"{what} is {found}, right is {right}{why}")

    def lines(self) -> list[str]:
        """One text for each kind of finding, in the order they came up."""
        counts = [(texts[0], len(texts) - 1) for texts in self._alike.values()]
        return [f"{text} (and {n} more like it)" if n else text for text, n in counts]

    def attempt(self, what: str, call: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """The result of the call; an exception becomes a finding, and the result FAILED."""
        try:
            return call(*arguments, **settings)
        except Exception as error:
            self.add(f"{what} raised {type(error).__name__}: {error}".splitlines()[0])
            return FAILED
