"""State trees on the disk: what comes back, what is refused, and what the files are."""

import collections
import enum
import hashlib
import json
import re
import struct
import subprocess
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, example, given, settings

from ptan.training.checkpoint import CheckpointError, load_tree, save_tree

from .state_trees import NUMPY, TORCH, TREES, assert_same


def round_trip(tree):
    with tempfile.TemporaryDirectory() as folder:
        save_tree(Path(folder) / "tree", tree)
        return load_tree(Path(folder) / "tree")


# What comes back.


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
@example({1: "int", "1": "str", -(2**70): (), "$dict": [], "__metadata__": torch.ones(2)})
@example([(), [], {}, ((1,), [1]), {"a": {}}, {"$int": 5}, {"$tuple": (1,)}, "\ud800é"])
@example({"a": {"b": torch.ones(1)}, "a']['b": torch.zeros(1), "\ud800": np.zeros(2)})
def test_a_tree_comes_back_to_the_bit(tree) -> None:
    assert_same(round_trip(tree), tree)


def test_generator_states_come_back_and_draw_the_same() -> None:
    rng, noise = np.random.default_rng(7), torch.Generator().manual_seed(9)
    rng.random(5, np.float32)
    tree = {"numpy": rng.bit_generator.state, "torch": noise.get_state()}
    loaded = round_trip(tree)
    assert_same(loaded, tree)
    again = np.random.default_rng()
    again.bit_generator.state = loaded["numpy"]
    assert again.random(4).tolist() == rng.random(4).tolist()


def test_an_optimizer_goes_on_as_before() -> None:
    def step(net, optimizer):
        optimizer.zero_grad()
        net(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()

    def parts():
        net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
        return net, torch.optim.Adam(net.parameters(), betas=(0.8, 0.9), amsgrad=True)

    net, optimizer = parts()
    step(net, optimizer)
    loaded = round_trip({"net": net.state_dict(), "optimizer": optimizer.state_dict()})
    other, its_optimizer = parts()
    other.load_state_dict(loaded["net"])
    its_optimizer.load_state_dict(loaded["optimizer"])
    for pair in ((net, optimizer), (other, its_optimizer)):
        step(*pair)
    assert_same(dict(other.state_dict()), dict(net.state_dict()))
    assert_same(its_optimizer.state_dict(), optimizer.state_dict())


@pytest.mark.parametrize("dtype", NUMPY, ids=str)
def test_arrays_of_every_dtype_shape_and_layout(dtype) -> None:
    numbers = np.frombuffer(np.random.default_rng(0).bytes(48 * 16), np.uint8) % 2
    content = np.frombuffer(numbers.tobytes(), dtype)[:48].reshape(2, 4, 6)
    tree = {
        "plain": content,
        "fortran": np.asfortranarray(content),
        "strided": content[:, ::-2, 1::3],
        "broadcast": np.broadcast_to(content[:, :1], (2, 4, 6)),
        "0-d": content[0, 0, 0].reshape(()).astype(dtype),
        "empty": content[:, :0],
        "scalar": content[1, 2, 3],
    }
    loaded = round_trip(tree)
    assert_same(loaded, tree)
    assert all(a.flags.writeable for a in loaded.values() if isinstance(a, np.ndarray))


@pytest.mark.parametrize("dtype", TORCH, ids=str)
def test_tensors_of_every_dtype_shape_and_layout(dtype) -> None:
    content = (torch.arange(48).reshape(2, 4, 6) % 2).to(dtype)
    shared = content.clone().share_memory_()
    tree = {
        "plain": content,
        "transposed": content.permute(2, 0, 1),
        "expanded": content[:, :1].expand(2, 4, 6),
        "part of another": content[1],
        "0-d": content[1, 2, 3],
        "empty": content[:, :0],
        "shared": shared,
        "the same": shared,
    }
    assert_same(round_trip(tree), tree)


def test_tensors_that_are_views_with_a_flag_come_back_as_values() -> None:
    numbers = torch.tensor([1 + 2j, 3 - 4j])
    tree = {"conj": numbers.conj(), "negative": numbers.conj().imag}
    loaded = round_trip(tree)
    assert loaded["conj"].tolist() == [1 - 2j, 3 + 4j]
    assert loaded["negative"].tolist() == [-2.0, 4.0]


def test_parameters_come_back_as_plain_tensors_without_gradient() -> None:
    loaded = round_trip({"w": torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))})
    assert type(loaded["w"]) is torch.Tensor
    assert not loaded["w"].requires_grad
    assert loaded["w"].tolist() == [1, 1, 1]


