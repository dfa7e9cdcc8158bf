"""Checks for prioritized replay buffers (Schaul et al. 2016)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from ptan.conformance.buffers import (
    CAPACITY,
    add_rows,
    check_buffer,
    check_holds,
    even,
    filled,
    row_number,
)
from ptan.conformance.findings import Findings

PRIORITIES = (0.5, 4.0, 1.0, 2.0, 0.7, 3.0, 1.5, 2.5)
Make = Callable[[], Any]


def check_prioritized(
    make_buffer: Callable[[Any, int, float], Any], *, alpha: float = 0.6
) -> list[str]:
    """Check a prioritized buffer: frequencies, importance weights, β, and updates.

        for finding in check_prioritized(lambda source, capacity, alpha: MyBuffer(capacity, alpha)):
            print(finding)

    All that `check_buffer` looks for comes first. `sample(n, beta)` must return (batch, indices,
    weights), and `update_priorities(indices, priorities)` take these indices. The weights are
    (N · P)^-β, over their maximum in the batch or in the buffer; new rows get the greatest
    priority so far. `update_beta(frame)`, if there is one, goes on a straight line to 1.

    Args:
        make_buffer: called as `make_buffer(source, capacity, alpha)`, returns an empty buffer.
        alpha: how much priorities matter, above 0.
    """

    def make(source: Any, capacity: int) -> Any:
        return make_buffer(source, capacity, alpha)

    found, findings = check_buffer(make), Findings()
    probe = findings.attempt("making the buffer", make, None, CAPACITY)
    if not hasattr(probe, "update_priorities"):
        return [*found, "the buffer has no update_priorities(indices, priorities)"]
    for check in (_check_draws, _check_beta, _check_updates):
        new = partial(filled, make, CAPACITY)
        findings.attempt("the prioritized buffer", check, new, alpha, findings)
    return [*found, *findings.lines()]


def _indices(buffer: Any) -> dict[int, Any]:
    """The index of every row, by its number."""
    batch, indices, _ = buffer.sample(100 * CAPACITY, 0.5)
    return dict(zip(map(row_number, batch), np.asarray(indices), strict=True))


def _prioritized(new: Make) -> Any:
    """A full buffer whose rows have the priorities of `PRIORITIES`."""
    buffer = new()
    indices = _indices(buffer)
    priorities = [PRIORITIES[number - 1] for number in indices]
    buffer.update_priorities(np.array(list(indices.values())), np.array(priorities))
    return buffer


def _chances(priorities: Sequence[float], alpha: float, first: int = 1) -> dict[int, float]:
    powers = np.asarray(priorities, np.float64) ** alpha
    return dict(enumerate((powers / powers.sum()).tolist(), start=first))


def _check_draws(new: Make, alpha: float, findings: Findings) -> None:
    """Rows are drawn in proportion to priority^α; a new one has the greatest priority seen."""
    buffer = _prioritized(new)
    what = f"with priorities {list(PRIORITIES)} and alpha={alpha}"
    check_holds(buffer, _chances(PRIORITIES, alpha), what, findings)
    for beta in (0.0, 0.4, 1.0):
        _check_weights(buffer.sample(100 * CAPACITY, beta), alpha, beta, findings)
    add_rows(buffer, CAPACITY, CAPACITY + 1)
    priorities = [*PRIORITIES[1:], max(PRIORITIES)]
    what = f"after a new row, {CAPACITY + 1}, which gets the greatest priority so far"
    check_holds(buffer, _chances(priorities, alpha, first=2), what, findings)


def _check_weights(sample: Any, alpha: float, beta: float, findings: Findings) -> None:
    batch, _, weights = sample
    chances = _chances(PRIORITIES, alpha)
    why = ": (N P)^-beta over its maximum, where P = p^alpha / sum of p^alpha"
    for number, weight in dict(zip(map(row_number, batch), weights, strict=True)).items():
        right = (min(chances.values()) / chances[number]) ** beta
        findings.expect(f"beta={beta}: the weight of row {number}", weight, right, why)


def _check_beta(new: Make, alpha: float, findings: Findings) -> None:
    """β depends on the frame alone, not on sampling, and reaches 1 on a straight line."""
    buffer = _prioritized(new)
    if not (hasattr(buffer, "update_beta") and hasattr(buffer, "beta")):
        return

    def beta_at(frame: int) -> float:
        told = buffer.update_beta(frame)
        return float(buffer.beta if told is None else told)

    before = float(buffer.beta)
    for _ in range(20):
        buffer.sample(4)
    why = ": it compounds without update_beta"
    findings.expect("beta after sampling 20 times", float(buffer.beta), before, why)
    high, middle, again, start = (beta_at(frame) for frame in (20, 10, 20, 0))
    why = ": it must follow from the frame alone"
    findings.expect("update_beta(20) after other frames", again, high, why)
    _check_weights(buffer.sample(100 * CAPACITY), alpha, start, findings)
    if high < 1.0:
        findings.expect("beta halfway on a straight line", middle, (start + high) / 2)
    findings.expect("beta at the end", beta_at(10**12), 1.0)


def _check_updates(new: Make, _: float, findings: Findings) -> None:
    """Updates of overwritten rows hit no other row; bad updates raise and change nothing."""
    buffer = new()
    indices = _indices(buffer)
    add_rows(buffer, CAPACITY, 2 * CAPACITY)
    with suppress(ValueError, IndexError, KeyError):  # refusing is as good as skipping
        buffer.update_priorities(np.array([indices[1]]), np.array([0.01]))
    what = f"row 1 was sampled, overwritten by row {CAPACITY + 1}, and its priority updated"
    check_holds(buffer, even(2 * CAPACITY), what, findings)
    for words, index, *priority in (
        ("a NaN priority", indices[2], float("nan")),
        ("an infinite priority", indices[2], float("inf")),
        ("a priority of 0", indices[2], 0.0),
        ("a negative priority", indices[2], -1.0),
        ("two indices and one priority", indices[2]),
        ("an index never sampled", 10 * CAPACITY, 1.0),
        ("a negative index", -1, 1.0),
    ):
        buffer = new()
        _indices(buffer)
        try:
            buffer.update_priorities(np.array([indices[1], index]), np.array([9.0, *priority]))
        except Exception:
            what = f"after update_priorities refused {words}"
            check_holds(buffer, even(CAPACITY), what, findings)
        else:
            findings.add(f"update_priorities with {words} raises nothing")
