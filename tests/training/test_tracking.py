"""Trackers write what the records say, read late, and go on where they were."""

import copy
import math
from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import ExperienceFirstLast, ExperienceReplayBuffer, PrioritizedReplayBuffer
from ptan.training.images import draw_distributions
from ptan.training.loop import Record
from ptan.training.tracking import EpisodeStatistics, Tracker

from .tracked import Asked, Clock, Counting, MemoryLog, expected_lines


def numbered_buffer(count: int, capacity: int = 100, **kind) -> ExperienceReplayBuffer:
    """Row i has the state (i, −i)."""
    made = PrioritizedReplayBuffer if kind else ExperienceReplayBuffer
    buffer = made(None, capacity, gamma=0.9, rng=5, **kind)
    states = [np.array([i, -i], np.float32) for i in range(count + 1)]
    buffer.extend(ExperienceFirstLast(states[i], 0, 1.0, states[i + 1]) for i in range(count))
    return buffer


def plain_records(count: int, steps: int = 4) -> list[Record]:
    return [Record(steps * i, i, {"loss": float(i)}, []) for i in range(1, count + 1)]


EPISODES = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.integers(1, 1000)), max_size=3
)  # of one record


@st.composite
def record_streams(draw) -> tuple[list[Record], list[float]]:
    records, times, env_steps, now = [], [], 0, 0.0
    for updates in range(1, draw(st.integers(1, 40)) + 1):
        env_steps += draw(st.integers(1, 50))
        now += draw(st.integers(0, 8)) / 8  # exact in binary, so that any sum is
        loss = draw(st.floats(-100, 100, width=32))
        metrics = draw(st.sampled_from([{}, {"epsilon": 0.5}, {"beta": torch.tensor(0.25)}]))
        kind = draw(st.integers(0, 3))
        if kind:
            metrics = {**metrics, "loss": torch.tensor(loss) if kind > 1 else loss}
        records.append(Record(env_steps, updates, metrics, draw(EPISODES)))
        times.append(now)
    return records, times


def approx_lines(lines: list[tuple[int, dict]]) -> list[tuple[int, dict]]:
    return [(step, pytest.approx(values, rel=1e-9, abs=1e-9)) for step, values in lines]


def play(tracker: Tracker, clock: Clock, origin: float, records, times) -> None:
    for record, now in zip(records, times, strict=True):
        clock.now = origin + now
        tracker.record(record)


@settings(max_examples=40, deadline=None)
@given(record_streams(), st.integers(1, 7), st.integers(1, 4))
def test_lines_are_those_worked_out_from_the_records(stream, every, window) -> None:
    records, times = stream
    clock, logs = Clock(64.0), [MemoryLog(), MemoryLog()]
    tracker = Tracker(
        Counting(), numbered_buffer(1), logs, window=window, every=every, rng=0, clock=clock
    )
    play(tracker, clock, 64.0, records, times)
    wanted = expected_lines(records, times, window=window, every=every)
    assert logs[0].lines == approx_lines(wanted)
    assert logs[1].lines == logs[0].lines
    assert tracker.seconds == times[-1]
    assert tracker.episodes.count == sum(len(record.episodes) for record in records)


