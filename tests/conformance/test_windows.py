"""The oracle of the source checks, against numbers counted by hand."""

import pytest

from ptan.conformance.scripts import Episode, Place, action_at, decode, encode, reward_of
from ptan.conformance.windows import Script

PLANS = [[Episode(5, "truncated"), Episode(6, lost=(2,)), Episode(1)]]


def said(script, start):
    window = script.window(start)
    return window.steps, window.terminated, window.truncated, window.life_lost


def test_windows_shorten_at_ends_and_lost_lives():
    script = Script(PLANS, 3)
    assert said(script, Place(0, 1, 1)) == (3, False, False, False)
    assert said(script, Place(0, 1, 2)) == (3, False, True, False)
    assert said(script, Place(0, 1, 4)) == (1, False, True, False)
    assert said(script, Place(0, 2, 0)) == (2, True, False, True)
    assert said(script, Place(0, 2, 2)) == (3, False, False, False)
    assert said(script, Place(0, 2, 5)) == (1, True, False, False)
    assert said(script, Place(0, 3, 0)) == (1, True, False, False)


@pytest.mark.parametrize(
    ("n", "delta", "episode", "steps"),
    [
        (1, 1, 1, [0, 1, 2, 3, 4]),
        (3, 1, 1, [0, 1, 2, 3, 4]),
        (2, 3, 1, [0, 3, 4]),
        (1, 2, 2, [0, 2, 4]),
        (2, 3, 2, [0, 1, 2, 5]),
        (4, 3, 4, [0, 2, 3, 4]),
    ],
)
def test_starts_of_windows(n, delta, episode, steps):
    assert [place.step for place in Script(PLANS, n, delta).starts(0, episode)] == steps


def test_discounted_rewards_stay_in_the_episode_unless_told_to_leak():
    script = Script(PLANS, 3, gamma=0.5)
    first, second, following = (
        reward_of(place, action_at(place))
        for place in (Place(0, 1, 3), Place(0, 1, 4), Place(0, 2, 0))
    )
    assert script.reward(Place(0, 1, 3), 3) == first + 0.5 * second
    assert script.reward(Place(0, 1, 3), 3, leak=True) == first + 0.5 * (second + 0.5 * following)


def test_discounts():
    script = Script(PLANS, 3)
    assert script.window(Place(0, 1, 4)).discount(0.5) == 0.5
    assert script.window(Place(0, 1, 0)).discount(0.5) == 0.125
    assert script.window(Place(0, 2, 1)).discount(0.5) == 0.0


def test_observations_tell_their_place_and_nothing_else_does():
    assert decode(encode(Place(2, 7, 4))) == Place(2, 7, 4)
    for foreign in (None, [0, 0, 0], [1.5, 1, 1], [1, 1], "three", [1, 1, float("nan")]):
        assert decode(foreign) is None
