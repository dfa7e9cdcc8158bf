"""What buffers refuse, with which words, and that nothing changes."""

import copy
import pickle
from collections import deque
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from ptan.experience import (
    Experience,
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
    batch_generator,
)
from refusals import INF, NAN, Case, assert_tells, table

from .fakes import Scored
from .oracles import assert_rows

CAPACITY = 4

KINDS = ("uniform", "naive", "prioritized")

PRIORITIZED = KINDS[1:]


def make(kind, source=None, capacity=CAPACITY, **settings):
    if kind == "uniform":
        return ExperienceReplayBuffer(source, capacity, rng=0, **settings)
    if kind == "naive":
        return PrioReplayBufferNaive(source, capacity, rng=0, **settings)
    settings = {"alpha": 0.6, **settings}
    return PrioritizedReplayBuffer(source, capacity, rng=0, **settings)


def frames(number):
    return np.full((2, 16, 16), number, np.uint8)


def single(number):
    return ExperienceFirstLast(
        frames(number), number % 3, float(number), frames(number + 1), discount=0.9
    )


def step(number):
    return Experience(
        frames(number), number % 3, 1.5, False, discount=0.9, final_state=frames(number + 1)
    )


def steps(number):
    return step(number), step(number + 1)


def nested(number):
    place = {"camera": frames(number), "at": (np.float32([number, 0]), number)}
    return ExperienceFirstLast(place, number % 3, 0.5, copy.deepcopy(place), discount=0.9)


def text(number):
    return f"item {number}"


def rows_of(make_row):
    return (make_row(number) for number in count())


def refusing(kind, make_row, case):
    """Call a case on a buffer that has wrapped around; then check that nothing changed."""
    buffer = make(kind, rows_of(make_row))
    buffer.populate(CAPACITY + 2)
    if kind != "uniform":
        buffer.update_priorities([2, 3, 4], [0.5, 2.0, 3.0])
        buffer.update_beta(20_000)
    rows = deque((make_row(number) for number in range(2, CAPACITY + 2)), maxlen=CAPACITY)
    assert list(buffer) == list(rows)
    taken = buffer.pos, buffer.capacity, getattr(buffer, "beta", None)
    twin = pickle.loads(pickle.dumps(buffer))

    assert_tells(case, buffer)

    assert list(buffer) == list(buffer.buffer[2:]) + list(buffer.buffer[:2]) == list(rows)
    assert (buffer.pos, buffer.capacity, getattr(buffer, "beta", None)) == taken
    assert len(buffer) == CAPACITY
    assert_same_samples(buffer, twin)
    assert_usable(buffer, rows, make_row)


def assert_same_samples(buffer, twin):
    """Equal draws, numbers and weights, as from a copy to which nothing was done."""
    for _ in range(20):
        ours, theirs = buffer.sample(3), twin.sample(3)
        if isinstance(ours, tuple):
            for mine, other in zip(ours[1:], theirs[1:], strict=True):
                np.testing.assert_array_equal(mine, other)
            ours, theirs = ours[0], theirs[0]
        assert list(ours) == list(theirs)
        np.testing.assert_array_equal(ours.indices, theirs.indices)
    for name in ("stale_updates", "alpha", "beta"):
        assert getattr(buffer, name, None) == getattr(twin, name, None)


def assert_usable(buffer, rows, make_row):
    """The buffer takes and gives rows as ever."""
    buffer.add(make_row(100))
    buffer.populate(1)
    buffer.extend([make_row(101)])
    rows.extend([make_row(100), make_row(CAPACITY + 2), make_row(101)])
    assert list(buffer) == list(rows)
    drawn = buffer.sample(50)
    if isinstance(drawn, tuple):
        batch, indices, weights = drawn
        buffer.update_priorities(indices, weights + 1.0)
        drawn = batch
    assert len(drawn) == 50
    assert all(row in rows for row in drawn)


def adds(**fields):
    return lambda buffer: buffer.add(single(9)._replace(**fields))


def extends(*wrong):
    return lambda buffer: buffer.extend([single(7), single(8), *wrong])


def samples(size):
    return lambda buffer: buffer.sample(size)


