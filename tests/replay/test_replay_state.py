"""A buffer saved and loaded goes on as if it had never stopped; the uncut twin is the oracle."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
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
from .oracles import assert_rows
from .state_trees import assert_same_tree
from .test_storage_invariants import assert_invariants
from .twins_of_states import OPERATIONS, Player, contents, loaded, sampled


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


# --- sources and environments --------------------------------------------------------------------


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
