"""Finished episodes on real Ignite engines."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from ignite_scripts import ScriptedSource, make_engine, record, rewards

import ptan
from ptan.ignite import EpisodeEvents


def test_every_episode_sets_state_and_metrics_before_its_event():
    source = ScriptedSource([], [(10.0, 4)], [], [(20.0, 6), (-5.0, 1)])
    engine, seen = make_engine(), []
    ptan.ignite.EndOfEpisodeHandler(source, alpha=0.9).attach(engine)

    @engine.on(EpisodeEvents.EPISODE_COMPLETED)
    def note(engine):
        state, metrics = engine.state, dict(engine.state.metrics)
        shown = state.iteration, state.episode, state.episode_reward, state.episode_steps
        seen.append((*shown, metrics))

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


def test_a_second_run_goes_on_counting_and_smoothing():
    engine = make_engine()
    handler = ptan.ignite.EndOfEpisodeHandler(rewards(0.0, 10.0, 20.0), alpha=0.5)
    handler.attach(engine)
    fired = record(engine, EpisodeEvents.EPISODE_COMPLETED)
    engine.run(range(2))
    engine.run(range(2))
    assert [episode for _, episode, _ in fired] == [1, 2, 3]
    assert engine.state.metrics["avg_reward"] == 12.5


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"bound_avg_reward": float("nan")}, "bound_avg_reward must be finite, got nan"),
        ({"subsample_end_of_episode": 0}, "subsample_end_of_episode must be .* got 0"),
        ({"exp_source": [1, 2]}, "exp_source must have pop_rewards_steps"),
    ],
)
def test_bad_episode_settings_raise(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ptan.ignite.EndOfEpisodeHandler(**{"exp_source": rewards(), **settings})
