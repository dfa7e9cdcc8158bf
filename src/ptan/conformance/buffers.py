"""Checks for replay buffers, against a plain list of rows."""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ptan.conformance.buffer_rows import (
    CAPACITY,
    check_batch,
    check_frequencies,
    check_row,
    make_row,
    row_number,
)
from ptan.conformance.environments import same
from ptan.conformance.findings import FAILED, Findings

DRAWS = 800


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
    probe = findings.attempt("make", "making the buffer", lambda: make_buffer(None, CAPACITY))
    if probe is FAILED:
        return findings.lines()
    if entrance(probe) is None or not hasattr(probe, "sample"):
        findings.add("api", "the buffer needs sample(n), and add(row), _add(row) or append(row)")
        return findings.lines()
    _check_empty(probe, findings)
    for count in (1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 3, 2 * CAPACITY):
        _check_filled(make_buffer, count, findings)
    _check_snapshot(make_buffer, findings)
    _check_populate(make_buffer, findings)
    _check_refusal(make_buffer, findings)
    return findings.lines()


def entrance(buffer: Any) -> Callable[[Any], Any] | None:
    """How single rows enter."""
    for name in ("add", "_add", "append"):
        method = getattr(buffer, name, None)
        if callable(method):
            found: Callable[[Any], Any] = method
            return found
    return None


def fill(buffer: Any, numbers: Sequence[int]) -> None:
    """Add the rows of these numbers."""
    enter = entrance(buffer)
    assert enter is not None
    for number in numbers:
        enter(make_row(number))


def sampled(buffer: Any, count: int, *settings: Any) -> Any:
    """The batch alone, also of a buffer that returns (batch, indices, weights)."""
    batch = buffer.sample(count, *settings)
    is_triple = isinstance(batch, tuple) and len(batch) == 3 and row_number(batch[0]) is None
    return batch[0] if is_triple else batch


