"""Checks for replay buffers: rows that tell their number go in, and must come out as they are."""

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count, product
from typing import Any

import numpy as np

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.oracles import same
from ptan.experience import ExperienceFirstLast

CAPACITY = 8
DRAWS = 2_500
FIELDS = {
    "state": "states",
    "action": "actions",
    "reward": "rewards",
    "terminated": "dones",
    "discount": "discounts",
    "steps": "steps",
    "final_state": "last_states",
    "last_state": None,
    "truncated": None,
}
"""Fields of a row, and the columns of a batch that hold them."""


def check_buffer(make_buffer: Callable[[Any, int], Any]) -> list[str]:
    """Check a replay buffer: what it keeps, what it samples, and what it hands out.

        for finding in check_buffer(lambda source, capacity: MyBuffer(capacity)):
            print(finding)

    Rows enter by `add`, `_add` or `append`, whichever the buffer has, and by `populate`, if it has
    it. `sample(n)` may return a `Batch`, a list of rows, or a tuple (rows, indices, weights). Of
    the columns of a batch, and of iteration, `extend`, and the refusal of rows of another shape,
    only what there is is checked. All rows must be equally likely: give a prioritized buffer to
    `check_prioritized`. Findings count rows from 1, in order of entry.

    Args:
        make_buffer: called as `make_buffer(source, capacity)`, returns an empty buffer; `source`
            is None, or an iterable of rows to populate from.
    """
    findings = Findings()
    empty = findings.attempt("making the buffer", make_buffer, None, CAPACITY)
    if empty is FAILED:
        return findings.lines()
    if entrance(empty) is None or not hasattr(empty, "sample"):
        return ["the buffer needs sample(n), and add(row), _add(row) or append(row)"]
    findings.expect("the length of a new buffer", len(empty), 0)
    with suppress(Exception):
        empty.sample(1)
        findings.add("sampling an empty buffer raises nothing")
    for rows in (1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 3, 2 * CAPACITY):
        what = f"after {rows} row{'s' * (rows > 1)} in a buffer of {CAPACITY}"
        buffer = findings.attempt(f"{what}: adding", filled, make_buffer, rows)
        if buffer is not FAILED:
            findings.attempt(what, check_holds, buffer, even(rows), what, findings)
    for check in (_check_snapshots, _check_populate, _check_refusals):
        findings.attempt("the buffer", check, make_buffer, findings)
    return findings.lines()


def make_row(number: int) -> ExperienceFirstLast:
    """A row that says its number (from 1) everywhere; every third one terminated or truncated."""
    after = np.full(3, number + 0.5, np.float32)
    terminated, truncated, steps = number % 3 == 1, number % 3 == 2, 1 + number % 2
    return ExperienceFirstLast(
        np.full(3, number, np.float32),
        number % 4,
        number / 4,
        None if terminated or truncated else after,
        terminated=terminated,
        truncated=truncated,
        steps=steps,
        discount=0.0 if terminated else 0.9**steps,
        final_state=after,
    )


def row_number(row: Any) -> int:
    """Which row it is, 0 if none of ours."""
    try:
        number = int(row.state[0])
        return number if same(row.state, np.full(3, number)) else 0
    except (AttributeError, IndexError, TypeError, ValueError):
        return 0


def entrance(buffer: Any) -> Callable[[Any], Any] | None:
    """How single rows enter."""
    methods = (getattr(buffer, name, None) for name in ("add", "_add", "append"))
    return next(filter(callable, methods), None)


def filled(make_buffer: Callable[[Any, int], Any], rows: int) -> Any:
    """A new buffer of the usual capacity after so many rows."""
    return add_rows(make_buffer(None, CAPACITY), 0, rows)


def add_rows(buffer: Any, first: int, last: int) -> Any:
    """The buffer after the rows behind `first`, up to `last`."""
    enter = entrance(buffer)
    assert enter is not None
    for number in range(first + 1, last + 1):
        enter(make_row(number))
    return buffer


def even(rows: int) -> dict[int, float]:
    """The chance of each row that is left after so many, all equal."""
    kept = range(max(0, rows - CAPACITY) + 1, rows + 1)
    return {number: 1 / len(kept) for number in kept}


def sampled(buffer: Any, size: int) -> Any:
    """The batch alone, also of a buffer that returns (batch, indices, weights)."""
    batch = buffer.sample(size)
    triple = isinstance(batch, tuple) and len(batch) == 3 and not row_number(batch[0])
    return batch[0] if triple else batch


