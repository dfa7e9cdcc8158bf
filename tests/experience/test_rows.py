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

from ptan.experience import Batch, Experience, ExperienceFirstLast, unpack_batch

ROWS = [
    (Experience, ("state", "action", "reward", "done")),
    (ExperienceFirstLast, ("state", "action", "reward", "last_state")),
]
SIDE = ("terminated", "truncated", "steps", "discount", "final_state")


@dataclasses.dataclass(frozen=True)
class PricedRow(ExperienceFirstLast):
    """A row of a user's own with one more field."""

    price: float = 0.0


@dataclasses.dataclass(frozen=True)
class NamedRow(Experience):
    """A row of a user's own whose added field may be an array and has no default."""

    tag: Any


@pytest.mark.parametrize(("cls", "names"), ROWS)
class TestNamedTupleBehaviour:
    def test_fields_are_reached_by_name_index_and_unpacking(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        assert [getattr(row, name) for name in names] == [1, 2, 3.0, 4]
        assert [row[place] for place in range(4)] == [1, 2, 3.0, 4]
        assert row[-1] == 4
        assert row[1:3] == (2, 3.0)
        first, second, third, fourth = row
        assert (first, second, third, fourth) == (1, 2, 3.0, 4)
        assert len(row) == 4
        assert 3.0 in row

    def test_index_past_the_end_raises(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        with pytest.raises(IndexError):
            row[4]
        with pytest.raises(IndexError):
            row[-5]

    def test_fields_are_made_by_keyword_too(self, cls, names):
        row = cls(**dict(zip(names, (1, 2, 3.0, 4), strict=True)))
        assert row == cls(1, 2, 3.0, 4)

    def test_fields_lists_exactly_the_tuple_fields(self, cls, names):
        assert cls._fields == names
        assert cls(1, 2, 3.0, 4)._fields == names

    def test_asdict_holds_exactly_the_tuple_fields_in_order(self, cls, names):
        assert list(cls(1, 2, 3.0, 4)._asdict().items()) == list(
            zip(names, (1, 2, 3.0, 4), strict=True)
        )

    def test_repr_holds_exactly_the_tuple_fields(self, cls, names):
        row = cls(0, 1, 1.0, None, terminated=True, steps=3, discount=0.0, final_state=5)
        inner = f"{names[0]}=0, {names[1]}=1, {names[2]}=1.0, {names[3]}=None"
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

    def test_replace_of_an_unknown_field_raises(self, cls, names):
        with pytest.raises((TypeError, ValueError), match="colour"):
            cls(1, 2, 3.0, 4)._replace(colour=1)

    def test_side_fields_have_their_defaults_and_are_keyword_only(self, cls, names):
        row = cls(1, 2, 3.0, 4)
        assert [getattr(row, name) for name in SIDE] == [None, False, 1, None, None]
        with pytest.raises(TypeError):
            cls(1, 2, 3.0, 4, True)

    def test_side_fields_do_not_count_in_equality(self, cls, names):
        plain = cls(1, 2, 3.0, 4)
        full = cls(
            1, 2, 3.0, 4, terminated=True, truncated=True, steps=9, discount=0.5, final_state=7
        )
        assert plain == full
        assert (plain != full) is False

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickling_keeps_all_fields(self, cls, names, protocol):
        row = cls(
            np.arange(3.0),
            np.int64(2),
            3.0,
            None,
            terminated=True,
            truncated=True,
            steps=4,
            discount=0.0,
            final_state=np.ones(3),
        )
        again = pickle.loads(pickle.dumps(row, protocol))
        assert type(again) is cls
        assert again == row
        assert [getattr(again, name) for name in SIDE[:4]] == [True, True, 4, 0.0]
        assert np.array_equal(again.final_state, np.ones(3))

    def test_copies_are_equal_rows_of_the_same_class(self, cls, names):
        row = cls(np.arange(3.0), 1, 2.0, None, steps=3)
        for other in (copy.copy(row), copy.deepcopy(row), dataclasses.replace(row)):
            assert type(other) is cls
            assert other == row
            assert other.steps == 3
        assert copy.deepcopy(row).state is not row.state

    def test_numpy_scalars_become_equal_python_scalars(self, cls, names):
        row = cls(np.int64(5), np.uint8(3), np.float32(0.1), np.bool_(True))
        assert [type(value) for value in row] == [int, int, float, bool]
        assert list(row) == [5, 3, float(np.float32(0.1)), True]

    def test_arrays_stay_as_they_are(self, cls, names):
        state = np.arange(6, dtype=np.uint8).reshape(2, 3)
        reward = np.array([0.5, 1.5], dtype=np.float32)
        action = np.array(0.25)
        row = cls(state, action, reward, None)
        assert row.state.dtype == np.uint8
        assert row.reward.dtype == np.float32
        assert isinstance(row.action, np.ndarray)
        assert row == (state, action, reward, None)


class TestEquality:
    def test_rows_of_arrays_compare_by_value(self):
        one = ExperienceFirstLast(np.array([1.0, 2.0]), 1, 0.5, np.array([3.0, 4.0]))
        two = ExperienceFirstLast(np.array([1.0, 2.0]), 1, 0.5, np.array([3.0, 4.0]))
        assert (one == two) is True
        assert (one != two) is False

    @pytest.mark.parametrize("place", range(4))
    def test_a_difference_in_any_field_counts(self, place):
        values = [np.array([1.0, 2.0]), np.array([0, 1]), np.array([0.5, 0.5]), np.array([3.0])]
        other = [value.copy() for value in values]
        other[place][0] += 1
        assert (ExperienceFirstLast(*values) == ExperienceFirstLast(*other)) is False
        assert (ExperienceFirstLast(*values) != ExperienceFirstLast(*other)) is True
        assert (Experience(*values) == tuple(other)) is False

    def test_rows_equal_plain_tuples_of_the_same_values_from_both_sides(self):
        state = np.array([1.0, 2.0])
        row = Experience(state, 1, 0.5, False)
        assert (row == (state.copy(), 1, 0.5, False)) is True
        assert ((state.copy(), 1, 0.5, False) == row) is True
        assert (row == (state.copy(), 1, 0.5, True)) is False
        assert (row == (state.copy(), 1, 0.5)) is False
        assert (row == (state.copy(), 1, 0.5, False, None)) is False

    def test_shapes_must_agree_and_are_never_broadcast(self):
        assert ExperienceFirstLast(np.zeros(3), 0, 0.0, None) != ExperienceFirstLast(
            np.zeros(1), 0, 0.0, None
        )
        assert ExperienceFirstLast(np.zeros(3), 0, 0.0, None) != ExperienceFirstLast(
            0.0, 0, 0.0, None
        )
        assert ExperienceFirstLast(np.zeros(3), 0, 0.0, np.zeros(3)) != ExperienceFirstLast(
            np.zeros(3), 0, 0.0, None
        )

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

    def test_rows_of_different_classes_are_unequal(self):
        assert Experience(1, 2, 3.0, None) != ExperienceFirstLast(1, 2, 3.0, None)
        assert PricedRow(1, 2, 3.0, None) != ExperienceFirstLast(1, 2, 3.0, None)

    def test_other_things_are_unequal(self):
        row = Experience(1, 2, 3.0, True)
        assert row != 1
        assert row != "Experience"
        assert row is not None
        assert row != None  # noqa: E711

    @given(
        st.lists(st.integers(-2, 2), min_size=4, max_size=4),
        st.lists(st.integers(-2, 2), min_size=4, max_size=4),
    )
    def test_equality_is_that_of_the_tuples(self, one, two):
        assert (Experience(*one) == Experience(*two)) is (one == two)
        assert (Experience(*one) == tuple(two)) is (one == two)
        assert (Experience(*one) != Experience(*two)) is (one != two)


class TestDoneTrunc:
    @pytest.mark.parametrize("done", [True, False])
    def test_done_trunc_reads_done(self, done):
        row = Experience(1, 2, 3.0, done)
        assert row.done_trunc is done
        assert "done_trunc" not in repr(row)


class TestSubclasses:
    def test_added_fields_come_after_the_tuple_fields(self):
        assert PricedRow(1, 2, 3.0, None, 0.5).price == 0.5
        assert PricedRow(1, 2, 3.0, None, price=0.5, steps=2).steps == 2
        assert NamedRow(1, 2, 3.0, True, "a").tag == "a"

    def test_added_fields_are_in_repr_and_not_in_unpacking(self):
        row = PricedRow(1, 2, 3.0, None, price=0.5)
        assert repr(row) == "PricedRow(state=1, action=2, reward=3.0, last_state=None, price=0.5)"
        assert len(row) == 4
        assert tuple(row) == (1, 2, 3.0, None)
        assert PricedRow._fields == ("state", "action", "reward", "last_state")
        assert row._asdict()["price"] == 0.5

    def test_a_dataclass_with_slots_is_refused_at_once(self):
        with pytest.raises(TypeError, match="without slots"):

            @dataclasses.dataclass(frozen=True, slots=True)
            class Slotted(ExperienceFirstLast):
                price: float = 0.0

    def test_added_fields_count_in_equality_also_as_arrays(self):
        assert PricedRow(1, 2, 3.0, None, price=0.5) == PricedRow(1, 2, 3.0, None, price=0.5)
        assert PricedRow(1, 2, 3.0, None, price=0.5) != PricedRow(1, 2, 3.0, None, price=0.25)
        one = NamedRow(np.zeros(2), 2, 3.0, True, np.arange(3))
        assert (one == NamedRow(np.zeros(2), 2, 3.0, True, np.arange(3))) is True
        assert (one == NamedRow(np.zeros(2), 2, 3.0, True, np.arange(1, 4))) is False
        assert (one == NamedRow(np.ones(2), 2, 3.0, True, np.arange(3))) is False

    def test_replace_and_pickle_know_added_fields(self):
        row = PricedRow(1, 2, 3.0, None, price=0.5, discount=0.9)
        changed = row._replace(price=1.5)
        assert (type(changed), changed.price, changed.discount) == (PricedRow, 1.5, 0.9)
        again = pickle.loads(pickle.dumps(row))
        assert (type(again), again.price, again.discount) == (PricedRow, 0.5, 0.9)

    def test_subclasses_stay_frozen(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            PricedRow(1, 2, 3.0, None).price = 2.0


class TestUnpackBatch:
    def rows(self):
        return [
            ExperienceFirstLast(
                np.array([0.0, 1.0]), 0, 0.5, np.array([2.0, 3.0]), terminated=False, discount=0.9
            ),
            ExperienceFirstLast(np.array([4.0, 5.0]), 1, 1.5, None, terminated=True, discount=0.0),
            ExperienceFirstLast(
                np.array([6.0, 7.0]),
                1,
                -2.0,
                None,
                terminated=False,
                truncated=True,
                discount=0.81,
                steps=2,
                final_state=np.array([8.0, 9.0]),
            ),
        ]

    @pytest.mark.parametrize("made", [list, Batch.from_rows])
    def test_columns_of_a_list_of_rows_and_of_a_batch(self, made):
        states, actions, rewards, dones, last_states = unpack_batch(made(self.rows()))
        assert all(
            isinstance(column, np.ndarray)
            for column in (states, actions, rewards, dones, last_states)
        )
        assert states.tolist() == [[0.0, 1.0], [4.0, 5.0], [6.0, 7.0]]
        assert actions.tolist() == [0, 1, 1]
        assert rewards.tolist() == [0.5, 1.5, -2.0]
        assert dones.tolist() == [False, True, False]
        # Terminated: the state itself, to be masked. Truncated: the true final observation.
        assert last_states.tolist() == [[2.0, 3.0], [4.0, 5.0], [8.0, 9.0]]