@settings(max_examples=40, deadline=None)
@given(record_streams(), st.integers(1, 7), st.integers(0, 40))
def test_a_resumed_run_writes_the_same_lines_to_the_bit(stream, every, stop) -> None:
    records, times = stream
    stop = min(stop, len(records))
    settings_ = {"every": every, "diagnostics_every": 3, "held_out": 4, "window": 3}
    clock, whole = Clock(0.0), MemoryLog()
    straight = Tracker(Asked(), numbered_buffer(20), [whole], rng=1, clock=clock, **settings_)
    play(straight, clock, 0.0, records, times)

    clock, log = Clock(8.0), MemoryLog()
    first = Tracker(Asked(), numbered_buffer(20), [log], rng=1, clock=clock, **settings_)
    play(first, clock, 8.0, records[:stop], times[:stop])
    state = copy.deepcopy(first.state_dict())
    first.record(Record(10**6, 10**6, {"loss": 1e9}, [(1e9, 1)]))  # nothing of this is in it
    log.lines = log.lines[: sum(step < 10**6 for step, _ in log.lines)]

    stopped_at = times[stop - 1] if stop else 0.0
    clock = Clock(1024.0)
    # Its own rng and buffer differ: the states that are held out come from the checkpoint.
    fresh = numbered_buffer(20 if stop == 0 else 3)
    asked = Asked()
    asked.seen.extend(range(stop // 3))  # its own counter goes into what it says
    second = Tracker(asked, fresh, [log], rng=99, clock=clock, **settings_)
    clock.now = 2048.0
    second.load_state_dict(state)
    play(second, clock, 2048.0 - stopped_at, records[stop:], times[stop:])
    assert log.lines == whole.lines
    assert second.seconds == straight.seconds
    assert second.episodes.mean == straight.episodes.mean
    assert second.episodes.last == straight.episodes.last


def test_no_loss_is_read_before_its_line_is_due() -> None:
    """A tensor without data raises when it is read."""
    unread = torch.zeros((), device="meta")
    log = MemoryLog()
    tracker = Tracker(Counting(), numbered_buffer(1), [log], every=100, rng=0)
    for record in plain_records(99):
        tracker.record(Record(record.env_steps, record.updates, {"loss": unread}, [(1.0, 2)]))
    assert {tag for _, values in log.lines for tag in values} == {
        "episodes/reward",
        "episodes/steps",
        "episodes/mean_reward",
    }
    with pytest.raises((NotImplementedError, RuntimeError)):
        tracker.record(Record(400, 100, {"loss": unread}, []))


def test_losses_that_wait_long_do_not_pile_up_on_the_device() -> None:
    log = MemoryLog()
    tracker = Tracker(Counting(), numbered_buffer(1), [log], every=2500, rng=0)
    for record in plain_records(5000):
        loss = torch.tensor(record.metrics["loss"], requires_grad=True)
        tracker.record(Record(record.env_steps, record.updates, {"loss": loss}, []))
    assert log.points("train/avg_loss") == [(10_000, 1250.5), (20_000, 3750.5)]


def test_updates_may_come_several_at_a_time() -> None:
    log = MemoryLog()
    tracker = Tracker(Counting(env_steps=5, updates=9), numbered_buffer(1), [log], every=10, rng=0)
    for updates in (12, 15, 39, 41):
        tracker.record(Record(updates, updates, {"loss": float(updates)}, []))
    assert log.points("train/avg_loss") == [(12, 12.0), (39, 27.0), (41, 41.0)]


def test_what_is_not_finite_goes_into_the_means() -> None:
    log = MemoryLog()
    tracker = Tracker(Counting(), numbered_buffer(1), [log], every=2, rng=0)
    losses = [1.0, math.inf, math.inf, -math.inf, torch.tensor(math.nan), torch.tensor(1.0)]
    for i, loss in enumerate(losses, start=1):
        tracker.record(Record(i, i, {"loss": loss}, []))
    first, *others = (value for _, value in log.points("train/avg_loss"))
    assert first == math.inf
    assert all(map(math.isnan, others))
    assert len(others) == 2


def test_metrics_may_have_gradients() -> None:
    """PyTorch warns where such a tensor is read as it is, and warnings are errors here."""
    log = MemoryLog()
    tracker = Tracker(Counting(), numbered_buffer(1), [log], every=2, rng=0)
    grown = torch.tensor(3.0, requires_grad=True)
    for i, loss in enumerate((1.0, grown), start=1):
        tracker.record(Record(i, i, {"loss": loss, "entropy": grown * 2}, []))
    assert log.points("train/avg_loss") == [(2, 2.0)]
    assert log.points("train/entropy") == [(2, 6.0)]


# States that are held out.


def held_out_by(buffer, updates: int = 6, **settings_) -> Asked:
    algorithm = Asked()
    tracker = Tracker(algorithm, buffer, [MemoryLog()], diagnostics_every=2, **settings_)
    for record in plain_records(updates):
        tracker.record(record)
        buffer.extend([buffer.buffer[0]] * 7)  # the states stay what they were
    return algorithm


@pytest.mark.parametrize("capacity", [30, 100], ids=["full", "not full"])
@pytest.mark.parametrize("prioritized", [False, True])
def test_states_are_different_rows_drawn_once(prioritized, capacity) -> None:
    kind = {"alpha": 0.6} if prioritized else {}
    algorithm = held_out_by(numbered_buffer(45, capacity, **kind), rng=3, held_out=20)
    first, *later = algorithm.seen
    assert len(later) == 2
    assert first.shape == (20, 2)
    assert first.dtype == np.float32
    numbers = first[:, 0].astype(int).tolist()
    assert len(set(numbers)) == 20
    assert set(numbers) <= set(range(max(0, 45 - capacity), 45))
    assert numbers != sorted(numbers)
    np.testing.assert_array_equal(first[:, 1], -first[:, 0])
    for states in later:
        np.testing.assert_array_equal(states, first)


def test_where_there_are_fewer_rows_all_are_held_out() -> None:
    algorithm = Asked()
    tracker = Tracker(algorithm, numbered_buffer(12), [], diagnostics_every=1, rng=3)
    for record in plain_records(3):
        tracker.record(record)
    for states in algorithm.seen:
        assert sorted(states[:, 0].tolist()) == list(range(12))


def test_a_buffer_that_has_grown_gives_as_many_as_are_wanted_and_then_no_others() -> None:
    buffer, algorithm = numbered_buffer(5, capacity=60), Asked()
    tracker = Tracker(algorithm, buffer, [MemoryLog()], diagnostics_every=2, held_out=20, rng=3)
    for record in plain_records(20):
        tracker.record(record)
        row = ExperienceFirstLast(np.full(2, 100 + record.updates, np.float32), 0, 1.0, None)
        buffer.extend([row, row])
    sizes = [len(states) for states in algorithm.seen]
    assert sizes == [7, 11, 15, 19, *[20] * 6]
    for states in algorithm.seen[5:]:
        np.testing.assert_array_equal(states, algorithm.seen[4])


def test_no_more_are_waited_for_than_the_buffer_can_hold() -> None:
    seen = held_out_by(numbered_buffer(30, capacity=30), rng=3, held_out=1000).seen
    assert len(seen[0]) == 30
    np.testing.assert_array_equal(seen[1], seen[0])


def test_the_steps_before_the_first_update_are_no_speed_of_training() -> None:
    clock, log = Clock(0.0), MemoryLog()
    tracker = Tracker(Counting(), numbered_buffer(1), [log], every=3, rng=0, clock=clock)
    for updates, now in ((1, 50.0), (2, 51.0), (3, 52.0), (6, 56.0)):
        clock.now = now
        tracker.record(Record(1000 + 10 * updates, updates, {}, []))
    assert log.points("train/fps") == [(1030, 10.0), (1060, 7.5)]


def test_equal_seeds_hold_out_equal_states() -> None:
    drawn = [
        held_out_by(numbered_buffer(50), rng=rng, held_out=10).seen[0]
        for rng in (4, np.random.default_rng(4), 5)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_the_buffer_is_only_read() -> None:
    watched, alone = (numbered_buffer(50, alpha=0.6) for _ in range(2))
    tracker = Tracker(Asked(), watched, [MemoryLog()], diagnostics_every=1, rng=0)
    for record in plain_records(3):
        tracker.record(record)
    assert watched.rng.bit_generator.state == alone.rng.bit_generator.state
    assert watched.beta == alone.beta
    for mine, theirs in zip(watched.sample(16), alone.sample(16), strict=True):
        mine, theirs = (getattr(part, "states", part) for part in (mine, theirs))
        np.testing.assert_array_equal(mine, theirs)


def test_nested_observations_are_held_out_as_a_list() -> None:
    buffer = ExperienceReplayBuffer(None, 10, gamma=0.9)
    states = [{"a": np.full(2, i, np.float32), "b": np.array([i])} for i in range(6)]
    buffer.extend(ExperienceFirstLast(state, 0, 1.0, None) for state in states)

    class Nested(Counting):
        def diagnostics(self, states):
            return {"values": sum(float(state["a"][0]) for state in states)}

    log = MemoryLog()
    tracker = Tracker(Nested(), buffer, [log], diagnostics_every=1, rng=0)
    tracker.record(plain_records(1)[0])
    assert log.points("values/values") == [(4, 15.0)]


def test_an_algorithm_that_says_nothing_needs_no_states() -> None:
    log = MemoryLog()
    unreadable = ExperienceReplayBuffer(None, 10)  # drawing from an empty one would raise
    tracker = Tracker(Counting(), unreadable, [log], every=2, diagnostics_every=1, rng=0)
    for record in plain_records(4):
        tracker.record(record)
    assert all(tag.startswith("train/") for _, values in log.lines for tag in values)
    assert tracker.state_dict()["states"] is None


# Images.


def test_images_show_the_distributions_of_the_first_states() -> None:
    log, algorithm = MemoryLog(), Asked()
    tracker = Tracker(
        algorithm, numbered_buffer(50), [log], diagnostics_every=2, image_states=3, rng=0
    )
    for record in plain_records(45):
        tracker.record(record)
    wanted = draw_distributions(np.eye(5)[:3], np.linspace(-2, 2, 5))
    assert [(step, name) for step, name, _ in log.images] == [
        (4 * updates, f"distributions/state_{i}") for updates in (20, 40) for i in range(3)
    ]
    for _, _, pixels in log.images:
        np.testing.assert_array_equal(pixels, wanted)
    for states in algorithm.shown:
        np.testing.assert_array_equal(states, algorithm.seen[0][:3])


def test_images_have_a_period_of_their_own_or_are_left_out() -> None:
    def steps_of_images(algorithm, **settings_) -> list[int]:
        log = MemoryLog()
        tracker = Tracker(algorithm, numbered_buffer(9), [log], rng=0, **settings_)
        for record in plain_records(12):
            tracker.record(record)
        return [step for step, _, _ in log.images]

    class Plain(Asked):
        def return_distributions(self, states):
            return None

    assert steps_of_images(Asked(), images_every=5, image_states=1) == [20, 40]
    assert steps_of_images(Asked(), images_every=5, image_states=0) == []
    assert steps_of_images(Plain(), images_every=5) == []


# Refusals.


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("window", 0, ValueError),
        ("every", 0, ValueError),
        ("every", 1.5, TypeError),
        ("diagnostics_every", -1, ValueError),
        ("images_every", 0, ValueError),
        ("held_out", 0, ValueError),
        ("image_states", -1, ValueError),
        ("rng", "seed", TypeError),
        ("logs", MemoryLog(), TypeError),
        ("logs", ["metrics.jsonl"], TypeError),
    ],
)
def test_arguments_that_make_no_sense_are_named(name, value, error) -> None:
    arguments = {"logs": [], "rng": 0, name: value}
    with pytest.raises(error, match=name):
        Tracker(Counting(), numbered_buffer(1), **arguments)


def same(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("updates", -1),
        ("updates", 1.0),
        ("seconds", math.nan),
        ("line_start", (1, -1.0)),
        ("line_start", 3),
        ("losses", ["a"]),
        ("fps", "fast"),
        ("episodes", {}),
        ("episodes", {"returns": [1.0], "count": -1, "last": None}),
        ("rng", {"bit_generator": "another"}),
        ("more", 1),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(entry, value) -> None:
    tracker, other = (
        Tracker(Asked(), numbered_buffer(20), [], every=4, rng=i, clock=Clock(0.0)) for i in (1, 2)
    )
    for record in plain_records(6):
        tracker.record(Record(record.env_steps, record.updates, record.metrics, [(1.0, 2)]))
    before = copy.deepcopy(tracker.state_dict())
    with pytest.raises((TypeError, ValueError)):
        tracker.load_state_dict({**other.state_dict(), entry: value})
    assert same(tracker.state_dict(), before)


def test_a_state_is_not_changed_by_what_it_is_loaded_into() -> None:
    tracker = Tracker(Asked(), numbered_buffer(20), [], every=100, rng=1)
    for record in plain_records(3):
        tracker.record(record)
    state = tracker.state_dict()
    before = copy.deepcopy(state)
    loaded = Tracker(Asked(), numbered_buffer(20), [], every=100, rng=1)
    loaded.load_state_dict(state)
    for record in plain_records(6)[3:]:
        loaded.record(Record(record.env_steps, record.updates, record.metrics, [(1.0, 2)]))
    loaded.state_dict()["states"][:] = 7
    assert same(state, before)


# Episodes.


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.lists(EPISODES, max_size=6))
def test_episode_statistics(window, additions) -> None:
    statistics, newest, count = EpisodeStatistics(window), deque(maxlen=window), 0
    assert (statistics.mean, statistics.last) == (None, None)
    for episodes in additions:
        statistics.add(episodes)
        newest.extend(reward for reward, _ in episodes)
        count += len(episodes)
        assert statistics.count == count
        assert statistics.mean == (pytest.approx(np.mean(newest), abs=1e-9) if newest else None)
        if episodes:
            assert statistics.last == episodes[-1]
    loaded = EpisodeStatistics(window)
    loaded.add([(77.0, 7)])
    loaded.load_state_dict(copy.deepcopy(statistics.state_dict()))
    for both in (statistics, loaded):
        both.add([(3.0, 9)])
    assert (loaded.mean, loaded.count) == (statistics.mean, statistics.count)


def test_a_shorter_window_keeps_the_newest_of_a_loaded_one() -> None:
    long, short = EpisodeStatistics(4), EpisodeStatistics(2)
    long.add([(float(i), 1) for i in range(6)])
    short.load_state_dict(long.state_dict())
    assert (short.mean, short.count, short.last) == (4.5, 6, (5.0, 1))


def test_an_episode_that_is_none_changes_nothing() -> None:
    statistics = EpisodeStatistics()
    with pytest.raises((TypeError, ValueError)):
        statistics.add([(1.0, 2), ("x", 3)])
    assert statistics.count == 0
    assert statistics.mean is None
