"""A buffer that is saved goes on in another one."""

import copy
import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import (
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
)
from ptan.replay import frames

from .fakes import (
    BUFFERS,
    GAMMA,
    CycleAgent,
    RowKitchen,
    make_buffer,
    numbered,
    scripted_env,
)
from .oracles import assert_invariants, assert_rows
from .states import OPERATIONS, Player, arrays_in, assert_same_tree, contents, loaded, sampled
from .test_table import _interrupted


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@given(
    capacity=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    before=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=6),
    after=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=6),
    buffer_kind=st.sampled_from(BUFFERS),
)
@settings(max_examples=50, deadline=None)
def test_a_buffer_goes_on_as_its_uncut_twin(
    kind: str, capacity: int, seed: int, before: Any, after: Any, buffer_kind: str
) -> None:
    player = Player(kind, seed)
    uncut, saved = (
        make_buffer(buffer_kind, player.source(), capacity, GAMMA, seed=5) for _ in range(2)
    )
    for command in [player.command(*step) for step in before]:
        player.do(uncut, command)
        player.do(saved, command)
    taken = sum(n for operation, n in before if operation == "populate")
    fresh = make_buffer(buffer_kind, player.source(taken), capacity, GAMMA, seed=99)
    cut = loaded(saved, fresh, kind)
    assert_same_tree(contents(cut), contents(uncut))
    assert_invariants(cut)
    for command in [*(player.command(*step) for step in after), ("populate", 1), ("sample", 7)]:
        assert_same_tree(player.do(cut, command), player.do(uncut, command))
        assert_same_tree(contents(cut), contents(uncut))
        assert_invariants(cut)
    assert_same_tree(cut.state_dict(), uncut.state_dict())


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", ["stack", "dict", "steps", "vector_reward"])
def test_saving_again_and_again_changes_nothing(kind: str, buffer_kind: str) -> None:
    player = Player(kind, 4)
    saved, uncut = (make_buffer(buffer_kind, player.source(), 13, GAMMA) for _ in range(2))
    rng = np.random.default_rng(1)
    for _ in range(30):
        command = player.command(str(rng.choice(OPERATIONS)), int(rng.integers(12)))
        assert_same_tree(player.do(saved, command), player.do(uncut, command))
        saved = loaded(saved, make_buffer(buffer_kind, saved.experience_source_iter, 13, GAMMA, 8))
    assert_same_tree(contents(saved), contents(uncut))
    assert_same_tree(saved.state_dict(), uncut.state_dict())


@pytest.mark.parametrize("kind", ["stack", "dict", "steps"])
@pytest.mark.parametrize("entries", [1, 2**16])
def test_frames_are_found_again_as_before(
    kind: str, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_CACHE_ENTRIES", entries)
    kitchen = RowKitchen(kind, 5)
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (300, 16, 16), dtype=np.uint8)
    uncut = ExperienceReplayBuffer(None, 90, gamma=GAMMA)
    for n in (3, 40, 100):
        uncut.extend(kitchen.recipe().make() for _ in range(n))
    cut = loaded(uncut, ExperienceReplayBuffer(None, 90, gamma=GAMMA))
    for n in (1, 60, 150):
        recipes = [kitchen.recipe() for _ in range(n)]
        for buffer in (cut, uncut):
            buffer.extend(recipe.make() for recipe in recipes)
        assert_invariants(cut)
        assert_same_tree(cut.state_dict(), uncut.state_dict())
    assert cut.nbytes == pytest.approx(uncut.nbytes, rel=0.1)  # they may grow at other times
    # Rows that are there already need no frame of their own.
    used = [store.used for store in cut._table.stores]
    if entries > 1:
        cut.extend([list(cut)[-1]] * 20)
        assert all(now <= then for now, then in zip(_used(cut), used, strict=True))


def _used(buffer: Any) -> list[int]:
    return [store.used for store in buffer._table.stores]


