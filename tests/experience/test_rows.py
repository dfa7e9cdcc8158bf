"""Rows: frozen dataclasses that behave as named tuples."""

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import Experience, ExperienceFirstLast

NAMES = {
    Experience: ("state", "action", "reward", "done"),
    ExperienceFirstLast: ("state", "action", "reward", "last_state"),
}
SIDE = ("terminated", "truncated", "steps", "discount", "final_state")


@dataclasses.dataclass(frozen=True)
class PricedRow(ExperienceFirstLast):
    """A row of a user's own with one more field."""

    price: float = 0.0


@dataclasses.dataclass(frozen=True)
class NamedRow(Experience):
    """A row of a user's own whose added field may be an array and has no default."""

    tag: Any


@pytest.mark.parametrize(("cls", "names"), NAMES.items())
class TestNamedTupleBehaviour:
    def test_fields_are_reached_by_name_index_and_unpacking(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        assert cls._fields == row._fields == names
        assert [getattr(row, name) for name in names] == [1, 2, 3.0, 4]
        assert [row[place] for place in range(4)] == [1, 2, 3.0, 4]
        assert (row[-1], row[1:3], len(row), 3.0 in row) == (4, (2, 3.0), 4, True)
        first, second, third, fourth = row
        assert (first, second, third, fourth) == (1, 2, 3.0, 4)
        for place in (4, -5):
            with pytest.raises(IndexError):
                row[place]

    def test_fields_are_made_by_keyword_and_shown_by_asdict_and_repr(self, cls, names):
        fields = dict(zip(names, (1, 2, 1.0, None), strict=True))
        row = cls(**fields, terminated=True, steps=3, discount=0.0, final_state=5)
        assert list(row._asdict().items()) == list(fields.items())
        inner = f"{names[0]}=1, {names[1]}=2, {names[2]}=1.0, {names[3]}=None"
        assert repr(row) == f"{cls.__name__}({inner})"

    def test_rows_are_not_tuples_and_frozen(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        assert not isinstance(row, tuple)
        assert dataclasses.is_dataclass(row)
        for name in (*names, *SIDE):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(row, name, 0)
        with pytest.raises(dataclasses.FrozenInstanceError):
            del row.state

    def test_replace_changes_what_it_is_told_and_keeps_the_rest(self, cls, names):
        row = cls(1, 2, 3.0, 4, terminated=False, truncated=True, steps=2, discount=0.81)
        changed = row._replace(reward=7.5)
        assert changed == cls(1, 2, 7.5, 4)
        assert type(changed) is cls
        assert [getattr(changed, name) for name in SIDE] == [False, True, 2, 0.81, None]
        assert row.reward == 3.0
        with pytest.raises(ValueError, match=f"{cls.__name__} has no field 'colour'"):
            row._replace(colour=1)

    def test_side_fields_have_defaults_are_keyword_only_and_count_in_no_equality(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        assert [getattr(row, name) for name in SIDE] == [None, False, 1, None, None]
        with pytest.raises(TypeError):
            cls(1, 2, 3.0, 4, True)
        assert row == cls(1, 2, 3.0, 4, terminated=True, truncated=True, steps=9, final_state=7)

    def test_copies_and_pickles_keep_class_and_all_fields(self, cls, names):
        side = {"terminated": True, "truncated": True, "steps": 4, "discount": 0.0}
        row = cls(np.arange(3.0), np.int64(2), 3.0, None, **side, final_state=np.ones(3))
        pickles = [pickle.dumps(row, p) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)]
        copies = [copy.copy(row), copy.deepcopy(row), dataclasses.replace(row)]
        for again in [*map(pickle.loads, pickles), *copies]:
            assert type(again) is cls
            assert again == row
            assert {name: getattr(again, name) for name in side} == side
            assert np.array_equal(again.final_state, np.ones(3))
        assert copy.deepcopy(row).state is not row.state

    def test_numpy_scalars_become_equal_python_scalars_and_arrays_stay(self, cls, names):
        row = cls(np.int64(5), np.uint8(3), np.float32(0.1), np.bool_(True))
        assert [type(value) for value in row] == [int, int, float, bool]
        assert list(row) == [5, 3, float(np.float32(0.1)), True]
        arrays = np.ones((2, 3), np.uint8), np.array(0.25), np.array([0.5], np.float32)
        row = cls(*arrays, None)
        assert all(got is given for got, given in zip(row, arrays, strict=False))
        assert row == (*arrays, None)


class TestEquality:
    @pytest.mark.parametrize("place", range(4))
    def test_a_difference_in_any_field_counts(self, place):
        values = [np.array([1.0, 2.0]), np.array([0, 1]), np.array([0.5, 0.5]), np.array([3.0])]
        other = [value.copy() for value in values]
        row = ExperienceFirstLast(*values)
        assert (row == ExperienceFirstLast(*other)) is True
        other[place][0] += 1
        assert (row == ExperienceFirstLast(*other)) is False
        assert (row != ExperienceFirstLast(*other)) is True
        assert (Experience(*values) == tuple(other)) is False

    def test_rows_equal_plain_tuples_of_the_same_values_from_both_sides(self):
        state = np.array([1.0, 2.0])
        row = Experience(state, 1, 0.5, False)
        assert (row == (state.copy(), 1, 0.5, False)) is True
        assert ((state.copy(), 1, 0.5, False) == row) is True
        assert (row == (state.copy(), 1, 0.5)) is False
        assert (row == (state.copy(), 1, 0.5, False, None)) is False

    def test_shapes_must_agree_and_are_never_broadcast(self):
        row = ExperienceFirstLast(np.zeros(3), 0, 0.0, np.zeros(3))
        for other in (np.zeros(1), 0.0, None):
            assert row != row._replace(state=other)
            assert row != row._replace(last_state=other)

    def test_nested_observations_compare_by_value(self):
        def state(number):
            return {"eye": np.array([number, 1.0]), "pair": (np.zeros(2), number)}

        one = ExperienceFirstLast(state(1), 0, 0.0, state(2))
        assert one == ExperienceFirstLast(state(1), 0, 0.0, state(2))
        assert one == (state(1), 0, 0.0, state(2))
        assert one != ExperienceFirstLast(state(1), 0, 0.0, state(3))
        assert one != ExperienceFirstLast({"eye": np.array([1, 1.0])}, 0, 0.0, state(2))

    def test_tensors_are_compared_by_content(self):
        one, two = (Experience(torch.arange(3.0), 1, 1.0, False) for _ in range(2))
        assert one == two
        assert one != two._replace(state=torch.arange(3.0) + 1)
        assert one != two._replace(state=torch.arange(4.0))

    def test_other_classes_and_things_are_unequal(self):
        row = ExperienceFirstLast(1, 2, 3.0, None)
        for other in (Experience(1, 2, 3.0, None), PricedRow(1, 2, 3.0, None), 1, "row", None):
            assert row != other

    @given(*[st.lists(st.integers(-2, 2), min_size=4, max_size=4)] * 2)
    def test_equality_is_that_of_the_tuples(self, one, two):
        assert (Experience(*one) == Experience(*two)) is (one == two)
        assert (Experience(*one) == tuple(two)) is (one == two)


@pytest.mark.parametrize("done", [True, False])
def test_done_trunc_reads_done(done):
    row = Experience(1, 2, 3.0, done)
    assert row.done_trunc is done
    assert "done_trunc" not in repr(row)


class TestSubclasses:
    def test_added_fields_come_after_the_tuple_fields_and_not_in_unpacking(self):
        assert NamedRow(1, 2, 3.0, True, "a").tag == "a"
        row = PricedRow(1, 2, 3.0, None, 0.5, steps=2)
        assert (row.price, row.steps, row._asdict()["price"]) == (0.5, 2, 0.5)
        assert repr(row) == "PricedRow(state=1, action=2, reward=3.0, last_state=None, price=0.5)"
        assert (len(row), tuple(row)) == (4, (1, 2, 3.0, None))
        assert PricedRow._fields == NAMES[ExperienceFirstLast]
        with pytest.raises(dataclasses.FrozenInstanceError):
            row.price = 2.0

    def test_a_dataclass_with_slots_is_refused_at_once(self):
        with pytest.raises(TypeError, match="without slots"):

            @dataclasses.dataclass(frozen=True, slots=True)
            class Slotted(ExperienceFirstLast):
                price: float = 0.0

    def test_added_fields_count_in_equality_also_as_arrays(self):
        priced = PricedRow(1, 2, 3.0, None, price=0.5)
        assert priced == PricedRow(1, 2, 3.0, None, price=0.5)
        assert priced != PricedRow(1, 2, 3.0, None, price=0.25)
        one = NamedRow(np.zeros(2), 2, 3.0, True, np.arange(3))
        assert (one == one._replace(tag=np.arange(3))) is True
        assert (one == one._replace(tag=np.arange(1, 4))) is False
        assert (one == one._replace(state=np.ones(2))) is False

    def test_replace_and_pickle_know_added_fields(self):
        row = PricedRow(1, 2, 3.0, None, price=0.5, discount=0.9)
        changed = row._replace(price=1.5)
        assert (type(changed), changed.price, changed.discount) == (PricedRow, 1.5, 0.9)
        again = pickle.loads(pickle.dumps(row))
        assert (type(again), again.price, again.discount) == (PricedRow, 0.5, 0.9)
