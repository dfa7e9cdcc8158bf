"""Checks for replay buffers: rows that tell their number go in, and must come out as they are."""

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, count
from typing import Any, TypeAlias

import numpy as np

from ptan.common.types import Array
from ptan.conformance.findings import different, guarded, report, same
from ptan.experience import ExperienceFirstLast

Buffer: TypeAlias = Any
Rows: TypeAlias = Any  # a sequence of rows, with columns or without
Make: TypeAlias = Callable[[], Buffer]
FULL = 8  # capacity of the buffers
PRIORITIES = (0.5, 4.0, 1.0, 2.0, 0.7, 3.0, 1.5, 2.5)
COLUMNS = ("states", "actions", "rewards", "dones", "discounts", "steps", "last_states")
HELD = ("state", "action", "reward", "terminated", "discount", "steps", "final_state")


def check_buffer(make_buffer: Callable[[Any, int], Buffer]) -> list[str]:
    """Check a replay buffer: what it keeps, what it samples, and what it hands out.

    Rows enter by `add`, and by `populate`, if the buffer has it. `sample(n)` may return a `Batch`,
    a list of rows, or a tuple (rows, indices, weights). Columns of a batch, iteration, `extend`,
    and the refusal of rows of another shape are checked where there are any. All rows must be
    equally likely: see also `check_prioritized`. Findings count rows from 1.

    Args:
        make_buffer: called as `make_buffer(source, capacity)`, returns an empty buffer; `source`
            is None, or an iterable of rows to populate from.
    """
    return report(guarded("making or filling the buffer", _check_uniform(make_buffer)))


def check_prioritized(
    make_buffer: Callable[[Any, int, float], Buffer], *, alpha: float = 0.6
) -> list[str]:
    """Check a prioritized buffer: frequencies, weights, β and updates of Schaul et al. (2016).

    All that `check_buffer` looks for comes first. `sample(n, beta)` must return (batch, indices,
    weights), and `update_priorities(indices, priorities)` take these indices. The weights are
    (N · P)^-β, over their maximum in the batch or in the buffer; new rows get the greatest
    priority so far. `update_beta(frame)`, if there is one, goes on a straight line to 1.
    `make_buffer(source, capacity, alpha)` returns an empty buffer.
    """
    found = check_buffer(lambda source, capacity: make_buffer(source, capacity, alpha))
    new = partial(make_buffer, None, FULL, alpha)
    return found + report(guarded("making the buffer", _check_priorities(new, alpha)))


def _check_uniform(make_buffer: Callable[[Any, int], Buffer]) -> Iterator[str]:
    new = partial(make_buffer, None, FULL)
    empty = new()
    if not (hasattr(empty, "sample") and hasattr(empty, "add")):
        yield "the buffer needs sample(n) and add(row)"
        return
    yield from different("the length of a new buffer", len(empty), 0)
    if not _refuses(empty.sample, 1):
        yield "sampling an empty buffer raises nothing"
    for rows in (1, 2, FULL - 1, FULL, FULL + 3, 2 * FULL):
        what = f"after {rows} row{'s' * (rows > 1)} in a buffer of {FULL}"
        yield from guarded(what, _check_holds(_add_rows(new(), rows), rows, what))
    for check in (_check_snapshots(new), _check_entrances(make_buffer, new)):
        yield from guarded("the buffer", check)


def _make_row(number: int) -> ExperienceFirstLast:
    """A row that says its number (from 1) everywhere; every third one terminated or truncated."""
    state, after = np.full((2, 3), [[number], [number + 0.5]], np.float32)
    terminated, truncated, steps = number % 3 == 1, number % 3 == 2, 1 + number % 2
    last_state = None if terminated or truncated else after
    return ExperienceFirstLast(
        *(state, number % 4, number / 4, last_state),
        terminated=terminated,
        truncated=truncated,
        steps=steps,
        discount=0.0 if terminated else 0.9**steps,
        final_state=after,
    )


def _row_number(row: Any) -> int:
    """Which row it is, 0 if none of ours."""
    state = np.ravel(getattr(row, "state", 0))
    known = state.dtype.kind in "biuf" and same(state, np.full(3, state[0]))
    return int(state[0]) if known else 0


def _add_rows(buffer: Buffer, rows: int = FULL, after: int = 0) -> Buffer:
    """The buffer after so many more rows."""
    for number in range(after + 1, after + rows + 1):
        buffer.add(_make_row(number))
    return buffer


def _chances(priorities: Sequence[float], alpha: float, first: int = 1) -> dict[int, float]:
    """The chance of each row to be drawn, by its number."""
    powers = np.asarray(priorities, np.float64) ** alpha
    return dict(enumerate((powers / powers.sum()).tolist(), start=first))


