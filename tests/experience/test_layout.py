"""What values are stored as: native arrays, numbers, nests of them, or objects."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ptan.experience import (
    Batch,
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
)
from ptan.experience.layout import (
    OPAQUE,
    flatten,
    layout_of,
    layout_words,
    layout_written,
    leaf_of,
    leaves_of,
    unflatten,
)


def buffer_of(*rows: Any) -> ExperienceReplayBuffer:
    buffer = ExperienceReplayBuffer(None, 8, gamma=0.9, rng=0)
    buffer.extend(rows)
    return buffer


def assert_native(batch: Batch) -> None:
    for column in (batch.states, batch.last_states, batch.actions, batch.rewards):
        assert column.dtype.isnative
    tensors = batch.to("cpu")
    assert torch.equal(tensors.states, torch.as_tensor(np.ascontiguousarray(batch.states)))


def test_a_foreign_byte_order_from_a_source_is_stored_native() -> None:
    class Foreign(gymnasium.Env):
        observation_space = spaces.Box(-1, 1, (3,), np.float32)
        action_space = spaces.Box(-1, 1, (2,), np.float32)

        def reset(self, **_: Any) -> Any:
            self.t = 0
            return np.arange(3, dtype=">f4"), {}

        def step(self, action: Any) -> Any:
            self.t += 1
            return np.full(3, self.t, ">f4"), np.array([self.t, 2], ">f8"), self.t > 2, False, {}

    source = ExperienceSourceFirstLast(Foreign(), lambda o, s: (np.ones((1, 2), ">f4"), s), 0.9)
    buffer = ExperienceReplayBuffer(source, 20, rng=0)
    buffer.populate(6)
    batch = buffer.sample_batch(30)
    assert_native(batch)
    assert set(batch.states[:, 0].tolist()) == {0.0, 1.0, 2.0}


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i4", ">u2", ">c8"])
def test_a_foreign_byte_order_in_rows_made_by_hand_is_stored_native(kind: str) -> None:
    dtype = np.dtype(kind)
    state, action, reward = np.arange(3).astype(dtype), np.ones(2, dtype), np.ones(2, ">f4")
    row = ExperienceFirstLast(state, action, reward, state + state)
    native = row._replace(
        state=state.astype(dtype.newbyteorder("=")), action=action.astype(dtype.newbyteorder("="))
    )
    buffer = buffer_of(row, native, row)
    assert_native(buffer.sample_batch(5))
    assert all(stored.state.dtype.isnative for stored in buffer)
    assert_native(Batch.from_rows([row, native], gamma=0.9))
    assert [stored == native for stored in buffer] == [True] * 3
    assert_native(buffer_of(native, row).sample_batch(5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8, torch.int64])
def test_tensors_in_rows_made_by_hand_become_arrays_of_their_own(dtype: torch.dtype) -> None:
    reused, buffer = torch.zeros(3, dtype=dtype), buffer_of()
    for t in range(1, 5):
        reused.fill_(t)
        buffer.add(ExperienceFirstLast(reused, torch.tensor(t % 2), 1.0, reused))
    assert [row.state.tolist() for row in buffer] == [[t] * 3 for t in range(1, 5)]
    batch = buffer.sample_batch(6)
    assert batch.states.dtype == torch.zeros(1, dtype=dtype).numpy().dtype
    assert (batch.states.shape, batch.actions.shape) == ((6, 3), (6,))
    assert batch.to("cpu").states.dtype == dtype


def test_tensors_in_nests_and_windows_and_halves_become_arrays() -> None:
    state = {"camera": torch.ones(2, 2), "at": (torch.zeros(3), 1)}
    window = tuple(Experience(state, 1, float(t), False, final_state=state) for t in range(2))
    batch = Batch.from_rows([window, window], gamma=0.9)
    assert batch.states["camera"].shape == (2, 2, 2, 2)
    assert batch.states["at"][0].dtype == np.float32
    half = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)  # NumPy does not know these
    batch = Batch.from_rows([ExperienceFirstLast(half, 0, 0.0, half)], gamma=0.9)
    assert (batch.states.dtype, batch.states.tolist()) == (np.float32, [[1.5, -2.0]])


def test_tensors_mixed_with_arrays_fit_where_shape_and_dtype_do() -> None:
    buffer = buffer_of(ExperienceFirstLast(np.zeros(2, np.float32), 0, 0.0, torch.ones(2)))
    with pytest.raises(ValueError, match=r"state must be .*float32.*float64"):
        buffer.add(ExperienceFirstLast(torch.zeros(2, dtype=torch.float64), 0, 0.0, None))
    assert len(buffer) == 1


class Pair(tuple):
    """Stands for the named tuples that graphs come as."""


@pytest.mark.parametrize(
    "value",
    [
        "text",
        None,
        [[1, 2], [3]],
        {1, 2},
        torch.ones(2, requires_grad=True),
        torch.eye(2).to_sparse(),
        spaces.GraphInstance(np.ones((2, 1)), None, None),
        Pair((1, 2)),
        np.array(["a"]),
    ],
    ids=repr,
)
def test_everything_else_stays_as_given(value: Any) -> None:
    assert layout_of(value) == OPAQUE
    batch = buffer_of(ExperienceFirstLast((value, 1.0), 0, 0.5, (value, 2.0))).sample_batch(2)
    assert batch[0].state[0] is value
    assert batch.states[0].dtype == object
    assert batch.last_states[1].tolist() == [2.0, 2.0]


def test_a_layout_is_taken_apart_and_put_together() -> None:
    value = {"a": (np.zeros(2), 3), "b": np.float32(1.0), "c": {}}
    layout = layout_of(value)
    assert [leaf.shape for leaf in leaves_of(layout)] == [(2,), (), ()]
    back = unflatten(layout, flatten(layout, value, "value"))
    assert back["a"][1] == 3
    assert back["c"] == {}
    assert leaf_of(np.float32(1.0)).scalar
    written = layout_written(json.loads(json.dumps(layout_words(layout))))
    assert written == layout
    assert list(written) == ["a", "b", "c"]
