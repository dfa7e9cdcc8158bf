"""Period events, and all events together with Ignite's own handlers."""

import itertools

import pytest
from ignite.engine import Events
from ignite.handlers.tensorboard_logger import OutputHandler, TensorboardLogger
from ignite.metrics import RunningAverage
from ignite_scripts import ScriptedSource, make_engine, record, rewards, scalars

import ptan
from ptan.ignite import EpisodeEvents, PeriodEvents


@pytest.mark.parametrize("iteration", [9, 99, 999, 9_999, 99_999])
def test_period_events_fire_once_at_multiples_of_their_period(iteration):
    # Ignite resumes at the iteration of the loaded state: one iteration reaches the next multiple.
    engine, fired = make_engine(), []
    ptan.ignite.PeriodicEvents().attach(engine)
    ptan.ignite.PeriodicEvents().attach(engine)
    for event in PeriodEvents:
        engine.add_event_handler(event, lambda name: fired.append(name), event.name)
    engine.load_state_dict({"iteration": iteration, "max_iters": iteration + 2, "epoch_length": 10})
    engine.run([0] * 10)
    assert fired == [f"ITERS_{10**k}_COMPLETED" for k in range(1, len(str(iteration)) + 1)]


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


def test_events_registered_by_the_user_before_still_find_their_step(tmp_path):
    engine = make_engine()
    engine.register_events(*EpisodeEvents)
    ptan.ignite.EndOfEpisodeHandler(rewards(5.0, 6.0)).attach(engine)
    with TensorboardLogger(log_dir=str(tmp_path)) as tb:
        handler = OutputHandler("best", ["reward"])
        tb.attach(engine, log_handler=handler, event_name=EpisodeEvents.BEST_REWARD_REACHED)
        engine.run(range(2))
    assert scalars(tmp_path) == {"best/reward": [(2, 6.0)]}