def _sample(buffer: Buffer, size: int) -> Rows:
    """The batch alone, also of a buffer that returns (batch, indices, weights)."""
    batch = buffer.sample(size)
    triple = isinstance(batch, tuple) and len(batch) == 3 and not _row_number(batch[0])
    return batch[0] if triple else batch


def _check_holds(
    buffer: Buffer, rows: int, what: str, chances: Mapping[int, float] | None = None
) -> Iterator[str]:
    """After so many rows the buffer holds the newest, as they were, and draws each by its chance.

    All are equal unless `chances` by the number of the row say otherwise; `what` says in words what
    the buffer went through.
    """
    kept, counts = [*range(max(0, rows - FULL) + 1, rows + 1)], Counter[int]()
    chances = chances or dict.fromkeys(kept, 1.0 / max(1, len(kept)))
    if len(buffer) != len(kept):
        yield from different(f"{what}: the length", len(buffer), len(kept))
        return
    if hasattr(type(buffer), "__iter__"):
        found = [_row_number(row) for row in buffer]
        yield from different(f"{what}: what iteration gives, oldest first,", found, kept)
        yield from _compare(list(buffer), f"{what}: iteration")
    for size in (1, len(kept), len(kept) + 2, *[100] * 25) if kept else ():
        batch = _sample(buffer, size)
        if len(batch) != size:
            yield from different(f"{what}: the length of sample({size})", len(batch), size)
            return
        counts.update(map(_row_number, batch))
        for number in counts.keys() - chances.keys():
            yield f"{what}: row {number} is sampled, it was overwritten or never added"
            return
        if size < 100:
            yield from _compare(batch, f"{what}: sample")
    # A chi-square test that errs once in 10^9 (Wilson and Hilferty).
    total, degrees = max(1, counts.total()), max(1, len(kept) - 1)
    off = {n: (counts[n] - total * chance) ** 2 / (total * chance) for n, chance in chances.items()}
    spread = 2.0 / (9.0 * degrees)
    if sum(off.values()) > degrees * (1.0 - spread + 6.0 * math.sqrt(spread)) ** 3:
        worst = max(off, key=lambda number: (counts[number] == 0, off[number]))
        slot = " (the last slot)" * ((worst - 1) % FULL == len(kept) - 1)
        share = f"{counts[worst] / total:.3f}" if counts[worst] else "never"
        yield f"{what}: row {worst}{slot} is drawn {share}, right is {chances[worst]:.3f}"


def _compare(rows: Rows, what: str) -> Iterator[str]:
    """Rows, and columns where there are any, say what was added; None, unless a state, nothing."""
    columns = [(c, field) for c, field in zip(COLUMNS, HELD, strict=True) if hasattr(rows, c)]
    for i, row in enumerate(rows):
        right = _make_row(number := _row_number(row))
        end = "terminated " * bool(right.terminated) + "truncated " * right.truncated
        fields = (name for name in (*HELD, "last_state", "truncated") if hasattr(row, name))
        told = [(name, name, getattr(row, name)) for name in fields]
        told += [(f"batch.{c}", field, getattr(rows, c)[i]) for c, field in columns]
        for where, name, found in told:
            masked = name == "final_state" and right.terminated  # by the discount
            if not masked and (found is not None or "state" in name):
                text = f"{what}: {where} of the {end}row {number}"
                yield from different(text, found, getattr(right, name))


def _check_snapshots(new: Make) -> Iterator[str]:
    """Later writes change no batch, and what is done to a batch changes no buffer."""

    def parts(batch: Rows) -> dict[str, tuple[int, ...] | Array | None]:
        columns = {f"batch.{name}": getattr(batch, name, None) for name in sorted(COLUMNS)}
        return {"a row of the batch": tuple(map(_row_number, batch))} | columns

    for rows, size in ((3, 2), (3, 3), (3, 5), (FULL, FULL - 1), (FULL, FULL), (FULL, FULL + 2)):
        buffer = _add_rows(new(), rows)
        batch = _sample(buffer, size)
        if isinstance(batch, list):
            batch[:] = [*batch[1:], _make_row(1)]
            what = f"sample({size}) returned the internal list; after a change of it"
            yield from _check_holds(buffer, rows, what)
            continue
        before = copy.deepcopy(parts(batch))
        _add_rows(buffer, 2 * FULL, after=rows)
        for name, value in parts(batch).items():
            if not same(before[name], value):
                yield f"{name} changed when rows were added after it was sampled"
        arrays = {name: a for name, a in parts(batch).items() if isinstance(a, np.ndarray)}
        for one, two in combinations(arrays, 2):
            if np.shares_memory(arrays[one], arrays[two]):
                yield f"{two} and {one} share memory"