def check_holds(buffer: Any, chances: Mapping[int, float], what: str, findings: Findings) -> None:
    """A buffer holds exactly these rows, oldest first, as they were, and draws each by its chance.

    `chances` by the number of the row sum to 1; `what` says in words what the buffer went through.
    """
    kept, counts = list(chances), dict.fromkeys(chances, 0)
    if len(buffer) != len(kept):
        findings.expect(f"{what}: the length", len(buffer), len(kept))
        return
    rows = list(buffer) if hasattr(type(buffer), "__iter__") else [make_row(n) for n in kept]
    found = [row_number(row) for row in rows]
    findings.expect(f"{what}: what iteration gives, oldest first,", found, kept)
    _check_rows(rows, f"{what}: iteration", findings)
    for size in (1, len(kept), len(kept) + 2, *[100] * (DRAWS // 100)) if kept else ():
        batch = findings.attempt(f"{what}: sample({size})", sampled, buffer, size)
        if batch is FAILED:
            return
        if len(batch) != size:
            findings.expect(f"{what}: the length of sample({size})", len(batch), size)
            return
        for number in map(row_number, batch):
            if number not in counts:
                findings.add(f"{what}: row {number} is sampled, it was overwritten or never added")
                return
            counts[number] += 1
        if size < 100:
            _check_rows(batch, f"{what}: sample", findings)
    # A chi-square test that errs once in 10^9 (Wilson and Hilferty).
    total, degrees = max(1, sum(counts.values())), max(1, len(kept) - 1)
    off = {n: (counts[n] - total * chance) ** 2 / (total * chance) for n, chance in chances.items()}
    spread = 2.0 / (9.0 * degrees)
    if sum(off.values()) > degrees * (1.0 - spread + 6.0 * math.sqrt(spread)) ** 3:
        worst = max(off, key=lambda number: (counts[number] == 0, off[number]))
        slot = " (the last slot)" * ((worst - 1) % CAPACITY == len(kept) - 1)
        share = f"{counts[worst] / total:.3f}" if counts[worst] else "never"
        findings.add(f"{what}: row {worst}{slot} is drawn {share}, right is {chances[worst]:.3f}")


def _check_rows(rows: Any, what: str, findings: Findings) -> None:
    """Rows, and columns where there are any, say what was added.

    A field that is None says nothing, unless it is an observation; where a row terminated, its
    final state is masked by the discount.
    """
    for i, row in enumerate(rows):
        right = make_row(row_number(row))
        for name, column in FIELDS.items():
            value = getattr(right, name)
            said = {name: getattr(row, name, value)}
            values = getattr(rows, column or "", None)
            if values is not None and not callable(values):
                said[f"batch.{column}"] = values[i]
            for where, found in said.items():
                nothing = found is None and "state" not in name
                if not (nothing or (name == "final_state" and right.terminated)):
                    end = "terminated " * bool(right.terminated) + "truncated " * right.truncated
                    text = f"{what}: {where} of the {end}row {row_number(row)}"
                    findings.expect(text, found, value)


def _check_snapshots(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """Later writes change no batch, and what is done to a batch changes no buffer."""
    for rows, more in product((3, CAPACITY), (-1, 0, 2)):
        buffer = filled(make_buffer, rows)
        batch = sampled(buffer, rows + more)
        if isinstance(batch, list):
            batch[:] = [*batch[1:], make_row(1)]
            what = f"sample({rows + more}) returned the internal list; after a change of it"
            check_holds(buffer, even(rows), what, findings)
            continue
        before = copy.deepcopy(_parts(batch))
        add_rows(buffer, rows, rows + 2 * CAPACITY)
        for name, value in _parts(batch).items():
            if not same(before[name], value):
                findings.add(f"{name} changed when rows were added after it was sampled")
        arrays = [(name, a) for name, a in _parts(batch).items() if isinstance(a, np.ndarray)]
        for (name, one), (other, two) in product(arrays, arrays):
            if name < other and np.shares_memory(one, two):
                findings.add(f"{other} and {name} share memory")


def _parts(batch: Any) -> dict[str, Any]:
    """The columns of a batch and the numbers of its rows, by name."""
    columns = {f"batch.{name}": getattr(batch, name, None) for name in FIELDS.values() if name}
    return columns | {"a row of the batch": tuple(map(row_number, batch))}


def _check_populate(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """`populate(n)` takes exactly n rows, in order."""
    buffer = make_buffer(map(make_row, count(1)), CAPACITY)
    total = 0
    for number in (0, 1, 3, 2, CAPACITY) if hasattr(buffer, "populate") else ():
        buffer.populate(number)
        total += number
        check_holds(buffer, even(total), f"after populate({number})", findings)


def _check_refusals(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """Where a row of another shape is refused, nothing changes."""
    odd = make_row(9)._replace(state=np.zeros((2, 2), np.float32))
    for name, rows in (("add", odd), ("extend", [make_row(6), odd])):
        buffer = filled(make_buffer, 5)
        try:
            getattr(buffer, name, list)(rows)
        except Exception:
            what = f"after {name} refused a row of another shape"
            check_holds(buffer, even(5), what, findings)
