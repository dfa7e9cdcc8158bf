"""Checks for prioritized replay buffers (Schaul et al. 2016)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from ptan.conformance.buffer_rows import CAPACITY, check_frequencies, row_number
from ptan.conformance.buffers import check_buffer, draw_numbers, fill
from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.source_rows import close

PRIORITIES = (0.5, 4.0, 1.0, 2.0, 0.7, 3.0, 1.5, 2.5)
DRAWS = 4000
Make = Callable[[Any, int, float], Any]


def check_prioritized(make_buffer: Make, *, alpha: float = 0.6) -> list[str]:
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

    Returns:
        Findings in plain words, none if nothing is wrong. Rows count from 1, in order of entry.
    """
    found = check_buffer(lambda source, capacity: make_buffer(source, capacity, alpha))
    findings = Findings()
    probe = findings.attempt("make", "making the buffer", lambda: _full(make_buffer, alpha))
    if probe is FAILED:
        return found or findings.lines()
    if not hasattr(probe, "update_priorities"):
        return [*found, "the buffer has no update_priorities(indices, priorities)"]
    for check in (
        _check_draws,
        _check_weights,
        _check_new_rows,
        _check_beta,
        _check_compounding,
        _check_stale,
        _check_refusals,
    ):
        name = check.__name__.removeprefix("_check_").replace("_", " ")
        findings.attempt(name, f"the check of {name}", partial(check, make_buffer, alpha, findings))
    return [*found, *findings.lines()]


def _full(make_buffer: Make, alpha: float) -> Any:
    buffer = make_buffer(None, CAPACITY, alpha)
    fill(buffer, range(1, CAPACITY + 1))
    return buffer


def _indices(buffer: Any) -> dict[int, Any]:
    """The index of every row, by its number."""
    batch, indices, _ = buffer.sample(100 * CAPACITY, 0.5)
    return {row_number(row) or 0: i for row, i in zip(batch, np.asarray(indices), strict=True)}


def _prioritized(make_buffer: Make, alpha: float) -> Any:
    """A full buffer whose rows have the priorities of `PRIORITIES`."""
    buffer = _full(make_buffer, alpha)
    _set(buffer, dict(enumerate(PRIORITIES, start=1)))
    return buffer


def _set(buffer: Any, priorities: dict[int, float]) -> None:
    indices = _indices(buffer)
    known = [number for number in priorities if number in indices]
    buffer.update_priorities(
        np.array([indices[number] for number in known]),
        np.array([priorities[number] for number in known]),
    )


def _chances(priorities: Sequence[float], alpha: float, first: int = 1) -> dict[int, float]:
    powers = np.asarray(priorities, np.float64) ** alpha
    return dict(enumerate((powers / powers.sum()).tolist(), start=first))


