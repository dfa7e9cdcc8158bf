"""Checks for replay buffers: rows that tell their number go in, and must come out as they are."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, product
from typing import Any

import numpy as np

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.oracles import same
from ptan.experience import ExperienceFirstLast

CAPACITY = 8
DRAWS = 4_000
GAMMA = 0.9
COLUMNS = {
    "states": "state",
    "actions": "action",
    "rewards": "reward",
    "last_states": "final_state",
    "dones": "terminated",
    "discounts": "discount",
    "steps": "steps",
}
"""The field of a row that each column of a batch holds."""


def check_buffer(make_buffer: Callable[[Any, int], Any]) -> list[str]:
    """Check a replay buffer: what it keeps, what it samples, and what it hands out.

        for finding in check_buffer(lambda source, capacity: MyBuffer(capacity)):
            print(finding)

    Rows enter by `add`, `_add` or `append`, whichever the buffer has, and by `populate`, if it has
    it. `sample(n)` may return a `Batch`, a list of rows, or a tuple (rows, indices, weights). Of
    the columns of a batch, and of iteration, `extend`, and the refusal of rows of another shape,
    only what there is is checked. All rows must be equally likely: give a prioritized buffer to
    `check_prioritized`.

    Args:
        make_buffer: called as `make_buffer(source, capacity)`, returns an empty buffer; `source`
            is None, or an iterable of rows to populate from.

    Returns:
        Findings in plain words, none if nothing is wrong. Rows count from 1, in order of entry.
    """
    findings = Findings()
    empty = findings.attempt("making the buffer", make_buffer, None, CAPACITY)
    if empty is FAILED:
        return findings.lines()
    if entrance(empty) is None or not hasattr(empty, "sample"):
        return ["the buffer needs sample(n), and add(row), _add(row) or append(row)"]
    if len(empty) != 0:
        findings.add("length", f"a new buffer has length {len(empty)}")
    try:
        empty.sample(1)
    except RecursionError:
        findings.add("empty", "sampling an empty buffer recurses for ever")
    except Exception:
        pass
    else:
        findings.add("empty", "sampling an empty buffer raises nothing")
    for rows in (1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 3, 2 * CAPACITY):
        what = f"after {rows} row{'s' * (rows > 1)} in a buffer of {CAPACITY}"
        buffer = findings.attempt(f"{what}: adding", filled, make_buffer, rows)
        if buffer is not FAILED:
            check_holds(buffer, even(rows), what, findings)
            for size in (1, min(rows, CAPACITY), rows + 2):
                _check_batch(buffer, size, what, findings)
    for check in (_check_snapshots, _check_populate, _check_refusals):
        findings.attempt("the buffer", check, make_buffer, findings)
    return findings.lines()


def make_row(number: int) -> ExperienceFirstLast:
    """A row that says its number (from 1) everywhere; every third one terminated or truncated."""
    after = np.full(3, number + 0.5, np.float32)
    terminated, truncated = number % 3 == 1, number % 3 == 2
    steps = 1 + number % 2
    return ExperienceFirstLast(
        np.full(3, number, np.float32),
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
    ours = state.shape == (3,) and (state == state[0]).all() and state[0] % 1 == 0
    return int(state[0]) if ours else None


def entrance(buffer: Any) -> Callable[[Any], Any] | None:
    """How single rows enter."""
    methods = [getattr(buffer, name, None) for name in ("add", "_add", "append")]
    return next((method for method in methods if callable(method)), None)


def fill(buffer: Any, numbers: Sequence[int]) -> None:
    """Add the rows of these numbers."""
    enter = entrance(buffer)
    assert enter is not None
    for number in numbers:
        enter(make_row(number))


def filled(make_buffer: Callable[[Any, int], Any], rows: int) -> Any:
    """A new buffer of the usual capacity after so many rows."""
    buffer = make_buffer(None, CAPACITY)
    fill(buffer, range(1, rows + 1))
    return buffer


def even(rows: int) -> dict[int, float]:
    """The chance of each row that is left after so many, all equal."""
    kept = range(max(0, rows - CAPACITY) + 1, rows + 1)
    return dict.fromkeys(kept, 1 / len(kept) if kept else 0.0)


def check_holds(
    buffer: Any, chances: Mapping[int, float], what: str, findings: Findings, draws: int = DRAWS
) -> None:
    """A buffer holds exactly these rows, oldest first, and draws each with its chance.

    Args:
        buffer: to look at; it iterates, or not.
        chances: by the number of the row; they sum to 1.
        what: words for the situation.
        findings: where to tell.
        draws: about how many; the chi-square test errs once in 10^9 times.
    """
    kept = list(chances)
    if len(buffer) != len(kept):
        findings.add("length", f"{what}: the length is {len(buffer)}, right is {len(kept)}")
        return
    if hasattr(type(buffer), "__iter__"):
        rows = findings.attempt(f"{what}: iterating", list, buffer)
        if rows is FAILED:
            return
        found = [row_number(row) for row in rows]
        if found != kept:
            text = f"iteration gives rows {found}, right is {kept}, oldest first"
            findings.add("iteration", f"{what}: {text}")
        for row in rows:
            _check_row(row, f"{what}: iteration", findings)
    counts = dict.fromkeys(kept, 0)
    for _ in range(draws // 100 if kept else 0):
        batch = findings.attempt(f"{what}: sample(100)", sampled, buffer, 100)
        if batch is FAILED:
            return
        if len(batch) != 100:
            text = f"sample(100) returned {len(batch)} rows, right are exactly 100"
            findings.add("size", f"{what}: {text}")
            return
        for row in batch:
            number = row_number(row)
            if number not in counts:
                why = "it was overwritten" if number else "which was never added"
                findings.add("foreign", f"{what}: row {number or row!r} is sampled, {why}")
                return
            counts[number] += 1
    total = sum(counts.values())
    expected = {number: chance * total for number, chance in chances.items()}
    off = {n: (counts[n] - right) ** 2 / right for n, right in expected.items() if right}
    spread = 2.0 / (9.0 * max(1, len(off) - 1))  # Wilson and Hilferty
    limit = max(1, len(off) - 1) * (1.0 - spread + 6.0 * math.sqrt(spread)) ** 3
    if sum(off.values()) > limit:
        never = [number for number in off if not counts[number]]
        worst = never[-1] if never else max(off, key=off.__getitem__)
        text = f"was drawn with frequency {counts[worst] / total:.3f}"
        if not counts[worst]:
            last = (worst - 1) % CAPACITY == len(kept) - 1
            text = f"{'(the last slot) ' * last}is never sampled"
        findings.add("frequency", f"{what}: row {worst} {text}, right is {chances[worst]:.3f}")


def sampled(buffer: Any, size: int) -> Any:
    """The batch alone, also of a buffer that returns (batch, indices, weights)."""
    batch = buffer.sample(size)
    is_triple = isinstance(batch, tuple) and len(batch) == 3 and row_number(batch[0]) is None
    return batch[0] if is_triple else batch


def _alike(found: Any, right: Any) -> bool:
    if found is None or right is None:
        return found is right
    one, two = np.asarray(found, np.float64), np.asarray(right, np.float64)
    return one.shape == two.shape and np.allclose(one, two, rtol=1e-5, atol=1e-6)


def _check_row(row: Any, what: str, findings: Findings) -> None:
    """A row comes back as it went in; a terminated one may have lost its final state."""
    right = make_row(row_number(row) or 0)
    for name in (*list(COLUMNS.values())[1:], "last_state", "truncated"):
        found, value = getattr(row, name, value_of := getattr(right, name)), value_of
        left_out = found is None and not name.endswith("state")
        masked = name == "final_state" and right.terminated
        if not (left_out or masked or _alike(found, value)):
            text = f"row {row_number(row)} came back with {name}={found}, it was added with {value}"
            findings.add(f"row {name}", f"{what}: {text}")


def _check_batch(buffer: Any, size: int, what: str, findings: Findings) -> None:
    """Rows and columns of one batch agree with what was added."""
    batch = findings.attempt(f"{what}: sample({size})", sampled, buffer, size)
    if batch is FAILED:
        return
    if len(batch) != size:
        findings.add("size", f"{what}: sample({size}) returned {len(batch)} rows")
    for row in batch:
        _check_row(row, f"{what}: sample", findings)
    rights = [make_row(row_number(row) or 0) for row in batch]
    for column, name in COLUMNS.items():
        values = findings.attempt(f"{what}: batch.{column}", getattr, batch, column, None)
        if values is None or values is FAILED or callable(values):
            continue
        if len(values) != len(rights):
            findings.add(column, f"{what}: batch.{column} has {len(values)} rows of {len(rights)}")
            continue
        for found, right in zip(values, rights, strict=True):
            value = getattr(right, name)
            # What stands where a row terminated is masked by the discount.
            if not (column == "last_states" and right.terminated) and not _alike(found, value):
                end = (
                    "the truncated "
                    if right.truncated
                    else "the terminated "
                    if right.terminated
                    else ""
                )
                text = f"of {end}row {row_number(right)} is {found}, right is {value}"
                findings.add(column, f"{what}: batch.{column} {text}")
                break


def _check_snapshots(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """Later writes change no batch, and what is done to a batch changes no buffer."""
    for rows, more in product((3, CAPACITY), (-1, 0, 2)):
        buffer = filled(make_buffer, rows)
        batch = sampled(buffer, rows + more)
        if isinstance(batch, list):
            batch.append(make_row(1))
            del batch[0]
            what = f"sample({rows + more}) returned the internal list; after a change of it"
            check_holds(buffer, even(rows), what, findings)
            continue
        before = copy.deepcopy(_parts(batch))
        fill(buffer, range(rows + 1, rows + 1 + 2 * CAPACITY))
        for name, value in _parts(batch).items():
            if not same(before[name], value):
                text = "changed when rows were added after it was sampled"
                findings.add("snapshot", f"with {rows} rows: {name} {text}")
        arrays = [(n, part) for n, part in _parts(batch).items() if isinstance(part, np.ndarray)]
        for (name, one), (other, two) in product(arrays, arrays):
            if name < other and np.shares_memory(one, two):
                findings.add("shared", f"with {rows} rows: {other} and {name} share memory")


def _parts(batch: Any) -> dict[str, Any]:
    """The columns of a batch and the numbers of its rows, by name."""
    parts = {f"batch.{name}": getattr(batch, name, None) for name in COLUMNS}
    columns = {name: part for name, part in parts.items() if part is not None}
    return columns | {"a row of the batch": tuple(map(row_number, batch))}


def _check_populate(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """`populate(n)` takes exactly n rows, in order."""
    numbers = count(1)
    taken = 0

    def rows() -> Iterator[Any]:
        nonlocal taken
        for number in numbers:
            taken = number
            yield make_row(number)

    buffer = make_buffer(rows(), CAPACITY)
    total = 0
    for number in (0, 1, 3, 2, CAPACITY) if hasattr(buffer, "populate") else ():
        what, total = f"populate({number})", total + number
        if findings.attempt(what, buffer.populate, number) is FAILED:
            return
        if taken != total:
            text = f"{what} took {number + taken - total} rows from the source"
            findings.add("populate", text)
            return
        check_holds(buffer, even(total), f"after {what}", findings)


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
