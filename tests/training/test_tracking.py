"""Trackers write what the records say, read late, go on where they were, and change nothing."""

import copy
import itertools
import sys
from collections import deque
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.algorithms import DQN, DQNConfig
from ptan.training.images import draw_distributions
from ptan.training.loop import Record, train
from ptan.training.tracking import EpisodeStatistics, Tracker

from .state_trees import assert_same
from .tracked import Asked, Clock, MemoryLog, Rows, Silent, expected_lines


def plain_records(count: int, steps: int = 4) -> list[Record]:
    return [Record(steps * i, i, {"loss": float(i)}, []) for i in range(1, count + 1)]


def tracked(records, algorithm=None, rows: Rows | None = None, **settings_) -> MemoryLog:
    """What a tracker writes of some records."""
    log = MemoryLog()
    tracker = Tracker(algorithm or Silent(), rows or Rows(), [log], **{"rng": 0, **settings_})
    for record in records:
        tracker.record(record)
    return log


EPISODES = st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 1000)), max_size=3)


@st.composite
def record_streams(draw) -> tuple[list[Record], list[float]]:
    records, times, env_steps, now, tensors = [], [], 0, 0.0, draw(st.booleans())
    for updates in range(1, draw(st.integers(1, 40)) + 1):
        env_steps += draw(st.integers(1, 50))
        now += draw(st.integers(0, 8)) / 8  # exact in binary, so that any sum is
        loss = draw(st.floats(-100, 100, width=32))
        metrics = draw(st.sampled_from([{}, {"epsilon": 0.5}, {"beta": torch.tensor(0.25)}]))
        if draw(st.integers(0, 3)):
            metrics = {**metrics, "loss": torch.tensor(loss) if tensors else loss}
        records.append(Record(env_steps, updates, metrics, draw(EPISODES)))
        times.append(now)
    return records, times


def play(tracker: Tracker, clock: Clock, origin: float, records, times) -> None:
    for record, now in zip(records, times, strict=True):
        clock.now = origin + now
        tracker.record(record)


@settings(max_examples=40, deadline=None)
@given(record_streams(), st.integers(1, 7), st.integers(1, 4))
def test_lines_are_those_worked_out_from_the_records(stream, every, window) -> None:
    records, times = stream
    clock, logs = Clock(64.0), [MemoryLog(), MemoryLog()]
    tracker = Tracker(Silent(), Rows(), logs, window=window, every=every, rng=0, clock=clock)
    play(tracker, clock, 64.0, records, times)
    wanted = expected_lines(records, times, window=window, every=every)
    assert logs[0].lines == [(at, pytest.approx(values, 1e-9, 1e-9)) for at, values in wanted]
    assert logs[1].lines == logs[0].lines
    assert tracker.episodes.count == sum(len(record.episodes) for record in records)


