"""The record of transitions: parts of it, gathered copies, observations before and after."""

import itertools
from typing import Any

import numpy as np
import pytest
from tests.replay.fakes import GAMMA, CycleAgent, scripted_env
from tests.replay.oracles import assert_columns, assert_rows

from ptan.experience import ExperienceReplayBuffer, ExperienceSource, ExperienceSourceFirstLast
from ptan.experience.coding import decode
from ptan.experience.transitions import Transitions, gathered_refs
from ptan.replay.batch import Batch


def source_of(windows: bool) -> Any:
    envs = [scripted_env("dict", i) for i in range(2)]
    if windows:
        return ExperienceSource(envs, CycleAgent(), 3)
    return ExperienceSourceFirstLast(envs, CycleAgent(), GAMMA, 2)


def taken(windows: bool, count: int) -> list[Transitions]:
    """The next rows of a source as records, each copied before the next is asked for."""
    stream, left, records = iter(source_of(windows)), count, []
    while left:
        records.append(stream.take(left).gather())
        left -= len(records[-1])
    return records


@pytest.mark.parametrize("windows", [False, True])
def test_records_of_a_source_are_its_rows(windows: bool) -> None:
    rows = list(itertools.islice(source_of(windows), 40))
    records = taken(windows, 40)
    assert_rows([row for record in records for row in decode(record)], rows, GAMMA)
    for record in records:
        part = record[1 : len(record) - 1]
        assert len(part) == max(0, len(record) - 2)


@pytest.mark.parametrize("windows", [False, True])
def test_a_gathered_record_is_a_batch_and_fits_a_buffer(windows: bool) -> None:
    rows = list(itertools.islice(source_of(windows), 40))
    buffer = ExperienceReplayBuffer(None, 100, gamma=GAMMA)
    for record in taken(windows, 40):
        batch: Batch = Batch(record)
        part = rows[len(buffer) : len(buffer) + len(record)]
        if not windows:  # discounts of windows are the buffer's to fill in
            assert_columns(batch, part, GAMMA)
        buffer.insert(record)
    assert_rows(buffer, rows, GAMMA)
    again = ExperienceReplayBuffer(None, 100, gamma=GAMMA)
    again.insert(buffer.sample_batch(30).transitions)
    assert len(again) == 30


def test_gathered_references_lie_step_by_step() -> None:
    refs = gathered_refs(3, 2)
    assert refs.shape == (3, 2, 2)
    assert refs[:, 0, 0].tolist() == [0, 1, 2]
    assert refs[:, 0, 1].tolist() == [3, 4, 5]
    assert refs[:, 1, 0].tolist() == [6, 7, 8]
    assert np.unique(refs).size == refs.size
