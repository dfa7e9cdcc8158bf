"""Validators return plain values, and name argument, value and what would be right."""

import numpy as np
import pytest

from ptan.common.checks import (
    check_above_zero,
    check_at_least,
    check_entries,
    check_finite,
    checked_callable,
    finite_array,
    number,
    saved_array,
    unit_interval,
    whole_number,
)
from refusals import INF, NAN, assert_tells, table


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (whole_number("n", np.int32(3)), 3),
        (whole_number("n", 0, least=0), 0),
        (number("x", np.float32(0.5)), 0.5),
        (unit_interval("x", np.int64(0)), 0.0),
        (finite_array("x", [1, 2], least=1).tolist(), [1.0, 2.0]),
        (finite_array("x", -3).tolist(), -3.0),
        (checked_callable("f", len), len),
        (check_at_least("x", 0.5, 0.5), None),
        (check_finite("x", -1), None),
        (check_above_zero("x", 1e-9), None),
    ],
)
def test_what_is_right_comes_back_plain(result, expected):
    assert result == expected
    assert type(result) is type(expected)


@table(
    ("whole-half", lambda: whole_number("n", 1.5), TypeError, "n", "got 1.5", "an int of at"),
    ("whole-float", lambda: whole_number("n", 2.0), TypeError, "n", "got 2.0", "an int"),
    ("whole-text", lambda: whole_number("n", "3"), TypeError, "n", "'3'", "an int"),
    ("whole-bool", lambda: whole_number("n", True), TypeError, "n", "got True", "an int"),
    ("whole-0", lambda: whole_number("n", 0), ValueError, "n", "got 0", "at least 1"),
    ("whole-least", lambda: whole_number("n", 1, least=2), ValueError, "n", "got 1", "at least 2"),
    ("whole-most", lambda: whole_number("n", 3, most=2), ValueError, "n", "got 3", "at most 2"),
    ("entries-list", lambda: check_entries([1], {"a"}), TypeError, "state", r"\[1\]", "a dict"),
    ("entries-more", lambda: check_entries({"a": 1, "b": 2}, {"a"}, "part"), ValueError, "part",
     r"got \['a', 'b'\]", r"entries \['a'\]"),
    ("saved-list", lambda: saved_array("x", [1], int, (1,)), TypeError, "x", r"\[1\]", "an array"),
    ("saved-dtype", lambda: saved_array("x", np.ones(1), int, (1,)), ValueError, "x", "got float64",
     r"int64 of shape \(1,\)"),
    ("saved-shape", lambda: saved_array("x", np.ones((3, 1)), float, (None, 2)), ValueError, "x",
     r"got float64 of shape \(3, 1\)", r"\(None, 2\)"),
    ("number-text", lambda: number("x", "1"), TypeError, "x", "'1'", "a number"),
    ("number-bool", lambda: number("x", np.True_), TypeError, "x", "True", "a number"),
    ("number-complex", lambda: number("x", 1j), TypeError, "x", "1j", "a number"),
    ("unit-above", lambda: unit_interval("x", 1.1), ValueError, "x", "got 1.1", r"\[0, 1\]"),
    ("unit-nan", lambda: unit_interval("x", NAN), ValueError, "x", "got nan", r"\[0, 1\]"),
    ("unit-none", lambda: unit_interval("x", None), TypeError, "x", "None", r"number in \[0, 1\]"),
    ("least-below", lambda: check_at_least("x", 0.4, 0.5), ValueError, "x", "0.4", "at least 0.5"),
    ("least-inf", lambda: check_at_least("x", INF, 0), ValueError, "x", "inf", "finite"),
    ("finite-nan", lambda: check_finite("x", NAN), ValueError, "x", "nan", "finite"),
    ("above-0", lambda: check_above_zero("x", 0), ValueError, "x", "got 0", "above 0"),
    ("above-nan", lambda: check_above_zero("x", NAN), ValueError, "x", "nan", "above 0"),
    ("callable-number", lambda: checked_callable("f", 3), TypeError, "f", "got 3", "callable"),
    ("array-text", lambda: finite_array("x", "a"), TypeError, "x", "'a'", "a number or an array"),
    ("array-nan", lambda: finite_array("x", [0, NAN]), ValueError, "x", "nan", "finite$|finite,"),
    ("array-below", lambda: finite_array("x", [0, -1], 0), ValueError, "x", "-1", "at least 0"),
)  # fmt: skip
def test_what_is_wrong_is_refused(case):
    assert_tells(case)
