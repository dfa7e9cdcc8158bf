"""States that are refused: broken ones, contradictions, other buffers."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
)
from ptan.experience.rows import Row

from .fakes import (
    BUFFERS,
    GAMMA,
    RowKitchen,
    Scored,
    TaggedStep,
    make_buffer,
    numbered,
)
from .oracles import assert_invariants, assert_rows, drawn
from .states import (
    ROW_CLASSES,
    arrays_in,
    assert_same_tree,
    broken_parts,
    contents,
    paths_in,
    sampled,
    with_part,
)

CAPACITY = 6


def filled(kind: str, buffer_kind: str, rows: int = 10, seed: int = 3) -> Any:
    kitchen = RowKitchen(kind, seed)
    buffer = make_buffer(buffer_kind, None, CAPACITY, GAMMA, seed)
    buffer.extend(kitchen.recipe().make() for _ in range(rows))
    if buffer_kind != "uniform":
        buffer.update_priorities(buffer.sample(4)[1], [0.5, 3.0, 1.0, 2.0])
    return buffer


def assert_usable(buffer: Any, kind: str) -> None:
    """Whatever was loaded, the buffer is whole: it can be read, sampled and filled."""
    assert_invariants(buffer)
    list(buffer)
    if len(buffer):
        drawn(buffer.sample(9))
    rows, more = list(buffer), True
    for n in (1, 2 * CAPACITY) if rows else ():
        try:
            buffer.extend((rows * n)[:n])
        except (TypeError, ValueError):
            # Rows that a source may deliver but that cannot be fed by hand, such as NaN rewards.
            more = False
        assert_invariants(buffer)
    assert not (rows and more) or len(buffer) == CAPACITY
    again = make_buffer(_kind(buffer), None, CAPACITY, GAMMA)
    state = buffer.state_dict()
    again.load_state_dict(state, row_class=ROW_CLASSES.get(kind))
    assert_same_tree(again.state_dict(), state)


def _kind(buffer: Any) -> str:
    return {"ExperienceReplayBuffer": "uniform", "PrioReplayBufferNaive": "naive"}.get(
        type(buffer).__name__, "prioritized"
    )


@pytest.mark.parametrize(
    ("kind", "buffer_kind", "rows"),
    [
        ("stack", "uniform", 4),  # not yet full
        ("stack", "naive", 10),
        ("steps", "uniform", 10),
        ("dict", "prioritized", 10),
        ("tagged_steps", "prioritized", 4),
        ("scored", "uniform", 10),
        ("tuple", "uniform", 10),
    ],
)
def test_a_broken_state_is_refused_whole_or_makes_a_whole_buffer(
    kind: str, buffer_kind: str, rows: int
) -> None:
    rng = np.random.default_rng(0)
    state = copy.deepcopy(filled(kind, buffer_kind, rows).state_dict())
    target = filled(kind, buffer_kind, 7, seed=8)
    before = copy.deepcopy(target.state_dict())
    refused = 0
    for path, part in list(paths_in(state)):
        for broken in broken_parts(part, rng):
            changed = with_part(state, path, broken)
            try:
                target.load_state_dict(changed, row_class=ROW_CLASSES.get(kind))
            except (TypeError, ValueError):
                refused += 1
                assert_same_tree(target.state_dict(), before)
                continue
            assert path, f"taken: {changed!r}"
            assert_usable(target, kind)
            target = filled(kind, buffer_kind, 7, seed=8)
            assert_same_tree(target.state_dict(), before)
    assert refused > 400


def set_in(path: tuple[Any, ...], where: Any, value: Any) -> Any:
    def change(state: Any) -> None:
        part = state
        for key in path:
            part = part[key]
        part[where] = value

    return change


STORE = ("rows", "stores", 0)

CONTRADICTIONS = {
    "a frame beyond those there are": (set_in((*STORE, "refs"), (0, 0, 0), 10**6), "frame numbers"),
    "a row without a frame": (set_in((*STORE, "refs"), (1, 2, 0), -1), "frames where rows are"),
    "a found frame beyond": (set_in((*STORE, "cache"), 0, 10**6), "frame numbers"),
    "more rows than fit": (set_in(("rows",), "first", 0), "first"),
    "rows that never came": (set_in(("rows",), "end", 3), "first"),
    "a row more": (set_in(("rows",), "end", 11), "first"),
    "a row less": (set_in(("rows",), "first", 5), "frames where rows are"),
    "an unknown end": (set_in(("rows", "columns", "flags"), 0, 16), "flags"),
    "no steps": (set_in(("rows", "columns", "steps"), 0, 0), "steps"),
    "a discount above 1": (set_in(("rows", "columns", "discounts"), 0, 1.5), "discounts"),
    "another class": (set_in(("rows", "schema"), "row_class", "Scored"), "row_class=Scored"),
    "windows of rows": (set_in(("rows", "schema"), "windows", True), "windows"),
    "another action": (set_in(("rows", "schema", "action"), "dtype", "<f8"), "actions"),
    "other pixels": (set_in(("rows", "schema", "state"), "dtype", "<f4"), "frames"),
    "objects": (set_in(("rows", "schema", "action"), "dtype", "|O"), "numbers"),
    "no weight": (set_in(("priorities", "weights"), 0, 0.0), "weights"),
    "more than the greatest": (set_in(("priorities", "weights"), 0, 9.0), "weights"),
    "a greatest below all": (set_in(("priorities",), "greatest", 1.0), "weights"),
    "another size": (set_in((), "capacity", 7), "capacity=6, like this one, got"),
    "another gamma": (set_in((), "gamma", 0.5), r"gamma=0\.9, like this one, got"),
    "another alpha": (set_in((), "alpha", 0.5), r"alpha=0\.6, like this one, got"),
    "another beta": (set_in((), "beta_start", 0.5), r"beta_start=0\.4, like this"),
    "another slope": (set_in((), "beta_frames", 5), "beta_frames=100000, like this"),
    "another format": (set_in((), "format", 1), "format=2, like this one, got format=1"),
    "another kind": (set_in((), "kind", "uniform"), "kind='prioritized', like this one"),
}


@pytest.mark.parametrize(("change", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_named(change: Any, words: str) -> None:
    state = copy.deepcopy(filled("stack", "prioritized").state_dict())
    target = filled("stack", "prioritized", 7, seed=8)
    before = copy.deepcopy(target.state_dict())
    target.load_state_dict(state)
    target.load_state_dict(before)
    change(state)
    with pytest.raises((TypeError, ValueError), match=words):
        target.load_state_dict(state)
    assert_same_tree(target.state_dict(), before)


def test_a_frame_that_is_free_twice_or_in_use_is_refused() -> None:
    kitchen = RowKitchen("stack", 5)
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (300, 16, 16), dtype=np.uint8)
    buffer = ExperienceReplayBuffer(None, 9)
    for n in (30, 6):
        buffer.extend(kitchen.recipe().make() for _ in range(n))
    free = buffer.state_dict()["rows"]["stores"][0]["free"]
    assert len(free) > 2
    live = next(i for i in range(len(free) + 100) if i not in free)
    for wrong in (np.append(free, free[0]), np.append(free, np.int32(live)), free[:-1]):
        state = copy.deepcopy(buffer.state_dict())
        state["rows"]["stores"][0]["free"] = wrong.astype(np.int32)
        with pytest.raises(ValueError, match="frames that no row refers to, each once"):
            ExperienceReplayBuffer(None, 9).load_state_dict(state)


def test_a_terminated_row_with_a_future_is_refused() -> None:
    buffer = ExperienceReplayBuffer(None, 9)
    buffer.extend([numbered(1), ExperienceFirstLast(2, 0, 1.0, None), numbered(3)])
    state = copy.deepcopy(buffer.state_dict())
    state["rows"]["columns"]["discounts"][1] = 0.5
    with pytest.raises(ValueError, match="'discounts'"):
        ExperienceReplayBuffer(None, 9).load_state_dict(state)


def test_lengths_of_windows_that_contradict_their_steps_are_refused() -> None:
    def step(reward: float) -> Experience:
        return Experience(np.zeros(2), 1, reward, False)

    buffer = ExperienceReplayBuffer(None, 9)
    buffer.extend([(step(1.0), step(2.0)), (step(3.0),)])
    for lengths in ([2, 0], [2, 3], [1, 1], [2, 2]):
        state = copy.deepcopy(buffer.state_dict())
        state["rows"]["lengths"][:] = lengths
        with pytest.raises(ValueError, match=r"lengths|steps"):
            ExperienceReplayBuffer(None, 9).load_state_dict(state)


@pytest.mark.parametrize("saved", BUFFERS)
@pytest.mark.parametrize("loading", BUFFERS)
def test_only_a_buffer_of_the_same_kind_takes_a_state(saved: str, loading: str) -> None:
    state = filled("int", saved).state_dict()
    buffer = filled("int", loading, seed=9)
    before = copy.deepcopy(contents(buffer))
    if saved == loading:
        buffer.load_state_dict(state)
        return
    with pytest.raises(ValueError, match=r"entries|kind"):
        buffer.load_state_dict(state)
    assert_same_tree(contents(buffer), before)


def test_a_generator_of_another_kind_is_refused() -> None:
    buffer = filled("int", "uniform")
    other = ExperienceReplayBuffer(
        None, CAPACITY, gamma=GAMMA, rng=np.random.Generator(np.random.MT19937(0))
    )
    with pytest.raises(ValueError, match=r"state\['rng'\].*MT19937.*'PCG64'"):
        other.load_state_dict(buffer.state_dict())
    assert len(other) == 0


def row(**fields: Any) -> ExperienceFirstLast:
    given = {"state": 1, "action": 0, "reward": 1.0, "last_state": None} | fields
    return ExperienceFirstLast(**given)


UNSAVABLE = {
    "text": (row(state="a text"), "state of its rows"),
    "gradient": (row(state=torch.ones(3, requires_grad=True)), "state of its rows"),
    "ragged": (row(state=[[1, 2], [3]]), "state of its rows"),
    "within": (row(state={"at": np.ones(2), "says": ("hello", 1)}), r"state\['says'\]\[0\] of its"),
    "action": (row(action={"a": 1}), "action of its rows"),
    "key": (row(state={("a", 1): 1.0}), r"the key \('a', 1\)"),
    "extra": (Scored(1, 0, 1.0, None, score="good", trace=1), "score of its rows"),
    "window": ((Experience("text", 0, 1.0, False),), "state of its rows"),
    "item": ("just a text", "its items are Python objects, such as 'just a text'"),
}


@pytest.mark.parametrize(("item", "words"), UNSAVABLE.values(), ids=UNSAVABLE)
@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_python_objects_cannot_be_saved(item: Any, words: str, buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, None, 4, GAMMA)
    buffer.extend([item, item])
    with pytest.raises(TypeError, match=f"this buffer cannot be saved.*{words}"):
        buffer.state_dict()
    assert len(buffer) == 2
    assert len(drawn(buffer.sample(3))) == 3


class OwnList(PrioReplayBufferNaive):
    """A prioritized buffer as they are published: with a list of its own."""

    def __init__(self) -> None:
        self.buffer: list[Any] = []
        self.pos = 0
        self.capacity = 3
        self.experience_source_iter = None


def test_a_buffer_with_a_list_of_its_own_cannot_be_saved_or_loaded() -> None:
    with pytest.raises(TypeError, match="OwnList keeps rows in a list of its own"):
        OwnList().state_dict()
    state = PrioReplayBufferNaive(None, 3).state_dict()
    with pytest.raises(TypeError, match="OwnList keeps rows in a list of its own"):
        OwnList().load_state_dict(state)


def test_the_state_is_not_changed_by_loading() -> None:
    state = copy.deepcopy(filled("steps", "prioritized").state_dict())
    untouched = copy.deepcopy(state)
    buffer = PrioritizedReplayBuffer(None, CAPACITY, 0.6, gamma=GAMMA)
    buffer.load_state_dict(state)
    buffer.extend(list(buffer) * 3)
    sampled(buffer, 5)
    assert_same_tree(state, untouched)
    assert all(array.flags.writeable for array in arrays_in(state))


@dataclass(frozen=True)
class Plain(ExperienceFirstLast):
    """A subclass without fields of its own."""


@pytest.mark.parametrize("cls", [Plain, Scored, TaggedStep])
def test_a_row_class_of_ones_own_has_to_be_given(cls: type) -> None:
    own = {"score": 1.5, "trace": np.ones(2)} if cls is Scored else {}
    if cls is TaggedStep:
        row: Any = TaggedStep(1, 2, 3.0, True, 4)
    else:
        row = cls(1, 2, 3.0, None, **own)
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.extend([row, row])
    state = buffer.state_dict()
    fresh = ExperienceReplayBuffer(None, 3)
    name = cls.__name__
    with pytest.raises(ValueError, match=rf"must be {name}.*row_class={name}"):
        fresh.load_state_dict(state)
    for wrong in (ExperienceFirstLast, Experience, type(name, (Row,), {}), type("X", (cls,), {})):
        with pytest.raises(ValueError, match=f"row_class must be {name}"):
            fresh.load_state_dict(state, row_class=wrong)
    assert len(fresh) == 0
    fresh.load_state_dict(state, row_class=cls)
    assert [type(r) for r in fresh] == [cls, cls]
    assert_rows(fresh, [row, row])
    fresh.add(row)


def test_a_row_class_that_has_got_another_field_is_refused() -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(Scored(1, 2, 3.0, None, score=1.5, trace=np.ones(2)))

    @dataclass(frozen=True)
    class Scored2(ExperienceFirstLast):
        score: float

    Scored2.__name__ = "Scored"
    with pytest.raises(ValueError, match=r"\['score'\], got \['score', 'trace'\]"):
        ExperienceReplayBuffer(None, 3).load_state_dict(buffer.state_dict(), row_class=Scored2)


def test_a_class_is_refused_where_rows_are_of_the_librarys_own() -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(numbered(1))
    with pytest.raises(ValueError, match="row_class must be ExperienceFirstLast"):
        buffer.load_state_dict(buffer.state_dict(), row_class=Plain)
    buffer.load_state_dict(buffer.state_dict(), row_class=ExperienceFirstLast)