def draw_numbers(buffer: Any, draws: int, what: str, findings: Findings) -> dict[int, int] | None:
    """How often each row was drawn; None after a finding about the batch itself."""
    counts: dict[int, int] = {}
    for _ in range(-(-draws // 100)):
        batch = findings.attempt("sample", f"{what}: sample(100)", lambda: sampled(buffer, 100))
        if batch is FAILED:
            return None
        if len(batch) != 100:
            findings.add(
                "size", f"{what}: sample(100) returned {len(batch)} rows, right are exactly 100"
            )
            return None
        for row in batch:
            number = row_number(row)
            if number is None:
                findings.add("foreign", f"{what}: sample returned what was never added: {row!r}")
                return None
            counts[number] = counts.get(number, 0) + 1
    return counts


def _check_empty(buffer: Any, findings: Findings) -> None:
    if len(buffer) != 0:
        findings.add("len", f"a new buffer has length {len(buffer)}")
    try:
        buffer.sample(1)
    except RecursionError:
        findings.add("empty", "sampling an empty buffer recurses for ever")
    except Exception:
        return
    else:
        findings.add("empty", "sampling an empty buffer raises nothing")


def _check_filled(make_buffer: Callable[[Any, int], Any], count: int, findings: Findings) -> None:
    """Length, contents, samples and columns after so many rows."""
    what = f"after {count} row{'s' * (count > 1)} in a buffer of {CAPACITY}"
    buffer = make_buffer(None, CAPACITY)
    numbers = list(range(1, count + 1))
    outcome = findings.attempt("add", f"{what}: adding", lambda: fill(buffer, numbers))
    if outcome is FAILED:
        return
    kept = numbers[-CAPACITY:]
    check_contents(buffer, kept, what, findings)
    counts = draw_numbers(buffer, DRAWS, what, findings)
    if counts is None:
        return
    gone = sorted(set(counts) - set(kept))
    if gone:
        findings.add("gone", f"{what}: row {gone[0]} is sampled, it was overwritten")
        return
    check_frequencies(counts, {n: 1 / len(kept) for n in kept}, what, findings)
    for size in (1, len(kept), len(kept) + 2):
        batch = findings.attempt(
            "sample", f"{what}: sample({size})", partial(sampled, buffer, size)
        )
        if batch is not FAILED and len(batch) != size:
            findings.add("size", f"{what}: sample({size}) returned {len(batch)} rows")
        elif batch is not FAILED:
            check_batch(batch, what, findings)


def check_contents(buffer: Any, kept: Sequence[int], what: str, findings: Findings) -> bool:
    """Length and, where it iterates, rows oldest first."""
    if len(buffer) != len(kept):
        findings.add("len", f"{what}: the length is {len(buffer)}, right is {len(kept)}")
        return False
    if not hasattr(type(buffer), "__iter__"):
        return True
    rows = findings.attempt("iterate", f"{what}: iterating", lambda: list(buffer))
    if rows is FAILED:
        return False
    found = [row_number(row) for row in rows]
    if found != list(kept):
        findings.add(
            "iterate", f"{what}: iteration gives rows {found}, right is {list(kept)}, oldest first"
        )
        return False
    for row in rows:
        check_row(row, f"{what}: iteration", findings)
    return True


def _check_snapshot(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """Later writes change no batch, and what is done to a batch changes no buffer."""
    for count in (3, CAPACITY):
        what = f"with {count} rows in a buffer of {CAPACITY}"
        buffer = make_buffer(None, CAPACITY)
        fill(buffer, range(1, count + 1))
        for size in (count - 1, count, count + 2):
            try:
                batch = sampled(buffer, size)
                fixed = copy.deepcopy(list(batch))
            except Exception:
                return  # a finding already
            if isinstance(batch, list):
                batch.append(make_row(1))
                batch.pop(0)
                kept = list(range(1, count + 1))
                if not check_contents(
                    buffer,
                    kept,
                    f"{what}: sample({size}) returned the internal list; after a "
                    "change of the batch",
                    findings,
                ):
                    return
                continue
            columns = {name: copy.deepcopy(getattr(batch, name, None)) for name in _ARRAYS}
            fill(buffer, range(count + 1, count + 1 + 2 * CAPACITY))
            changed = [name for name in _ARRAYS if not _alike(columns[name], batch, name)]
            if changed or list(map(row_number, batch)) != list(map(row_number, fixed)):
                which = f"batch.{changed[0]}" if changed else "a batch"
                text = f"{what}: {which} changed when rows were added after it was sampled"
                findings.add("snapshot", text)
                return
            _check_shared(batch, what, findings)
            buffer = make_buffer(None, CAPACITY)
            fill(buffer, range(1, count + 1))


_ARRAYS = ("states", "actions", "rewards", "dones", "discounts", "last_states")


def _alike(before: Any, batch: Any, name: str) -> bool:
    return before is None or callable(before) or same(before, getattr(batch, name))


def _check_shared(batch: Any, what: str, findings: Findings) -> None:
    arrays = [(name, getattr(batch, name, None)) for name in _ARRAYS]
    known = [(name, value) for name, value in arrays if isinstance(value, np.ndarray)]
    for i, (name, value) in enumerate(known):
        for other, another in known[i + 1 :]:
            if np.shares_memory(value, another):
                findings.add("shared", f"{what}: batch.{name} and batch.{other} share memory")


def _check_populate(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """`populate(n)` takes exactly n rows, in order."""
    taken = 0

    class Rows:
        """An endless source, iterated anew from the start."""

        def __iter__(self) -> Iterator[Any]:
            nonlocal taken
            while True:
                taken += 1
                yield make_row(taken)

    buffer = findings.attempt("make", "making the buffer", lambda: make_buffer(Rows(), CAPACITY))
    if buffer is FAILED or not hasattr(buffer, "populate"):
        return
    total = 0
    for number in (0, 1, 3, 2, CAPACITY):
        what = f"populate({number})"
        done = findings.attempt("populate", what, partial(buffer.populate, number))
        total += number
        if done is FAILED:
            return
        if taken != total:
            text = f"{what} took {taken - total + number} rows from the source"
            findings.add("populate", text)
            return
        kept = list(range(1, total + 1))[-CAPACITY:]
        if not check_contents(buffer, kept, f"after {what}", findings):
            return


def _check_refusal(make_buffer: Callable[[Any, int], Any], findings: Findings) -> None:
    """Where a row of another shape is refused, nothing changes."""
    odd = make_row(9)._replace(state=np.zeros((2, 2), np.float32))
    for name in ("add", "extend"):
        buffer = make_buffer(None, CAPACITY)
        fill(buffer, range(1, 6))
        method = getattr(buffer, name, None)
        if method is None:
            continue
        try:
            method(odd if name == "add" else [make_row(6), odd])
        except Exception:
            what = f"after {name} refused a row of another shape"
            check_contents(buffer, range(1, 6), what, findings)
