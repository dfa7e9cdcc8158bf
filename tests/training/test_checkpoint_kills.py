"""A process killed at any moment of saving leaves the checkpoint it was writing, or the one before.

Each case forks a child that gets SIGKILL just before the k-th call that could change the disk. The
calls are counted by a profiler of the interpreter, which sees every function of C by its name, so
the tests do not depend on how the code under test is cut.
"""

import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ptan.training import durable
from ptan.training.checkpoint import Checkpoints, load_tree, save_tree

from .state_trees import assert_same

CALLS = {"open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "close"}


def state(version: int) -> dict:
    return {
        "version": version,
        "array": np.full(30, version, np.int64),
        "tensor": torch.full((20,), float(version)),
        "list": [str(version)] * 20,
    }


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


@pytest.fixture(autouse=True)
def small_writes(monkeypatch) -> None:
    """Several writes per file, so that kills tear files too."""
    monkeypatch.setattr(durable, "CHUNK", 200)


@pytest.mark.parametrize(("before", "keep"), [(0, 2), (1, 1), (3, 2)])
def test_every_kill_leaves_the_old_checkpoint_or_the_new_one(tmp_path, before, keep) -> None:
    seen = []
    for call in range(1, 1000):
        folder = tmp_path / str(call)
        for version in range(1, before + 1):
            Checkpoints(folder, keep).save(state(version), 10 * version)
        new = before + 1
        killed = killed_at(call, lambda: Checkpoints(folder, keep).save(state(new), 10 * new))  # noqa: B023
        loaded = Checkpoints(folder, keep).load()
        version = 0 if loaded is None else loaded.state["version"]
        assert version in (before, new)
        if loaded is not None:
            assert_same(loaded.state, state(version))
            assert loaded.step == 10 * version
            assert loaded.warnings == [] or before == 0  # then there may be no pointer yet
        seen.append(version)
        if not killed:
            break
        goes_on(folder, keep)
    # Old ones first, new ones from the moment on when the pointer was replaced.
    assert seen == sorted(seen)
    assert seen[-1] == new
    assert seen.count(before) > 20
    assert seen.count(new) > 1


def goes_on(folder: Path, keep: int) -> None:
    """After a kill the next run saves as ever, and clears up."""
    checkpoints = Checkpoints(folder, keep)
    checkpoints.load()
    path = checkpoints.save(state(77), 77)
    names = sorted(entry.name for entry in folder.iterdir())
    assert not any("partial" in name for name in names)
    kept = [name for name in names if "step" in name]
    assert 1 <= len(kept) <= keep
    assert kept[-1] == path.name
    for name in kept:
        load_tree(folder / name)
    loaded = Checkpoints(folder).load()
    assert (loaded.step, loaded.path, loaded.warnings) == (77, path, [])


def test_a_killed_save_of_a_tree_leaves_it_whole_or_absent(tmp_path) -> None:
    found = []
    for call in range(1, 1000):
        path = tmp_path / str(call) / "tree"
        killed = killed_at(call, lambda: save_tree(path, state(1)))  # noqa: B023
        found.append(path.exists())
        if path.exists():
            assert_same(load_tree(path), state(1))
        else:
            save_tree(path, state(2))
            assert_same(load_tree(path), state(2))
        if not killed:
            break
    assert found == sorted(found)
    assert found.count(False) > 10


def test_bytes_are_on_the_disk_before_their_names(tmp_path, monkeypatch) -> None:
    """What a power cut asks for: the order of syncs and renames, watched from outside."""
    events: list[tuple[str, int | str]] = []
    sync, rename, replace = os.fsync, os.rename, os.replace

    def watched_sync(handle: int) -> None:
        sync(handle)
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
        key = what if isinstance(what, str) else what.stat().st_ino
        return events.index((kind, key))

    named = when("name", path.name)
    for file in path.iterdir():
        assert when("sync", file) < named
    assert when("sync", path) < named
    pointed = when("name", "latest.json")
    assert when("sync", folder / "latest.json") < pointed
    of_folder = [i for i, event in enumerate(events) if event == ("sync", folder.stat().st_ino)]
    assert any(named < i < pointed for i in of_folder)
    assert of_folder[-1] > pointed
    assert when("sync", tmp_path) < named
    assert when("sync", folder.parent) < named