def test_memory_maps_and_other_mappings_become_plain_ones(tmp_path) -> None:
    mapped = np.memmap(tmp_path / "map", np.int16, "w+", shape=(2, 3))
    mapped[:] = [[1, 2, 3], [4, 5, 6]]
    tree = {"map": mapped, "dict": collections.OrderedDict(b=1, a=2)}
    loaded = round_trip(tree)
    assert_same(loaded, {"map": np.array(mapped), "dict": {"b": 1, "a": 2}})


def test_what_is_loaded_belongs_to_the_caller(tmp_path) -> None:
    save_tree(tmp_path / "tree", {"a": np.zeros(3), "t": torch.zeros(3)})
    first = load_tree(tmp_path / "tree")
    first["a"][:] = 1
    first["t"] += 1
    assert_same(load_tree(tmp_path / "tree"), {"a": np.zeros(3), "t": torch.zeros(3)})


# What is refused.


class Colour(enum.IntEnum):
    RED = 1


Pair = collections.namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "builtins.object"),
        (b"bytes", "builtins.bytes"),
        ({1, 2}, "builtins.set"),
        (1j, "builtins.complex"),
        (Colour.RED, "Colour"),
        (Pair(1, 2), "Pair"),
        (torch.Size([1]), "torch.Size"),
        (collections.deque([1]), "collections.deque"),
        (np.random.default_rng(), "Generator"),
        (torch.float32, "torch.dtype"),
        (np.array([None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(2, [("a", "f4")]), "dtype \\[\\('a', '<f4'\\)\\]"),
        (np.zeros(2, "datetime64[s]"), "datetime64"),
        (np.ma.masked_array([1.0]), "numpy.ma.*MaskedArray"),
        (np.datetime64("2020-01-01"), "numpy.datetime64"),
        (np.str_("a"), "numpy.str_"),
        (torch.ones(2).to_sparse(), "layout torch.sparse_coo"),
        (torch.ones(2, device="meta"), "device meta"),
        (torch.zeros(2).to(torch.float8_e4m3fnuz), "float8_e4m3fnuz"),
        ({True: 1}, "key True"),
        ({(1, 2): 1}, "key \\(1, 2\\)"),
        ({2.0: 1}, "key 2.0"),
        ({np.int64(2): 1}, "key .*2.*int64"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_other_values_are_refused_with_their_place_and_nothing_is_written(
    tmp_path, value, reason
) -> None:
    tree = {"optimizer": {"x": [0, 1, np.ones(2), (0, value)], 7: None}}
    place = re.escape("state['optimizer']['x'][3][1]")
    with pytest.raises(TypeError, match=f"^{place} .*{reason}"):
        save_tree(tmp_path / "new" / "tree", tree)
    assert list(tmp_path.iterdir()) == []


def test_long_doubles_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^state\[5\] is a numpy\.longdouble"):
        round_trip({5: np.longdouble(1)})
    with pytest.raises(TypeError, match=r"^state is an array with dtype float128"):
        round_trip(np.ones(2, np.longdouble))


def test_trees_that_contain_themselves_are_refused() -> None:
    tree: list = []
    tree.append(tree)
    with pytest.raises(TypeError, match=r"^state\[0\]\[0\].*contains itself, or more than 100"):
        round_trip(tree)


def test_deep_trees_come_back_and_deeper_ones_are_refused() -> None:
    def nested(depth):
        tree = 1
        for _ in range(depth):
            tree = ({3: tree},)
        return tree

    assert round_trip(nested(50)) == nested(50)
    with pytest.raises(TypeError, match="100 levels"):
        round_trip(nested(51))


def test_numbers_longer_than_python_writes_in_decimal() -> None:
    tree = {10**5000: 10**5000, -(10**5000): [np.ones(1)]}
    assert round_trip(tree)[10**5000] == 10**5000


def test_an_existing_folder_is_never_touched(tmp_path) -> None:
    save_tree(tmp_path / "tree", 1)
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path / "tree"))):
        save_tree(tmp_path / "tree", 2)
    assert load_tree(tmp_path / "tree") == 1


