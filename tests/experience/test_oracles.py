"""The oracle of windows, against numbers counted by hand."""

import numpy as np
import pytest

from ptan.conformance.scripted import Episode, ScriptedEnv, action_at, decode
from ptan.conformance.sources import PLANS, windows_of

from .oracles import discounted, expected_windows, games_of, same, segments_of

PLAN = [Episode(5, "truncated"), Episode(6, lost=(2,)), Episode(1)]


def played(plan, episodes, **settings):
    env = ScriptedEnv(plan, **settings)
    for _ in range(episodes):
        env.reset()
        while env.running:
            env.step(action_at(env.place))
            if env.lost_life and env.resume:
                env.reset()
    return env


@pytest.mark.parametrize("resume", [False, True])
def test_segments_end_with_episodes_and_lost_lives(resume):
    first, second, third, fourth = segments_of(played(PLAN, 3, resume=resume).log, 0)
    assert [len(part) for part in (first, second, third, fourth)] == [5, 2, 4, 1]
    assert [part.flags[-1] for part in (first, second, third)] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert [part.goes_on for part in (first, second, third, fourth)] == [False, True, False, False]
    assert same(second.observations[-1], third.observations[0])


@pytest.mark.parametrize(
    ("n", "delta", "episode", "windows"),
    [
        (1, 1, 1, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]),
        (3, 1, 1, [(0, 3), (1, 3), (2, 3), (3, 2), (4, 1)]),
        (2, 3, 1, [(0, 2), (3, 2), (4, 1)]),
        (1, 2, 2, [(0, 1), (2, 1), (4, 1)]),
        (2, 3, 2, [(0, 2), (1, 1), (2, 2), (5, 1)]),
        (4, 3, 2, [(0, 2), (1, 1), (2, 4), (3, 3), (4, 2), (5, 1)]),
        (3, 1, 3, [(0, 1)]),
    ],
)
def test_windows_and_their_shortened_tails(n, delta, episode, windows):
    found = [
        (place.step, window.steps)
        for window in expected_windows([played(PLAN, 3)], n, delta)
        if (place := decode(window.segment.observations[window.start])).episode == episode
    ]
    assert found == windows


def test_windows_of_several_environments_come_when_they_are_complete():
    envs = [played([Episode(2)], 2), played([Episode(3, "truncated")], 1, index=1)]
    windows = expected_windows(envs, 2)
    assert [(w.tick, w.env) for w in windows] == [
        (1, 0), (1, 0), (1, 1), (2, 1), (2, 1), (3, 0), (3, 0),
    ]  # fmt: skip
    late = expected_windows(envs, 2, next_step=True)  # its second reset takes a step
    assert [w.tick for w in late if w.env == 0] == [1, 1, 4, 4]


def test_games_go_on_over_lost_lives():
    env = played(PLAN, 3)
    rewards = [event.reward for event in env.log if event.kind == "step"]
    games = games_of([env])
    assert [(game.tick, game.steps) for game in games] == [(4, 5), (10, 6), (11, 1)]
    totals = [sum(rewards[:5]), sum(rewards[5:11]), rewards[11]]
    assert np.allclose([game.total for game in games], totals)


def test_discounted_rewards():
    assert discounted([1.0, 2.0, 4.0], 0.5) == 1.0 + 1.0 + 1.0


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("delta", [1, 2, 3])
def test_the_windows_that_sources_are_checked_with_follow_from_the_logs_too(n, delta):
    envs = [played(plan, 2 * len(plan), index=i) for i, plan in enumerate(PLANS)]
    given = windows_of(PLANS, n, delta, 0.9)
    for window in expected_windows(envs, n, delta):
        segment, stop = window.segment, window.start + window.steps
        told = given[decode(segment.observations[window.start])]
        assert (told.steps, told[3:5]) == (window.steps, segment.flags[stop - 1])
        assert np.isclose(told.reward, discounted(segment.rewards[window.start : stop], 0.9))
    episodes = {place: 2 * len(plan) for place, plan in enumerate(PLANS)}
    right = sum(place.episode <= episodes[place.env] for place in given)
    assert len(expected_windows(envs, n, delta)) == right
