"""Checksums of what environments give, and actions as columns."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from ptan.envs.recording import action_columns, action_rows, checksum


def test_one_changed_bit_of_any_part_changes_the_checksum():
    value = {"a": (np.arange(3), [1.0, "text"]), "b": None, "c": torch.ones(2)}
    others = [
        {**value, "a": (np.arange(3) + (np.arange(3) == 2), [1.0, "text"])},
        {**value, "a": (np.arange(3), [1.0 + 1e-15, "text"])},
        {**value, "a": (np.arange(3), [1.0, "texT"])},
        {**value, "b": 0},
        {**value, "c": torch.ones(2).nextafter(torch.zeros(2))},
        {"a": value["a"], "b": None, "d": value["c"]},
    ]
    assert len({checksum(one) for one in [value, *others]}) == 7
    assert checksum(dict(reversed(value.items()))) == checksum(value)
    assert checksum(value, 1) != checksum(value)


def test_a_checksum_is_the_same_in_every_process():
    value = "{'a': ('text', 1.5, None, object()), 'b': {'x', 'y'} & {'x'}}"
    program = f"from ptan.envs.recording import checksum; print(checksum({value}))"
    run = [sys.executable, "-c", program]
    seen = {subprocess.run(run, capture_output=True, check=True).stdout for _ in range(2)}
    assert seen == {f"{checksum(eval(value))}\n".encode()}


@pytest.mark.parametrize(
    "value",
    [np.arange(6).reshape(2, 3).T, np.array(5, "datetime64[s]"), torch.ones(3)[::2], (), {}, ""],
)
def test_values_of_every_layout_have_a_checksum(value):
    assert checksum(value) == checksum(value) != checksum(np.ones(7))


ACTIONS = {
    "none": [],
    "numbers": [np.int64(2), np.int64(3)],
    "kinds that change": [1, True, 2.5, np.float64(2.5), np.float32(1), np.int64(1)],
    "arrays": [np.zeros(2, np.float32), np.ones(2, np.float32), np.ones(2), np.ones((1, 2))],
    "text": ["up", "down", "", "up"],
    "nested": [
        {"a": (np.int64(1), np.ones(2)), "b": "x"},
        {"a": (np.int64(2), np.zeros(2)), "b": "long"},
        {"a": (np.int64(2), np.zeros(3)), "b": "long"},
        {"b": "x", "a": (1, np.zeros(3))},
    ],
}


@pytest.mark.parametrize("actions", ACTIONS.values(), ids=ACTIONS)
def test_actions_come_back_in_their_types(actions):
    columns = action_columns(actions)
    text = json.dumps(columns, default=lambda array: [*array.tolist(), str(array.dtype)])
    assert "object" not in text
    again = list(action_rows(columns))
    assert repr(again) == repr(actions)
    assert [type(one) for one in again] == [type(one) for one in actions]


def test_actions_of_one_kind_are_one_column_and_rows_are_copies():
    (column,) = action_columns([np.full(3, i) for i in range(1000)])
    assert column["values"].shape == (1000, 3)
    for row in action_rows([column]):
        row[:] = -1
    assert column["values"].min() == 0