# What the files are.

TREE = {
    "a": np.arange(6, dtype=">u2").reshape(2, 3),
    "b": torch.arange(3).to(torch.bfloat16),
    "c": np.array(True),
    "d": np.zeros((0, 3)),
    "e": np.array([1 + 2j], np.complex64),
}


def test_the_tensors_open_with_the_safetensors_library(tmp_path) -> None:
    save_tree(tmp_path / "tree", TREE)
    loaded = safetensors.torch.load_file(tmp_path / "tree" / "tensors.safetensors")
    assert {name: tensor.dtype for name, tensor in loaded.items()} == {
        "state['a']": torch.uint16,
        "state['b']": torch.bfloat16,
        "state['c']": torch.bool,
        "state['d']": torch.float64,
        "state['e']": torch.float32,
    }
    assert loaded["state['a']"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded["state['b']"].tolist() == [0, 1, 2]
    assert loaded["state['c']"].item() is True
    assert loaded["state['d']"].shape == (0, 3)
    assert loaded["state['e']"].tolist() == [[1, 2]]
    save_tree(tmp_path / "none", {})
    assert safetensors.numpy.load_file(tmp_path / "none" / "tensors.safetensors") == {}


def test_everything_else_is_json_and_a_checksum_tool_agrees(tmp_path) -> None:
    save_tree(tmp_path / "tree", {"x": (1, -0.0, float("inf")), 7: 2**64, "t": torch.ones(2)})
    document = json.loads((tmp_path / "tree" / "state.json").read_text())
    assert document == {
        "format": "ptan.state_tree",
        "version": 1,
        "state": {
            "$dict": [
                ["x", {"$tuple": [1, -0.0, {"$float": "7ff0000000000000"}]}],
                [7, {"$int": "0x10000000000000000"}],
                ["t", {"$tensor": "float32", "shape": [2]}],
            ]
        },
    }
    subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path / "tree", check=True)


