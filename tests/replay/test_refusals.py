"""What buffers refuse, with which words, and that nothing changes."""

import copy
import pickle
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from ptan.experience import Experience, ExperienceFirstLast, batch_generator
from refusals import INF, NAN, Case, assert_tells, table

from .fakes import BUFFERS, Scored, make_buffer
from .oracles import PlainBuffer, assert_holds, assert_rows, assert_sample

CAPACITY = 4
kinds = pytest.mark.parametrize("kind", BUFFERS)


def frames(number: int) -> np.ndarray:
    return np.full((2, 16, 16), number, np.uint8)


def single(number: int) -> ExperienceFirstLast:
    after = frames(number + 1)
    return ExperienceFirstLast(frames(number), number % 3, float(number), after, discount=0.9)


def step(number: int) -> Experience:
    after = frames(number + 1)
    return Experience(frames(number), number % 3, 1.5, False, discount=0.9, final_state=after)


def steps(number: int) -> tuple[Experience, Experience]:
    return step(number), step(number + 1)


def nested(number: int) -> ExperienceFirstLast:
    place = {"camera": frames(number), "at": (np.float32([number, 0]), number)}
    return ExperienceFirstLast(place, number % 3, 0.5, copy.deepcopy(place), discount=0.9)


def text(number: int) -> str:
    return f"item {number}"


def refusing(kind: str, make_row: Any, case: Case) -> None:
    """Call a case on a buffer that has wrapped around: it changes nothing, and all goes on."""
    buffer = make_buffer(kind, map(make_row, count()), CAPACITY)
    buffer.populate(CAPACITY + 2)
    if kind != "uniform":
        buffer.update_priorities([2, 3, 4], [0.5, 2.0, 3.0])
    before = pickle.dumps(buffer)
    assert_tells(case, buffer)
    assert make_row is text or pickle.dumps(buffer) == before
    plain = PlainBuffer(CAPACITY)
    plain.extend(map(make_row, range(CAPACITY + 3)))
    buffer.populate(1)
    assert_holds(buffer, plain)
    assert_sample(buffer, plain, 20)


def adds(**fields: Any) -> Any:
    return lambda buffer: buffer.add(single(9)._replace(**fields))


def extends(*wrong: Any) -> Any:
    return lambda buffer: buffer.extend([single(7), single(8), *wrong])


SMALL, FLOATS = frames(0)[:1], frames(0).astype(np.float32)
GOT_SMALL = r"got an array of shape \(1, 16, 16\)"
LIKE = r"shape \(2, 16, 16\) and dtype uint8"
CLASS = "class ExperienceFirstLast"
ENDED = {"last_state": None, "discount": None}