def _check_draws(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """Rows are drawn in proportion to priority^α, the last slot too."""
    buffer = _prioritized(make_buffer, alpha)
    what = f"with priorities {list(PRIORITIES)} and alpha={alpha}"
    counts = draw_numbers(buffer, DRAWS, what, findings)
    if counts is not None:
        check_frequencies(counts, _chances(PRIORITIES, alpha), what, findings)


def _weights_by_row(buffer: Any, *beta: float) -> tuple[dict[int, float], int]:
    """The weight of every row in one big batch, and the number of rows it belongs to."""
    batch, _, weights = buffer.sample(100 * CAPACITY, *beta)
    numbers = [row_number(row) or 0 for row in batch]
    return dict(zip(numbers, np.asarray(weights, np.float64).tolist(), strict=True)), len(batch)


def _check_weights(make_buffer: Make, alpha: float, findings: Findings) -> None:
    buffer = _prioritized(make_buffer, alpha)
    chances = _chances(PRIORITIES, alpha)
    for beta in (0.0, 0.4, 1.0):
        _compare_weights(_weights_by_row(buffer, beta)[0], chances, beta, findings)


def _compare_weights(
    weights: dict[int, float], chances: dict[int, float], beta: float, findings: Findings
) -> None:
    """Ratios of weights first, then their greatest, which is 1."""
    rarest = min(weights, key=lambda number: chances[number])
    for number, weight in weights.items():
        right = (chances[rarest] / chances[number]) ** beta
        found = weight / weights[rarest]
        if not abs(found - right) < 1e-3 * right:
            findings.add(
                "weights",
                f"beta={beta}: the weight of row {number} is {found:.4f} times that of row "
                f"{rarest}, right is {right:.4f}: (N P)^-beta with P = p^alpha / sum of p^alpha",
            )
            return
    top = max(weights.values())
    if not close(top, 1.0):
        findings.add(
            "greatest weight",
            f"beta={beta}: the greatest weight is {top:.4f}, right is 1; the least priority of all "
            "must be raised to alpha as well",
        )


def _check_new_rows(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """A new row gets the greatest priority seen."""
    buffer = _prioritized(make_buffer, alpha)
    fill(buffer, [CAPACITY + 1])
    priorities = [*PRIORITIES[1:], max(PRIORITIES)]
    what = f"after a new row, {CAPACITY + 1}, which gets the greatest priority so far"
    counts = draw_numbers(buffer, DRAWS, what, findings)
    if counts is not None:
        check_frequencies(counts, _chances(priorities, alpha, first=2), what, findings)


def _check_beta(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """`update_beta` depends on the frame alone, and reaches 1 on a straight line."""
    buffer = _prioritized(make_buffer, alpha)
    update = getattr(buffer, "update_beta", None)
    if update is None:
        return

    def beta_at(frame: int) -> float:
        told = update(frame)
        return float(buffer.beta if told is None else told)

    first, low = beta_at(20), beta_at(10)
    if not (close(beta_at(10), low) and close(beta_at(20), first)):
        findings.add(
            "beta compounds",
            f"update_beta(20) gave {first:.6f} and then {beta_at(20):.6f}: beta compounds from "
            "call to call, it must follow from the frame alone",
        )
        return
    start, middle = beta_at(0), beta_at(10)
    if first < 1.0 and not close(first - middle, middle - start):
        text = f"beta is {start:.6f}, {middle:.6f}, {first:.6f} at frames 0, 10, 20: no straight "
        findings.add("beta line", f"{text}line")
    if not close(beta_at(10**12), 1.0):
        findings.add("beta end", f"beta ends at {beta_at(10**12):.6f}, right is 1")
    beta_at(0)
    _compare_weights(_weights_by_row(buffer)[0], _chances(PRIORITIES, alpha), start, findings)


def _check_compounding(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """Sampling as such does not move β."""
    buffer = _prioritized(make_buffer, alpha)
    if not hasattr(buffer, "update_beta") or not hasattr(buffer, "beta"):
        return
    before = float(buffer.beta)
    for _ in range(20):
        buffer.sample(4)
    if not close(buffer.beta, before):
        text = f"beta went from {before:.6f} to {buffer.beta:.6f} by sampling 20 times, without "
        findings.add("beta compounds", f"{text}update_beta")


def _check_stale(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """An update for a row that was overwritten meanwhile does not hit the row in its place."""
    buffer = _full(make_buffer, alpha)
    old = _indices(buffer)
    following = list(range(CAPACITY + 1, 2 * CAPACITY + 1))
    fill(buffer, following)
    with suppress(ValueError, IndexError, KeyError):  # refusing is as good as skipping
        buffer.update_priorities(np.array([old[1]]), np.array([0.01]))
    trial = Findings()
    counts = draw_numbers(buffer, DRAWS, "", trial)
    if counts is not None:
        check_frequencies(counts, dict.fromkeys(following, 1 / CAPACITY), "", trial)
    if trial.lines():
        findings.add(
            "stale",
            f"row 1 was sampled, overwritten by row {CAPACITY + 1}, and then updated: its new "
            "priority went to the row in its place",
        )


def _check_refusals(make_buffer: Make, alpha: float, findings: Findings) -> None:
    """Bad updates raise and change nothing."""
    good = _indices(_full(make_buffer, alpha))
    one, two = good[1], good[2]
    bad: list[tuple[str, list[Any], list[float]]] = [
        ("a NaN priority", [one, two], [9.0, float("nan")]),
        ("an infinite priority", [one, two], [9.0, float("inf")]),
        ("a priority of 0", [one, two], [9.0, 0.0]),
        ("a negative priority", [one, two], [9.0, -1.0]),
        ("two indices and one priority", [one, two], [9.0]),
        ("an index never sampled", [one, 10 * CAPACITY], [9.0, 1.0]),
        ("a negative index", [one, -1], [9.0, 1.0]),
    ]
    for words, indices, priorities in bad:
        buffer = _full(make_buffer, alpha)
        _indices(buffer)
        try:
            buffer.update_priorities(np.array(indices), np.array(priorities))
        except Exception:
            trial = Findings()
            counts = draw_numbers(buffer, DRAWS, "", trial)
            if counts is not None:
                even = dict.fromkeys(range(1, CAPACITY + 1), 1 / CAPACITY)
                check_frequencies(counts, even, "", trial)
            if trial.lines():
                text = f"update_priorities with {words} raised, but had changed a priority already"
                findings.add(f"half {words}", text)
        else:
            findings.add(words, f"update_priorities with {words} raises nothing")