def test_neither_saving_nor_loading_copies_large_arrays(tmp_path) -> None:
    size = 1 << 25
    tree = {"a": np.zeros(size, np.uint8), "b": np.zeros(size // 8)}
    tracemalloc.start()
    save_tree(tmp_path / "tree", tree)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.reset_peak()
    load_tree(tmp_path / "tree")
    assert tracemalloc.get_traced_memory()[1] < 2 * size + (1 << 20)
    tracemalloc.stop()


def test_one_array_at_a_time_is_copied_where_it_must_be(tmp_path) -> None:
    size = 1 << 24
    arrays = [np.zeros((2, size), np.uint8).T[:, 0][::-1] for _ in range(4)]
    tracemalloc.start()
    save_tree(tmp_path / "tree", arrays)
    assert size <= tracemalloc.get_traced_memory()[1] < size + (1 << 20)
    tracemalloc.stop()


# What is no such file.


def rewrite(folder: Path, document: object) -> None:
    """Put another document into a tree, with the checksum that belongs to it."""
    text = json.dumps(document) if not isinstance(document, str) else document
    (folder / "state.json").write_text(text)
    sums = folder / "SHA256SUMS"
    new = hashlib.sha256(text.encode()).hexdigest()
    sums.write_text(new + sums.read_text()[64:])


def wrap(state: object, **other: object) -> dict:
    return {"format": "ptan.state_tree", "version": 1, "state": state} | other


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "not of the format ptan.state_tree"),
        (wrap(1, format="other"), "not of the format ptan.state_tree"),
        (wrap(1, version=2), "version 2 .* reads version 1"),
        (wrap(1, version=None), "version None"),
        (wrap(1, more=1), "must have the entry 'state' and no other"),
        ("{", "Expecting"),
        ('{"format": NaN}', "state.json cannot be read as JSON: NaN"),
        (f"{'[' * 100_000}", "recursion"),
        (wrap({"$pickle": "x"}), r"state is no value"),
        (wrap([{"a": {"$tuple": [], "more": 1}}]), r"state\[0\]\['a'\] is no value"),
        (wrap({"$tuple": {}}), "no value"),
        (wrap({"$int": "0x"}), "no value"),
        (wrap({"$int": "__import__('os')"}), "no value"),
        (wrap({"$float": "00"}), "no value"),
        (wrap({"$dict": [[1, 2], [1, 3]]}), "no new str or int"),
        (wrap({"$dict": [[1.5, 2]]}), "no new str or int"),
        (wrap({"$dict": [[1]]}), "no pair"),
        (wrap({"$scalar": "f4", "bytes": "00"}), "no value"),
        (wrap({"$scalar": "O", "bytes": "00"}), "no value"),
        (wrap({"$array": "|O", "shape": []}), "no value"),
        (wrap({"$array": "f4", "shape": []}), "no value"),
        (wrap({"$array": "", "shape": []}), "no value"),
        (wrap({"$array": "<f4", "shape": [-1]}), "no list of sizes"),
        (wrap({"$array": "<f4", "shape": [True]}), "no list of sizes"),
        (wrap({"$array": "<f4", "shape": [10**15]}), "tensors.safetensors has .* bytes"),
        (wrap({"$tensor": "load", "shape": []}), "no value"),
        (wrap({"$tensor": "float32", "shape": [1]}), "tensors.safetensors has"),
        (wrap([{"$array": "<f4", "shape": [2]}]), "another header"),
        (wrap({"x": {"$array": "<i8", "shape": [1]}}), "another header"),
    ],
    ids=range(29),
)
def test_a_document_that_is_not_of_the_format_is_refused(tmp_path, document, reason) -> None:
    folder = tmp_path / "tree"
    save_tree(folder, {"x": np.zeros(2, "f4")})
    rewrite(folder, document)
    with pytest.raises(CheckpointError, match=f"(?s)^{re.escape(str(folder))}: .*{reason}"):
        load_tree(folder)


@pytest.mark.parametrize("kind", ["$array", "$tensor"])
@pytest.mark.parametrize("shape", [[0, 2**70], [0, 2**62, 8], [0, 2**63 - 1]])
def test_sizes_that_no_machine_has_are_refused(tmp_path, kind, shape) -> None:
    folder = tmp_path / "tree"
    save_tree(folder, {})
    rewrite(folder, wrap({kind: "<f4" if kind == "$array" else "float32", "shape": shape}))
    # The other file fits: neither its size nor its header stops what reads the sizes.
    entries = {"state": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    content = struct.pack("<Q", len(text)) + text
    (folder / "tensors.safetensors").write_bytes(content)
    sums = folder / "SHA256SUMS"
    checksum = hashlib.sha256(content).hexdigest()
    sums.write_text(f"{sums.read_text().splitlines()[0]}\n{checksum}  tensors.safetensors\n")
    reason = "state has a shape that no memory holds"
    with pytest.raises(CheckpointError, match=f"^{re.escape(str(folder))}: {reason}"):
        load_tree(folder)


def test_a_missing_tree_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / 'no'}: the folder is")):
        load_tree(tmp_path / "no")
