"""Checkpoints of a run: versions, damage, other writers, full disks."""

import itertools
import json
import os
import re
import resource
import shutil
import signal
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from ptan.training import durable
from ptan.training.checkpoint import CheckpointError, Checkpoints, LoadedCheckpoint, save_tree

from .state_trees import assert_same


def state(version: int) -> dict:
    return {"version": version, "array": np.arange(9.0) + version, "tensor": torch.ones(version)}


def saved(folder: Path, versions: int, keep: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep)
    for version in range(1, versions + 1):
        checkpoints.save(state(version), 100 * version)
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "step" in path.name)


# Versions.


def test_what_was_saved_last_is_loaded(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path / "a" / "b")
    assert checkpoints.load() is None
    for version in (1, 2, 3):
        path = checkpoints.save(state(version), step=10 * version)
        loaded = checkpoints.load()
        assert isinstance(loaded, LoadedCheckpoint)
        assert_same(loaded.state, state(version))
        assert (loaded.step, loaded.path, loaded.warnings) == (10 * version, path, [])
        assert path.is_absolute()


def test_an_empty_folder_has_no_checkpoint(tmp_path) -> None:
    assert Checkpoints(tmp_path).load() is None
    assert list(tmp_path.iterdir()) == []


def test_the_last_save_counts_not_the_largest_step(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for version, step in enumerate((50, 7, 7), start=1):
        checkpoints.save(state(version), step)
        loaded = Checkpoints(tmp_path).load()
        assert (loaded.state["version"], loaded.step) == (version, step)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, keep) -> None:
    saved(tmp_path, 5, keep)
    newest = [f"{number:06d}-step-{100 * number}" for number in range(1, 6)][-keep:]
    assert names(tmp_path) == newest
    Checkpoints(tmp_path, 1).save(state(6), 600)
    assert names(tmp_path) == ["000006-step-600"]


def test_numbers_may_grow_beyond_their_digits(tmp_path) -> None:
    path = saved(tmp_path, 1).load().path
    path.rename(path.with_name("999999-step-5"))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(2), 6)
    checkpoints.save(state(3), 7)
    assert names(tmp_path) == ["1000000-step-6", "1000001-step-7"]
    assert checkpoints.load().step == 7


def test_what_killed_writers_left_is_removed_and_other_files_stay(tmp_path) -> None:
    (tmp_path / ".partial-000001-step-5").mkdir(parents=True)
    (tmp_path / ".partial-000001-step-5" / "tensors.safetensors").write_bytes(b"torn")
    (tmp_path / ".partial-latest.json").write_bytes(b"{")
    (tmp_path / "notes.txt").write_text("mine")
    assert Checkpoints(tmp_path).load() is None
    saved(tmp_path, 1)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [".lock", "000001-step-100", "latest.json", "notes.txt"]


def test_mappings_are_states_and_other_things_are_not(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path / "new")
    with pytest.raises(TypeError, match="state must be a mapping, got list"):
        checkpoints.save([1], 1)
    with pytest.raises(TypeError, match=re.escape("state['a'][0] is a builtins.object")):
        checkpoints.save({"a": [object()]}, 1)
    with pytest.raises(ValueError, match="step must be at least 0, got -1"):
        checkpoints.save({}, -1)
    with pytest.raises(TypeError, match="step must be an int"):
        checkpoints.save({}, 1.5)
    assert list(tmp_path.iterdir()) == []
    checkpoints.save(OrderedDict(a=1), np.int64(3))
    assert checkpoints.load().state == {"a": 1}


def test_a_state_that_cannot_be_saved_leaves_what_was_saved(tmp_path) -> None:
    checkpoints = saved(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TypeError):
        checkpoints.save({"a": {1, 2}}, 300)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("keep", [0, -1, 1.5, True])
def test_keep_must_be_a_whole_number(tmp_path, keep) -> None:
    with pytest.raises((ValueError, TypeError), match="keep must be"):
        Checkpoints(tmp_path, keep)


# Damage.


