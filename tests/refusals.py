"""A table of bad input: what is called, and what the error must tell."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest

NAN, INF = float("nan"), float("inf")


class Case(NamedTuple):
    """One row of a table.

    name      of the test
    call      what is done
    error     exactly this class is raised
    argument  regular expressions that the text matches: what is wrong,
    value     what was given,
    right     and what would be right
    """

    name: str
    call: Callable[..., Any]
    error: type[Exception]
    argument: str
    value: str
    right: str


def table(*rows: Sequence[Any]) -> pytest.MarkDecorator:
    """A parametrization over cases; two of one name are a mistake."""
    cases = [Case(*row) for row in rows]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "case names must differ"
    return pytest.mark.parametrize("case", cases, ids=names)


def assert_tells(case: Case, *arguments: Any) -> None:
    """Call it, and check that the error is of the right class and tells all three things."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - class and text are checked below
        case.call(*arguments)
    assert_text(case, caught.value)


def assert_text(case: Case, error: BaseException) -> None:
    """Check an error that was caught elsewhere."""
    assert type(error) is case.error, f"{type(error).__name__}: {error}"
    text = str(error)
    for part in (case.argument, case.value, case.right):
        assert re.search(part, text), f"{part!r} is not in {text!r}"
