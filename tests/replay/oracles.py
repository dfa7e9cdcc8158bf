"""What replay must do, said once more in plain Python: a list of rows, and columns made from it."""

import copy
import math
import struct
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import scipy.stats

from ptan.experience import Experience


def is_steps(item: Any) -> bool:
    """Whether the item is a tuple of steps, as `ExperienceSource` yields them."""
    return isinstance(item, tuple) and len(item) > 0 and isinstance(item[0], Experience)


def same(a: Any, b: Any) -> bool:
    """Equal to the byte, with the same structure, shapes and dtypes."""
    if isinstance(a, dict):
        return isinstance(b, dict) and set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        alike = isinstance(b, np.ndarray) and (a.dtype, a.shape) == (b.dtype, b.shape)
        return alike and a.tobytes() == b.tobytes()
    if isinstance(a, (float, np.floating)):
        return isinstance(b, (float, np.floating)) and struct.pack("d", a) == struct.pack("d", b)
    return a is b if a is None or b is None else np.ndim(b) == 0 and bool(a == b)


def is_terminated(row: Any) -> bool:
    if row.terminated is not None:
        return bool(row.terminated)
    ended = row.done if isinstance(row, Experience) else row.last_state is None
    return bool(ended) and not row.truncated


def next_observation(row: Any, following: Any = None) -> Any:
    """The state to bootstrap from; the row's own where there is none."""
    if is_terminated(row):
        return row.state
    if row.final_state is not None:
        return row.final_state
    if not isinstance(row, Experience):
        return row.last_state
    return row.state if following is None else following.state


def discount_of(row: Any, gamma: float | None) -> float | None:
    if row.discount is not None:
        return float(row.discount)
    if is_terminated(row):
        return 0.0
    return None if gamma is None else gamma**row.steps


def added_fields(row: Any) -> list[str]:
    own = {"state", "action", "reward", "done", "last_state"}
    kept = {"terminated", "truncated", "steps", "discount", "final_state"}
    return [field.name for field in fields(row) if field.name not in own | kept]


def row_difference(got: Any, given: Any, gamma: float | None = None) -> str | None:
    """The first field in which a row that came back differs from the one that was put in."""
    if is_steps(given):
        if not isinstance(got, tuple) or len(got) != len(given):
            return f"expected {len(given)} steps, got {got!r}"
        found = (row_difference(g, x, gamma) for g, x in zip(got, given, strict=True))
        return next((f"step {i}: {d}" for i, d in enumerate(found) if d), None)
    if not hasattr(given, "final_state"):
        return None if type(got) is type(given) and got == given else f"{got!r} for {given!r}"
    if type(got) is not type(given):
        return f"class {type(got).__name__} for {type(given).__name__}"
    checks = {
        "state": same(got.state, given.state) and _same_python_type(got.state, given.state),
        "action": same(got.action, given.action) and _same_python_type(got.action, given.action),
        "reward": np.array_equal(got.reward, given.reward),  # the dtype may be wider
        "terminated": is_terminated(got) is is_terminated(given),
        "truncated": got.truncated is bool(given.truncated),
        "steps": type(got.steps) is int and got.steps == given.steps,
        "discount": _same_discount(discount_of(got, gamma), discount_of(given, gamma)),
        "final_state": _same_final(got, given),
    }
    if isinstance(given, Experience):
        checks["done"] = got.done is bool(given.done)
    else:
        checks["last_state"] = same(got.last_state, given.last_state)
    for name in added_fields(given):
        checks[name] = same(getattr(got, name), getattr(given, name))
    wrong = next((name for name, ok in checks.items() if not ok), None)
    if wrong is None:
        return None
    return f"{wrong}: got {getattr(got, wrong)!r} for {getattr(given, wrong)!r}"


def _same_python_type(got: Any, given: Any) -> bool:
    return type(got) is type(given) or isinstance(given, np.ndarray | dict | tuple)


def _same_discount(got: float | None, wanted: float | None) -> bool:
    if wanted is None or got is None:
        return got is wanted
    return math.isclose(got, wanted, rel_tol=1e-15, abs_tol=0.0)


def _same_final(got: Any, given: Any) -> bool:
    if is_terminated(given):
        return got.final_state is None or same(got.final_state, given.final_state)
    if given.final_state is None and isinstance(given, Experience):
        return True  # A step made by hand that does not say where it led.
    return same(next_observation(got), next_observation(given))