def test_a_loaded_buffer_needs_no_more_memory_than_the_one_that_was_saved() -> None:
    kitchen = RowKitchen("stack", 1)
    buffer = ExperienceReplayBuffer(None, 50)
    buffer.extend(kitchen.recipe().make() for _ in range(70))
    cut = loaded(buffer, ExperienceReplayBuffer(None, 50))
    scratch = sum(s.memo.nbytes + s.stamp.nbytes for s in buffer._table.stores)
    assert buffer.nbytes - scratch <= cut.nbytes <= buffer.nbytes


@pytest.mark.parametrize("obs", ["vector", "discrete", "pixels", "tuple", "dict"])
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_rows_of_a_source_are_saved_and_go_on(obs: str, joined: bool, buffer_kind: str) -> None:
    def make_source() -> Any:
        envs = [scripted_env(obs, i) for i in range(2)]
        if joined:
            return ExperienceSourceFirstLast(envs, CycleAgent(), GAMMA, steps_count=3)
        return ExperienceSource(envs, CycleAgent(), steps_count=3)

    uncut, saved = (make_buffer(buffer_kind, make_source(), 20, GAMMA) for _ in range(2))
    for buffer in (uncut, saved):
        buffer.populate(27)
        buffer.sample(4)
    cut = loaded(saved, make_buffer(buffer_kind, None, 20, GAMMA, seed=3))
    cut.experience_source_iter = saved.experience_source_iter  # the source goes on as it stood
    for n in (1, 1, 13, 30):
        for buffer in (uncut, cut):
            buffer.populate(n)
        assert_same_tree(sampled(cut, 9), sampled(uncut, 9))
        assert_same_tree(contents(cut), contents(uncut))
        assert_invariants(cut)
    assert_same_tree(cut.state_dict(), uncut.state_dict())


def test_the_source_of_the_loading_buffer_stays() -> None:
    source = iter([numbered(9)])
    buffer = ExperienceReplayBuffer(source, 4)
    other = ExperienceReplayBuffer(None, 4)
    other.extend(numbered(i) for i in range(3))
    buffer.load_state_dict(other.state_dict())
    buffer.populate(1)
    assert_rows(buffer, [numbered(i) for i in (0, 1, 2, 9)])


def test_gamma_of_the_source_counts_as_a_setting() -> None:
    source = ExperienceSourceFirstLast(scripted_env(), CycleAgent(), GAMMA)
    buffer = ExperienceReplayBuffer(source, 4)
    buffer.populate(4)
    with pytest.raises(ValueError, match=r"gamma=None, like this one, got gamma=0\.9"):
        ExperienceReplayBuffer(None, 4).load_state_dict(buffer.state_dict())
    cut = loaded(buffer, ExperienceReplayBuffer(None, 4, gamma=GAMMA))
    assert_same_tree(contents(cut), contents(buffer))


def test_pixels_of_pong_are_saved() -> None:
    pytest.importorskip("ale_py")
    from ptan.common.wrappers import wrap_dqn

    def make_source() -> Any:
        import ale_py

        gymnasium.register_envs(ale_py)
        env = wrap_dqn(gymnasium.make("PongNoFrameskip-v4"))
        return ExperienceSourceFirstLast(env, CycleAgent(), 0.99, steps_count=2, env_seed=1)

    uncut = PrioritizedReplayBuffer(make_source(), 60, 0.6, rng=0)
    uncut.populate(80)
    cut = loaded(uncut, PrioritizedReplayBuffer(None, 60, 0.6, gamma=0.99))
    assert_same_tree(sampled(cut, 32), sampled(uncut, 32))
    assert _used(cut) == _used(uncut)
    rows = list(uncut)[:30]
    for buffer in (cut, uncut):
        buffer.extend(rows)
    assert_same_tree(cut.state_dict(), uncut.state_dict())
    assert _used(cut)[0] < 80


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_an_empty_buffer_is_saved_and_empties_the_one_that_loads_it(buffer_kind: str) -> None:
    empty = make_buffer(buffer_kind, None, 6, GAMMA, seed=1)
    full = make_buffer(buffer_kind, None, 6, GAMMA, seed=2)
    full.extend(numbered(i) for i in range(9))
    loaded(empty, full)
    assert len(full) == 0
    assert list(full) == []
    assert full.pos == 0
    for buffer in (empty, full):
        buffer.extend(ExperienceFirstLast(np.ones(3), 1, 0.5, None) for _ in range(4))
    assert_same_tree(sampled(full, 5), sampled(empty, 5))