def _check_entrances(make_buffer: Callable[[Any, int], Buffer], new: Make) -> Iterator[str]:
    """`populate(n)` takes exactly n rows; a row of another shape, if refused, changes nothing."""
    buffer, total = make_buffer(map(_make_row, count(1)), FULL), 0
    for number in (0, 1, 3, 2, FULL) if hasattr(buffer, "populate") else ():
        buffer.populate(number)
        total += number
        yield from _check_holds(buffer, total, f"after populate({number})")
    odd = _make_row(9)._replace(state=np.zeros((2, 2), np.float32))
    for name, rows in (("add", odd), ("extend", [_make_row(6), odd])):
        buffer = _add_rows(new(), 5)
        if _refuses(getattr(buffer, name, list), rows):
            yield from _check_holds(buffer, 5, f"after {name} refused a row of another shape")


def _refuses(call: Callable[..., object], *arguments: object) -> bool:
    try:
        call(*arguments)
    except Exception:
        return True
    return False


def _check_priorities(new: Make, alpha: float) -> Iterator[str]:
    if not hasattr(new(), "update_priorities"):
        yield "the buffer has no update_priorities(indices, priorities)"
        return
    for check in (_check_draws(new, alpha), _check_beta(new, alpha), _check_updates(new)):
        yield from guarded("the prioritized buffer", check)


def _indices(buffer: Buffer) -> dict[int, int]:
    """The index of every row, by its number."""
    batch, indices, _ = buffer.sample(100 * FULL, 0.5)
    return dict(zip(map(_row_number, batch), np.asarray(indices).tolist(), strict=True))


def _prioritized(new: Make) -> Buffer:
    """A full buffer whose rows have the priorities of `PRIORITIES`."""
    indices = _indices(buffer := _add_rows(new()))
    priorities = [PRIORITIES[number - 1] for number in indices]
    buffer.update_priorities(np.array(list(indices.values())), np.array(priorities))
    return buffer


def _check_draws(new: Make, alpha: float) -> Iterator[str]:
    """Rows are drawn in proportion to priority^α; a new one has the greatest priority seen."""
    buffer = _prioritized(new)
    what = f"with priorities {list(PRIORITIES)} and alpha={alpha}"
    yield from _check_holds(buffer, FULL, what, _chances(PRIORITIES, alpha))
    for beta in (0.0, 0.4, 1.0):
        yield from _check_weights(buffer.sample(100 * FULL, beta), alpha, beta)
    _add_rows(buffer, 1, after=FULL)
    chances = _chances([*PRIORITIES[1:], max(PRIORITIES)], alpha, first=2)
    what = f"after a new row, {FULL + 1}, which gets the greatest priority so far"
    yield from _check_holds(buffer, FULL + 1, what, chances)


def _check_weights(sample: tuple[Rows, Array, Array], alpha: float, beta: float) -> Iterator[str]:
    batch, _, weights = sample
    chances = _chances(PRIORITIES, alpha)
    why = ": (N P)^-beta over its maximum, where P = p^alpha / sum of p^alpha"
    for number, weight in dict(zip(map(_row_number, batch), weights, strict=True)).items():
        right = (min(chances.values()) / chances[number]) ** beta
        yield from different(f"beta={beta}: the weight of row {number}", weight, right, why)


def _check_beta(new: Make, alpha: float) -> Iterator[str]:
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
    yield from different("beta after sampling 20 times", float(buffer.beta), before, why)
    high, middle, again, start = map(beta_at, (20, 10, 20, 0))
    why = ": it must follow from the frame alone"
    yield from different("update_beta(20) after other frames", again, high, why)
    yield from _check_weights(buffer.sample(100 * FULL), alpha, start)
    if high < 1.0:
        yield from different("beta halfway on a straight line", middle, (start + high) / 2)
    yield from different("beta at the end", beta_at(10**12), 1.0)


def _check_updates(new: Make) -> Iterator[str]:
    """Updates of overwritten rows hit no other row; bad updates raise and change nothing."""
    indices = _indices(buffer := _add_rows(new()))
    _add_rows(buffer, after=FULL)
    # To refuse is as good as to skip.
    _refuses(buffer.update_priorities, np.array([indices[1]]), np.array([0.01]))
    what = f"row 1 was sampled, overwritten by row {FULL + 1}, and its priority updated"
    yield from _check_holds(buffer, 2 * FULL, what)
    for words, index, *priority in (
        ("a NaN priority", indices[2], math.nan),
        ("an infinite priority", indices[2], math.inf),
        ("a priority of 0", indices[2], 0.0),
        ("a negative priority", indices[2], -1.0),
        ("two indices and one priority", indices[2]),
        ("an index never sampled", 10 * FULL, 1.0),
        ("a negative index", -1, 1.0),
    ):
        _indices(buffer := _add_rows(new()))
        bad = np.array([indices[1], index]), np.array([9.0, *priority])
        if _refuses(buffer.update_priorities, *bad):
            yield from _check_holds(buffer, FULL, f"after update_priorities refused {words}")
        else:
            yield f"update_priorities with {words} raises nothing"
