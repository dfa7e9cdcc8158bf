"""Frames: stored once, found again, given back. See `test_operations` for their invariants."""

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ptan.experience import ExperienceFirstLast, ExperienceReplayBuffer
from ptan.replay import frames

from .fakes import RowKitchen
from .oracles import assert_invariants, assert_rows
from .twins import OPERATIONS, Twins


@pytest.mark.parametrize("kind", ["stack", "dict", "tuple", "steps"])
def test_rows_stay_whole_while_the_store_grows(kind: str) -> None:
    kitchen = RowKitchen(kind, 5)
    # Frames of noise: nothing is shared, so the frame store has to grow several times.
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (3000, 16, 16), dtype=np.uint8)
    twins = Twins(kitchen, "uniform", 90)
    for n in (3, 40, 100, 1, 91, 250):
        twins.do("extend", n)


@pytest.mark.parametrize("kind", ["stack", "dict", "steps"])
def test_frames_are_told_apart_when_every_fingerprint_is_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_CACHE_ENTRIES", 1)
    twins = Twins(RowKitchen(kind, 1), "uniform", 11)
    rng = np.random.default_rng(0)
    for _ in range(40):
        twins.do(str(rng.choice(OPERATIONS)), int(rng.integers(12)))


@pytest.mark.parametrize(
    ("shape", "dtype", "k"),
    [
        ((4, 84, 84), np.uint8, 4),
        ((16, 16, 16), np.uint8, 16),
        ((17, 16, 16), np.uint8, 1),
        ((4, 5, 51), np.uint8, 1),
        ((4, 64), np.float32, 4),
        ((84, 84), np.uint8, 1),
        ((), np.int64, 1),
    ],
)
def test_stacks_of_images_are_cut_into_frames(shape: Any, dtype: Any, k: int) -> None:
    buffer = ExperienceReplayBuffer(None, 3)
    buffer.add(ExperienceFirstLast(np.zeros(shape, dtype), 0, 0.0, None))
    (store,) = buffer._table.stores
    assert store.refs.shape[2] == k


def _stacked_games(envs: int, n: int, steps: int, size: int = 32) -> Iterator[ExperienceFirstLast]:
    """n-step rows of interleaved games with 4-frame stacks of noise and episodes of 40 steps."""
    rng = np.random.default_rng(0)
    history: list[list[np.ndarray]] = [[] for _ in range(envs)]
    for step in range(steps):
        for stacks in history:
            image = rng.integers(0, 255, (1, size, size), dtype=np.uint8)
            fresh = step % 40 == 0
            stacks.append(
                np.repeat(image, 4, 0) if fresh else np.concatenate([stacks[-1][1:], image])
            )
            if step % 40 >= n:
                yield ExperienceFirstLast(stacks[-1 - n], 0, 0.0, stacks[-1], steps=n)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("envs", [1, 4, 16])
def test_interleaved_stacks_store_about_one_frame_per_row(envs: int, n: int) -> None:
    buffer = ExperienceReplayBuffer(None, 1000)
    for row in _stacked_games(envs, n, 3200 // envs):
        buffer.add(row)
    (store,) = buffer._table.stores
    # One frame per row; an episode of 40 steps has up to n + 3 more, as has each env's tail.
    assert store.used <= 1000 * (1 + (n + 3) / 37) + 8 * envs
    assert buffer.nbytes <= 1.25 * 1000 * 32 * 32 + 400_000


def test_equal_frames_are_stored_once() -> None:
    buffer = ExperienceReplayBuffer(None, 500)
    blank = np.zeros((4, 84, 84), np.uint8)
    buffer.extend([ExperienceFirstLast(blank, 0, 0.0, blank)] * 700)
    assert buffer._table.stores[0].used == 1


def test_memory_and_pickles_follow_the_rows_not_the_capacity() -> None:
    small, large = ExperienceReplayBuffer(None, 200), ExperienceReplayBuffer(None, 100_000)
    for buffer in (small, large):
        buffer.extend(_stacked_games(2, 1, 60))
    frame_bytes = 32 * 32 * small._table.stores[0].used
    assert frame_bytes <= small.nbytes <= 2 * frame_bytes + 400_000
    # Refs, columns and tables only: some hundred bytes per row of capacity.
    assert large.nbytes - small.nbytes <= 100_000 * 200
    data = pickle.dumps(large, protocol=5)
    assert len(data) <= 100_000 * 200 + 2 * frame_bytes
    copy, rows = pickle.loads(data), list(_stacked_games(3, 1, 60))
    copy.extend(rows)
    assert_rows(list(copy)[-len(rows) :], rows)
    assert_invariants(copy)