SMALL, FLOATS = frames(0)[:1], frames(0).astype(np.float32)

GOT_SMALL = r"got an array of shape \(1, 16, 16\)"

LIKE = r"shape \(2, 16, 16\) and dtype uint8"

ENDED = {"last_state": None, "discount": None}


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("sample-0", samples(0), ValueError, "batch_size", "got 0", "at least 1"),
    ("sample-negative", samples(-1), ValueError, "batch_size", "got -1", "at least 1"),
    ("sample-text", samples("3"), TypeError, "batch_size", "got '3'", "an int"),
    ("sample-half", samples(1.5), TypeError, "batch_size", "got 1.5", "an int"),
    ("sample-bool", samples(True), TypeError, "batch_size", "got True", "an int"),
    ("populate-negative", lambda b: b.populate(-1), ValueError, "samples", "got -1", "at least 0"),
    ("populate-half", lambda b: b.populate(1.5), TypeError, "samples", "got 1.5", "an int"),
    ("populate-none", lambda b: b.populate(None), TypeError, "samples", "None", "an int"),
    ("row-number", lambda b: b.add(3), TypeError, "row", "got 3", "class ExperienceFirstLast"),
    ("row-none", lambda b: b._add(None), TypeError, "row", "got None", "ExperienceFirstLast"),
    ("row-tuple", lambda b: b.add(tuple(single(9))), TypeError, "row", r"got \(array",
     "class ExperienceFirstLast"),
    ("row-class", lambda b: b.add(step(9)), TypeError, "row", r"got Experience\(",
     "class ExperienceFirstLast"),
    ("row-subclass", lambda b: b.add(Scored(*single(9), 0.1, np.zeros(2))), TypeError, "row",
     r"got Scored\(", "class ExperienceFirstLast"),
    ("row-steps", lambda b: b.add(steps(9)), TypeError, "row", r"got \(Experience\(",
     "class ExperienceFirstLast"),
    ("state-shape", adds(state=SMALL), ValueError, "^state", GOT_SMALL, LIKE),
    ("state-dtype", adds(state=FLOATS), ValueError, "^state", "got .*float32", LIKE),
    ("state-nested", adds(state={"a": frames(0)}), ValueError, "^state", r"got \{'a'", LIKE),
    ("state-none", adds(state=None), ValueError, "^state", "got None", LIKE),
    ("last-state-shape", adds(last_state=SMALL), ValueError, "last_state", GOT_SMALL, LIKE),
    ("last-state-dtype", adds(last_state=FLOATS), ValueError, "last_state", "float32", LIKE),
    ("final-state-shape", adds(**ENDED, truncated=True, final_state=SMALL), ValueError,
     "last_state", GOT_SMALL, LIKE),
    ("action-shape", adds(action=np.zeros(2)), ValueError, "action", r"got array\(\[0", "int64"),
    ("action-dtype", adds(action=0.5), ValueError, "action", "float64", r"number \(int64\)"),
    ("action-text", adds(action="left"), ValueError, "action", "'left'", r"number \(int64\)"),
    ("reward-nan", adds(reward=NAN), ValueError, "reward", "got nan", "finite"),
    ("reward-inf", adds(reward=-INF), ValueError, "reward", "got -inf", "finite"),
    ("reward-text", adds(reward="many"), TypeError, "reward", "'many'", "must be a number"),
    ("reward-none", adds(reward=None), TypeError, "reward", "got None", "must be a number"),
    ("reward-shape", adds(reward=np.zeros(2)), ValueError, "reward", r"got array\(\[0", "a Python "
     "number"),
    ("discount-above", adds(discount=1.5), ValueError, "discount", "got 1.5", r"\[0, 1\]"),
    ("discount-nan", adds(discount=NAN), ValueError, "discount", "got nan", r"\[0, 1\]"),
    ("discount-text", adds(discount="x"), TypeError, "discount", "'x'", r"\[0, 1\]"),
    ("discount-after-end", adds(last_state=None), ValueError, "discount", "got 0.9", "must be 0"),
    ("steps-0", adds(steps=0), ValueError, "steps", "got 0", "at least 1"),
    ("steps-half", adds(steps=1.5), TypeError, "steps", "got 1.5", "an int"),
    ("truncated-to-nowhere", adds(**ENDED, truncated=True), ValueError, "final_state", "got None",
     "true last observation"),
    ("going-on-to-nowhere", adds(**ENDED, terminated=False), ValueError, "last_state", "got None",
     "must be an observation"),
    ("terminated-but-goes-on", adds(terminated=True), ValueError, "last_state", "an observation",
     "must be None in a terminated row"),
    ("extend-last-nan", extends(single(9)._replace(reward=NAN)), ValueError, "reward", "got nan",
     "finite"),
    ("extend-last-shape", extends(single(9)._replace(state=SMALL)), ValueError, "^state",
     GOT_SMALL, LIKE),
    ("extend-last-class", extends(step(9)), TypeError, "row", r"got Experience\(",
     "class ExperienceFirstLast"),
    ("extend-more-than-fit", extends(*map(single, range(9)), None), TypeError, "row", "got None",
     "class ExperienceFirstLast"),
    ("assignment", lambda b: b.buffer.__setitem__(0, single(9)), TypeError, "rows of a buffer",
     "assigned", r"add\(row\)"),
    ("append", lambda b: b.buffer.append(single(9)), TypeError, "rows", "appended", r"add\(row\)"),
)  # fmt: skip
def test_buffers_of_rows_refuse(case: Case, kind):
    refusing(kind, single, case)


