"""A buffer that is saved goes on in another one; what is no state of it is refused."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    PrioReplayBufferNaive,
)
from ptan.experience.rows import Row
from ptan.replay import frames

from .fakes import (
    BUFFERS,
    GAMMA,
    CycleAgent,
    RowKitchen,
    Scored,
    TaggedStep,
    make_buffer,
    numbered,
    scripted_env,
)
from .oracles import assert_invariants, assert_rows, drawn, same
from .twins import OPERATIONS, Twins, arrays_in, reloaded

SEQUENCES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=6)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@given(
    capacity=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    before=SEQUENCES,
    after=SEQUENCES,
    buffer_kind=st.sampled_from(BUFFERS),
)
@settings(max_examples=50, deadline=None)
def test_a_buffer_goes_on_as_its_uncut_twin(
    kind: str, capacity: int, seed: int, before: Any, after: Any, buffer_kind: str
) -> None:
    uncut = Twins(RowKitchen(kind, seed), buffer_kind, capacity)
    for step in before:
        uncut.do(*step)
    cut = copy.copy(uncut)
    cut.kitchen, cut.plain, cut.served = (
        copy.deepcopy(part) for part in (uncut.kitchen, uncut.plain, [])
    )
    cut.reload(3)
    for step in [*after, ("populate", 1), ("sample", 7)]:
        cut.do(*step)
        uncut.do(*step)
    assert same(cut.buffer.state_dict(), uncut.buffer.state_dict())


@pytest.mark.parametrize("obs", ["discrete", "tuple", "dict"])
@pytest.mark.parametrize("joined", [True, False])
def test_rows_of_a_source_are_saved_and_go_on(obs: str, joined: bool) -> None:
    def make() -> Any:
        envs = [scripted_env(obs, i) for i in range(2)]
        if joined:
            source: Any = ExperienceSourceFirstLast(envs, CycleAgent(), GAMMA, steps_count=3)
        else:
            source = ExperienceSource(envs, CycleAgent(), steps_count=3)
        buffer = make_buffer("prioritized", source, 20, GAMMA)
        buffer.populate(27)
        return buffer

    uncut, saved = make(), make()
    cut = reloaded(saved, make_buffer("prioritized", None, 20, GAMMA, seed=3))
    cut.experience_source_iter = saved.experience_source_iter  # the source goes on as it stood
    for buffer in (uncut, cut):
        buffer.populate(30)
    assert_rows(cut, uncut)
    assert_rows(drawn(cut.sample(9)), drawn(uncut.sample(9)))
    assert same(cut.state_dict(), uncut.state_dict())


@pytest.mark.parametrize("entries", [1, 2**16])
def test_frames_are_found_again_as_before(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_CACHE_ENTRIES", entries)
    kitchen = RowKitchen("dict", 5)
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (300, 16, 16), dtype=np.uint8)
    buffer = ExperienceReplayBuffer(None, 90, gamma=GAMMA)
    buffer.extend(kitchen.recipe().make() for _ in range(140))
    cut = reloaded(buffer, ExperienceReplayBuffer(None, 90, gamma=GAMMA))
    assert cut.nbytes <= buffer.nbytes
    used = [store.used for store in cut._table.stores]
    if entries > 1:
        cut.extend([list(cut)[-1]] * 20)  # needs no frame of its own
        assert all(s.used <= then for s, then in zip(cut._table.stores, used, strict=True))
    assert_invariants(cut)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_an_empty_buffer_is_saved_and_empties_the_one_that_loads_it(buffer_kind: str) -> None:
    empty = make_buffer(buffer_kind, None, 6, GAMMA, seed=1)
    full = make_buffer(buffer_kind, None, 6, GAMMA, seed=2)
    full.extend(numbered(i) for i in range(9))
    reloaded(empty, full)
    assert (len(full), list(full), full.pos) == (0, [], 0)
    full.extend(ExperienceFirstLast(np.ones(3), 1, 0.5, None) for _ in range(4))
    assert len(drawn(full.sample(5))) == 5


def test_loading_replaces_items_of_any_kind_and_keeps_the_source() -> None:
    buffer = ExperienceReplayBuffer(iter([numbered(9)]), 4)
    buffer.extend(["some", "text"])
    other = ExperienceReplayBuffer(None, 4)
    other.extend(numbered(i) for i in range(3))
    reloaded(other, buffer)
    buffer.populate(1)
    assert_rows(buffer, [numbered(i) for i in (0, 1, 2, 9)])


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_a_state_is_as_large_as_the_rows_and_shares_the_memory_of_the_buffer(
    buffer_kind: str,
) -> None:
    buffer = make_buffer(buffer_kind, None, 1_000_000, GAMMA)
    rng = np.random.default_rng(0)
    buffer.extend(
        ExperienceFirstLast(rng.normal(size=4).astype(np.float32), i % 2, 1.0, None)
        for i in range(1000)
    )
    state = buffer.state_dict()
    cache = frames._CACHE_ENTRIES * 4
    assert sum(array.nbytes for array in arrays_in(state)) <= 1000 * 100 + cache
    store = buffer._table.stores[0]
    assert np.shares_memory(state["rows"]["stores"][0]["frames"], store.frames)


OBSERVATIONS = {
    "bool": True,
    "numpy_scalar": np.float32(1.5),
    "empty": np.zeros((0,), np.float32),
    "complex": np.array([1 + 2j, 3]),
    "half": np.zeros((3,), np.float16),
    "int_keys": {1: np.ones(2), 0: np.zeros(3, np.int8)},
    "none_key": {None: np.ones(2), True: 3},
    "reversed": {"z": np.ones(2, np.float32), "a": np.zeros(2, np.float32)},
    "nested": ({"a": (1, np.ones((2, 2)))}, 2.5),
}


@pytest.mark.parametrize("observation", OBSERVATIONS.values(), ids=OBSERVATIONS)
@pytest.mark.parametrize("action", [0.25, np.array([0.5, -0.0], np.float32), np.ones((2, 3), int)])
def test_values_of_all_shapes_come_back(observation: Any, action: Any) -> None:
    rows = [
        ExperienceFirstLast(observation, action, reward, None if reward else observation)
        for reward in (1, 0, 2.5, 0.0, 7)
    ]
    uncut = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    uncut.extend(rows)
    cut = reloaded(uncut, ExperienceReplayBuffer(None, 4, gamma=GAMMA))
    assert_rows(cut, rows[1:], GAMMA)
    cut.extend(rows[:2])
    assert_rows(cut, [*rows[3:], *rows[:2]], GAMMA)


def test_a_widened_reward_column_stays_wide() -> None:
    buffer = ExperienceReplayBuffer(None, 4)
    for reward in (np.array([1, 2], np.int8), np.array([0.5, 1e10], np.float64)):
        buffer.add(ExperienceFirstLast(0, 0, reward, None))
    cut = reloaded(buffer, ExperienceReplayBuffer(None, 4))
    cut.add(ExperienceFirstLast(0, 0, np.array([3, 4], np.int8), None))
    assert [row.reward.tolist() for row in cut] == [[1, 2], [0.5, 1e10], [3, 4]]


# Refusals.


def filled(kind: str, buffer_kind: str, rows: int = 10, seed: int = 3) -> Any:
    kitchen = RowKitchen(kind, seed)
    buffer = make_buffer(buffer_kind, None, 6, GAMMA, seed)
    buffer.extend(kitchen.recipe().make() for _ in range(rows))
    if buffer_kind != "uniform":
        buffer.update_priorities(buffer.sample(4)[1], [0.5, 3.0, 1.0, 2.0])
    return buffer


def broken(tree: Any) -> Any:
    """The tree in every form in which one part is missing, of another type, shape or dtype."""
    yield object()
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield {k: v for k, v in tree.items() if k != key}
            for other in [None] if key in ("rng", "schema") else broken(part):
                yield {**tree, key: other}
        yield {**tree, "unknown": 1}
    elif isinstance(tree, list):
        yield tree[:-1] if tree else [1]
    elif isinstance(tree, np.ndarray):
        yield tree.tolist()
        yield tree.astype(object)
        yield tree.astype(np.float32 if tree.dtype != np.float32 else np.float64)
        yield tree[None]
        yield np.concatenate([tree, tree])[1:] if tree.size else tree.reshape(0, 1)


@pytest.mark.parametrize(
    ("kind", "buffer_kind", "rows"),
    [
        ("stack", "uniform", 4),  # not yet full
        ("steps", "naive", 10),
        ("dict", "prioritized", 10),
        ("scored", "uniform", 10),
        ("tuple", "uniform", 10),
    ],
)
def test_a_state_of_another_form_is_refused_and_changes_nothing(
    kind: str, buffer_kind: str, rows: int
) -> None:
    state = copy.deepcopy(filled(kind, buffer_kind, rows).state_dict())
    target = filled(kind, buffer_kind, 7, seed=8)
    before = copy.deepcopy(target.state_dict())
    row_class = Scored if kind == "scored" else None
    for number, changed in enumerate(broken(state)):
        with pytest.raises((TypeError, ValueError)):
            target.load_state_dict(changed, row_class=row_class)
        if number % 5 == 0:
            assert same(target.state_dict(), before)
    assert same(target.state_dict(), before)
    target.load_state_dict(state, row_class=row_class)


STORE = ("rows", "stores", 0)

CONTRADICTIONS: dict[str, tuple[tuple[Any, ...], Any, Any, str]] = {
    "a frame beyond those there are": ((*STORE, "refs"), (0, 0, 0), 10**6, "frames in"),
    "a frame before the first": ((*STORE, "refs"), (0, 0, 0), -2, "frames in"),
    "a found frame beyond": ((*STORE, "cache"), 0, 10**6, "frames in"),
    "a cache of three": (STORE, "cache", np.zeros(3, np.int32), "power of two"),
    "a free frame in use": (STORE, "free", np.zeros(1, np.int32), "no row refers to, each once"),
    "more rows than fit": (("rows",), "first", 0, "first"),
    "rows that never came": (("rows",), "end", 3, "first"),
    "a row more": (("rows",), "end", 11, "first"),
    "numbers beyond int64": (("rows",), "end", 10**40, "end"),
    "windows beyond memory": (("rows",), "width", 10**40, "width"),
    "observations beyond memory": (("rows", "schema", "state"), "shape", [2**62, 3], "memory"),
    "another class": (("rows", "schema"), "row_class", "Scored", "row_class=Scored"),
    "another action": (("rows", "schema", "action"), "dtype", "<f8", "actions"),
    "other pixels": (("rows", "schema", "state"), "dtype", "<f4", "frames"),
    "a schema without rewards": (("rows", "schema"), "reward", {}, "what the rows look like"),
    "nested actions": (("rows", "schema"), "action", {"tuple": []}, "arrays of numbers"),
    "objects": (("rows", "schema", "action"), "dtype", "|O", "numbers"),
    "no weight": (("priorities", "weights"), 0, 0.0, "weights"),
    "a weight too large": (("priorities", "weights"), 0, 1e308, "weights"),
    "a weight that is no number": (("priorities", "weights"), 0, np.nan, "weights"),
    "another size": ((), "capacity", 7, "capacity=6, like this one, got"),
    "another gamma": ((), "gamma", 0.5, r"gamma=0\.9, like this one, got"),
    "another alpha": ((), "alpha", 0.5, r"alpha=0\.6, like this one, got"),
    "another beta": ((), "beta_start", 0.5, r"beta_start=0\.4, like this"),
    "another slope": ((), "beta_frames", 5, "beta_frames=100000, like this"),
    "another kind": ((), "kind", "uniform", "kind='prioritized', like this one"),
    "another generator": (("rng",), "bit_generator", "MT19937", r"state\['rng'\].*PCG64"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named_and_changes_nothing(name: str) -> None:
    path, key, value, words = CONTRADICTIONS[name]
    state = copy.deepcopy(filled("stack", "prioritized").state_dict())
    target = filled("stack", "prioritized", 7, seed=8)
    before = copy.deepcopy(target.state_dict())
    part: Any = state
    for step in path:
        part = part[step]
    part[key] = value
    with pytest.raises((TypeError, ValueError), match=words):
        target.load_state_dict(state)
    assert same(target.state_dict(), before)


@pytest.mark.parametrize("saved", BUFFERS)
@pytest.mark.parametrize("loading", BUFFERS)
def test_only_a_buffer_of_the_same_kind_takes_a_state(saved: str, loading: str) -> None:
    state, buffer = filled("int", saved).state_dict(), filled("int", loading, seed=9)
    if saved == loading:
        buffer.load_state_dict(state)
    else:
        with pytest.raises(ValueError, match=r"entries|kind"):
            buffer.load_state_dict(state)


def row(**fields: Any) -> ExperienceFirstLast:
    given = {"state": 1, "action": 0, "reward": 1.0, "last_state": None} | fields
    return ExperienceFirstLast(**given)


UNSAVABLE = {
    "text": (row(state="a text"), "state of its rows"),
    "gradient": (row(state=torch.ones(3, requires_grad=True)), "state of its rows"),
    "within": (row(state={"at": np.ones(2), "says": ("hello", 1)}), "state of its rows"),
    "action": (row(action={"a": 1}), "action of its rows"),
    "extra": (Scored(1, 0, 1.0, None, score="good", trace=1), "score of its rows"),
    "window": ((Experience("text", 0, 1.0, False),), "state of its rows"),
    "item": ("just a text", "its items are Python objects, such as 'just a text'"),
}


@pytest.mark.parametrize(("item", "words"), UNSAVABLE.values(), ids=UNSAVABLE)
def test_python_objects_cannot_be_saved(item: Any, words: str) -> None:
    buffer = make_buffer("prioritized", None, 4, GAMMA)
    buffer.extend([item, item])
    with pytest.raises(TypeError, match=f"this buffer cannot be saved.*{words}"):
        buffer.state_dict()
    assert len(drawn(buffer.sample(3))) == 3


class OwnList(PrioReplayBufferNaive):
    """A prioritized buffer as they are published: with a list of its own."""

    def __init__(self) -> None:
        self.buffer: list[Any] = []


def test_a_buffer_with_a_list_of_its_own_cannot_be_saved_or_loaded() -> None:
    with pytest.raises(TypeError, match="OwnList keeps rows in a list of its own"):
        OwnList().state_dict()
    with pytest.raises(TypeError, match="OwnList keeps rows in a list of its own"):
        OwnList().load_state_dict(PrioReplayBufferNaive(None, 3).state_dict())


@dataclass(frozen=True)
class Plain(ExperienceFirstLast):
    """A subclass without fields of its own."""


@pytest.mark.parametrize(
    "row",
    [
        Plain(1, 2, 3.0, None),
        Scored(1, 2, 3.0, None, score=1.5, trace=np.ones(2)),
        TaggedStep(1, 2, 3.0, True, 4),
    ],
)
def test_a_row_class_of_ones_own_has_to_be_given(row: Any) -> None:
    buffer, fresh = (ExperienceReplayBuffer(None, 3) for _ in range(2))
    buffer.extend([row, row])
    state, cls = buffer.state_dict(), type(row)
    name = cls.__name__
    with pytest.raises(ValueError, match=rf"must be {name}.*row_class={name}"):
        fresh.load_state_dict(state)
    for wrong in (ExperienceFirstLast, Experience, type(name, (Row,), {}), type("X", (cls,), {})):
        with pytest.raises(ValueError, match=f"row_class must be {name}"):
            fresh.load_state_dict(state, row_class=wrong)
    assert len(fresh) == 0
    fresh.load_state_dict(state, row_class=cls)
    assert_rows(fresh, [row, row])
    fresh.add(row)


def test_a_row_class_with_other_fields_is_refused() -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(Scored(1, 2, 3.0, None, score=1.5, trace=np.ones(2)))
    other = dataclass(frozen=True)(
        type("Scored", (ExperienceFirstLast,), {"__annotations__": {"score": float}})
    )
    with pytest.raises(ValueError, match=r"\['score'\], got \['score', 'trace'\]"):
        ExperienceReplayBuffer(None, 3).load_state_dict(buffer.state_dict(), row_class=other)
