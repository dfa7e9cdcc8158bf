"""Episode and period events on real Ignite engines, with scripted episodes."""

import gc
import itertools
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events, State
from ignite.handlers.tensorboard_logger import OutputHandler, TensorboardLogger
from ignite.metrics import RunningAverage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ptan
from ptan.ignite import EpisodeEvents, PeriodEvents


class ScriptedSource:
    """Hands out a scripted list of finished episodes at each call, then nothing."""

    def __init__(self, *per_iteration):
        self._script = iter(per_iteration)

    def pop_rewards_steps(self):
        return list(next(self._script, []))


def rewards(*values):
    """One episode of ten steps with each reward, one per iteration."""
    return ScriptedSource(*[[(value, 10)] for value in values])


def make_engine(process=lambda engine, batch: {"loss": 0.5}):
    return Engine(process)


def record(engine, *events):
    """Note (event name, state.episode, reward) whenever one of the events is fired."""
    seen = []

    def note(engine, name):
        seen.append((name, engine.state.episode, engine.state.episode_reward))

    for event in events:
        engine.add_event_handler(event, note, event.name)
    return seen


def scalars(folder):
    """All scalars of a TensorBoard folder: tag -> [(step, value)]."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-5)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


# End of episode


def test_every_episode_sets_state_and_metrics_before_its_event():
    source = ScriptedSource([], [(10.0, 4)], [], [(20.0, 6), (-5.0, 1)])
    engine, seen = make_engine(), []
    ptan.ignite.EndOfEpisodeHandler(source, alpha=0.9).attach(engine)

    @engine.on(EpisodeEvents.EPISODE_COMPLETED)
    def note(engine):
        state = engine.state
        seen.append(
            (
                state.iteration,
                state.episode,
                state.episode_reward,
                state.episode_steps,
                dict(state.metrics),
            )
        )

    engine.run(range(6))
    first = {"reward": 10.0, "steps": 4, "avg_reward": 10.0, "avg_steps": 4.0}
    second = {"reward": 20.0, "steps": 6, "avg_reward": 11.0, "avg_steps": 4.2}
    third = {"reward": -5.0, "steps": 1, "avg_reward": 9.4, "avg_steps": 3.88}
    assert seen == [
        (2, 1, 10.0, 4, pytest.approx(first)),
        (4, 2, 20.0, 6, pytest.approx(second)),
        (4, 3, -5.0, 1, pytest.approx(third)),
    ]


def test_later_iteration_handlers_see_the_episode_of_their_iteration():
    engine, seen = make_engine(), []
    ptan.ignite.EndOfEpisodeHandler(rewards(1.0, 2.0)).attach(engine)
    engine.add_event_handler(
        Events.ITERATION_COMPLETED,
        lambda engine: seen.append((engine.state.episode, engine.state.metrics["reward"])),
    )
    engine.run(range(3))
    assert seen == [(1, 1.0), (2, 2.0), (2, 2.0)]


@given(
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=20),
    alpha=st.floats(0, 1),
    bound=st.floats(-50, 50),
    every=st.integers(1, 5),
)
def test_events_follow_the_smoothed_reward(values, alpha, bound, every):
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(
        rewards(*values), alpha, bound_avg_reward=bound, subsample_end_of_episode=every
    ).attach(engine)
    fired = record(engine, *EpisodeEvents)
    engine.run(range(len(values)))

    averages = list(itertools.accumulate(values, lambda avg, r: alpha * avg + (1 - alpha) * r))
    expected = []
    for i, avg in enumerate(averages):
        if (i + 1) % every == 0:
            expected.append(("EPISODE_COMPLETED", i + 1, values[i]))
        if avg >= bound and (i == 0 or averages[i - 1] < bound):
            expected.append(("BOUND_REWARD_REACHED", i + 1, values[i]))
        if i > 0 and avg > max(averages[:i]):
            expected.append(("BEST_REWARD_REACHED", i + 1, values[i]))
    assert fired == expected


def test_events_come_in_order_episode_bound_best():
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(rewards(0.0, 100.0), 0.5, bound_avg_reward=50.0).attach(engine)
    fired = record(engine, *reversed(EpisodeEvents))
    engine.run(range(2))
    assert [name for name, _, _ in fired] == [
        "EPISODE_COMPLETED",
        "EPISODE_COMPLETED",
        "BOUND_REWARD_REACHED",
        "BEST_REWARD_REACHED",
    ]


def test_bound_fires_again_only_after_falling_below():
    engine = make_engine()
    source = rewards(5.0, 17.0, 30.0, 16.9, 16.0, 17.5, 17.0)
    ptan.ignite.EndOfEpisodeHandler(source, alpha=0.0, bound_avg_reward=17.0).attach(engine)
    fired = record(engine, EpisodeEvents.BOUND_REWARD_REACHED)
    engine.run(range(7))
    assert [episode for _, episode, _ in fired] == [2, 6]


def test_a_second_run_goes_on_counting_and_smoothing():
    engine = make_engine()
    handler = ptan.ignite.EndOfEpisodeHandler(rewards(0.0, 10.0, 20.0), alpha=0.5)
    handler.attach(engine)
    fired = record(engine, EpisodeEvents.EPISODE_COMPLETED)
    engine.run(range(2))
    engine.run(range(2))
    assert [episode for _, episode, _ in fired] == [1, 2, 3]
    assert engine.state.metrics["avg_reward"] == 12.5


def test_a_fresh_state_gets_the_numbers_back_when_the_run_starts():
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(rewards(4.0, 8.0), alpha=0.5).attach(engine)
    ptan.ignite.EpisodeFPSHandler().attach(engine)
    engine.run(range(2))
    engine.state = State()
    started = []
    engine.add_event_handler(
        Events.EPOCH_STARTED,
        lambda engine: started.append((engine.state.episode, dict(engine.state.metrics))),
    )
    engine.run(range(1))
    [(episode, metrics)] = started
    assert episode == 2
    assert metrics["avg_reward"] == 6.0
    assert metrics["avg_fps"] > 0


def test_a_handler_attached_twice_counts_once():
    engine = make_engine()
    handler = ptan.ignite.EndOfEpisodeHandler(rewards(1.0, 2.0))
    handler.attach(engine)
    handler.attach(engine)
    fired = record(engine, EpisodeEvents.EPISODE_COMPLETED)
    engine.run(range(2))
    assert [episode for _, episode, _ in fired] == [1, 2]


def test_two_sources_on_one_engine_share_the_count():
    engine = make_engine()
    for source in (rewards(1.0, 3.0), rewards(2.0, 4.0)):
        ptan.ignite.EndOfEpisodeHandler(source).attach(engine)
    fired = record(engine, EpisodeEvents.EPISODE_COMPLETED)
    engine.run(range(2))
    assert [(episode, reward) for _, episode, reward in fired] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_episodes_left_by_a_raising_handler_are_not_lost():
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(ScriptedSource([(1.0, 1), (2.0, 1), (3.0, 1)])).attach(engine)
    seen = []

    @engine.on(EpisodeEvents.EPISODE_COMPLETED)
    def note(engine):
        seen.append(engine.state.episode)
        if engine.state.episode == 1:
            raise ConnectionError

    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, error: None)
    engine.run(range(2))
    engine.run(range(2))
    assert seen == [1, 2, 3]


def test_a_terminating_handler_stops_the_run():
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(rewards(1.0, 18.0), 0.0, bound_avg_reward=17.0).attach(engine)

    @engine.on(EpisodeEvents.BOUND_REWARD_REACHED)
    def solved(trainer):
        trainer.should_terminate = True

    assert engine.run(range(100)).iteration == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"bound_avg_reward": float("nan")}, "bound_avg_reward must be finite, got nan"),
        ({"subsample_end_of_episode": 0}, "subsample_end_of_episode must be .* got 0"),
    ],
)
def test_bad_episode_settings_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        ptan.ignite.EndOfEpisodeHandler(rewards(), **settings)


def test_a_source_without_episodes_raises():
    with pytest.raises(TypeError, match="exp_source must have pop_rewards_steps"):
        ptan.ignite.EndOfEpisodeHandler([1, 2])


# Periods


def test_period_events_fire_at_multiples_of_their_period():
    engine, fired = make_engine(), {event: [] for event in PeriodEvents}
    ptan.ignite.PeriodicEvents().attach(engine)
    ptan.ignite.PeriodicEvents().attach(engine)
    for event, iterations in fired.items():
        engine.add_event_handler(
            event, lambda engine, seen: seen.append(engine.state.iteration), iterations
        )
    engine.run(range(500), max_epochs=5)
    assert [len(fired[event]) for event in PeriodEvents] == [250, 25, 2, 0, 0]
    assert fired[PeriodEvents.ITERS_100_COMPLETED][:3] == [100, 200, 300]
    assert [event.name for event in PeriodEvents] == [
        f"ITERS_{10**k}_COMPLETED" for k in range(1, 6)
    ]


def test_attached_twice_in_the_middle_of_a_run_fires_once():
    engine, fired = make_engine(), []

    @engine.on(Events.ITERATION_STARTED(once=5))
    def attach(engine):
        for _ in range(2):
            ptan.ignite.PeriodicEvents().attach(engine)
        engine.add_event_handler(PeriodEvents.ITERS_10_COMPLETED, lambda: fired.append(1))

    engine.run(range(10))
    assert fired == [1]


@pytest.mark.parametrize("iteration", [9_999, 99_999])
def test_long_periods_fire_too(iteration):
    # Ignite resumes at the iteration of the loaded state: one iteration reaches the next multiple.
    engine, fired = make_engine(), []
    ptan.ignite.PeriodicEvents().attach(engine)
    for event in PeriodEvents:
        engine.add_event_handler(event, lambda name: fired.append(name), event.name)
    engine.load_state_dict({"iteration": iteration, "max_iters": iteration + 1, "epoch_length": 10})
    engine.run([0] * 10)
    assert fired == [f"ITERS_{10**k}_COMPLETED" for k in range(1, len(str(iteration)) + 1)]


# Together, and with Ignite's own handlers


def losses(engine, batch):
    return {"loss": float(engine.state.iteration)}


ATTACH = {
    "episodes": lambda engine, source: ptan.ignite.EndOfEpisodeHandler(source).attach(engine),
    "speed": lambda engine, source: ptan.ignite.EpisodeFPSHandler().attach(engine),
    "periods": lambda engine, source: ptan.ignite.PeriodicEvents().attach(engine),
    "average": lambda engine, source: RunningAverage(
        alpha=1e-9, output_transform=lambda output: output["loss"]
    ).attach(engine, "avg_loss"),
}


@pytest.mark.parametrize("order", list(itertools.permutations(ATTACH)), ids="-".join)
def test_handlers_log_the_same_in_any_order(order, tmp_path):
    engine = make_engine(losses)
    source = ScriptedSource(*[[(1.0, 1)]] * 20)
    for name in order:
        ATTACH[name](engine, source)
    with TensorboardLogger(log_dir=str(tmp_path)) as tb:
        names = ["reward", "avg_loss", "avg_fps", "time_passed"]
        tb.attach(engine, OutputHandler("episodes", names), EpisodeEvents.EPISODE_COMPLETED)
        tb.attach(engine, OutputHandler("train", ["avg_loss"]), PeriodEvents.ITERS_10_COMPLETED)
        engine.run(range(20))
    logged = scalars(tmp_path)
    assert logged["episodes/avg_loss"] == [(i, float(i)) for i in range(1, 21)]
    assert [step for step, _ in logged["episodes/time_passed"]] == list(range(1, 21))
    assert logged["train/avg_loss"] == [(10, 10.0), (20, 20.0)]


def test_period_events_see_the_episode_of_their_iteration():
    engine, seen = make_engine(), []
    ptan.ignite.PeriodicEvents().attach(engine)
    ptan.ignite.EndOfEpisodeHandler(ScriptedSource(*[[(1.0, 1)]] * 10)).attach(engine)
    engine.add_event_handler(PeriodEvents.ITERS_10_COMPLETED, lambda: seen.append("period"))
    engine.add_event_handler(
        EpisodeEvents.EPISODE_COMPLETED, lambda engine: seen.append(engine.state.episode)
    )
    engine.run(range(10))
    assert seen == [*range(1, 11), "period"]


def test_engines_of_one_process_do_not_disturb_one_another():
    before, first, second = make_engine(), make_engine(), make_engine()
    ptan.ignite.EndOfEpisodeHandler(rewards(1.0, 2.0, 3.0)).attach(first)
    ptan.ignite.PeriodicEvents().attach(first)
    ptan.ignite.EndOfEpisodeHandler(rewards(7.0)).attach(second)
    firsts = record(first, EpisodeEvents.EPISODE_COMPLETED)
    seconds = record(second, EpisodeEvents.EPISODE_COMPLETED)

    first.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: second.run(range(2)))
    first.run(range(3))
    before.run(range(20))
    assert firsts == [("EPISODE_COMPLETED", i, float(i)) for i in (1, 2, 3)]
    assert seconds == [("EPISODE_COMPLETED", 1, 7.0)]
    assert before.state.metrics == {}
    with pytest.raises(ValueError, match="not a valid event"):
        second.add_event_handler(PeriodEvents.ITERS_10_COMPLETED, print)


def test_filtered_events_count_episodes():
    engine = make_engine()
    ptan.ignite.EndOfEpisodeHandler(rewards(*range(1, 8))).attach(engine)
    fired = record(engine, EpisodeEvents.EPISODE_COMPLETED(every=3))
    engine.run(range(7))
    assert [episode for _, episode, _ in fired] == [3, 6]


def test_events_registered_by_the_user_before_still_find_their_step(tmp_path):
    engine = make_engine()
    engine.register_events(*EpisodeEvents)
    ptan.ignite.EndOfEpisodeHandler(rewards(5.0, 6.0)).attach(engine)
    with TensorboardLogger(log_dir=str(tmp_path)) as tb:
        handler = OutputHandler("best", ["reward"])
        tb.attach(engine, log_handler=handler, event_name=EpisodeEvents.BEST_REWARD_REACHED)
        engine.run(range(2))
    assert scalars(tmp_path) == {"best/reward": [(2, 6.0)]}


def test_handlers_do_not_keep_an_engine_alive():
    handlers = [
        ptan.ignite.EndOfEpisodeHandler(rewards(1.0)),
        ptan.ignite.EpisodeFPSHandler(),
        ptan.ignite.PeriodicEvents(),
    ]
    engine = make_engine()
    for handler in handlers:
        handler.attach(engine)
    engine.run(range(2))
    reference = weakref.ref(engine)
    del engine
    gc.collect()
    assert reference() is None