def adds_nested(**parts):
    return lambda buffer: buffer.add(
        nested(9)._replace(state={key: part for key, part in parts.items() if part is not None})
    )


AT = (np.float32([0, 0]), 1)


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("keys-missing", adds_nested(camera=SMALL), ValueError, "^state", r"got \{'camera'",
     r"keys \['camera', 'at'\]"),
    ("keys-more", adds_nested(camera=frames(0), at=AT, by=1), ValueError, "^state", "'by': 1",
     r"keys \['camera', 'at'\]"),
    ("tuple-short", adds_nested(camera=frames(0), at=AT[:1]), ValueError, r"^state\['at'\]",
     r"got \(array", "tuple of 2 parts"),
    ("inner-shape", adds_nested(camera=SMALL, at=AT), ValueError, r"^state\['camera'\]",
     GOT_SMALL, LIKE),
    ("inner-dtype", adds_nested(camera=frames(0), at=(np.zeros(2), 1)), ValueError,
     r"^state\['at'\]\[0\]", "float64", r"\(2,\) and dtype float32"),
    ("no-dict", lambda b: b.add(single(9)), ValueError, "^state", r"got array",
     r"keys \['camera', 'at'\]"),
)  # fmt: skip
def test_buffers_of_nested_observations_refuse(case, kind):
    refusing(kind, nested, case)


def adds_steps(**fields):
    return lambda buffer: buffer.add((step(9), step(9)._replace(**fields)))


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("single-step", lambda b: b.add(step(9)), TypeError, "row", r"got Experience\(",
     "tuple of Experience"),
    ("no-step", lambda b: b.add(()), TypeError, "row", r"got \(\)", "tuple of Experience"),
    ("mixed", lambda b: b.add((step(9), single(9))), TypeError, "row", "ExperienceFirstLast",
     "tuple of Experience"),
    ("last-state", adds_steps(state=SMALL), ValueError, "^state", GOT_SMALL, LIKE),
    ("last-reward", adds_steps(reward=INF), ValueError, "reward", "got inf", "finite"),
    ("done-but-goes-on", adds_steps(done=True, terminated=False), ValueError, "done",
     "done=True, terminated=False", "must be terminated or truncated"),
    ("goes-on-but-terminated", adds_steps(terminated=True), ValueError, "done",
     "done=False, terminated=True", "must be terminated or truncated"),
    ("truncated-to-nowhere", adds_steps(done=True, truncated=True, final_state=None), ValueError,
     "final_state", "got None", "true last observation"),
)  # fmt: skip
def test_buffers_of_steps_refuse(case, kind):
    refusing(kind, steps, case)


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("row", lambda b: b.add(single(9)), TypeError, "row", "got ExperienceFirstLast",
     "no experience row"),
    ("extend", lambda b: b.extend([text(7), single(9)]), TypeError, "row", "ExperienceFirstLast",
     "no experience row"),
)  # fmt: skip
def test_buffers_of_other_objects_refuse(case, kind):
    refusing(kind, text, case)


