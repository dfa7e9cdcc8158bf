"""A process killed at any moment of saving leaves the checkpoint it was writing, or the one before.

Each case forks a child that gets SIGKILL just before the k-th call that could change the disk. The
calls are counted by a profiler of the interpreter, which sees every function of C by its name, so
the tests do not depend on how the code under test is cut.
"""

import os
import shutil
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ptan.training.checkpoint import Checkpoints, load_tree
from ptan.training.durable import replace_file, sync

from .state_trees import assert_same

CALLS = {"open", "write", "serialize_file", "fsync", "mkdir", "rename", "replace", "unlink",
         "rmdir", "close"}  # fmt: skip


def state(version: int) -> dict:
    return {"version": version, "array": np.full(30, version), "tensor": torch.ones(version)}


def killed_at(call: int, action) -> bool:
    """Run an action in a child that is killed before its k-th call; whether it was."""
    with warnings.catch_warnings():
        # Of Python 3.12 on: the threads that a child lacks have nothing to do with files.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        left = call

        def profile(frame, event, function) -> None:
            nonlocal left
            if event == "c_call" and getattr(function, "__name__", "") in CALLS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(profile)
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(("before", "keep"), [(0, 2), (1, 1), (3, 2)])
def test_every_kill_leaves_the_old_checkpoint_or_the_new_one(tmp_path, before, keep) -> None:
    seen, new, origin = [], before + 1, tmp_path / "0"
    origin.mkdir()
    for version in range(1, new):
        Checkpoints(origin, keep).save(state(version), 10 * version)
    for call in range(1, 1000):
        folder = shutil.copytree(origin, tmp_path / str(call))
        killed = killed_at(call, lambda: Checkpoints(folder, keep).save(state(new), 10 * new))  # noqa: B023
        loaded = Checkpoints(folder, keep).load()
        version = 0 if loaded is None else loaded.state["version"]
        assert version in (before, new)
        if loaded is not None:
            assert_same(loaded.state, state(version))
            assert (loaded.step, loaded.warnings) == (10 * version, [])
        seen.append(version)
        if not killed:
            break
        # After a kill the next run saves as ever, and clears up.
        path = Checkpoints(folder, keep).save(state(77), 77)
        names = sorted(entry.name for entry in folder.iterdir())
        assert 1 <= len(names) <= keep
        assert names[-1] == path.name
        for name in names:
            load_tree(folder / name)
    # Old ones first, new ones from the moment on when the folder got its name.
    assert seen == sorted(seen)
    assert seen[-1] == new
    assert seen.count(before) > 20
    assert seen.count(new) > 1


def test_a_killed_replacement_leaves_the_old_file_or_the_new_one(tmp_path) -> None:
    path, seen = tmp_path / "result.json", []
    for call in range(1, 1000):
        path.write_bytes(b"old")
        killed = killed_at(call, lambda: replace_file(path, b"new content"))
        seen.append(path.read_bytes())
        if not killed:
            break
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {b"old", b"new content"}


def test_bytes_are_on_the_disk_before_their_names(tmp_path, monkeypatch) -> None:
    """What a power cut asks for: the order of syncs and renames, watched from outside."""
    events: list[tuple[str, int | str]] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def watched_sync(handle: int) -> None:
        fsync(handle)
        events.append(("sync", os.fstat(handle).st_ino))

    def watched(move):
        def moving(source, target, **rest) -> None:
            move(source, target, **rest)
            events.append(("name", Path(target).name))

        return moving

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "rename", watched(rename))
    monkeypatch.setattr(os, "replace", watched(replace))
    folder = tmp_path / "new" / "checkpoints"
    path = Checkpoints(folder).save(state(1), 5)

    def when(kind: str, what: Path | str) -> int:
        return events.index((kind, what if isinstance(what, str) else what.stat().st_ino))

    named = when("name", path.name)
    for part in (path, *path.iterdir(), tmp_path, folder.parent):
        assert when("sync", part) < named
    assert events[named + 1 :] == [("sync", folder.stat().st_ino)]

    events.clear()
    replace_file(folder / "result.json", b"{}")
    kinds = ("sync", folder / "result.json"), ("name", "result.json"), ("sync", folder)
    assert [when(*kind) for kind in kinds] == [0, 1, 2]


def test_file_systems_that_cannot_sync_folders_do(tmp_path, monkeypatch) -> None:
    fsync = os.fsync

    def refuses_folders(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuses_folders)
    Checkpoints(tmp_path).save(state(2), 5)
    sync(tmp_path)
    assert Checkpoints(tmp_path).load().state["version"] == 2
