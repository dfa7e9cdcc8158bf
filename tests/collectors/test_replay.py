"""Warm-up, pace, priorities and β of the replay collector; held-out states."""

from itertools import islice

import numpy as np
import pytest
import torch
from gymnasium import spaces
from tests.experience.envs import (
    MODES,
    N_ACTIONS,
    Episode,
    PolicyOfPlace,
    ToyEnv,
    decode,
    drive,
    make_envs,
    unbatch,
)

from ptan.experience import (
    ExperienceReplayBuffer,
    PrioritizedReplayBuffer,
    ReplayCollector,
    Update,
)

PLANS = [[Episode(3), Episode(5, "truncated")], [Episode(4)], [Episode(7)], [Episode(2)]]


def collector_of(env, agent=None, *, capacity=1_000, **settings):
    settings = {"gamma": 0.9, "rng": 0, **settings}
    buffer = ExperienceReplayBuffer(None, capacity, rng=0)
    return ReplayCollector(env, agent or PolicyOfPlace(), buffer, **settings)


def updates_and_steps(collector, count):
    found = []
    for _ in islice(collector, count):
        found.append((collector.iteration, collector.env_steps))
        collector.after(None)
    return found


# Pace.


@pytest.mark.parametrize("driver", ["list", *sorted(MODES)])
@pytest.mark.parametrize("ratio", [1 / 3, 0.1, 0.5, 1.0, 2.0, 2.5])
@pytest.mark.parametrize("warm_up", [0, 10])
def test_every_transition_owes_a_share_of_an_update(driver, ratio, warm_up):
    collector = collector_of(
        drive(driver, make_envs(PLANS)), updates_per_step=ratio, warm_up=warm_up
    )
    found = updates_and_steps(collector, 60)
    # The warm-up ends with the step of all environments that reaches it.
    begin = -(-warm_up // 4) * 4 if driver != "next_step" else None
    for iteration, env_steps in found:
        if begin is not None:
            owed = (env_steps - begin) * ratio
            assert iteration <= owed + 1e-6
            assert iteration > owed - 4 * ratio - 1 - 1e-6
        else:
            assert abs(iteration - (env_steps - warm_up) * ratio) <= 8 * ratio + 1


def test_fractions_never_drift():
    collector = collector_of(make_envs([[Episode(1_000)]]), updates_per_step=0.1)
    assert updates_and_steps(collector, 300) == [(k, 10 * k) for k in range(1, 301)]


def test_rows_are_inserted_as_soon_as_they_are_complete():
    envs = make_envs(PLANS)
    collector = collector_of(envs, n_steps=3, warm_up=8)
    for _ in islice(collector, 40):
        open_steps = sum(min(env.at, 2) for env in envs)
        assert len(collector.buffer) == collector.env_steps - open_steps
        collector.after(None)


def test_without_warm_up_the_first_batch_waits_for_the_first_row():
    collector = collector_of(make_envs([[Episode(9)]]), n_steps=4, batch_size=2)
    assert updates_and_steps(collector, 3) == [(1, 4), (2, 5), (3, 6)]


def test_the_agent_of_the_moment_acts():
    envs, agent = make_envs(PLANS), PolicyOfPlace()
    collector = collector_of(envs, agent, updates_per_step=0.25)
    for version in range(12):
        agent.version = version
        next(collector)
        collector.after(None)
        for row in list(collector.buffer)[-4:]:
            assert row.action == agent.action(decode(row.state))
    other = collector.agent = PolicyOfPlace()
    next(collector)
    assert other.calls == 1


# Warm-up.


@pytest.mark.parametrize("driver", ["list", *sorted(MODES)])
def test_the_warm_up_draws_actions_and_never_asks_the_agent(driver):
    agent = PolicyOfPlace()
    collector = collector_of(drive(driver, make_envs(PLANS)), agent, warm_up=2_000)
    phases = set()
    while collector.env_steps < 2_000:
        phases.add(collector.phase)
        assert agent.calls == 0
        assert collector.advance(4) is None
    assert (phases, collector.phase) == ({"warm-up"}, "training")
    counts = np.bincount([row.action for row in collector.buffer], minlength=N_ACTIONS)
    shares = counts / counts.sum()
    assert np.abs(shares - 0.25).max() < 0.05
    next(collector)
    assert agent.calls > 0


def test_equal_seeds_draw_equal_warm_ups_and_other_seeds_others():
    def actions(seed):
        collector = collector_of(make_envs(PLANS), warm_up=40, rng=seed)
        next(collector)
        return [row.action for row in list(collector.buffer)[:40]]

    assert actions(1) == actions(1)
    assert actions(1) != actions(2)


def test_a_refill_is_played_by_the_agent_as_it_is():
    agent = PolicyOfPlace()
    collector = collector_of(make_envs(PLANS), agent, warm_up=40, env_steps=500)
    assert collector.phase == "warm-up"
    next(collector)
    assert collector.env_steps == 544
    assert agent.calls == 11
    assert all(row.action == agent.action(decode(row.state)) for row in collector.buffer)


def test_a_warm_up_needs_an_action_space():
    class Spaceless(ToyEnv):
        action_space = None

    with pytest.raises(ValueError, match="action_space"):
        collector_of(Spaceless(), warm_up=5)
    collector = collector_of(Spaceless(), warm_up=5, action_space=spaces.Discrete(3))
    collector.advance(5)
    assert {row.action for row in collector.buffer} <= {0, 1, 2}


def test_actions_are_stored_as_the_agent_numbers_them_and_played_as_environments_do():
    envs = make_envs([[Episode(50)]])
    collector = collector_of(
        envs,
        warm_up=30,
        action_space=spaces.Discrete(2),
        env_actions=lambda actions: actions + 2,
    )
    while collector.phase == "warm-up":
        collector.advance(1)
    stored = [row.action for row in collector.buffer]
    played = [event.action for event in envs[0].log if event.kind == "step"]
    assert set(stored) == {0, 1}
    assert played[:30] == [action + 2 for action in stored]


def test_a_stateful_agent_takes_over_with_states_of_its_own():
    class Stateful(PolicyOfPlace):
        def initial_state(self):
            return "fresh"

        def __call__(self, observations, agent_states=None):
            assert set(agent_states) <= {"fresh", "used"}
            actions, _ = super().__call__(observations)
            return actions, ["used"] * len(actions)

    collector = collector_of(make_envs(PLANS), Stateful(), warm_up=10)
    updates_and_steps(collector, 20)


# Priorities.


def prioritized(**settings):
    buffer = PrioritizedReplayBuffer(None, 100, 0.6, 0.4, 50, rng=0)
    settings = {"gamma": 0.9, "rng": 0, "warm_up": 20, **settings}
    return ReplayCollector(make_envs(PLANS), PolicyOfPlace(), buffer, batch_size=8, **settings)


def test_priorities_of_an_update_go_to_the_rows_of_its_batch():
    collector = prioritized()
    batch = next(collector)
    priorities = torch.linspace(5.0, 40.0, 8)
    collector.after(Update({}, priorities))
    wanted = dict(zip(batch.indices.tolist(), priorities.tolist(), strict=True))
    _, indices, weights = collector.buffer.sample(2_000, beta=1.0)
    weight_of = {index: float(weights[indices == index][0]) for index in wanted}
    least, most = min(wanted, key=wanted.get), max(wanted, key=wanted.get)
    expected = (wanted[most] / wanted[least]) ** 0.6
    assert weight_of[least] / weight_of[most] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("update", [None, Update({}), Update({"loss": 1.0}, None)])
def test_without_priorities_nothing_changes(update):
    collector = prioritized()
    next(collector)
    collector.after(update)
    assert len(np.unique(collector.buffer.sample(50)[2])) == 1


def test_beta_moves_with_the_transitions_after_the_warm_up_and_is_told():
    collector = prioritized()
    for _ in islice(collector, 20):
        share = min(1.0, (collector.env_steps - 20) / 50)
        assert collector.metrics == {"beta": pytest.approx(0.4 + 0.6 * share)}
        collector.after(None)


@pytest.mark.parametrize("fails_at", range(1, 9))
def test_an_update_is_owed_for_steps_before_an_exception(fails_at):
    class Faulty(PolicyOfPlace):
        def __call__(self, observations, agent_states=None):
            result = super().__call__(observations, agent_states)
            if self.calls == fails_at:
                raise KeyError("the agent broke")
            return result

    collector = collector_of(make_envs(PLANS), Faulty(), updates_per_step=1 / 12)
    with pytest.raises(KeyError):
        updates_and_steps(collector, 9)
    assert updates_and_steps(collector, 4)[-1] == (collector.iteration, 12 * collector.iteration)


def test_a_uniform_buffer_has_no_beta_and_takes_no_priorities():
    collector = collector_of(make_envs(PLANS))
    next(collector)
    collector.after(Update({}, torch.ones(32)))
    assert collector.metrics == {}


# Held-out states.


def test_held_out_states_are_of_different_rows_and_touch_no_generator():
    one, other = (collector_of(make_envs([[Episode(200)]]), warm_up=60) for _ in range(2))
    for collector in (one, other):
        next(collector)
        collector.after(None)
    states = one.held_out(30, np.random.default_rng(0))
    assert len({decode(state) for state in states}) == 30
    again = one.held_out(30, np.random.default_rng(0))
    np.testing.assert_array_equal(states, again)
    assert len(one.held_out(1_000, np.random.default_rng(0))) == len(one.buffer)
    np.testing.assert_array_equal(next(one).indices, next(other).indices)


@pytest.mark.parametrize("kind", ["dict", "tuple"])
def test_held_out_states_are_nested_as_the_environment_has_them(kind):
    collector = collector_of(make_envs([[Episode(9)]], kind=kind), warm_up=40, capacity=20)
    next(collector)
    states = collector.held_out(7, np.random.default_rng(0))
    places = {decode(state) for state in unbatch(states)}
    assert len(places) == 7
    assert places <= {decode(row.state) for row in collector.buffer}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"gamma": 1.5}, ValueError),
        ({"n_steps": 0}, ValueError),
        ({"batch_size": 0}, ValueError),
        ({"updates_per_step": 0.0}, ValueError),
        ({"updates_per_step": "1"}, TypeError),
        ({"warm_up": -1}, ValueError),
        ({"rng": "x"}, TypeError),
        ({"env_seed": -1}, ValueError),
        ({"truncation": "maybe"}, ValueError),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, error):
    with pytest.raises(error, match=next(iter(settings))):
        collector_of(make_envs(PLANS), **settings)


class OwnPriorities(ExperienceReplayBuffer):
    """A user's prioritized buffer, without β."""

    def __init__(self):
        super().__init__(None, 50, rng=1)
        self.updates = []

    def update_priorities(self, indices, priorities):
        self.updates.append((indices, priorities))


def test_priorities_reach_a_buffer_of_the_users():
    buffer = OwnPriorities()
    envs = make_envs([[Episode(5)]])
    collector = ReplayCollector(envs, PolicyOfPlace(), buffer, gamma=0.9, warm_up=3)
    batch = next(collector)
    collector.after(Update({}, priorities=np.ones(len(batch))))
    assert collector.metrics == {}
    ((indices, priorities),) = buffer.updates
    assert indices.tolist() == batch.indices.tolist()
    assert priorities.tolist() == [1.0] * 32
