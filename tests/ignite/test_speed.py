"""The speed handler on real Ignite engines, with a fake clock."""

import pytest
from ignite.engine import Events
from ignite_scripts import make_engine

import ptan


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when the test says so: `clock[0] += seconds`."""
    now = [1000.0]
    monkeypatch.setattr("ptan.ignite.speed.time.perf_counter", lambda: now[0])
    return now


def run_timed(engine, clock, durations, **kwargs):
    """Run one iteration per duration; return (fps, avg_fps, time_passed) after each."""
    script, seen = iter(durations), []

    def spend(engine):
        clock[0] += next(script)

    def note(engine):
        metrics = engine.state.metrics
        seen.append((metrics["fps"], metrics["avg_fps"], metrics["time_passed"]))

    with (
        engine.add_event_handler(Events.ITERATION_STARTED, spend),
        engine.add_event_handler(Events.ITERATION_COMPLETED, note),
    ):
        engine.run(range(len(durations)), **kwargs)
    return seen


def test_speed_leaves_out_the_first_iteration(clock):
    engine = make_engine()
    handler = ptan.ignite.EpisodeFPSHandler(fps_mul=2.0, fps_smooth_alpha=0.5)
    clock[0] += 7
    handler.attach(engine)
    assert run_timed(engine, clock, [100.0, 0.5, 0.25, 0.25]) == [
        (0.0, 0.0, 107.0),
        (4.0, 4.0, 107.5),
        (8.0, 6.0, 107.75),
        (8.0, 7.0, 108.0),
    ]


def test_manual_steps_count_and_iterations_without_them_do_not(clock):
    engine = make_engine()
    handler = ptan.ignite.EpisodeFPSHandler()
    handler.step()  # not attached yet: this does nothing
    handler.attach(engine, manual_step=True)

    @engine.on(Events.ITERATION_STARTED)
    def step(engine):
        for _ in range({1: 50, 4: 8, 5: 3}.get(engine.state.iteration, 0)):
            handler.step()

    speeds = [fps for fps, _, _ in run_timed(engine, clock, [10.0, 1.0, 1.0, 2.0, 1.0])]
    assert speeds == [0.0, 0.0, 0.0, 2.0, 3.0]


def test_a_pause_between_two_runs_is_not_measured(clock):
    engine = make_engine()
    ptan.ignite.EpisodeFPSHandler(fps_smooth_alpha=0.0).attach(engine)
    run_timed(engine, clock, [1.0, 0.5])
    clock[0] += 3600
    assert run_timed(engine, clock, [5.0, 0.25]) == [(2.0, 2.0, 3606.5), (4.0, 4.0, 3606.75)]


def test_attached_twice_or_with_a_clock_that_stands_still_it_counts_each_iteration_once(clock):
    engine = make_engine()
    handler = ptan.ignite.EpisodeFPSHandler()
    handler.attach(engine)
    handler.attach(engine)
    speeds = [fps for fps, _, _ in run_timed(engine, clock, [0.0, 0.0, 0.0, 0.5])]
    assert speeds == [0.0, 0.0, 0.0, 6.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps_mul": 0.0}, "fps_mul must be finite and above 0, got 0.0"),
        ({"fps_smooth_alpha": -0.1}, r"fps_smooth_alpha must be in \[0, 1\], got -0.1"),
    ],
)
def test_bad_speed_settings_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        ptan.ignite.EpisodeFPSHandler(**settings)
