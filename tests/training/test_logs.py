"""Logs: text files that survive being killed, and event files that TensorBoard reads back."""

import io
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ptan.training.logs import JsonLinesLog, TensorBoardLog, read_json_lines

from .tracked import Clock


def written(path, *lines: dict) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def line(step: int, seconds: float = 0.0, **values) -> dict:
    return {"env_steps": step, "seconds": seconds, **values}


@pytest.fixture
def clock(monkeypatch) -> Clock:
    monkeypatch.setattr("ptan.training.logs.perf_counter", clock := Clock())
    return clock


def test_one_line_per_call_with_steps_seconds_and_tags(tmp_path, clock) -> None:
    path = tmp_path / "deep" / "metrics.jsonl"
    log = JsonLinesLog(path)
    clock.now += 1.5
    log.scalars(200, {"train/avg_loss": 0.1, "train/fps": np.float32(0.25)})
    clock.now += 1
    log.scalars(np.int64(300), {"episodes/steps": 7, "episodes/reward": np.int64(-3)})
    log.image(300, "picture", np.zeros((2, 2, 3), np.uint8))
    # Before close: each line is in the file as soon as it is written.
    assert [json.loads(text) for text in path.read_text().splitlines()] == [
        {"env_steps": 200, "seconds": 1.5, "train/avg_loss": 0.1, "train/fps": 0.25},
        {"env_steps": 300, "seconds": 2.5, "episodes/steps": 7.0, "episodes/reward": -3.0},
    ]
    log.close()
    log.close()


VALUES = st.dictionaries(
    st.text().filter(lambda tag: tag not in ("env_steps", "seconds")),
    st.one_of(st.floats(), st.integers(-(2**53), 2**53)),
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


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("rest", [b"", b"\0\0\0\0", b'{"env_st', b"\xff\xfe", b'{"env_steps": 9}'])
@pytest.mark.parametrize("count", range(4))
def test_a_killed_file_goes_on_after_its_last_whole_line_that_counts(
    tmp_path, clock, count, rest, at
) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = [line(1, 0.5, a=1.25), line(2, 7.0, a=2.5, b=None), line(3, 9.0, a=-1e-300)][:count]
    written(path, *whole)
    path.write_bytes(path.read_bytes() + rest)
    assert read_json_lines(path) == whole

    log = JsonLinesLog(path, truncate_after=at)
    clock.now += 2
    log.scalars(9, {"c": 1.0})
    log.close()
    kept = [entry for entry in whole if entry["env_steps"] <= at]
    last = kept[-1]["seconds"] if kept else 0.0
    assert read_json_lines(path) == [*kept, line(9, pytest.approx(last + 2), c=1.0)]


@pytest.mark.parametrize(
    "broken",
    [
        *(b"{torn\n", b"\n", b"[1]\n", b"3\n", b"{}\n", b'{"env_steps": 2}\n'),
        b'{"env_steps": "2", "seconds": 0}\n',
        b'{"env_steps": 2, "seconds": null}\n',
    ],
)
def test_a_file_with_a_broken_line_or_in_the_way_of_another_is_left_alone(tmp_path, broken) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = json.dumps(line(1)).encode() + b"\n"
    path.write_bytes(whole + broken + whole)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: "):
        JsonLinesLog(path, truncate_after=9)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: "):
        read_json_lines(path)
    with pytest.raises(FileExistsError, match=r"metrics\.jsonl"):
        JsonLinesLog(path)
    assert path.read_bytes() == before


def test_a_missing_file_is_begun_by_a_resumed_run_and_an_error_to_read(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json_lines(tmp_path / "metrics.jsonl")
    JsonLinesLog(tmp_path / "metrics.jsonl", truncate_after=5).close()
    assert read_json_lines(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(("steps", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_a_truncation_that_makes_no_sense_leaves_no_file(tmp_path, steps, error) -> None:
    with pytest.raises(error, match="truncate_after"):
        JsonLinesLog(tmp_path / "log", truncate_after=steps)
    assert not (tmp_path / "log").exists()


# TensorBoard.


def events(folder) -> EventAccumulator:
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    return reader


def points(reader: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def pictures(reader: EventAccumulator, tag: str) -> list[tuple[int, np.ndarray]]:
    return [
        (event.step, np.array(Image.open(io.BytesIO(event.encoded_image_string))))
        for event in reader.Images(tag)
    ]


def test_scalars_and_images_come_back_but_for_what_a_resumed_run_hides(tmp_path) -> None:
    first = TensorBoardLog(folder := tmp_path / "deep" / "run")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 5, 7, 3), dtype=np.uint8)
    for step in (10, 20, 30, 40):
        first.scalars(step, {"train/a": np.float32(step), "train/b": 1e9})
        first.image(step, "c", pixels[step - 1])
    first.close()
    first.close()
    second = TensorBoardLog(str(folder), truncate_after=20)
    second.scalars(30, {"train/a": -3})
    second.image(35, "c", pixels[34])
    second.close()
    reader = events(folder)
    assert points(reader, "train/a") == [(10, 10.0), (20, 20.0), (30, -3.0)]
    assert points(reader, "train/b") == [(10, 1e9), (20, 1e9)]
    found = pictures(reader, "c")
    assert [step for step, _ in found] == [10, 20, 35]
    for step, picture in found:
        np.testing.assert_array_equal(picture, pixels[step - 1])


def test_without_tensorboard_the_error_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r'pip install "ptan\[tensorboard\]"'):
        TensorBoardLog(tmp_path / "run")
    assert not (tmp_path / "run").exists()
