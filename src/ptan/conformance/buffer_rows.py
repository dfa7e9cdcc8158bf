"""Rows that tell their number, and what must come back of them."""

import math
from typing import Any

import numpy as np

from ptan.conformance.environments import same
from ptan.conformance.findings import Findings, describe_error
from ptan.conformance.source_rows import close, number_of
from ptan.experience import ExperienceFirstLast

CAPACITY = 8
GAMMA = 0.9
OBSERVATION_SIZE = 3


def make_row(number: int) -> ExperienceFirstLast:
    """A row that says its number (from 1) everywhere; every third one terminated or truncated."""
    state = np.full(OBSERVATION_SIZE, number, np.float32)
    after = np.full(OBSERVATION_SIZE, number + 0.5, np.float32)
    terminated, truncated = number % 3 == 1, number % 3 == 2
    steps = 1 + number % 2
    return ExperienceFirstLast(
        state,
        number % 4,
        number / 4,
        None if terminated or truncated else after,
        terminated=terminated,
        truncated=truncated,
        steps=steps,
        discount=0.0 if terminated else GAMMA**steps,
        final_state=after,
    )


def row_number(row: Any) -> int | None:
    """Which row it is, None if none of ours."""
    try:
        state = np.asarray(row.state, np.float64)
    except (AttributeError, TypeError, ValueError):
        return None
    whole = state.shape == (OBSERVATION_SIZE,) and (state == state[0]).all() and state[0] % 1 == 0
    return int(state[0]) if whole else None


def chi_square_limit(degrees: int) -> float:
    """What the statistic exceeds once in 10^9 draws of a right distribution (Wilson-Hilferty)."""
    spread = 2.0 / (9.0 * degrees)
    return degrees * (1.0 - spread + 6.0 * math.sqrt(spread)) ** 3


def check_frequencies(
    found: dict[int, int], right: dict[int, float], what: str, findings: Findings
) -> None:
    """Rows were drawn as often as they should be: chi-square test.

    Args:
        found: how often each row was drawn.
        right: chance of each row; they sum to 1.
        what: words for the situation.
        findings: where to tell.
    """
    draws = sum(found.values())
    never = [n for n, chance in right.items() if not found.get(n) and chance * draws > 25]
    if never:
        in_last_slot = len(never) == 1 and (never[0] - 1) % CAPACITY == len(right) - 1
        place = " (the last slot)" if in_last_slot else ""
        words = ", ".join(map(str, never))
        findings.add("never", f"{what}: row {words}{place} is never sampled, in {draws} draws")
        return
    if len(right) < 2:
        return
    statistic = sum((found.get(n, 0) - draws * p) ** 2 / (draws * p) for n, p in right.items())
    if statistic > chi_square_limit(len(right) - 1):
        worst = max(right, key=lambda n: abs(found.get(n, 0) - draws * right[n]))
        findings.add(
            "frequency",
            f"{what}: row {worst} was drawn with frequency {found.get(worst, 0) / draws:.3f}, "
            f"right is {right[worst]:.3f}",
        )


def check_row(row: Any, what: str, findings: Findings) -> None:
    """A row comes back as it went in; a terminated one may have lost its final state."""
    number = row_number(row)
    right = make_row(number or 0)
    for name in ("action", "reward", "last_state", "terminated", "truncated", "steps", "discount"):
        if not hasattr(row, name) or (name == "terminated" and row.terminated is None):
            continue
        found, value = getattr(row, name), getattr(right, name)
        if name in ("reward", "discount") and found is not None:
            wrong = not close(found, value)
        elif name == "last_state":
            wrong = not _same_or_none(found, value)
        else:
            wrong = found is not None and number_of(found) != number_of(value)
        if wrong:
            text = f"{what}: row {number} came back with {name}={found}, it was added with {value}"
            findings.add(f"row {name}", text)
    final = getattr(row, "final_state", right.final_state)
    if not right.terminated and not _same_or_none(final, right.final_state):
        findings.add("row final_state", f"{what}: row {number} came back with final_state={final}")


def _same_or_none(found: Any, right: Any) -> bool:
    if found is None or right is None:
        return found is right
    return same(found, right)


def check_batch(batch: Any, what: str, findings: Findings) -> None:
    """Rows and columns of one batch agree with what was added."""
    rows = list(batch)
    numbers = [row_number(row) for row in rows]
    for row in rows:
        check_row(row, f"{what}: sample", findings)
    right = [make_row(number or 0) for number in numbers]
    columns: dict[str, list[Any]] = {
        "states": [row.state for row in right],
        "actions": [row.action for row in right],
        "rewards": [row.reward for row in right],
        "dones": [row.terminated for row in right],
        "discounts": [row.discount for row in right],
        "steps": [row.steps for row in right],
        "last_states": [row.final_state for row in right],
    }
    for name, values in columns.items():
        try:
            column = getattr(batch, name, None)
        except Exception as error:
            findings.add(f"column {name}", f"{what}: batch.{name} raised {describe_error(error)}")
            continue
        if column is not None and not callable(column):
            _check_column(name, column, values, right, what, findings)


def _check_column(
    name: str,
    column: Any,
    values: list[Any],
    right: list[ExperienceFirstLast],
    what: str,
    findings: Findings,
) -> None:
    found, wanted = np.asarray(column, np.float64), np.asarray(values, np.float64)
    if found.shape != wanted.shape:
        findings.add(
            f"shape {name}",
            f"{what}: batch.{name} has the shape {found.shape}, right is {wanted.shape}",
        )
        return
    for i, row in enumerate(right):
        if name == "last_states" and row.terminated:
            continue  # it is masked by the discount, whatever stands there
        if not np.allclose(found[i], wanted[i], rtol=1e-5, atol=1e-6):
            end = "the truncated " if row.truncated else "the terminated " if row.terminated else ""
            findings.add(
                f"column {name}",
                f"{what}: batch.{name} of {end}row {row_number(row)} is {found[i]}, right is "
                f"{wanted[i]}",
            )
            return