@pytest.mark.parametrize("unreadable", ["latest.json", "SHA256SUMS"])
def test_a_pointer_on_a_bad_sector_gives_way_to_the_names(
    tmp_path, monkeypatch, unreadable
) -> None:
    checkpoints = saved(tmp_path, 2)
    newest = checkpoints.load().path.name
    read = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == unreadable and (unreadable == "latest.json" or newest in path.parts):
            raise OSError(5, "Input/output error", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    loaded = Checkpoints(tmp_path).load()
    assert loaded.state["version"] == (2 if unreadable == "latest.json" else 1)
    assert any("Input/output error" in warning for warning in loaded.warnings)


FILES = ("tensors.safetensors", "state.json", "SHA256SUMS")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (truncate, lengthen, empty, flip, Path.unlink, make_folder)


@pytest.mark.parametrize(("file", "damage"), [*itertools.product(FILES, DAMAGES)])
def test_a_damaged_newest_gives_the_one_before_and_says_so(tmp_path, file, damage) -> None:
    saved(tmp_path, 3)
    newest = tmp_path / "000003-step-300"
    damage(newest / file)
    loaded = Checkpoints(tmp_path).load()
    assert_same(loaded.state, state(2))
    assert loaded.step == 200
    text = "\n".join(loaded.warnings)
    assert str(newest) in text
    assert file in text
    assert all(line.endswith("000002-step-200 is used instead") for line in loaded.warnings)


@pytest.mark.parametrize("file", FILES)
def test_no_flipped_bit_goes_unnoticed(tmp_path, file) -> None:
    saved(tmp_path, 2)
    path = tmp_path / "000002-step-200" / file
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 60)):
        torn = bytearray(content)
        torn[place] ^= 1 << place % 8
        path.write_bytes(torn)
        loaded = Checkpoints(tmp_path).load()
        assert loaded.state["version"] == 1
        assert loaded.warnings
    path.write_bytes(content)
    assert Checkpoints(tmp_path).load().warnings == []


def test_no_flipped_bit_of_the_pointer_loads_an_older_state_unnoticed(tmp_path) -> None:
    saved(tmp_path, 3)
    pointer = tmp_path / "latest.json"
    content = pointer.read_bytes()
    for place, bit in itertools.product(range(len(content)), (0, 1, 5)):
        torn = bytearray(content)
        torn[place] ^= 1 << bit
        pointer.write_bytes(torn)
        assert Checkpoints(tmp_path).load().state["version"] == 3


POINTERS = {
    "empty": (b"", "latest.json"),
    "no JSON": (b"\xff\x00", "latest.json"),
    "other JSON": (b"[1]", "not of the format ptan.checkpoints"),
    "newer": (b'{"format": "ptan.checkpoints", "version": 2}', "version 2"),
    "nothing named": (
        b'{"format": "ptan.checkpoints", "version": 1, "latest": {"name": "../x", "sha256": ""}}',
        "names no checkpoint",
    ),
    "missing folder": (
        b'{"format": "ptan.checkpoints", "version": 1,'
        b'"latest": {"name": "000009-step-5", "sha256": ""}}',
        "000009-step-5, which is missing",
    ),
    "another": (
        b'{"format": "ptan.checkpoints", "version": 1,'
        b'"latest": {"name": "000001-step-100", "sha256": ""}}',
        "does not fit 000001-step-100/SHA256SUMS",
    ),
}


@pytest.mark.parametrize(("content", "reason"), POINTERS.values(), ids=POINTERS.keys())
def test_a_damaged_pointer_is_told_and_the_newest_found(tmp_path, content, reason) -> None:
    saved(tmp_path, 2)
    (tmp_path / "latest.json").write_bytes(content)
    loaded = Checkpoints(tmp_path).load()
    assert_same(loaded.state, state(2))
    assert len(loaded.warnings) == 1
    assert reason in loaded.warnings[0]
    assert str(tmp_path) in loaded.warnings[0]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(3), 300)
    assert checkpoints.load().warnings == []


def test_a_missing_pointer_is_told_and_the_newest_found(tmp_path) -> None:
    saved(tmp_path, 2)
    (tmp_path / "latest.json").unlink()
    loaded = Checkpoints(tmp_path).load()
    assert loaded.state["version"] == 2
    assert loaded.warnings == [
        f"{tmp_path}: latest.json is missing; 000002-step-200 is used instead"
    ]


def test_if_none_is_intact_all_reasons_are_told(tmp_path) -> None:
    saved(tmp_path, 2)
    truncate(tmp_path / "000001-step-100" / "tensors.safetensors")
    flip(tmp_path / "000002-step-200" / "state.json")
    with pytest.raises(CheckpointError) as error:
        Checkpoints(tmp_path).load()
    text = str(error.value)
    assert text.startswith(f"{tmp_path} has no intact checkpoint: ")
    assert f"{tmp_path}/000002-step-200: state.json does not fit its checksum" in text
    assert re.search(r"000001-step-100: tensors.safetensors has \d+ bytes, expected \d+", text)