def assert_rows(got: Any, given: Any, gamma: float | None = None) -> None:
    """Two sequences of rows are the same, to the byte."""
    got, given = list(got), list(given)
    assert len(got) == len(given)
    for i, (a, b) in enumerate(zip(got, given, strict=True)):
        difference = row_difference(a, b, gamma)
        assert difference is None, f"row {i}: {difference}"


# Columns.


def stacked(values: list[Any]) -> Any:
    """Observations on top of one another, leaf by leaf."""
    if isinstance(values[0], dict):
        return {key: stacked([v[key] for v in values]) for key in values[0]}
    if isinstance(values[0], tuple):
        return tuple(stacked(list(leaf)) for leaf in zip(*values, strict=True))
    return np.stack([np.asarray(v) for v in values])


def zeros_like(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: zeros_like(leaf) for key, leaf in value.items()}
    if isinstance(value, tuple):
        return tuple(zeros_like(leaf) for leaf in value)
    return np.zeros_like(np.asarray(value))


def columns(rows: Any, gamma: float | None = None, length: int | None = None) -> dict[str, Any]:
    """The columns a batch of these rows must have; `length` is that of the padded steps."""
    rows = list(rows)
    if not is_steps(rows[0]):
        cells = [_cells(row, gamma) for row in rows]
        return {name: _column(name, [c[name] for c in cells]) for name in _known(cells)}
    longest = max(len(row) for row in rows)
    padded = [_padded(row, gamma, length or longest) for row in rows]
    return {
        name: _column(name, [stacked([c[name] for c in cells]) for cells in padded])
        for name in _known([cell for cells in padded for cell in cells])
    } | {"lengths": np.array([len(row) for row in rows])}


def _known(cells: list[dict[str, Any]]) -> list[str]:
    """The columns that every row can fill: not the discounts if one of them is unknown."""
    return [name for name in cells[0] if all(name in cell for cell in cells)]


def _cells(row: Any, gamma: float | None, following: Any = None) -> dict[str, Any]:
    discount = discount_of(row, gamma)
    return {
        "states": row.state,
        "actions": row.action,
        "rewards": row.reward,
        "last_states": next_observation(row, following),
        "dones": is_terminated(row),
        "steps": row.steps,
        **({} if discount is None else {"discounts": discount}),
        **{name: getattr(row, name) for name in added_fields(row)},
    }


def _padded(steps: Any, gamma: float | None, length: int) -> list[dict[str, Any]]:
    following = [*steps[1:], None]
    cells = [_cells(row, gamma, after) for row, after in zip(steps, following, strict=True)]
    padding = {name: zeros_like(value) for name, value in cells[0].items()}
    return cells + [padding] * (length - len(steps))


DTYPES = {"rewards": np.float32, "discounts": np.float32, "dones": np.bool_, "steps": np.int64}


def _column(name: str, values: list[Any]) -> Any:
    column = stacked(values)
    return column.astype(DTYPES[name]) if name in DTYPES else column


def assert_columns(
    batch: Any, rows: Any, gamma: float | None = None, length: int | None = None
) -> None:
    """The batch's columns are those of the rows, with their dtypes and shapes."""
    for name, wanted in columns(rows, gamma, length).items():
        got = getattr(batch, name)
        if name == "lengths":
            assert np.array_equal(got, wanted), name
        else:
            assert same(got, wanted), f"{name}: got {got!r} for {wanted!r}"


def arrays_of(batch: Any, names: Any) -> list[np.ndarray]:
    """Every array in these columns, nested ones leaf by leaf."""
    return [array for name in names for array in _leaves(getattr(batch, name))]


def _leaves(value: Any) -> list[np.ndarray]:
    """Every array in an observation, a row or a tuple of rows."""
    if isinstance(value, np.ndarray):
        return [value]
    if hasattr(value, "__dataclass_fields__"):
        value = vars(value)
    parts = value.values() if isinstance(value, dict) else value
    nested = isinstance(value, (dict, tuple))
    return [array for part in parts for array in _leaves(part)] if nested else []


# The buffer.


