"""Evaluation: each environment plays its own share, whatever ends first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.experience.envs import (
    ENDS,
    MODES,
    DullAgent,
    Episode,
    PolicyOfPlace,
    ScriptedEnv,
    drive,
    make_envs,
)
from tests.experience.oracles import games_of
from tests.experience.strategies import PROPERTY, plans

from ptan.conformance.scripted import ScriptedAgent
from ptan.training import evaluate, play_parallel

DRIVERS = ["list", *sorted(MODES)]


@PROPERTY
@given(plans(lives=True), st.sampled_from(DRIVERS), st.integers(1, 7), st.booleans())
def test_each_environment_plays_its_share_of_whole_games(plan, driver, episodes, raw) -> None:
    def envs():
        return make_envs(plan, raw=raw, resume=driver != "list")

    wanted = []
    played = play_parallel(drive(driver, used := envs()), PolicyOfPlace(), episodes)
    for number, env in enumerate(used):
        share = episodes // len(used) + (number < episodes % len(used))
        games = games_of([env])[:share]
        cut_off = [ENDS[env.plan[k % len(env.plan)].end][1] for k in range(share)]
        wanted += [
            (pytest.approx(g.total), g.steps, c) for g, c in zip(games, cut_off, strict=True)
        ]
        if driver == "list":  # one that is done is not stepped any more
            assert env.steps_taken() == sum(game.steps for game in games)
    assert [(one.total, one.steps, one.truncated) for one in played] == wanted
    totals = evaluate(drive(driver, envs()), PolicyOfPlace(), episodes)
    assert totals == [one.total for one in played]


@pytest.mark.parametrize("driver", DRIVERS)
def test_seeds_are_given_once_in_order(driver) -> None:
    envs = make_envs([[Episode(2)], [Episode(2)]])
    evaluate(drive(driver, envs), PolicyOfPlace(), 4, seed=40)
    for env, seed in zip(envs, (40, 41), strict=True):
        first, *others = [event.kwargs for event in env.log if event.kind == "reset"]
        assert first == {"seed": seed}
        assert not any(others)


@pytest.mark.parametrize("driver", ["list", "same_step", "disabled"])
def test_agent_states_belong_to_episodes(driver) -> None:
    agent = ScriptedAgent()
    envs = make_envs([[Episode(3), Episode(4)], [Episode(2), Episode(6)]])
    evaluate(drive(driver, envs), agent, 4)
    assert agent.wrong_states == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_episode_without_an_end_is_truncated_and_says_so(driver) -> None:
    envs = make_envs([[Episode(10**9)], [Episode(3), Episode(40)], [Episode(2, "truncated")]])
    played = play_parallel(drive(driver, envs), PolicyOfPlace(), 6, max_steps=20)
    found = [(one.steps, one.truncated) for one in played]
    assert found == [(20, True), (20, True), (3, False), (20, True), (2, True), (2, True)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_not_finite_is_named_at_once(driver) -> None:
    class Spoiled(ScriptedEnv):
        def reward(self, action):
            return np.nan if self.at == 2 else super().reward(action)

    envs = [ScriptedEnv([Episode(9)], 1), Spoiled([Episode(9)], 2)]
    with pytest.raises(ValueError, match="reward of environment 1 at step 2 must be finite"):
        evaluate(drive(driver, envs), PolicyOfPlace(), 2)
    assert envs[0].steps_taken() == 3


def test_traces_tell_episodes_that_became_one_and_the_same() -> None:
    class Even(ScriptedEnv):
        def reward(self, action):
            return 1.0

    plan = [[Episode(150), Episode(149), Episode(3)], [Episode(150), Episode(7), Episode(3)]]
    traces = [one.trace for one in play_parallel(make_envs(plan, Even), DullAgent(1), 6)]
    assert traces[0] == traces[1] == traces[3]  # of equal last steps, whatever their length
    assert traces[2] == traces[5] != traces[0]


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"env": []}, ValueError, "env"),
        ({"episodes": 0}, ValueError, "episodes"),
        ({"episodes": 1.5}, TypeError, "episodes"),
        ({"max_steps": 0}, ValueError, "max_steps"),
    ],
)
def test_bad_arguments_are_refused(settings, error, text) -> None:
    with pytest.raises(error, match=text):
        evaluate(**{"env": ScriptedEnv([Episode(1)]), "agent": PolicyOfPlace(), **settings})