def test_a_pointer_without_any_checkpoint_is_an_error(tmp_path) -> None:
    saved(tmp_path, 1)
    shutil.rmtree(tmp_path / "000001-step-100")
    with pytest.raises(CheckpointError, match="000001-step-100, which is missing"):
        Checkpoints(tmp_path).load()


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


def test_another_process_that_is_saving_is_told(tmp_path) -> None:
    checkpoints = saved(tmp_path, 1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with durable.locked(tmp_path):
            os.write(writer, b"locked")
            signal.pause()
        os._exit(0)
    os.read(reader, 6)
    try:
        with pytest.raises(BlockingIOError, match=f"another process.*{re.escape(str(tmp_path))}"):
            checkpoints.save(state(2), 200)
        assert checkpoints.load().state["version"] == 1
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    checkpoints.save(state(3), 300)  # the lock went with the process
    assert checkpoints.load().state["version"] == 3


def test_two_runs_cannot_share_a_folder_unnoticed(tmp_path) -> None:
    first = saved(tmp_path, 1)
    second = Checkpoints(tmp_path)
    second.load()
    first.save(state(2), 200)
    with pytest.raises(CheckpointError, match=f"{re.escape(str(tmp_path))}.*folder of its own"):
        second.save(state(3), 300)
    first.save(state(4), 400)
    assert Checkpoints(tmp_path).load().state["version"] == 4


def message_on_a_small_disk(action) -> str:
    """What an action complains of in a child process whose files may not exceed 2000 bytes.

    Not in this process: the tests themselves may be writing to a larger file.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "nothing"
        try:
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit))
            action()
        except OSError as error:
            text = f"OSError: {error}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    text = b""
    while part := os.read(reader, 4096):
        text += part
    os.close(reader)
    os.waitpid(child, 0)
    return text.decode()


def test_a_full_disk_is_named_and_leaves_what_was_saved(tmp_path) -> None:
    checkpoints = saved(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))
    text = message_on_a_small_disk(lambda: checkpoints.save({"large": np.zeros(1000)}, 300))
    assert re.search(r"OSError.*too large.*partial-000003-step-300/tensors.safetensors", text)
    assert sorted(tmp_path.rglob("*")) == before
    assert_same(checkpoints.load().state, state(2))
    assert message_on_a_small_disk(lambda: checkpoints.save(state(4), 400)) == "nothing"
    assert_same(checkpoints.load().state, state(4))
    assert checkpoints.load().step == 400


def test_a_failure_after_the_bytes_were_written_does_not_stop_the_next_save(
    tmp_path, monkeypatch
) -> None:
    checkpoints = saved(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full", "x")))
        with pytest.raises(OSError, match="full"):
            checkpoints.save(state(2), 200)
    assert checkpoints.load().state["version"] == 1
    checkpoints.save(state(3), 300)
    loaded = checkpoints.load()
    assert (loaded.state["version"], loaded.warnings) == (3, [])


def test_places_that_cannot_be_written_are_named(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(
            NotADirectoryError, match=f"in the way.*{re.escape(str(tmp_path))}/file"
        ):
            Checkpoints(folder).save(state(1), 1)
    with pytest.raises(OSError, match="/proc/checkpoints"):
        Checkpoints(Path("/proc/checkpoints")).save(state(1), 1)
    with pytest.raises(NotADirectoryError, match=re.escape(str(tmp_path / "file"))):
        Checkpoints(tmp_path / "file").load()


def test_a_disk_that_fails_to_sync_is_named(tmp_path, monkeypatch) -> None:
    def fails(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=f"Input/output error.*{re.escape(str(tmp_path))}"):
        save_tree(tmp_path / "tree", {})
    assert not (tmp_path / "tree").exists()


def test_file_systems_that_cannot_sync_folders_do(tmp_path, monkeypatch) -> None:
    sync = os.fsync

    def refuses_folders(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(22, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuses_folders)
    assert saved(tmp_path, 2).load().state["version"] == 2


def test_the_pointer_is_a_document_people_can_read(tmp_path) -> None:
    saved(tmp_path, 1)
    document = json.loads((tmp_path / "latest.json").read_text())
    assert document["format"] == "ptan.checkpoints"
    assert document["version"] == 1
    assert document["latest"]["name"] == "000001-step-100"