@dataclass
class PlainBuffer:
    """A replay buffer as a list: the newest `capacity` rows, numbered from the first ever added."""

    capacity: int
    rows: list[Any] = field(default_factory=list)
    added: int = 0
    longest: int = 0

    def extend(self, rows: Any) -> None:
        for row in rows:
            self.rows.append(row)
            self.added += 1
            if is_steps(row):
                self.longest = max(self.longest, len(row))
        del self.rows[: -self.capacity]

    @property
    def first(self) -> int:
        return self.added - len(self.rows)

    def numbered(self, number: int) -> Any:
        assert self.first <= number < self.added
        return self.rows[number - self.first]

    def slots(self) -> list[Any]:
        """The rows in the order of their slots."""
        numbers = sorted(range(self.first, self.added), key=lambda n: n % self.capacity)
        return [self.numbered(n) for n in numbers]


def assert_holds(buffer: Any, plain: PlainBuffer, gamma: float | None = None) -> None:
    """The buffer shows exactly the rows of the plain one, by every way of looking."""
    assert len(buffer) == len(plain.rows)
    assert buffer.capacity == plain.capacity
    assert buffer.pos == plain.added % plain.capacity
    assert_rows(buffer, plain.rows, gamma)
    assert len(buffer.buffer) == len(plain.rows)
    assert_rows(buffer.buffer, plain.slots(), gamma)


def drawn(sample: Any) -> Any:
    """The batch in what `sample` gave: prioritized buffers give three things."""
    return sample[0] if type(sample) is tuple else sample


def assert_sample(
    buffer: Any, plain: PlainBuffer, n: int, gamma: float | None = None
) -> np.ndarray:
    """A sample of n rows is made of stored rows, and its columns are those of its rows."""
    batch = drawn(buffer.sample(n))
    assert len(batch) == n
    assert batch.indices.dtype == np.int64
    assert batch.indices.shape == (n,)
    rows = [plain.numbered(int(number)) for number in batch.indices]
    if rows and hasattr(rows[0][0] if is_steps(rows[0]) else rows[0], "state"):
        assert_columns(batch, rows, gamma, plain.longest or None)
    assert_rows(batch, rows, gamma)
    return batch.indices


def scribble(value: Any) -> None:
    """Overwrite every array in a row, an observation or a tuple of rows."""
    for array in _leaves(value):
        array[...] = 77


@dataclass(frozen=True)
class Recipe:
    """A row as class and arguments: two rows made from it share no array."""

    cls: type
    arguments: Any

    def make(self) -> Any:
        if self.cls is tuple:
            return tuple(step.make() for step in self.arguments)
        return self.cls(**copy.deepcopy(self.arguments))


def assert_frequencies(counts: Any, probabilities: Any) -> None:
    """Chi-square test; chance fails it less than once in a million times."""
    expected = np.sum(counts) * np.asarray(probabilities, dtype=np.float64)
    assert expected.min() >= 5, "the test needs more draws"
    assert len(expected) == 1 or scipy.stats.chisquare(counts, expected).pvalue > 1e-6


def _newest_rows(store: Any, table: Any) -> np.ndarray:
    """For every frame the newest row that refers to it, -1 where there is none."""
    newest = np.full(len(store.last_row), -1)
    for number in range(table.first, table.end):
        refs = store.refs[:, number % table.capacity]
        newest[refs[refs >= 0]] = number
    return newest


def assert_no_row_lost_a_frame(buffer: Any) -> None:
    for store in [] if buffer._table is None else buffer._table.stores:
        free = store.free[: store.counts[0]].tolist()
        live = np.flatnonzero(_newest_rows(store, buffer._table) >= 0).tolist()
        assert len(set(free)) == len(free), "a slot is free twice"
        assert not set(free) & set(live), "a row refers to a freed frame"


def assert_invariants(buffer: Any) -> None:
    """What must be true of the frame stores at any moment between two calls."""
    assert_no_row_lost_a_frame(buffer)
    table = buffer._table
    if table is None:
        return
    assert 0 <= table.end - table.first <= table.capacity
    for store in table.stores:
        free, touched = store.free[: store.counts[0]], int(store.counts[1])
        newest = _newest_rows(store, table)
        live = np.flatnonzero(newest >= 0)
        assert sorted([*free, *live]) == list(range(touched)), "a slot is neither live nor free"
        assert np.array_equal(store.last_row, newest)
        assert store.used == len(live)
        assert touched <= len(store.frames) == len(store.last_row) == len(store.free)
