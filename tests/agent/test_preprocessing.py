"""Observations of every kind become the tensors one would write by hand."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from ptan.actions import ArgmaxActionSelector
from ptan.agent import DQNAgent, default_states_preprocessor, float32_preprocessor

from .models import LOGITS, rows


class LazyFrames:
    """An observation that becomes an array only when asked, in the signature of older wrappers."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None):
        return self.array if dtype is None else self.array.astype(dtype)


def spying(**options):
    """An agent of two observations, and what its model was given."""
    seen = []
    return DQNAgent(lambda x: seen.append(x) or np.eye(2), ArgmaxActionSelector(), **options), seen


def test_without_a_preprocessor_the_model_gets_the_observations_themselves():
    for device in ("cpu", "meta"):
        for observations in (["a", "b"], {"x": torch.zeros(2, 1)}, (np.zeros(2), np.zeros(2))):
            agent, seen = spying(preprocessor=None, device=device)
            assert agent(observations)[0].tolist() == [0, 1]
            assert seen[0] is observations


class TwoParts(NamedTuple):
    image: torch.Tensor
    rest: list


def test_tensors_a_preprocessor_returns_are_moved_however_nested():
    returned = {"a": torch.zeros(2), "b": (torch.zeros(2), [torch.zeros(2), "text"])}
    agent, seen = spying(
        device="meta", preprocessor=lambda states: TwoParts(torch.zeros(2), [returned, 7])
    )
    agent(LOGITS)
    (parts,) = seen
    assert type(parts) is TwoParts
    moved = parts.rest[0]
    for tensor in (parts.image, moved["a"], moved["b"][0], moved["b"][1][0]):
        assert tensor.device.type == "meta"
    assert moved["b"][1][1] == "text"
    assert parts.rest[1] == 7
    assert returned["a"].device.type == "cpu"


def test_observations_move_to_the_device_and_a_new_device_counts_at_once():
    agent, seen = spying()
    agent(LOGITS)
    agent.device = "meta"
    agent(LOGITS)
    agent([torch.zeros(3), torch.zeros(3)])
    assert [x.device.type for x in seen] == ["cpu", "meta", "meta"]


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.uint8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64]
)
@pytest.mark.parametrize("count", [1, 3])
def test_values_and_dtypes_are_kept_in_lists_and_arrays(dtype, count):
    array = np.random.default_rng(0).integers(0, 100, (count, 2, 3)).astype(dtype)
    for states in (array, list(array), [LazyFrames(one) for one in array], LazyFrames(array)):
        tensor = default_states_preprocessor(states)
        assert tensor.numpy().dtype == dtype
        assert tensor.tolist() == array.tolist()
        as_float = float32_preprocessor(states)
        assert as_float.dtype == torch.float32
        assert as_float.tolist() == array.astype(float).tolist()


@pytest.mark.parametrize(
    ("states", "dtype"),
    [
        ([1, 2, 3], torch.int64),
        ([np.int64(4)], torch.int64),
        ([np.int32(4), np.int32(5)], torch.int32),
        ([0.5, 1.5], torch.float64),
        ([np.float32(0.5)], torch.float32),
        ([True, False], torch.bool),
        ([np.array(3), np.array(4)], torch.int64),
    ],
)
def test_numbers_become_one_dimensional_tensors(states, dtype):
    tensor = default_states_preprocessor(states)
    assert tensor.shape == (len(states),)
    assert tensor.dtype == dtype
    assert tensor.tolist() == [float(state) for state in states]
    assert float32_preprocessor(states).dtype == torch.float32


def test_dicts_and_tuples_keep_their_nesting_from_lists_and_from_batches():
    one = {"image": np.zeros((2, 2), np.uint8), "pair": (np.ones(3, np.float32), 4)}
    two = {"image": np.ones((2, 2), np.uint8), "pair": (np.zeros(3, np.float32), 5)}
    batch = {
        "image": np.stack([one["image"], two["image"]]),
        "pair": (np.stack([one["pair"][0], two["pair"][0]]), np.array([4, 5])),
    }
    for states in ([one, two], batch):
        result = default_states_preprocessor(states)
        assert list(result) == ["image", "pair"]
        assert result["image"].dtype == torch.uint8
        assert result["image"].tolist() == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]
        assert isinstance(result["pair"], tuple)
        assert result["pair"][0].tolist() == [[1.0] * 3, [0.0] * 3]
        assert result["pair"][1].tolist() == [4, 5]
        floats = float32_preprocessor(states)
        assert floats["image"].dtype == floats["pair"][1].dtype == torch.float32
        for nested in (states, (batch["pair"][0], batch["image"])):
            assert spying()[0](nested)[1] == [None, None]  # agents count their rows


def test_tensors_are_used_as_they_are():
    batch = torch.zeros(3, 2, dtype=torch.float64)
    assert default_states_preprocessor(batch) is batch
    assert float32_preprocessor(batch).dtype == torch.float32
    for states in ([torch.ones(2)], [torch.ones(2), torch.zeros(2)]):
        result = default_states_preprocessor(states)
        assert result.tolist() == [state.tolist() for state in states]
    assert float32_preprocessor([torch.ones(2, dtype=torch.int64)]).dtype == torch.float32


def test_one_array_is_not_copied_and_read_only_ones_are():
    array = np.zeros((2, 3), np.float32)
    single = [np.zeros(3, np.float32)]
    assert np.shares_memory(default_states_preprocessor(array).numpy(), array)
    assert np.shares_memory(float32_preprocessor(array).numpy(), array)
    assert np.shares_memory(default_states_preprocessor(single).numpy(), single[0])
    array.flags.writeable = single[0].flags.writeable = False
    for states, original in ((array, array), (single, single[0])):
        # Warnings are errors here: torch warns about memory that it could write by accident.
        tensor = default_states_preprocessor(states)
        assert not np.shares_memory(tensor.numpy(), original)
        tensor += 1
        assert not original.any()


def test_unusual_memory_layouts_are_copied():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for view in (array[::-1], array[:, ::-1], array.T, array.astype(">f4"), array[:, ::2]):
        assert default_states_preprocessor(view).tolist() == view.tolist()
        assert default_states_preprocessor([view[0]]).tolist() == [view[0].tolist()]


@pytest.mark.parametrize(
    ("states", "error", "messages"),
    [
        (rows([1, 2], [3, 4], [5]), ValueError, ["must have one shape", "(2,)", "(1,)"]),
        ([np.zeros((2, 2)), np.zeros((2, 1))], ValueError, ["one shape", "(2, 2)", "(2, 1)"]),
        ([np.zeros(2), np.zeros(2), 1.0], ValueError, ["one shape", "(2,)", "()"]),
        ([{"a": 1, "b": 2}, {"a": 1}], KeyError, ["b"]),
        ([(1, 2), (1,)], ValueError, ["shorter"]),
        (["left", "right"], TypeError, ["cannot become a tensor", "preprocessor=None"]),
        (np.array([None, None]), TypeError, ["cannot become a tensor", "preprocessor=None"]),
        (np.zeros(2, "datetime64[s]"), TypeError, ["cannot become a tensor", "datetime64"]),
        ([], ValueError, ["must not be empty"]),
        ({"a": []}, ValueError, ["must not be empty"]),
    ],
)
def test_observations_that_make_no_tensor_raise(states, error, messages):
    with pytest.raises(error) as caught:
        default_states_preprocessor(states)
    for message in messages:
        assert message in str(caught.value)
