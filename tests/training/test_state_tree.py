"""State trees taken apart and put together: what comes back, and what is refused."""

import collections
import enum
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings

from ptan.training.state_tree import decode, encode

from .state_trees import TREES, assert_same


def round_trip(tree):
    document, arrays = encode(tree)
    assert all(array.flags.c_contiguous and array.dtype.isnative for array in arrays.values())
    copies = {name: array.copy() for name, array in arrays.items()}
    return decode(json.loads(json.dumps(document, allow_nan=False)), copies)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
@example({1: "int", "1": "str", -(2**70): (), "$dict": [], "__metadata__": torch.ones(2)})
@example([(), [], {}, ((1,), [1]), {"a": {}}, {"$int": 5}, {"$tuple": (1,)}, "\ud800é"])
@example({"a": {"b": torch.ones(1)}, "a']['b": torch.zeros(1), "\ud800": np.zeros(2)})
def test_a_tree_comes_back_to_the_bit(tree) -> None:
    assert_same(round_trip(tree), tree)


def test_the_json_looks_like_what_it_means() -> None:
    tree = {"x": (1, -0.0, float("inf")), 7: 2**64, "t": torch.ones(2), "s": np.int16(3)}
    document, arrays = encode(tree)
    assert document == {
        "$dict": [
            ["x", {"$tuple": [1, -0.0, {"$float": "inf"}]}],
            [7, 2**64],
            ["t", {"$tensor": "float32"}],
            ["s", {"$scalar": "int16"}],
        ]
    }
    assert list(arrays) == ["state['t']", "state['s']"]


def test_what_has_a_plain_kind_beneath_becomes_that(tmp_path) -> None:
    mapped = np.memmap(tmp_path / "map", np.int16, "w+", shape=(2, 3))
    mapped[:] = [[1, 2, 3], [4, 5, 6]]
    loaded = round_trip(
        {
            "map": mapped,
            "expanded": torch.arange(3).expand(2, 3),
            "broadcast": np.broadcast_to(np.arange(3), (2, 3)),
            "dict": collections.OrderedDict(b=1, a=2),
            "weight": torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16)),
            "negative": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
        }
    )
    weight = torch.ones(3, dtype=torch.bfloat16)
    twice = np.array([[0, 1, 2]] * 2)
    plain = {"map": np.array(mapped), "expanded": torch.from_numpy(twice), "broadcast": twice}
    plain |= {"dict": {"b": 1, "a": 2}, "weight": weight}
    assert_same(loaded, {**plain, "negative": torch.tensor([-2.0, 4.0])})
    assert not loaded["weight"].requires_grad


def test_nothing_contiguous_is_copied() -> None:
    tree = {"a": np.zeros(9), "b": torch.zeros(9), "c": torch.zeros(9, dtype=torch.bfloat16)}
    places = tree["a"].ctypes.data, tree["b"].data_ptr(), tree["c"].data_ptr()
    document, arrays = encode(tree)
    assert tuple(array.ctypes.data for array in arrays.values()) == places
    loaded = decode(document, arrays)
    assert (loaded["a"].ctypes.data, *(loaded[key].data_ptr() for key in "bc")) == places


# What is refused.


class Colour(enum.IntEnum):
    RED = 1


Pair = collections.namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "builtins.object"),
        (b"bytes", "builtins.bytes"),
        (Colour.RED, "Colour"),
        (Pair(1, 2), "Pair"),
        (np.random.default_rng(), "Generator"),
        (np.array([None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(2, "c8"), "complex64"),
        (np.ones(2, np.longdouble), "float128"),
        (np.ma.masked_array([1.0]), "numpy.ma.*MaskedArray"),
        (np.datetime64("2020-01-01"), "datetime64"),
        (torch.ones(2).to_sparse(), "torch.sparse_coo tensor"),
        (torch.ones(2, device="meta"), "on meta"),
        (torch.zeros(2, dtype=torch.complex64), "complex64"),
        (torch.zeros(4, dtype=torch.uint8).view(torch.bits8), "bits8"),
        ({True: 1}, "key True"),
        ({(1, 2): 1}, "key \\(1, 2\\)"),
        ({np.int64(2): 1}, "key np.int64"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_other_values_are_refused_with_their_place(value, reason) -> None:
    tree = {"optimizer": {"x": [0, 1, np.ones(2), (0, value)], 7: None}}
    place = re.escape("state['optimizer']['x'][3][1]")
    with pytest.raises(TypeError, match=f"^{place} .*{reason}"):
        encode(tree)


@pytest.mark.parametrize(
    "node",
    [
        {"$pickle": "x"},
        [{"a": {"$tuple": [], "more": 1}}],
        {"$tuple": {}},
        {"$float": "1.0"},
        {"$dict": {}},
        {"$array": "float32"},
        {"x": {"$array": "object"}},
        {"x": {"$array": "float64"}},
        {"x": {"$scalar": "float32"}},
        {"x": {"$tensor": "load"}},
        {"x": {"$tensor": "float16"}},
        {"y": {"$tensor": "bool"}},
        {"y": {"$tensor": "qint8"}},
        {"y": {"$tensor": "bfloat16"}},
        {"y": {"$array": ["uint8"]}},
    ],
    ids=str,
)
def test_json_that_is_not_of_the_format_is_refused_with_its_place(node) -> None:
    arrays = {"state['x']": np.zeros(2, np.float32), "state['y']": np.zeros(2, np.uint8)}
    with pytest.raises(ValueError, match=r"^state.* (is no value of|must be)"):
        decode(node, arrays)
