"""The scripted environment does what its plan says, and tells it."""

import numpy as np
import pytest

from ptan.conformance.scripted import Episode, Place, ScriptedAgent, ScriptedEnv, decode, encode


def test_observations_tell_their_place_and_nothing_else_does():
    assert decode(encode(Place(2, 7, 4))) == Place(2, 7, 4)
    for foreign in (None, [0, 0, 0], [1.5, 1, 1], [1, 1], "three", [1, 1, float("nan")], 3.0):
        assert decode(foreign) is None


def test_a_plan_is_played_round_and_round():
    env = ScriptedEnv([Episode(1, "both"), Episode(2, "truncated", lost=(1, 2))], index=4)
    told = []
    for _ in range(3):
        env.reset()
        while env.running:
            told.append((env.place[1:], env.step(0)[2:]))
    lost = {"life_loss": True}
    assert told == [
        ((1, 0), (True, True, {})),
        ((2, 0), (True, False, lost)),
        ((2, 1), (False, True, lost)),
        ((3, 0), (True, True, {})),
    ]
    assert "".join(event.kind[0] for event in env.log) == "rsrssrs"
    with pytest.raises(RuntimeError, match="without a reset"):
        env.step(0)


def test_a_reset_after_a_lost_life_may_go_on_with_the_game():
    env = ScriptedEnv([Episode(3, lost=(1,))], resume=True, max_calls=4)
    env.reset(seed=5)
    env.step(0)
    observation, info = env.reset()
    assert (decode(observation), info) == (Place(0, 1, 1), {"life_loss": True})
    assert [event.kwargs for event in env.log] == [{"seed": 5}, {}, {}]
    env.step(0)
    with pytest.raises(RuntimeError, match="4 calls were made"):
        env.step(0)


def test_a_reused_array_changes_but_the_log_does_not():
    env = ScriptedEnv([Episode(3)], reuse=True)
    first = env.reset()[0]
    assert env.step(0)[0] is first
    assert [decode(event.observation).step for event in env.log] == [0, 1]


def test_the_agent_notes_states_that_are_not_its_own():
    agent = ScriptedAgent()
    actions, states = agent([encode(Place(0, 1, 0)), encode(Place(1, 1, 2))], [0, 1])
    assert (actions.tolist(), states) == ([2, 1], [1, 3])
    assert agent.wrong_states == [(Place(1, 1, 2), 1)]
    assert agent(np.array([encode(Place(0, 1, 0))]))[1] == [None]
