"""A batch is rows and columns at once, and keeps what it was sampled as."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from ptan.experience import (
    Batch,
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
    unpack_batch,
)
from refusals import NAN, assert_tells, table

from .fakes import GAMMA, CycleAgent, RowKitchen, make_buffer, numbered, scripted_env
from .oracles import arrays_of, assert_columns, assert_rows, drawn, next_observation, same

BASE = ("states", "actions", "rewards", "last_states", "dones", "discounts", "steps")
STEPS = ("steps", "tagged_steps")


def _names(kind: str) -> tuple[str, ...]:
    own = {"scored": ("score", "trace"), "tagged_steps": ("tag", "lengths"), "steps": ("lengths",)}
    return BASE + own.get(kind, ())


def _rows(kind: str, count: int, seed: int = 0) -> list[Any]:
    kitchen = RowKitchen(kind, seed)
    return [kitchen.recipe().make() for _ in range(count)]


def _longest(rows: list[Any], kind: str) -> int | None:
    return max(map(len, rows)) if kind in STEPS else None


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_columns_from_rows_are_the_rows(kind: str) -> None:
    rows = _rows(kind, 9)
    batch = Batch.from_rows(rows, gamma=GAMMA)
    assert len(batch) == 9
    assert_rows(batch, rows, GAMMA)
    assert_columns(batch, rows, GAMMA)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_a_sampled_batch_equals_the_batch_of_its_rows(kind: str) -> None:
    rows = _rows(kind, 12)
    buffer = ExperienceReplayBuffer(None, 8, gamma=GAMMA)
    buffer.extend(rows)
    batch = buffer.sample(40)
    chosen = [rows[i] for i in batch.indices]
    assert_columns(batch, chosen, GAMMA, _longest(rows, kind))
    again = Batch.from_rows(list(batch), gamma=GAMMA)
    assert_columns(again, chosen, GAMMA, _longest(chosen, kind))


def test_a_batch_is_a_sequence_of_rows() -> None:
    rows = [numbered(i, discount=0.5) for i in range(5)]
    batch = Batch.from_rows(rows)
    assert list(batch) == list(batch) == rows  # Iterating twice works.
    assert (batch[0], batch[-1], batch[1:3]) == (rows[0], rows[4], rows[1:3])
    with pytest.raises(IndexError):
        _ = batch[5]
    states, actions, _, last_states = zip(*batch, strict=True)
    assert (states, actions) == ((0, 1, 2, 3, 4), (0, 1, 2, 0, 1))
    assert last_states == (1, 2, 3, 4, 5)


def test_dtypes_of_the_columns() -> None:
    row = ExperienceFirstLast(np.zeros((2, 3), np.uint8), 1, 1, np.ones((2, 3), np.uint8))
    buffer = ExperienceReplayBuffer(None, 5, gamma=GAMMA)
    buffer.add(row)
    batch = buffer.sample(4)
    wanted = {
        "states": (np.uint8, (4, 2, 3)), "last_states": (np.uint8, (4, 2, 3)),
        "actions": (np.int64, (4,)), "rewards": (np.float32, (4,)), "dones": (np.bool_, (4,)),
        "discounts": (np.float32, (4,)), "steps": (np.int64, (4,)), "indices": (np.int64, (4,)),
    }  # fmt: skip
    for name, (dtype, shape) in wanted.items():
        assert getattr(batch, name).dtype == dtype, name
        assert getattr(batch, name).shape == shape, name
    assert batch.weights is None


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_columns_share_memory_with_nothing_and_can_be_written(kind: str) -> None:
    buffer = make_buffer("prioritized", None, 12, gamma=GAMMA)
    buffer.extend(_rows(kind, 12))
    names = (*_names(kind), "terminated", "truncated", "indices", "weights")
    first, second = drawn(buffer.sample(7)), drawn(buffer.sample(7))
    arrays = arrays_of(first, names) + arrays_of(second, names)
    assert len(arrays) >= 2 * len(names)
    for a, b in itertools.combinations(arrays, 2):
        assert not np.shares_memory(a, b)
    before = [a.copy() for a in arrays]
    for array, value in zip(arrays, before, strict=True):
        assert array.flags.writeable
        array[...] = 1
        others = zip(arrays, before, strict=True)
        assert all(a is array or same(a, b) for a, b in others)
        array[...] = value


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@pytest.mark.parametrize("look_first", ["rows", "columns", "nothing"])
def test_a_batch_is_a_snapshot(kind: str, look_first: str) -> None:
    rows = _rows(kind, 10)
    buffer = make_buffer("uniform", None, 10, gamma=GAMMA)
    buffer.extend(rows)
    batch = drawn(buffer.sample(16))
    if look_first == "rows":
        list(batch)
    elif look_first == "columns":
        arrays_of(batch, _names(kind))
    chosen = [rows[i] for i in batch.indices.tolist()]
    longest = _longest(rows, kind)
    later = _rows(kind, 25, seed=1)
    # Rewards of another width, added fields and longer tuples must not reach back either.
    buffer.extend([*later, *(r for r in later if kind in STEPS)])
    drawn(buffer.sample(16))
    assert_columns(batch, chosen, GAMMA, longest)
    assert_rows(batch, chosen, GAMMA)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_to_a_device_gives_the_same_batch_with_tensors(kind: str) -> None:
    rows = _rows(kind, 8)
    buffer = make_buffer("prioritized", None, 8, gamma=GAMMA)
    buffer.extend(rows)
    batch, indices, _ = buffer.sample(20)
    names = (*_names(kind), "indices", "weights")
    on_device = batch.to("cpu").to(torch.device("cpu"))
    for name in names:  # dtypes too: uint8 stays uint8
        assert same(_as_numpy(getattr(on_device, name)), getattr(batch, name)), name
    assert len(on_device) == 20
    assert buffer.sample_batch(3).to("cpu").weights is not None
    assert Batch.from_rows(rows, gamma=GAMMA).to("cpu").weights is None
    assert_rows(on_device, [rows[i] for i in indices], GAMMA)


def _as_numpy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_numpy(leaf) for key, leaf in value.items()}
    if isinstance(value, tuple):
        return tuple(_as_numpy(leaf) for leaf in value)
    assert isinstance(value, torch.Tensor)
    assert value.device == torch.device("cpu")
    return value.numpy()


def test_unpack_batch_gives_the_columns_of_a_batch_and_of_a_list_of_rows() -> None:
    rows = _rows("vector", 10)
    batch = Batch.from_rows(rows, gamma=GAMMA)
    columns = [batch.states, batch.actions, batch.rewards, batch.dones, batch.last_states]
    for source in (batch, rows, list(batch)):
        unpacked = unpack_batch(source)
        assert len(unpacked) == 5
        for got, wanted in zip(unpacked, columns, strict=True):
            assert same(np.asarray(got), wanted)


def test_discounts_without_gamma_raise_naming_it_and_rows_with_discount_do_not() -> None:
    without = [numbered(0, discount=0.5), numbered(1)]
    assert unpack_batch(without)[0].tolist() == [0, 1]  # needs no gamma
    with pytest.raises(ValueError, match="gamma"):
        _ = Batch.from_rows(without).discounts
    assert Batch.from_rows([numbered(0, discount=0.5)]).discounts.tolist() == [0.5]
    assert Batch.from_rows([numbered(0, steps=2)], gamma=0.5).discounts.tolist() == [0.25]


def test_ends_in_the_columns() -> None:
    """Terminated: masked and no bootstrap. Truncated: the true final observation, with discount."""
    rows = [
        ExperienceFirstLast(1, 0, 1.0, 2, steps=2),
        ExperienceFirstLast(3, 0, 1.0, None, steps=2),
        ExperienceFirstLast(5, 0, 1.0, None, truncated=True, final_state=6, steps=2),
        ExperienceFirstLast(7, 0, 1.0, None, terminated=True, final_state=8),
    ]
    buffer = ExperienceReplayBuffer(None, len(rows), gamma=0.5)
    buffer.extend(rows)
    for batch in (Batch.from_rows(rows, gamma=0.5), buffer.take(np.arange(4))):
        for columns in (batch, batch.to("cpu")):
            assert columns.last_states.tolist() == [2, 3, 6, 7]
            assert columns.dones.tolist() == [False, True, False, True]
            assert columns.terminated.tolist() == columns.dones.tolist()
            assert columns.truncated.tolist() == [False, False, True, False]
            assert columns.discounts.tolist() == [0.25, 0.0, 0.25, 0.0]
            assert columns.steps.tolist() == [2, 2, 2, 1]


def test_steps_made_by_hand_lead_to_the_next_step() -> None:
    steps = tuple(Experience(i, 0, float(i), False, discount=0.5) for i in range(3))
    ended = Experience(3, 0, 3.0, True)
    batch = Batch.from_rows([steps, (*steps[:1], ended)])
    assert batch.states.tolist() == [[0, 1, 2], [0, 3, 0]]
    assert batch.last_states.tolist() == [[1, 2, 2], [3, 3, 0]]
    assert batch.dones.tolist() == [[False, False, False], [False, True, False]]
    assert batch.discounts.tolist() == [[0.5, 0.5, 0.5], [0.5, 0.0, 0.0]]
    assert np.asarray(batch.lengths).tolist() == [3, 2]


def test_a_target_needs_only_the_columns() -> None:
    """rewards + discounts · V(last_states), row by row for n steps and every kind of end."""
    source = ExperienceSourceFirstLast(
        [scripted_env("vector", i) for i in range(3)], CycleAgent(), GAMMA, steps_count=3
    )
    rows = list(itertools.islice(source, 80))
    buffer = ExperienceReplayBuffer(None, 80)
    buffer.extend(rows)
    batch = buffer.sample(200)
    targets = batch.rewards + batch.discounts * batch.last_states.sum(axis=1)
    for target, number in zip(targets, batch.indices, strict=True):
        row = rows[number]
        value = 0.0 if row.terminated else float(np.sum(next_observation(row)))
        assert np.isclose(target, row.reward + GAMMA**row.steps * value, rtol=1e-5)
    assert {row.steps for row in rows} == {1, 2, 3}
    assert {(row.terminated, row.truncated) for row in rows} == {
        (False, False), (True, False), (False, True),
    }  # fmt: skip


ROW = ExperienceFirstLast(np.zeros(2), 0, 1.0, np.ones(2))
STEP = Experience(np.zeros(2), 0, 1.0, False, final_state=np.ones(2))


@table(
    ("unpack-no-rows", lambda: unpack_batch([]), ValueError, "rows", "none", "at least one"),
    ("other-class", lambda: Batch.from_rows([ROW, STEP]), TypeError, "row", r"got Experience\(",
     "class ExperienceFirstLast"),
    ("other-shape", lambda: Batch.from_rows([ROW, ROW._replace(state=np.zeros(3))]), ValueError,
     "state", r"got .*\(3,\)", r"shape \(2,\)"),
    ("reward-nan", lambda: Batch.from_rows([ROW._replace(reward=NAN)]), ValueError, "reward",
     "got nan", "finite"),
    ("gamma-above", lambda: Batch.from_rows([ROW], gamma=1.5), ValueError, "gamma", "got 1.5",
     r"\[0, 1\]"),
    ("gamma-nan", lambda: Batch.from_rows([ROW], gamma=NAN), ValueError, "gamma", "got nan",
     r"\[0, 1\]"),
    ("no-columns", lambda: Batch.from_rows([3]).states, AttributeError, "'states'", "no rows",
     "have no columns"),
    ("no-such-column", lambda: Batch.from_rows([ROW]).colour, AttributeError, "'Batch'",
     "'colour'", "no attribute"),
)  # fmt: skip
def test_batches_and_rows_refuse(case) -> None:
    assert_tells(case)
