"""Trees on the disk, and checkpoints of a run: versions, damage, other writers, full disks."""

import hashlib
import json
import os
import re
import resource
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from ptan.training.checkpoint import (
    CheckpointError,
    Checkpoints,
    LoadedCheckpoint,
    load_tree,
    save_tree,
)

from .state_trees import assert_same


def state(version: int) -> dict:
    return {"version": version, "array": np.arange(9.0) + version, "tensor": torch.ones(version)}


def saved(folder: Path, versions: int, keep: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep)
    for version in range(1, versions + 1):
        checkpoints.save(state(version), 100 * version)
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Trees.


def test_a_tree_is_json_and_safetensors_and_a_checksum_tool_agrees(tmp_path) -> None:
    tree = {"a": np.arange(6, dtype=">u2").reshape(2, 3), "b": torch.ones(3), "c": (0, None)}
    save_tree(tmp_path / "new" / "tree", tree)
    folder = tmp_path / "new" / "tree"
    assert json.loads((folder / "state.json").read_text()) == {
        "format": "ptan.state_tree",
        "version": 2,
        "state": {
            "a": {"$array": "uint16"},
            "b": {"$tensor": "float32"},
            "c": {"$tuple": [0, None]},
        },
    }
    found = safetensors.numpy.load_file(folder / "tensors.safetensors")
    assert_same(found["state['a']"], tree["a"])
    assert_same(found["state['b']"], np.ones(3, np.float32))
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    assert_same(load_tree(folder), tree)


def test_an_existing_folder_is_never_touched(tmp_path) -> None:
    save_tree(tmp_path / "tree", 1)
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path / "tree"))):
        save_tree(tmp_path / "tree", 2)
    assert load_tree(tmp_path / "tree") == 1