@kinds
@table(
    ("sample-0", lambda b: b.sample(0), ValueError, "batch_size", "got 0", "at least 1"),
    ("sample-text", lambda b: b.sample("3"), TypeError, "batch_size", "got '3'", "an int"),
    ("populate-negative", lambda b: b.populate(-1), ValueError, "samples", "got -1", "at least 0"),
    ("row-none", lambda b: b._add(None), TypeError, "row", "got None", CLASS),
    ("row-tuple", lambda b: b.add(tuple(single(9))), TypeError, "row", r"got \(array", CLASS),
    ("row-subclass", lambda b: b.add(Scored(*single(9), 0.1, np.zeros(2))), TypeError, "row",
     r"got Scored\(", CLASS),
    ("row-steps", lambda b: b.add(steps(9)), TypeError, "row", r"got \(Experience\(", CLASS),
    ("state-shape", adds(state=SMALL), ValueError, "^state", GOT_SMALL, LIKE),
    ("state-dtype", adds(state=FLOATS), ValueError, "^state", "got .*float32", LIKE),
    ("state-nested", adds(state={"a": frames(0)}), ValueError, "^state", r"got \{'a'", LIKE),
    ("last-state-dtype", adds(last_state=FLOATS), ValueError, "last_state", "float32", LIKE),
    ("final-state-shape", adds(**ENDED, truncated=True, final_state=SMALL), ValueError,
     "last_state", GOT_SMALL, LIKE),
    ("action-shape", adds(action=np.zeros(2)), ValueError, "action", r"got array\(\[0", "int64"),
    ("action-dtype", adds(action=0.5), ValueError, "action", "float64", r"number \(int64\)"),
    ("action-text", adds(action="left"), ValueError, "action", "'left'", r"number \(int64\)"),
    ("reward-nan", adds(reward=NAN), ValueError, "reward", "got nan", "finite"),
    ("reward-inf", adds(reward=-INF), ValueError, "reward", "got -inf", "finite"),
    ("reward-none", adds(reward=None), TypeError, "reward", "got None", "must be a number"),
    ("reward-shape", adds(reward=np.zeros(2)), ValueError, "reward", r"got array\(\[0", "a Python "
     "number"),
    ("discount-nan", adds(discount=NAN), ValueError, "discount", "got nan", r"\[0, 1\]"),
    ("discount-after-end", adds(last_state=None), ValueError, "discount", "got 0.9", "must be 0"),
    ("steps-0", adds(steps=0), ValueError, "steps", "got 0", "at least 1"),
    ("truncated-to-nowhere", adds(**ENDED, truncated=True), ValueError, "final_state", "got None",
     "true last observation"),
    ("going-on-to-nowhere", adds(**ENDED, terminated=False), ValueError, "last_state", "got None",
     "must be an observation"),
    ("terminated-but-goes-on", adds(terminated=True), ValueError, "last_state", "an observation",
     "must be None in a terminated row"),
    ("extend-last-shape", extends(single(9)._replace(state=SMALL)), ValueError, "^state",
     GOT_SMALL, LIKE),
    ("extend-last-class", extends(step(9)), TypeError, "row", r"got Experience\(", CLASS),
    ("extend-more-than-fit", extends(*map(single, range(9)), None), TypeError, "row", "got None",
     CLASS),
    ("assignment", lambda b: b.buffer.__setitem__(0, single(9)), TypeError, "rows of a buffer",
     "assigned", r"add\(row\)"),
    ("append", lambda b: b.buffer.append(single(9)), TypeError, "rows", "appended", r"add\(row\)"),
)  # fmt: skip
def test_buffers_of_rows_refuse(case: Case, kind: str) -> None:
    refusing(kind, single, case)


def adds_nested(**parts: Any) -> Any:
    return lambda buffer: buffer.add(nested(9)._replace(state=parts))


AT = (np.float32([0, 0]), 1)


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
def test_buffers_of_nested_observations_refuse(case: Case) -> None:
    refusing("prioritized", nested, case)


def adds_steps(**fields: Any) -> Any:
    return lambda buffer: buffer.add((step(9), step(9)._replace(**fields)))


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
def test_buffers_of_steps_refuse(case: Case) -> None:
    refusing("uniform", steps, case)


@kinds
def test_buffers_of_other_objects_refuse_rows(kind: str) -> None:
    words = (TypeError, "row", "got ExperienceFirstLast", "no experience row")
    refusing(kind, text, Case("", lambda b: b.extend([text(7), single(9)]), *words))


def updates(indices: Any, priorities: Any) -> Any:
    return lambda buffer: buffer.update_priorities(indices, priorities)


@pytest.mark.parametrize("kind", BUFFERS[1:])
@table(
    ("priority-0", updates([4, 5], [9.0, 0.0]), ValueError, "priorities", "got 0.0", "positive"),
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
    ("beta", lambda b: b.sample(2, beta=-0.1), ValueError, "beta", "got -0.1", r"\[0, 1\]"),
    ("beta-set", lambda b: setattr(b, "beta", 7), ValueError, "beta", "got 7", r"\[0, 1\]"),
    ("frame-negative", lambda b: b.update_beta(-1), ValueError, "frame", "got -1", "at least 0"),
)  # fmt: skip
def test_prioritized_buffers_refuse(case: Case, kind: str) -> None:
    refusing(kind, single, case)