def updates(indices, priorities):
    return lambda buffer: buffer.update_priorities(indices, priorities)


@pytest.mark.parametrize("kind", PRIORITIZED)
@table(
    ("priority-0", updates([4, 5], [9.0, 0.0]), ValueError, "priorities", "got 0.0", "positive"),
    ("priority-negative", updates([4, 5], [9.0, -1.0]), ValueError, "priorities", "got -1.0",
     "positive"),
    ("priority-nan", updates([4, 5], [9.0, NAN]), ValueError, "priorities", "got nan", "finite"),
    ("priority-inf", updates([4, 5], [9.0, INF]), ValueError, "priorities", "got inf", "finite"),
    ("priority-text", updates([4], ["x"]), ValueError, "priorities", r"\['x'\]", "numbers"),
    ("stale-and-nan", updates([0, 5], [9.0, NAN]), ValueError, "priorities", "nan", "finite"),
    ("lengths", updates([4, 5], [9.0]), ValueError, "indices and priorities",
     r"\(2,\) and \(1,\)", "one length"),
    ("two-axes", updates([[4, 5]], [[9.0, 9.0]]), ValueError, "indices and priorities",
     r"\(1, 2\)", "one length"),
    ("index-float", updates([4.0, 5.0], [9.0, 9.0]), ValueError, "indices", r"\[4.0, 5.0\]",
     "integers"),
    ("index-bool", updates([True], [9.0]), ValueError, "indices", "True", "integers"),
    ("index-unknown", updates([4, 6], [9.0, 9.0]), ValueError, "indices", "got 6",
     r"row numbers in \[0, 6\)"),
    ("index-negative", updates([4, -1], [9.0, 9.0]), ValueError, "indices", "got -1",
     r"row numbers in \[0, 6\)"),
    ("beta-below", lambda b: b.sample(2, beta=-0.1), ValueError, "beta", "got -0.1", r"\[0, 1\]"),
    ("beta-nan", lambda b: b.sample(2, beta=NAN), ValueError, "beta", "got nan", r"\[0, 1\]"),
    ("beta-text", lambda b: b.sample(2, beta="x"), TypeError, "beta", "'x'", r"\[0, 1\]"),
    ("beta-set", lambda b: setattr(b, "beta", 7), ValueError, "beta", "got 7", r"\[0, 1\]"),
    ("frame-negative", lambda b: b.update_beta(-1), ValueError, "frame", "got -1", "at least 0"),
    ("frame-nan", lambda b: b.update_beta(NAN), ValueError, "frame", "got nan", "at least 0"),
    ("frame-text", lambda b: b.update_beta("x"), TypeError, "frame", "'x'", "a number"),
)  # fmt: skip
def test_prioritized_buffers_refuse(case, kind):
    refusing(kind, single, case)


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("capacity-0", {"capacity": 0}, ValueError, "buffer_size", "got 0", "at least 1"),
    ("capacity-negative", {"capacity": -1}, ValueError, "buffer_size", "got -1", "at least 1"),
    ("capacity-half", {"capacity": 1.5}, TypeError, "buffer_size", "got 1.5", "an int"),
    ("capacity-bool", {"capacity": True}, TypeError, "buffer_size", "got True", "an int"),
    ("capacity-none", {"capacity": None}, TypeError, "buffer_size", "got None", "an int"),
    ("source-number", {"source": 3}, TypeError, "experience_source", "got 3", "an iterable"),
    ("gamma-above", {"gamma": 1.5}, ValueError, "gamma", "got 1.5", r"\[0, 1\]"),
    ("gamma-nan", {"gamma": NAN}, ValueError, "gamma", "got nan", r"\[0, 1\]"),
    ("gamma-text", {"gamma": "x"}, TypeError, "gamma", "'x'", r"\[0, 1\]"),
)  # fmt: skip
def test_constructors_refuse(case, kind):
    assert_tells(case._replace(call=lambda: make(kind, **case.call)))


