"""What goes wrong for a reason that the user can mend."""

import difflib
from collections.abc import Iterable
from typing import Self

__all__ = ["EnvironmentFailure", "RunError", "TrainingFailure", "check_name", "nearest", "one_line"]


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


def one_line(error: BaseException) -> str:
    """The text of an exception in one line, or else its name."""
    return " ".join(str(error).split()) or type(error).__name__


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message, `"; did you mean 'a' or 'b'?"`, if there are names like it."""
    by_lower_case = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case)
    likely = " or ".join(repr(by_lower_case[known]) for known in close)
    return f"; did you mean {likely}?" if close else ""


def check_name(what: str, name: str, names: Iterable[str]) -> None:
    """Raise RunError, with what may be meant, unless a name is one of those that are known."""
    known = list(names)
    if name not in known:
        got = f", got {name!r}{nearest(name, known)}" if name else ""
        raise RunError(f"{what} must be one of {', '.join(known)}{got}")