def test_items_of_another_kind_make_room_for_the_rows_of_a_state() -> None:
    buffer = ExperienceReplayBuffer(None, 6)
    buffer.extend(["some", "text"])
    other = ExperienceReplayBuffer(None, 6)
    other.extend(numbered(i) for i in range(9))
    buffer.load_state_dict(other.state_dict())
    assert_same_tree(contents(buffer), contents(other))
    buffer.add(numbered(9))
    assert_rows(buffer, [numbered(i) for i in range(4, 10)])


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_a_state_is_as_large_as_the_rows_not_as_the_room_for_more(buffer_kind: str) -> None:
    buffer = make_buffer(buffer_kind, None, 1_000_000, GAMMA)
    rng = np.random.default_rng(0)
    for i in range(1000):
        state = rng.normal(size=4).astype(np.float32)
        buffer.add(ExperienceFirstLast(state, i % 2, 1.0, None))
    arrays = arrays_in(buffer.state_dict())
    cache = frames._CACHE_ENTRIES * 4
    assert sum(array.nbytes for array in arrays) <= 1000 * 100 + cache
    assert max(array.shape[0] for array in arrays) <= max(1000, cache // 4)


def test_a_state_shares_the_memory_of_what_is_large() -> None:
    buffer = ExperienceReplayBuffer(None, 50)
    kitchen = RowKitchen("stack", 1)
    buffer.extend(kitchen.recipe().make() for _ in range(70))
    state = buffer.state_dict()
    store = buffer._table.stores[0]
    assert np.shares_memory(state["rows"]["stores"][0]["frames"], store.frames)
    assert np.shares_memory(state["rows"]["stores"][0]["refs"], store.refs)
    cut = ExperienceReplayBuffer(None, 50)
    cut.load_state_dict(state)
    mine = [a for a in arrays_in(cut.state_dict()) if a.size]
    assert not any(np.shares_memory(a, b) for a in mine for b in arrays_in(state))


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_the_layout_is_readable_text(kind: str) -> None:
    buffer = ExperienceReplayBuffer(None, 5)
    buffer.add(RowKitchen(kind, 0).recipe().make())
    schema = buffer.state_dict()["rows"]["schema"]
    assert json.loads(json.dumps(schema)) == schema


def test_a_state_that_became_lists_of_tuples_or_read_only_arrays_loads_too() -> None:
    buffer = ExperienceReplayBuffer(None, 5)
    buffer.extend(numbered(i) for i in range(9))
    state = copy.deepcopy(buffer.state_dict())
    for array in arrays_in(state):
        array.flags.writeable = False
    state["rows"]["stores"] = tuple(state["rows"]["stores"])
    cut = ExperienceReplayBuffer(None, 5)
    cut.load_state_dict(state)
    for each in (cut, buffer):
        each.extend(numbered(i) for i in range(9, 13))
    assert_same_tree(contents(cut), contents(buffer))


@pytest.mark.parametrize(
    "bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"], ids=lambda bits: bits
)
def test_any_generator_of_numpy_goes_on(bits: str) -> None:
    uncut, cut = (
        ExperienceReplayBuffer(
            None, 5, gamma=GAMMA, rng=np.random.Generator(getattr(np.random, bits)(seed))
        )
        for seed in (1, 2)
    )
    uncut.extend(numbered(i) for i in range(9))
    uncut.sample(3)
    generator = cut.rng
    loaded(uncut, cut)
    assert cut.rng is generator
    assert_same_tree(sampled(cut, 50), sampled(uncut, 50))


