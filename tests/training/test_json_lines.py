"""A text file of numbers that survives being killed, and goes on where a checkpoint was."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.training.json_lines import JsonLinesLog, read_json_lines


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def written(path, *lines: dict) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def line(step: int, seconds: float = 0.0, **values) -> dict:
    return {"env_steps": step, "seconds": seconds, **values}


def test_one_line_per_call_with_steps_seconds_and_tags(tmp_path) -> None:
    clock = Clock()
    log = JsonLinesLog(tmp_path / "deep" / "metrics.jsonl", clock=clock)
    clock.now += 1.5
    log.scalars(200, {"train/avg_loss": 0.1, "train/fps": np.float32(0.25)})
    clock.now += 1
    log.scalars(np.int64(300), {"episodes/steps": 7, "episodes/reward": np.int64(-3)})
    log.image(300, "picture", np.zeros((2, 2, 3), np.uint8))
    # Before close: each line is in the file as soon as it is written.
    lines = (tmp_path / "deep" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in lines] == [
        {"env_steps": 200, "seconds": 1.5, "train/avg_loss": 0.1, "train/fps": 0.25},
        {"env_steps": 300, "seconds": 2.5, "episodes/steps": 7, "episodes/reward": -3},
    ]
    log.close()
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.scalars(400, {})


VALUES = st.dictionaries(
    st.text().filter(lambda tag: tag not in ("env_steps", "seconds")),
    st.one_of(st.floats(), st.integers(-(2**80), 2**80)),
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, max_size=5))
def test_every_line_is_json_and_reads_back(tmp_path_factory, calls) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    log = JsonLinesLog(path)
    for step, values in enumerate(calls):
        log.scalars(step, values)
    log.close()
    for text in path.read_bytes().split(b"\n")[:-1]:
        json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    found = read_json_lines(path)
    assert [entry.pop("env_steps") for entry in found] == list(range(len(calls)))
    assert all(entry.pop("seconds") >= 0 for entry in found)
    assert found == [
        {tag: value if math.isfinite(value) else None for tag, value in values.items()}
        for values in calls
    ]


@pytest.mark.parametrize(
    ("step", "values", "error"),
    [
        (-1, {}, ValueError),
        (1.5, {}, TypeError),
        (True, {}, TypeError),
        (1, {"a": 1.0, "b": "2"}, TypeError),
        (1, {"a": None}, TypeError),
        (1, {"a": True}, TypeError),
        (1, {"env_steps": 3}, ValueError),
        (1, {"seconds": 3}, ValueError),
    ],
)
def test_what_makes_no_line_is_refused_and_nothing_is_written(tmp_path, step, values, error):
    log = JsonLinesLog(tmp_path / "metrics.jsonl")
    with pytest.raises(error, match=r"step|values"):
        log.scalars(step, values)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
    log.close()


def test_a_file_that_exists_is_not_overwritten(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, line(1))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="append=True"):
        JsonLinesLog(path)
    assert path.read_bytes() == before


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(0, 200), seconds=st.floats(0, 1e6))
def test_a_file_killed_anywhere_goes_on_after_its_last_whole_line(
    tmp_path_factory, cut, seconds
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    whole = [line(1, 0.5, a=1.25), line(2, seconds, a=2.5, b=None), line(3, seconds + 1, a=-1e-300)]
    written(path, *whole)
    contents = path.read_bytes()[:cut]
    path.write_bytes(contents)
    # An object is whole with its last brace; the line break may be missing.
    n_whole = contents.count(b"}")
    assert read_json_lines(path) == whole[:n_whole]

    clock = Clock()
    log = JsonLinesLog(path, append=True, clock=clock)
    clock.now += 2
    log.scalars(9, {"c": 1.0})
    log.close()
    at = whole[n_whole - 1]["seconds"] if n_whole else 0.0
    *kept, new = read_json_lines(path)
    assert kept == whole[:n_whole]
    assert new == line(9, pytest.approx(at + 2, abs=1e-6), c=1.0)
    assert path.read_bytes().count(b"\n") == n_whole + 1


@pytest.mark.parametrize("rest", [b"\0\0\0\0", b'{"env_st\n', b"[1, 2]\n", b"\xff\xfe", b"12"])
def test_a_last_line_that_is_no_object_does_not_count(tmp_path, rest) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, line(1))
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    assert read_json_lines(path) == [line(1)]
    JsonLinesLog(path, append=True).close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "broken", [b"{torn\n", b"\n", b"[]\n", b'{"a": 1}\n', b'{"env_steps": 1}\n']
)
def test_a_broken_line_in_the_middle_is_named_and_the_file_left_alone(tmp_path, broken) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = json.dumps(line(1)).encode() + b"\n"
    path.write_bytes(whole + broken + whole)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="line 2"):
        JsonLinesLog(path, append=True)
    if b'"' not in broken:
        with pytest.raises(ValueError, match="line 2"):
            read_json_lines(path)
    assert path.read_bytes() == before


def test_a_missing_file_is_empty_to_append_to_and_an_error_to_read(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json_lines(tmp_path / "metrics.jsonl")
    log = JsonLinesLog(tmp_path / "metrics.jsonl", append=True)
    assert read_json_lines(tmp_path / "metrics.jsonl") == []
    log.scalars(0, {})
    log.close()
    assert len(read_json_lines(tmp_path / "metrics.jsonl")) == 1


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.integers(0, 20), max_size=12).map(sorted), at=st.integers(0, 20))
def test_truncation_cuts_exactly_the_later_lines(tmp_path_factory, steps, at) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    lines = [line(step, 10.0 * i, a=i) for i, step in enumerate(steps)]
    written(path, *lines)
    clock = Clock()
    log = JsonLinesLog(path, append=True, clock=clock)
    clock.now += 100
    log.truncate_after(at)
    kept = [entry for entry in lines if entry["env_steps"] <= at]
    assert read_json_lines(path) == kept
    clock.now += 2
    log.scalars(21, {})
    log.close()
    last = kept[-1]["seconds"] if kept else 0.0
    assert read_json_lines(path) == [*kept, line(21, last + 2)]


def test_truncation_in_the_middle_of_writing(tmp_path) -> None:
    log = JsonLinesLog(tmp_path / "metrics.jsonl", clock=Clock())
    for step in (1, 2, 3):
        log.scalars(step, {})
    log.truncate_after(2, seconds=7.5)
    log.scalars(4, {})
    log.close()
    assert read_json_lines(tmp_path / "metrics.jsonl") == [line(1), line(2), line(4, 7.5)]


@pytest.mark.parametrize(
    ("env_steps", "seconds"), [(-1, None), (2.0, None), (2, -1.0), (2, math.nan), (2, math.inf)]
)
def test_a_truncation_that_makes_no_sense_cuts_nothing(tmp_path, env_steps, seconds) -> None:
    log = JsonLinesLog(tmp_path / "metrics.jsonl")
    log.scalars(5, {})
    with pytest.raises((TypeError, ValueError), match=r"env_steps|seconds"):
        log.truncate_after(env_steps, seconds)
    log.close()
    assert len(read_json_lines(tmp_path / "metrics.jsonl")) == 1
