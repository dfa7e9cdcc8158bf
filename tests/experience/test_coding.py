"""Rows made by hand go to columns and back. What is refused: `tests/replay/test_refusals.py`."""

from dataclasses import dataclass

import numpy as np
import pytest
from tests.replay.fakes import RowKitchen
from tests.replay.oracles import assert_columns, assert_rows

from ptan.experience import Experience, ExperienceFirstLast
from ptan.experience.coding import decode, encode, schema_of
from ptan.replay.batch import Batch


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_rows_made_by_hand_go_to_columns_and_back(kind: str) -> None:
    kitchen = RowKitchen(kind, 3, with_discount=True)
    rows = [kitchen.recipe().make() for _ in range(12)]
    schema = schema_of(rows[0])
    assert schema is not None
    record = encode(schema, rows, None)
    assert len(record) == 12
    assert_rows(decode(record), rows)
    assert_rows(decode(record.gather()), rows)
    assert_rows(decode(record[3:7]), rows[3:7])
    batch: Batch = Batch(record.gather())
    assert_columns(batch, rows)


def test_what_is_no_row_has_no_schema() -> None:
    row = ExperienceFirstLast(1, 2, 3.0, None)
    step = Experience(1, 2, 3.0, True)
    for item in (1, "text", (), (1, 2), (row, row), (step, row), [step, 1]):
        assert schema_of(item) is None


@dataclass(frozen=True)
class Weighted(ExperienceFirstLast):
    weights: float = 1.0


def test_an_added_field_may_not_hide_a_column_of_the_batch() -> None:
    with pytest.raises(ValueError, match="'weights'"):
        schema_of(Weighted(np.zeros(2), 0, 0.0, None, 2.0))