@settings(max_examples=40, deadline=None)
@given(record_streams(), st.integers(1, 7), st.integers(0, 40))
def test_a_resumed_run_writes_the_same_lines_to_the_bit(stream, every, stop) -> None:
    records, times = stream
    stop = min(stop, len(records))
    settings_ = {"every": every, "diagnostics_every": 3, "held_out": 4, "window": 3}
    clock, whole = Clock(0.0), MemoryLog()
    straight = Tracker(Asked(), Rows(20), [whole], rng=1, clock=clock, **settings_)
    play(straight, clock, 0.0, records, times)

    clock, log = Clock(8.0), MemoryLog()
    first = Tracker(Asked(), Rows(20), [log], rng=1, clock=clock, **settings_)
    play(first, clock, 8.0, records[:stop], times[:stop])
    state = copy.deepcopy(first.state_dict())
    first.record(Record(10**6, 10**6, {"loss": 1e9}, [(1e9, 1)]))  # nothing of this is in it
    log.lines = [line for line in log.lines if line[0] < 10**6]

    # Its own rng and rows differ: the states that are held out come from the checkpoint.
    asked, rows = Asked(asked_before=stop // 3), Rows(3 if stop else 20)
    second = Tracker(asked, rows, [log], rng=99, clock=(clock := Clock(2048.0)), **settings_)
    second.load_state_dict(state)
    play(second, clock, 2048.0 - (times[stop - 1] if stop else 0), records[stop:], times[stop:])
    assert without_speed(log.lines) == without_speed(whole.lines)
    assert second.episodes.mean == straight.episodes.mean


def without_speed(lines) -> list:
    """Speed is measured anew after a pause."""
    others = ((step, {k: x for k, x in line.items() if k != "train/fps"}) for step, line in lines)
    return [line for line in others if line[1]]


def test_no_loss_is_read_before_its_line_is_due() -> None:
    """A tensor without data raises when it is read."""
    unread = torch.zeros((), device="meta")
    tracker = Tracker(Silent(), Rows(), [log := MemoryLog()], every=100, rng=0)
    for record in plain_records(99):
        tracker.record(Record(record.env_steps, record.updates, {"loss": unread}, [(1.0, 2)]))
    assert {tag.split("/")[0] for _, values in log.lines for tag in values} == {"episodes"}
    with pytest.raises((NotImplementedError, RuntimeError)):
        tracker.record(Record(400, 100, {"loss": unread}, []))


def test_metrics_may_have_gradients() -> None:
    """PyTorch warns where such a tensor is read as it is, and warnings are errors here."""
    grown = torch.tensor(3.0, requires_grad=True)
    records = [Record(i, i, {"loss": x, "entropy": grown * 2}, []) for i, x in ((1, 1), (2, grown))]
    log = tracked(records, every=2)
    assert log.points("train/avg_loss") == [(2, 2.0)]
    assert log.points("train/entropy") == [(2, 6.0)]


def test_episodes_of_a_warm_up_and_evaluations_are_written() -> None:
    tracker = Tracker(Silent(), Rows(), [log := MemoryLog()], rng=0)
    tracker.on_episode(8, 2.0, 8)
    tracker.on_evaluation(9, SimpleNamespace(mean=4.5))
    episode = {"episodes/reward": 2.0, "episodes/steps": 8.0, "episodes/mean_reward": 2.0}
    assert log.lines == [(8, episode), (9, {"evaluation/reward": 4.5})]


# States that are held out, and images.


def test_states_are_drawn_once_by_the_trackers_own_generator() -> None:
    def seen(rng) -> list[np.ndarray]:
        algorithm = Asked()
        tracked(plain_records(6), algorithm, Rows(50), diagnostics_every=2, held_out=20, rng=rng)
        return algorithm.seen

    first, *later = seen(4)
    assert first.shape == (20, 2)
    assert len(later) == 2
    for states in (*later, *seen(np.random.default_rng(4))):
        np.testing.assert_array_equal(states, first)
    assert not np.array_equal(seen(5)[0], first)


def test_while_they_are_fewer_than_wanted_they_are_drawn_anew_for_each_look() -> None:
    rows, algorithm = Rows(5), Asked()
    tracker = Tracker(algorithm, rows, [], diagnostics_every=2, held_out=20, rng=3)
    for record in plain_records(20):
        tracker.record(record)
        rows.count += 2
    assert [len(states) for states in algorithm.seen] == [7, 11, 15, 19, *[20] * 6]
    for states in algorithm.seen[5:]:
        np.testing.assert_array_equal(states, algorithm.seen[4])


def test_a_collector_without_held_out_states_is_not_asked() -> None:
    tracked(plain_records(20), algorithm := Asked(), SimpleNamespace(), diagnostics_every=1)
    assert algorithm.seen == algorithm.shown == []


def test_observations_may_be_nested() -> None:
    def show(states):
        assert states["a"].tolist() == [0.0, 1.0, 2.0, 3.0]
        return torch.eye(4)[:, None], torch.arange(4.0)

    nested = SimpleNamespace(
        diagnostics=lambda states: {"values": states["a"].sum()}, return_distributions=show
    )
    rows = SimpleNamespace(held_out=lambda n, rng: {"a": np.arange(5.0)})
    log = tracked(plain_records(10), nested, rows, diagnostics_every=1)
    assert log.points("values/values")[0] == (4, 10.0)
    assert len(log.images) == 4


def test_images_show_the_distributions_of_the_first_states() -> None:
    algorithm = Asked()
    log = tracked(plain_records(45), algorithm, Rows(50), diagnostics_every=2, held_out=20)
    wanted = draw_distributions(np.eye(5)[:3], np.linspace(-2, 2, 5))
    assert [(step, name) for step, name, _ in log.images] == [
        (4 * updates, f"distributions/state_{i}") for updates in (20, 40) for i in range(4)
    ]
    for _, _, pixels in log.images:
        np.testing.assert_array_equal(pixels, wanted)
    for states in algorithm.shown:
        np.testing.assert_array_equal(states, algorithm.seen[0][:4])


def test_images_are_left_out_without_distributions_or_pillow(monkeypatch) -> None:
    def images(algorithm) -> int:
        return len(tracked(plain_records(10), algorithm, Rows(9), diagnostics_every=1).images)

    assert images(Asked()) == 4
    assert images(SimpleNamespace(return_distributions=lambda states: None)) == 0
    monkeypatch.setitem(sys.modules, "PIL", None)  # then no log shows any
    assert images(Asked()) == 0


# Refusals.


@pytest.mark.parametrize(
    "wrong",
    [{"window": 0}, {"every": 1.5}, {"diagnostics_every": -1}, {"held_out": 0}, {"rng": "seed"}],
    ids=str,
)
def test_arguments_that_make_no_sense_are_named(wrong) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        Tracker(Silent(), Rows(), [], **{"rng": 0, **wrong})


@pytest.mark.parametrize("wrong", [{"episodes": {}}, {"rng": {"bit_generator": 1}}, {"more": 1}])
def test_a_state_that_does_not_fit_changes_nothing(wrong) -> None:
    tracker, other = (Tracker(Asked(), Rows(20), [], every=4, rng=i, clock=Clock()) for i in (1, 2))
    for record in plain_records(6):
        tracker.record(Record(record.env_steps, record.updates, record.metrics, [(1.0, 2)]))
    before = copy.deepcopy(tracker.state_dict())
    with pytest.raises((TypeError, ValueError)):
        tracker.load_state_dict({**other.state_dict(), **wrong})
    assert_same(tracker.state_dict(), before)


# Episodes.


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), EPISODES, EPISODES)
def test_episode_statistics_go_on_with_the_newest_of_another_window(
    window, other, first, second
) -> None:
    whole, loaded = EpisodeStatistics(window), EpisodeStatistics(other)
    newest, kept = deque(maxlen=window), deque(maxlen=other)
    loaded.on_episode(0, 77.0, 7)
    for count, (reward, steps) in enumerate(first + second):
        if count == len(first):
            loaded.load_state_dict(copy.deepcopy(whole.state_dict()))
            kept.extend(newest)
        whole.on_episode(0, reward, steps)
        newest.append(reward)
        assert whole.mean == pytest.approx(np.mean(newest), abs=1e-9)
        assert (whole.count, whole.returns[-1]) == (count + 1, reward)
        if count >= len(first):
            loaded.on_episode(0, reward, steps)
            kept.append(reward)
            assert loaded.mean == pytest.approx(np.mean(kept), abs=1e-9)
            assert loaded.count == whole.count
    assert EpisodeStatistics().mean is None


