"""What all collectors promise: one item at a time, counts, restarts, exact states."""

from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from tests.collectors.agents import CriticOfPlace
from tests.experience.envs import (
    MODES,
    Episode,
    Fault,
    FaultyEnv,
    ScriptedEnv,
    decode,
    drive,
    make_envs,
    unbatch,
)
from tests.experience.oracles import games_of

from ptan.envs import RepeatEpisodes
from ptan.experience import (
    EpisodeCollector,
    ExperienceReplayBuffer,
    PrioritizedReplayBuffer,
    ReplayCollector,
    RolloutCollector,
    TransitionCollector,
    Update,
)

PLANS = [[Episode(3), Episode(5, "truncated")], [Episode(4), Episode(1)], [Episode(7)]]
DRIVERS = ["list", *sorted(MODES)]


def critic():
    # In a warm-up other actions than its own are taken, so that its states do not count steps.
    return CriticOfPlace(strict=False)


class SeededEnv(ScriptedEnv):
    """Its seed says which episode begins, so that episodes can be repeated."""

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.episode = seed % 50
        return super().reset(seed=seed, options=options)


def repeated():
    return [RepeatEpisodes(env, 4, i) for i, env in enumerate(make_envs(PLANS, SeededEnv))]


def replay(env, agent, buffer=None, **settings):
    buffer = buffer or ExperienceReplayBuffer(None, 50, rng=1)
    usual = {"n_steps": 2, "batch_size": 4, "updates_per_step": 0.3, "warm_up": 10, "rng": 2}
    return ReplayCollector(env, agent, buffer, gamma=0.9, **usual, **settings)


def prioritized(env, agent, **settings):
    return replay(env, agent, PrioritizedReplayBuffer(None, 50, 0.6, 0.4, 60, rng=1), **settings)


def rollout(env, agent, **settings):
    return RolloutCollector(env, agent, gamma=0.9, steps=4, **settings)


def episode(env, agent, **settings):
    return EpisodeCollector(env, agent, gamma=0.9, episodes=4, **settings)


def transition(env, agent, **settings):
    return TransitionCollector(env, agent, gamma=0.9, batch_size=7, n_steps=2, **settings)


KINDS = [replay, prioritized, rollout, episode, transition]


@pytest.fixture(params=KINDS, ids=lambda make: make.__name__)
def make(request):
    return request.param


def update_of(item):
    """An update that depends on the item, so that another order would show."""
    rewards = np.abs(np.asarray(item.rewards)).ravel() + 0.1
    return Update({"loss": torch.tensor(float(rewards.sum()))}, torch.from_numpy(rewards))


def contents(item):
    found = [item.states, item.actions, item.rewards, item.discounts]
    found += [getattr(item, name, None) for name in ("next_values", "lengths", "weights")]
    return [np.asarray(part) for part in found if part is not None]


def play(collector, agent, count):
    """The contents of some items, learned from one after the other."""
    found = []
    for item in islice(collector, count):
        found.append(contents(item))
        collector.after(update_of(item))
        agent.version += 1
    return found