@kinds
@table(
    ("capacity-0", (None, 0), ValueError, "buffer_size", "got 0", "at least 1"),
    ("capacity-half", (None, 1.5), TypeError, "buffer_size", "got 1.5", "an int"),
    ("source-number", (3, 4), TypeError, "experience_source", "got 3", "an iterable"),
    ("gamma-above", (None, 4, 1.5), ValueError, "gamma", "got 1.5", r"\[0, 1\]"),
)
def test_constructors_refuse(case: Case, kind: str) -> None:
    assert_tells(case._replace(call=lambda: make_buffer(kind, *case.call)))


@table(
    ("alpha", {"alpha": 1.5}, ValueError, "alpha", "got 1.5", r"\[0, 1\]"),
    ("beta-start", {"beta_start": -0.1}, ValueError, "beta_start", "got -0.1", r"\[0, 1\]"),
    ("beta-frames", {"beta_frames": 0}, ValueError, "beta_frames", "got 0", "at least 1"),
)
def test_the_prioritized_constructor_refuses(case: Case) -> None:
    make = type(make_buffer("prioritized", None, 1))
    assert_tells(case._replace(call=lambda: make(None, 4, **{"alpha": 0.6, **case.call})))


@kinds
@table(
    ("sample", lambda b: b.sample(1), ValueError, "the buffer", "is empty", "populate it or add"),
    ("populate", lambda b: b.populate(1), RuntimeError, "experience_source", "None", r"add\(\)"),
    ("nan-first", adds(reward=NAN), ValueError, "reward", "got nan", "finite"),
    ("last-state-first", adds(last_state=SMALL), ValueError, "last_state", GOT_SMALL, LIKE),
    ("extend-first", extends(step(9)), TypeError, "row", r"got Experience\(", "FirstLast"),
    ("objects-then-row", lambda b: b.extend([text(1), step(9)]), TypeError, "row",
     r"got Experience\(", "no experience row"),
)  # fmt: skip
def test_empty_buffers_refuse_and_stay_open_to_any_row(case: Case, kind: str) -> None:
    for make_row in (single, steps, nested, text):
        buffer = make_buffer(kind, None, CAPACITY)
        assert_tells(case, buffer)
        plain = PlainBuffer(CAPACITY)
        assert_holds(buffer, plain)
        buffer.add(make_row(0))
        plain.extend([make_row(0)])
        assert_sample(buffer, plain, 3)


@kinds
def test_a_source_that_ends_or_breaks_leaves_the_rows_before(kind: str) -> None:
    buffer = make_buffer(kind, islice(map(single, count()), 2), CAPACITY)
    words = (RuntimeError, "source", "after 2 of 3", "ended")
    assert_tells(Case("", lambda: buffer.populate(3), *words))
    assert_rows(buffer, [single(0), single(1)])

    broken = iter([single(0), single(1)._replace(reward=NAN), single(2)])
    other = make_buffer(kind, broken, CAPACITY)
    assert_tells(Case("", lambda: other.populate(3), ValueError, "reward", "nan", "finite"))
    other.populate(1)
    assert_rows(other, [single(0), single(2)])


def test_extend_takes_all_or_nothing_when_the_rows_stop_half_way() -> None:
    def rows() -> Any:
        yield single(0)
        raise ConnectionError("the game went away")

    buffer = make_buffer("uniform", None, 5)
    buffer.add(single(7))
    with pytest.raises(ConnectionError):
        buffer.extend(rows())
    assert_rows(buffer, [single(7)])


@table(
    ("initial", (-1, 2), ValueError, "samples", "got -1", "at least 0"),
    ("batch-0", (2, 0), ValueError, "batch_size", "got 0", "at least 1"),
)
def test_batch_generators_refuse(case: Case) -> None:
    buffer = make_buffer("uniform", map(single, count()), CAPACITY)
    initial, size = case.call
    assert_tells(case._replace(call=lambda: next(batch_generator(buffer, initial, size))))
    assert len(next(batch_generator(buffer, 1, 5))) == 5