@table(
    ("alpha-above", {"alpha": 1.5}, ValueError, "alpha", "got 1.5", r"\[0, 1\]"),
    ("alpha-nan", {"alpha": NAN}, ValueError, "alpha", "got nan", r"\[0, 1\]"),
    ("alpha-text", {"alpha": "x"}, TypeError, "alpha", "'x'", r"\[0, 1\]"),
    ("beta-start", {"beta_start": -0.1}, ValueError, "beta_start", "got -0.1", r"\[0, 1\]"),
    ("beta-frames-0", {"beta_frames": 0}, ValueError, "beta_frames", "got 0", "at least 1"),
    ("beta-frames-half", {"beta_frames": 1.5}, TypeError, "beta_frames", "got 1.5", "an int"),
)  # fmt: skip
def test_the_prioritized_constructor_refuses(case):
    assert_tells(case._replace(call=lambda: make("prioritized", **case.call)))


@pytest.mark.parametrize("kind", KINDS)
@table(
    ("sample", samples(1), ValueError, "the buffer", "is empty", "populate it or add rows"),
    ("populate", lambda b: b.populate(1), RuntimeError, "experience_source", "None", r"add\(\)"),
    ("nan-first", adds(reward=NAN), ValueError, "reward", "got nan", "finite"),
    ("contradiction-first", adds(terminated=True), ValueError, "last_state", "an observation",
     "must be None"),
    ("last-state-first", adds(last_state=SMALL), ValueError, "last_state", GOT_SMALL, LIKE),
    ("final-state-first", adds(**ENDED, truncated=True), ValueError, "final_state", "got None",
     "true last observation"),
    ("nowhere-first", adds(**ENDED, terminated=False), ValueError, "last_state", "got None",
     "must be an observation"),
    ("extend-first", extends(step(9)), TypeError, "row", r"got Experience\(", "FirstLast"),
    ("objects-then-row", lambda b: b.extend([text(1), step(9)]), TypeError, "row",
     r"got Experience\(", "no experience row"),
)  # fmt: skip
def test_empty_buffers_refuse_and_stay_open_to_any_row(case, kind):
    for make_row in (single, steps, nested, text):
        buffer = make(kind)
        assert_tells(case, buffer)
        assert (len(buffer), buffer.pos, list(buffer)) == (0, 0, [])
        buffer.add(make_row(0))
        assert list(buffer) == [make_row(0)]
        drawn = buffer.sample(3)
        assert list(drawn[0] if isinstance(drawn, tuple) else drawn) == [make_row(0)] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_ends_or_breaks_leaves_the_rows_before(kind):
    buffer = make(kind, islice(rows_of(single), 2))
    case = Case("", lambda: buffer.populate(3), RuntimeError, "source", "after 2 of 3", "ended")
    assert_tells(case)
    assert list(buffer) == [single(0), single(1)]

    broken = iter([single(0), single(1)._replace(reward=NAN), single(2)])
    buffer = make(kind, broken)
    assert_tells(Case("", lambda: buffer.populate(3), ValueError, "reward", "nan", "finite"))
    assert list(buffer) == [single(0)]
    buffer.populate(1)
    assert list(buffer) == [single(0), single(2)]


@table(
    ("initial", (-1, 2), ValueError, "samples", "got -1", "at least 0"),
    ("batch-0", (2, 0), ValueError, "batch_size", "got 0", "at least 1"),
)
def test_batch_generators_refuse(case):
    buffer = make("uniform", rows_of(single))
    initial, size = case.call
    assert_tells(case._replace(call=lambda: next(batch_generator(buffer, initial, size))))
    assert len(next(batch_generator(buffer, 1, 5))) == 5


def test_extend_takes_all_or_nothing_when_the_rows_stop_half_way() -> None:
    def rows() -> Any:
        yield single(0)
        yield single(1)
        raise ConnectionError("the game went away")

    buffer = ExperienceReplayBuffer(None, 5)
    buffer.add(single(7))
    with pytest.raises(ConnectionError):
        buffer.extend(rows())
    assert_rows(buffer, [single(7)])


def test_a_numpy_integer_is_a_capacity() -> None:
    assert ExperienceReplayBuffer(None, np.int64(3)).capacity == 3