def assert_equal(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        for got, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(got, expected)


def places_of(item):
    return [decode(state) for state in unbatch(item.states.reshape(-1, 3))]


def assert_go_on(places):
    """Each step is the next of its episode, or the first of a later one."""
    for (_, number, step), (_, later, at) in pairwise(places):
        assert (later, at) == (number, step + 1) or (later > number and at == 0)


# One item at a time.


def test_nothing_comes_between_an_item_and_its_update(make):
    collector = make(make_envs(PLANS), critic())
    with pytest.raises(RuntimeError, match="must follow an item"):
        collector.after(None)
    item = next(collector)
    for forbidden in (
        lambda: next(collector),
        lambda: collector.advance(1),
        lambda: next(iter(collector)),
        collector.state_dict,
        lambda: collector.load_state_dict({}),
        lambda: collector.restart(0),
    ):
        with pytest.raises(RuntimeError, match=r"after\(update\)"):
            forbidden()
    collector.after(update_of(item))
    with pytest.raises(RuntimeError, match="only once"):
        collector.after(None)
    assert iter(collector) is collector
    next(collector)
    assert collector.iteration == 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_advance_stops_in_time_and_goes_on(make, driver):
    agent, cut = critic(), critic()
    wanted = play(make(drive(driver, make_envs(PLANS)), agent), agent, 6)
    collector, found = make(drive(driver, make_envs(PLANS)), cut), []
    while len(found) < 6:
        before = collector.env_steps
        item = collector.advance(7)
        assert collector.env_steps - before <= 7
        if item is not None:
            found.append(contents(item))
            collector.after(update_of(item))
            cut.version += 1
    assert_equal(found, wanted)


@pytest.mark.parametrize("wrong", [0, 1.5])
def test_steps_that_are_no_number_are_refused(make, wrong):
    with pytest.raises((TypeError, ValueError), match="max_steps"):
        make(make_envs(PLANS), critic()).advance(wrong)


# Counting.


@pytest.mark.parametrize("driver", DRIVERS)
def test_transitions_are_counted_before_the_agent_acts_again(make, driver):
    envs, counted = make_envs(PLANS), []
    # A vector environment also steps those that wait.
    all_count = driver == "list" or make is not episode

    class Watching(CriticOfPlace):
        def step(self, observations, agent_states):
            assert sum(counted) == collector.env_steps
            if all_count:
                assert collector.env_steps == sum(env.steps_taken() for env in envs)
            return super().step(observations, agent_states)

    agent = Watching(strict=False)
    collector = make(drive(driver, envs), agent, on_steps=counted.append)
    play(collector, agent, 5)
    assert sum(counted) == collector.env_steps
    later = make(make_envs(PLANS), critic(), env_steps=1_000)
    next(later)
    assert later.env_steps > 1_000


@pytest.mark.parametrize("driver", DRIVERS)
def test_finished_episodes_are_told_once(make, driver):
    envs, agent = make_envs(PLANS, raw=True), critic()
    collector, found = make(drive(driver, envs), agent), []
    for _ in range(6):
        play(collector, agent, 1)
        found += collector.pop_rewards_steps()
    assert collector.pop_rewards_steps() == []
    if make is episode and driver != "list":  # the log also holds what waiting ones did
        assert len(found) == 24
        return
    games = games_of(envs, next_step=driver == "next_step")
    wanted = sorted((round(game.total, 6), game.steps) for game in games)
    assert sorted((round(total, 6), steps) for total, steps in found) == wanted


def test_environments_are_never_closed(make):
    class Closing(ScriptedEnv):
        closed = False

        def close(self):
            self.closed = True

    envs = make_envs(PLANS, Closing)
    collector = make(envs, critic())
    play(collector, collector.agent, 2)
    del collector
    assert not any(env.closed for env in envs)


# Faults.


def test_a_broken_environment_drops_the_item_in_progress(make):
    envs = [ScriptedEnv([Episode(9)], 1), FaultyEnv([Episode(9)], 2, 6)]
    agent = critic()
    collector = make(envs, agent)
    found, faults = [], 0
    while len(found) < 4:
        try:
            item = next(collector)
        except Fault:
            faults += 1
            continue
        found.append(item)
        collector.after(None)
    assert faults == 1
    if make in (rollout, episode):
        for env in (1, 2):
            places = [place for item in found for place in places_of(item) if place.env == env]
            assert [place.step for place in places[:1]] == [0]
            assert_go_on(places)


def test_a_broken_agent_costs_no_step(make):
    class Faulty(CriticOfPlace):
        broken = 0

        def step(self, observations, agent_states):
            if self.calls == 3 and not self.broken:
                self.broken += 1
                raise Fault("the agent broke")
            return super().step(observations, agent_states)

    whole, agent = critic(), Faulty(strict=False)
    wanted = play(make(make_envs(PLANS), whole), whole, 4)
    collector, found = make(make_envs(PLANS), agent), []
    while len(found) < 4:
        try:
            found += play(collector, agent, 1)
        except Fault:
            continue
    assert agent.broken
    assert_equal(found, wanted)


class BadEnv(ScriptedEnv):
    """Its second step shows what is not finite."""

    def step(self, action):
        observation, *rest = super().step(action)
        return (observation * np.nan if self.steps_taken() == 2 else observation), *rest


def test_an_interrupt_stays_one_where_a_value_is_not_finite(make):
    def on_steps(made):
        if collector.env_steps >= 2:
            raise KeyboardInterrupt

    collector = make(BadEnv([Episode(9)]), critic(), on_steps=on_steps)
    with pytest.raises(KeyboardInterrupt):
        next(collector)
    assert collector._stepper.needs_reset


def test_a_new_agent_begins_episodes_with_states_of_its_own(make):
    class Named(CriticOfPlace):
        def initial_state(self):
            return 10

    collector = make(make_envs(PLANS), critic())
    collector.agent = Named(strict=False)
    collector.advance(3)
    assert collector._stepper.agent_states[0] >= 10


# Restarts and states.


def test_a_restart_begins_new_episodes_with_their_seeds_and_drops_what_is_in_progress(make):
    envs, agent = make_envs(PLANS), critic()
    collector = make(envs, agent, env_seed=5)
    play(collector, agent, 2)
    assert [env.log[0].kwargs for env in envs] == [{"seed": 5}, {"seed": 6}, {"seed": 7}]
    collector.advance(1)
    if collector._open:
        collector.after(None)
    at = [len(env.log) for env in envs]
    collector.restart(70)
    later = [
        next(event for event in env.log[n:] if event.kind == "reset")
        for env, n in zip(envs, at, strict=True)
    ]
    assert [event.kwargs for event in later] == [{"seed": 70}, {"seed": 71}, {"seed": 72}]
    item = next(collector)
    if make is rollout:
        assert [decode(state).step for state in item.states[0]] == [0, 0, 0]


@pytest.mark.parametrize("driver", ["list", "disabled"])
@pytest.mark.parametrize("cut", [1, 2, 5, 9, 14, 20])
def test_a_state_loaded_elsewhere_goes_on_like_the_uncut_collector(make, driver, cut):
    def fresh():
        agent = critic()
        return make(drive(driver, repeated()), agent, env_seed=3), agent

    uncut, agent = fresh()
    for _ in range(cut):
        if (item := uncut.advance(3)) is not None:
            uncut.after(update_of(item))
            agent.version += 1
    resumed, its_agent = fresh()
    if cut % 2:
        play(resumed, its_agent, 2)
    resumed.load_state_dict(uncut.state_dict())
    its_agent.version = agent.version
    assert (resumed.env_steps, resumed.iteration) == (uncut.env_steps, uncut.iteration)
    assert resumed.phase == uncut.phase
    assert_equal(play(resumed, its_agent, 5), play(uncut, agent, 5))
    assert resumed.pop_rewards_steps() == uncut.pop_rewards_steps()
    assert resumed.metrics == uncut.metrics


def test_a_state_of_something_else_is_refused(make):
    collector = make(repeated(), critic())
    other = rollout if make is not rollout else transition
    foreign = other(repeated(), critic())
    play(foreign, critic(), 1)
    with pytest.raises(ValueError, match="state"):
        collector.load_state_dict(foreign.state_dict())
    with pytest.raises(ValueError, match="state"):
        collector.load_state_dict({})
    play(collector, critic(), 1)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_state_without_episodes_holds_no_item_in_progress(make, fresh):
    """What belongs to the episodes of one collector is never joined with another's."""
    agent = critic()
    collector = make(repeated(), agent, env_seed=3)
    play(collector, agent, 1)
    assert collector.advance(3) is None or collector.after(None) is None
    state = collector.state_dict(episodes=False)
    other = make(make_envs(PLANS), critic())
    if not fresh:
        assert other.advance(6) is None or other.after(None) is None
    other.load_state_dict(state)
    assert (other.env_steps, other.iteration) == (collector.env_steps, collector.iteration)
    item = next(other)
    if make in (rollout, episode):
        for env in (1, 2, 3):
            ours = [place for place in places_of(item) if place.env == env]
            assert ours[0].step == 0
            assert_go_on(ours)


@pytest.mark.parametrize("refused_by", ["buffer", "stepper", "environments"])
def test_a_refused_state_changes_no_part(refused_by):
    def fresh(capacity=50, gamma=0.9, plans=PLANS):
        envs = [RepeatEpisodes(env, 4, i) for i, env in enumerate(make_envs(plans, SeededEnv))]
        buffer = ExperienceReplayBuffer(None, capacity, rng=1)
        return ReplayCollector(envs, critic(), buffer, gamma=gamma, warm_up=3, rng=4)

    one = fresh()
    other = {
        "buffer": lambda: fresh(capacity=60),
        "stepper": lambda: fresh(gamma=0.8),
        "environments": lambda: fresh(plans=[[Episode(2)]] * 3),
    }[refused_by]()
    play(one, critic(), 9)
    play(other, critic(), 2)
    before, rows = other.state_dict()["values"], list(other.buffer)
    with pytest.raises(
        ValueError, match={"buffer": "capacity", "stepper": "gamma"}.get(refused_by)
    ):
        other.load_state_dict(one.state_dict())
    assert list(other.buffer) == rows
    assert repr(other.state_dict(episodes=False)["values"]) == repr(before)
    assert other._stepper.needs_reset == (refused_by == "environments")
    play(other, critic(), 2)


def test_environments_that_cannot_repeat_a_state_begin_anew():
    one, envs = rollout(repeated(), critic()), repeated()
    envs[2] = RepeatEpisodes(SeededEnv([Episode(1)], 3), 4, 2)
    other = rollout(envs, critic())
    assert one.advance(9) is None
    assert other.advance(6) is None
    with pytest.raises(ValueError, match="repeat"):
        other.load_state_dict(one.state_dict())
    assert other._stepper.needs_reset
    begun = [len(env.unwrapped.log) for env in envs]
    item = next(other)
    assert [decode(state).step for state in item.states[0]] == [0, 0, 0]
    for env, n in zip(envs, begun, strict=True):
        assert [event.kind for event in env.unwrapped.log[n:]][:2] == ["reset", "step"]
        assert sum(event.kind == "step" for event in env.unwrapped.log[n:]) == 4


class BrokenAtRestart(ScriptedEnv):
    """A reset with the seed 9 fails, once."""

    broken = True

    def reset(self, *, seed=None, options=None):
        if seed == 9 and self.broken:
            self.broken = False
            raise Fault("no reset")
        return super().reset(seed=seed, options=options)


@pytest.mark.parametrize("kind", [rollout, episode])
def test_a_restart_that_fails_glues_no_episodes_together(kind):
    collector = kind(make_envs(PLANS, BrokenAtRestart), critic())
    collector.advance(3)
    if collector._open:
        collector.after(None)
    with pytest.raises(Fault):
        collector.restart(9)
    item = next(collector)
    for env in (1, 2, 3):
        ours = [place for place in places_of(item) if place.env == env]
        assert ours[0].step == 0
        assert_go_on(ours)


@pytest.mark.parametrize("seed", ["a", -1, 1.5])
def test_a_seed_of_a_restart_that_is_none_changes_nothing(seed):
    envs = make_envs(PLANS)
    collector = rollout(envs, critic())
    collector.advance(3)
    before = [len(env.log) for env in envs]
    with pytest.raises((TypeError, ValueError), match="env_seed must be"):
        collector.restart(seed)
    assert [len(env.log) for env in envs] == before
    next(collector)


@pytest.mark.parametrize("change", ["kind", "gamma", "_debt"])
def test_states_of_other_collectors_are_refused(change):
    one = replay(make_envs(PLANS), critic())
    state = one.state_dict(episodes=False)
    if change == "kind":
        one = rollout(make_envs(PLANS), critic())
    elif change == "gamma":
        state["made"]["gamma"] = 0.5
    else:
        state["values"]["_debt"] = "x"
    with pytest.raises(ValueError, match={"kind": "ReplayCollector"}.get(change, change)):
        one.load_state_dict(state)
    play(one, critic(), 1)


@pytest.mark.parametrize("wrong", [{"env_steps": -5}, {"on_steps": 3}], ids=str)
def test_wrong_options_are_named(wrong):
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        rollout(make_envs(PLANS), critic(), **wrong)