# A real run is the same, to the bit, whether it is watched or not.

SMALL = {"batch_size": 8, "replay_size": 300, "warm_up": 30, "hidden": 8, "eps_steps": 50}
RAINBOW = {"n_atoms": 11, "steps_per_update": 3, "sync_every": 5}
TAGS = {"train/avg_loss", "train/fps", "values/values"}
HEADS = {"values/adv", "values/val"}
CONFIGS = {
    "plain": (DQNConfig(**SMALL), {"train/epsilon"}),
    "dueling": (DQNConfig(**SMALL, dueling=True), {"train/epsilon"} | HEADS),
    "rainbow": (
        DQNConfig.rainbow(**SMALL, **RAINBOW),
        {"train/beta", *HEADS, *(f"values/snr_{i}" for i in range(1, 5))},
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_watching_changes_nothing_and_tags_are_those_of_the_switches(name) -> None:
    config, tags = CONFIGS[name]

    def run(watched: bool) -> tuple[list[Record], list[dict], MemoryLog]:
        env = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync")
        algorithm = DQN(env.single_observation_space, env.single_action_space, config)
        collector, log = algorithm.collector(env), MemoryLog()
        periods = {"every": 10, "diagnostics_every": 5, "window": 5, "held_out": 20}
        tracker = Tracker(algorithm, collector, [log], rng=0, **periods)
        records = []
        for record in itertools.islice(train(algorithm, collector), 90):
            if watched:
                tracker.record(record)
                tracker.state_dict()
            records.append(record)
        assert algorithm.net.training
        return records, [algorithm.state_dict(), collector.buffer.rng.bit_generator.state], log

    drawn_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    records, state, log = run(watched=True)
    assert torch.equal(torch.get_rng_state(), drawn_before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], drawn_before[1])  # noqa: NPY002
    others, its_state, _ = run(watched=False)
    assert [record.metrics for record in records] == [record.metrics for record in others]
    assert [record.episodes for record in records] == [record.episodes for record in others]
    assert_same(state, its_state)
    assert len(log.images) == (4 if config.distributional else 0)
    found = {tag for _, line in log.lines for tag in line if not tag.startswith("episodes/")}
    assert found == TAGS | tags