OBSERVATIONS = {
    "bool": True,
    "float": 0.5,
    "numpy_scalar": np.float32(1.5),
    "empty": np.zeros((0,), np.float32),
    "complex": np.array([1 + 2j, 3]),
    "half": np.zeros((3,), np.float16),
    "int_keys": {1: np.ones(2), 0: np.zeros(3, np.int8)},
    "none_key": {None: np.ones(2), True: 3},
    "reversed": {"z": np.ones(2, np.float32), "a": np.zeros(2, np.float32)},
    "nested": ({"a": (1, np.ones((2, 2)))}, 2.5),
}

ACTIONS = {
    "scalar": 3,
    "float": 0.25,
    "vector": np.array([0.5, -0.0], np.float32),
    "matrix": np.arange(6).reshape(2, 3),
}


@pytest.mark.parametrize("observation", OBSERVATIONS.values(), ids=OBSERVATIONS)
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_values_of_all_shapes_come_back(observation: Any, action: Any) -> None:
    rows = [
        ExperienceFirstLast(observation, action, reward, None if reward else observation)
        for reward in (1, 0, 2.5, 0.0, 7)
    ]
    uncut = ExperienceReplayBuffer(None, 4, gamma=GAMMA)
    uncut.extend(rows)
    cut = loaded(uncut, ExperienceReplayBuffer(None, 4, gamma=GAMMA))
    assert_rows(cut, rows[1:], GAMMA)
    for buffer in (cut, uncut):
        buffer.extend(rows[:2])
    assert_same_tree(contents(cut), contents(uncut))
    assert_same_tree(sampled(cut, 6), sampled(uncut, 6))


def test_a_widened_reward_column_stays_wide() -> None:
    def row(reward: np.ndarray) -> ExperienceFirstLast:
        return ExperienceFirstLast(0, 0, reward, None)

    uncut = ExperienceReplayBuffer(None, 4)
    uncut.extend([row(np.array([1, 2], np.int8)), row(np.array([0.5, 1e10], np.float64))])
    cut = loaded(uncut, ExperienceReplayBuffer(None, 4))
    more = [row(np.array([3, 4], np.int8)), row(np.array([0.25, 0.5], np.float32))]
    for buffer in (cut, uncut):
        buffer.extend(more)
    assert_same_tree(contents(cut), contents(uncut))
    assert_same_tree(cut.state_dict(), uncut.state_dict())


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", ["stack", "steps"])
def test_a_buffer_whose_insertion_was_interrupted_is_saved_whole(
    kind: str, buffer_kind: str
) -> None:
    line, more = 0, True
    while more:
        line += 5
        kitchen = RowKitchen(kind, 3)
        first = [kitchen.recipe().make() for _ in range(7)]
        second = [kitchen.recipe().make() for _ in range(3)]
        third = [kitchen.recipe().make() for _ in range(4)]
        uncut, saved = (make_buffer(buffer_kind, None, 5, GAMMA) for _ in range(2))
        for buffer in (uncut, saved):
            buffer.extend(first)
            more = _interrupted(buffer, second, line)
        cut = loaded(saved, make_buffer(buffer_kind, None, 5, GAMMA, seed=9))
        assert_same_tree(contents(cut), contents(uncut))
        assert_invariants(cut)
        for buffer in (uncut, cut):
            buffer.extend(third)
        assert_same_tree(contents(cut), contents(uncut))
        assert_same_tree(sampled(cut, 20), sampled(uncut, 20))
        assert_invariants(cut)


class Counting(PrioReplayBufferNaive):
    """Counts the rows it was given, and keeps the count in its state."""

    given = 0

    def _add(self, row: Any) -> None:
        self.given += 1
        super()._add(row)

    def state_dict(self) -> dict[str, Any]:
        return {"given": self.given, "buffer": super().state_dict()}

    def load_state_dict(self, state: Any, *, row_class: Any = None) -> None:
        super().load_state_dict(state["buffer"], row_class=row_class)
        self.given = state["given"]


def test_a_subclass_can_save_more() -> None:
    buffer = Counting((numbered(i) for i in range(9)), 4)
    buffer.populate(9)
    cut = Counting(None, 4)
    cut.load_state_dict(buffer.state_dict())
    assert cut.given == 9
    assert_same_tree(contents(cut), contents(buffer))
