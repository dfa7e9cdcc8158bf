"""What goes wrong for a reason that the user can mend."""

import difflib
from collections.abc import Iterable
from typing import Self

__all__ = ["EnvironmentFailure", "RunError", "TrainingFailure", "nearest"]


class RunError(Exception):
    """A request that cannot be met; the text is one line that says what would be right."""

    status = 2
    """Exit status of a program that ends with it."""


class TrainingFailure(RunError):  # noqa: N818
    """What was under way raised, whatever it was; the cause is the exception itself."""

    status = 1

    @classmethod
    def of(cls, error: BaseException, what: str) -> Self:
        """One line of an exception and its notes, which name environment and step."""
        notes = ", ".join(getattr(error, "__notes__", ()))
        where = f" ({notes})" if notes else ""
        reason = " ".join(str(error).split())
        kind = "" if isinstance(error, ValueError) and reason else f"{type(error).__name__}: "
        return cls(f"{what}{where}: {kind}{reason}".rstrip(": "))


class EnvironmentFailure(TrainingFailure):
    """An environment raised, or answered with what nothing can be learned from."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> str:
    """The end of an error message, `"; did you mean 'a' or 'b'?"`, if there are names like it."""
    by_lower_case = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, count, 0.6)
    if not close:
        return ""
    return f"; did you mean {' or '.join(repr(by_lower_case[known]) for known in close)}?"