def in_a_child(action) -> str:
    """What an action returns, or an OSError that it raises, in a process of its own."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        text = "another error"
        try:
            text = str(action())
        except OSError as error:
            text = f"OSError: {error}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.wait()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


def memory(kind: str) -> int:
    """Bytes of this process, as `/proc/self/status` has them."""
    (line,) = re.findall(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(line)


def test_saving_large_arrays_takes_no_memory(tmp_path) -> None:
    size = 1 << 26

    def save() -> int:
        tree = {"a": np.ones(size, np.uint8), "b": torch.ones(size // 4)}
        before = memory("RssAnon")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        save_tree(tmp_path / "tree", tree)
        return memory("VmHWM") - memory("RssFile") - before

    assert int(in_a_child(save)) < size // 8
    tracemalloc.start()
    load_tree(tmp_path / "tree")
    assert tracemalloc.get_traced_memory()[1] < 2 * size + (1 << 20)
    tracemalloc.stop()


# What is no such tree.


FORMAT = '"format": "ptan.state_tree", "version": 2'
OTHER = r"state.json must be of .*ptan.state_tree.*version': 2"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("[]", OTHER),
        (f"{{{FORMAT}}}", OTHER),
        (f'{{{FORMAT.replace("ptan", "other")}, "state": 1}}', OTHER),
        (f'{{{FORMAT.replace("2", "1")}, "state": 1}}', OTHER),
        ("{", "Expecting"),
        ("[" * 100_000, "recursion"),
        (f'{{{FORMAT}, "state": {{"$pickle": "x"}}}}', "state is no value"),
        (f'{{{FORMAT}, "state": {{"y": {{"$array": "f4"}}}}}}', r"state\['y'\] is no value"),
    ],
    ids=range(8),
)
def test_a_document_that_is_not_of_the_format_is_refused(tmp_path, document, reason) -> None:
    folder = tmp_path / "tree"
    save_tree(folder, {"x": np.zeros(2, "f4")})
    (folder / "state.json").write_text(document)
    files = ("state.json", "tensors.safetensors")  # whose checksums shall fit
    sums = [f"{hashlib.sha256((folder / f).read_bytes()).hexdigest()}  {f}\n" for f in files]
    (folder / "SHA256SUMS").write_text("".join(sums))
    with pytest.raises(CheckpointError, match=f"(?s)^{re.escape(str(folder))}: .*{reason}"):
        load_tree(folder)


def test_a_missing_tree_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / 'no'}: ")):
        load_tree(tmp_path / "no")


# Versions.


def test_what_was_saved_last_is_loaded_whatever_its_step(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path / "a" / "b")
    assert checkpoints.load() is None
    for version, step in enumerate((50, 7, 7), start=1):
        path = checkpoints.save(state(version), step)
        loaded = checkpoints.load()
        assert isinstance(loaded, LoadedCheckpoint)
        assert_same(loaded.state, state(version))
        assert (loaded.step, loaded.path, loaded.warnings) == (step, path, [])
        assert path.is_absolute()


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, keep) -> None:
    saved(tmp_path, 5, keep)
    newest = [f"{number:06d}-step-{100 * number}" for number in range(1, 6)][-keep:]
    assert names(tmp_path) == newest
    Checkpoints(tmp_path, 1).save(state(6), 600)
    assert names(tmp_path) == ["000006-step-600"]


def test_what_killed_writers_left_is_removed_and_other_files_stay(tmp_path) -> None:
    (tmp_path / ".partial-000001-step-5").mkdir(parents=True)
    (tmp_path / ".partial-000001-step-5" / "tensors.safetensors").write_bytes(b"torn")
    (tmp_path / ".partial-result.json").write_bytes(b"{")
    (tmp_path / "notes.txt").write_text("mine")
    assert Checkpoints(tmp_path).load() is None
    saved(tmp_path, 1)
    assert names(tmp_path) == ["000001-step-100", "notes.txt"]


@pytest.mark.parametrize(
    ("keep", "tree", "step", "text"),
    [
        (0, {}, 1, "keep must be at least 1, got 0"),
        (2, [1], 1, "state must be a mapping, got list"),
        (2, {"a": [object()]}, 1, "state['a'][0] is a builtins.object"),
        (2, {}, -1, "step must be at least 0, got -1"),
        (2, {}, 1.5, "step must be an int"),
    ],
)
def test_arguments_that_make_no_sense_are_named_and_leave_nothing(tmp_path, keep, tree, step, text):
    with pytest.raises((TypeError, ValueError), match=re.escape(text)):
        Checkpoints(tmp_path / "new", keep).save(tree, step)
    assert names(tmp_path) == []


# Damage.

FILES = ("tensors.safetensors", "state.json", "SHA256SUMS")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "shorter": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": flip,
    "missing": Path.unlink,
    "folder": lambda path: path.rename(path.with_name("other")) and path.mkdir(),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_gives_the_one_before_and_says_so(tmp_path, file, damage) -> None:
    saved(tmp_path, 3)
    newest = tmp_path / "000003-step-300"
    DAMAGES[damage](newest / file)
    loaded = Checkpoints(tmp_path).load()
    assert_same(loaded.state, state(2))
    assert loaded.step == 200
    (warning,) = loaded.warnings
    assert str(newest) in warning
    assert file in warning
    assert warning.endswith("; 000002-step-200 is used instead")


def test_a_bad_sector_gives_the_one_before(tmp_path, monkeypatch) -> None:
    saved(tmp_path, 2)
    read = Path.read_text

    def failing(path: Path, *arguments) -> str:
        if "000002-step-200" in path.parts:
            raise OSError(5, "Input/output error", str(path))
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", failing)
    loaded = Checkpoints(tmp_path).load()
    assert loaded.state["version"] == 1
    assert "Input/output error" in loaded.warnings[0]


def test_if_none_is_intact_all_reasons_are_told_in_one_line(tmp_path) -> None:
    saved(tmp_path, 2)
    flip(tmp_path / "000001-step-100" / "tensors.safetensors")
    flip(tmp_path / "000002-step-200" / "state.json")
    with pytest.raises(CheckpointError) as error:
        Checkpoints(tmp_path).load()
    text = str(error.value)
    assert text.startswith(f"{tmp_path} has no intact checkpoint: ")
    assert f"{tmp_path}/000002-step-200: state.json does not fit the checksums" in text
    assert "000001-step-100: tensors.safetensors does not fit the checksums" in text
    assert "\n" not in text


def test_damaged_ones_do_not_drive_out_intact_ones(tmp_path) -> None:
    saved(tmp_path, 3, keep=2)
    flip(tmp_path / "000003-step-300" / "state.json")
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.load().state["version"] == 2
    checkpoints.save(state(4), 400)
    flip(tmp_path / "000004-step-400" / "state.json")
    assert Checkpoints(tmp_path).load().state["version"] == 2
    checkpoints.load()
    checkpoints.save(state(5), 500)
    checkpoints.save(state(6), 600)
    assert names(tmp_path) == ["000005-step-500", "000006-step-600"]


# Other writers, and disks that do not take more.


def on_a_small_disk(action) -> str:
    """In a process whose files may not exceed 2000 bytes; the tests' own may be larger."""

    def limited() -> object:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit))
        return action()

    return in_a_child(limited)


@pytest.mark.parametrize("large", [np.zeros(1000), "x" * 3000], ids=["tensors", "text"])
def test_a_full_disk_is_named_and_leaves_what_was_saved(tmp_path, large) -> None:
    checkpoints = saved(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))
    text = on_a_small_disk(lambda: checkpoints.save({"large": large}, 300))
    assert re.search(r"OSError: .*000003-step-300 cannot be written: .*too large", text)
    assert sorted(tmp_path.rglob("*")) == before
    assert_same(checkpoints.load().state, state(2))
    assert on_a_small_disk(lambda: checkpoints.save(state(4), 400)).endswith("step-400")
    assert_same(checkpoints.load().state, state(4))


def test_places_that_cannot_be_written_are_named(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OSError, match=f"{re.escape(str(tmp_path))}/file"):
            Checkpoints(folder).save(state(1), 1)
    with pytest.raises(OSError, match="/proc/checkpoints"):
        Checkpoints(Path("/proc/checkpoints")).save(state(1), 1)
    with pytest.raises(NotADirectoryError, match=re.escape(str(tmp_path / "file"))):
        Checkpoints(tmp_path / "file").load()
