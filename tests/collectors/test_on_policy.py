"""Rollouts, whole episodes and rows against plain loops over the environments' logs."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.collectors.agents import CriticOfPlace, log_prob_of
from tests.experience.envs import (
    KINDS,
    MODES,
    Episode,
    Fault,
    FaultyEnv,
    PolicyOfPlace,
    decode,
    drive,
    make_envs,
    unbatch,
    value_of,
)
from tests.experience.oracles import (
    check_first_last,
    discounted,
    ends,
    expected_windows,
    same,
    steps_of,
)
from tests.experience.strategies import GAMMAS, PROPERTY, TRUNCATIONS, driven_plans

from ptan.experience import EpisodeCollector, RolloutCollector, TransitionCollector
from ptan.experience.recorder import map_arrays
from ptan.losses import generalized_advantages, policy_gradient_loss

DRIVERS = ["list", *sorted(MODES)]
ITEMS = 4


def items(collector, count):
    found = []
    for item in islice(collector, count):
        found.append(item)
        collector.after(None)
    return found


def check_columns(item, index, wanted, gamma, truncation):
    """The columns at an index hold the wanted steps."""
    count = len(wanted)
    states = map_arrays(lambda column: column[index], item.states)
    assert all(same(got, row[0]) for got, row in zip(unbatch(states), wanted, strict=True))
    places = [decode(state) for state, *_ in wanted]
    assert item.actions[index].tolist() == [row[1] for row in wanted]
    np.testing.assert_allclose(item.rewards[index], [row[2] for row in wanted], rtol=1e-6)
    over = [ends(row[3], truncation) for row in wanted]
    assert item.terminated[index].tolist() == [terminated for _, terminated in over]
    assert item.truncated[index].tolist() == [row[3][1] for row in wanted]
    discounts = [0.0 if terminated else gamma for _, terminated in over]
    np.testing.assert_allclose(item.discounts[index], discounts, rtol=1e-6)
    assert item.values[index].tolist() == [value_of(place) for place in places]
    after = [value_of(decode(row[4])) for row in wanted]
    assert item.next_values[index].tolist() == after
    assert item.log_probs[index].tolist() == [log_prob_of(place) for place in places]
    assert item.valid[index].tolist() == [True] * count


@PROPERTY
@given(driven_plans(), st.sampled_from(list(KINDS)), st.integers(1, 7), GAMMAS, TRUNCATIONS)
def test_rollouts_hold_the_steps_of_every_environment(driven, kind, steps, gamma, truncation):
    plan, driver = driven
    envs = make_envs(plan, kind=kind)
    collector = RolloutCollector(
        drive(driver, envs), CriticOfPlace(), gamma=gamma, steps=steps, truncation=truncation
    )
    taken = [0] * len(envs)
    rollouts = items(collector, ITEMS)
    logs = [steps_of(env, number) for number, env in enumerate(envs)]
    for rollout in rollouts:
        assert rollout.valid.shape == (steps, len(envs))
        for column in (rollout.rewards, rollout.discounts, rollout.next_values):
            assert not column[~rollout.valid].any()
        for number, log in enumerate(logs):
            valid = np.flatnonzero(rollout.valid[:, number])
            wanted = log[taken[number] : taken[number] + len(valid)]
            taken[number] += len(valid)
            check_columns(rollout, (valid, number), wanted, gamma, truncation)
    assert taken == [len(log) for log in logs]  # no surplus
    assert collector.env_steps == sum(taken)
    if driver != "next_step":
        assert all(rollout.valid.all() for rollout in rollouts)


def test_the_agent_states_before_the_first_step_come_along():
    envs = make_envs([[Episode(3)], [Episode(5)]])
    collector = RolloutCollector(envs, CriticOfPlace(), gamma=0.9, steps=4)
    assert [rollout.agent_states for rollout in items(collector, 3)] == [[0, 0], [1, 4], [2, 3]]


def test_the_critic_is_asked_twice_per_rollout_at_most():
    envs = make_envs([[Episode(2)], [Episode(3, "truncated")]])
    agent = CriticOfPlace()
    items(RolloutCollector(envs, agent, gamma=0.9, steps=7), 1)
    assert agent.asked <= 2


def test_an_agent_without_a_critic_gives_neither_values_nor_next_values():
    envs = make_envs([[Episode(2)]])
    (rollout,) = items(RolloutCollector(envs, PolicyOfPlace(), gamma=0.9, steps=3), 1)
    assert (rollout.values, rollout.next_values, rollout.log_probs) == (None, None, None)
    assert rollout.to("cpu").values is None


def test_rollouts_never_change_once_they_are_yielded():
    envs = make_envs([[Episode(3)], [Episode(2, "truncated")]], reuse=True)
    collector = RolloutCollector(envs, CriticOfPlace(), gamma=0.9, steps=3)
    first = items(collector, 1)[0]
    before = first.states.copy(), first.rewards.copy(), first.next_values.copy()
    items(collector, 5)
    for got, wanted in zip((first.states, first.rewards, first.next_values), before, strict=True):
        np.testing.assert_array_equal(got, wanted)


SETTINGS = {RolloutCollector: {"steps": 5}, EpisodeCollector: {"episodes": 1}}


@pytest.mark.parametrize("where", ["step", "values"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_after_values_that_are_not_finite_the_next_item_is_a_new_one(kind, where):
    class Diverging(CriticOfPlace):
        diverged = True

        def step(self, observations, agent_states):
            made = super().step(observations, agent_states)
            if self.diverged and where == "step":
                made.columns["values"][:] = np.nan
            return made

        def values(self, observations, agent_states):
            worth = np.nan if self.diverged and where == "values" else 1
            return super().values(observations, agent_states) * worth

    agent = Diverging()
    env = make_envs([[Episode(5, "truncated")]])
    collector = kind(env, agent, gamma=0.9, **SETTINGS[kind])
    with pytest.raises(ValueError, match="finite values"):
        next(collector)
    agent.diverged = False
    (item,) = items(collector, 1)
    places = [decode(state) for state in unbatch(item.states.reshape(-1, 3))]
    assert [place.step for place in places] == [0, 1, 2, 3, 4]
    assert np.isfinite(item.values).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("at", [1, 3, 5])
def test_no_item_lacks_a_step_that_was_not_recorded(kind, at, error):
    calls = []

    def on_steps(made):
        calls.append(made)
        if len(calls) == at:
            raise error

    env = make_envs([[Episode(5)]])
    collector = kind(env, CriticOfPlace(), gamma=0.9, on_steps=on_steps, **SETTINGS[kind])
    with pytest.raises(error):
        next(collector)
    (item,) = items(collector, 1)
    places = [decode(state) for state in unbatch(item.states.reshape(-1, 3))]
    assert [place.step for place in places] == [0, 1, 2, 3, 4]
    assert len({place[:-1] for place in places}) == 1


# Whole episodes.


@PROPERTY
@given(driven_plans(), st.integers(1, 7), GAMMAS, TRUNCATIONS)
def test_every_environment_plays_its_share_of_whole_episodes(driven, count, gamma, truncation):
    """It is fixed beforehand; steps while an environment waits are nobody's."""
    plan, driver = driven
    envs = make_envs(plan)
    collector = EpisodeCollector(
        drive(driver, envs), CriticOfPlace(), gamma=gamma, episodes=count, truncation=truncation
    )
    shares = [count // len(envs) + (e < count % len(envs)) for e in range(len(envs))]
    played = items(collector, ITEMS)
    games = [games_by_number(env, number) for number, env in enumerate(envs)]
    begun = [set() for _ in envs]
    made = 0
    for item in played:
        assert len(item.lengths) == count
        assert item.lengths.sum() == len(item.rewards)
        made += len(item.rewards)
        ends_at = np.cumsum(item.lengths)
        position = 0
        for number, share in enumerate(shares):
            for _ in range(share):
                rows = slice(position and int(ends_at[position - 1]), int(ends_at[position]))
                first = decode(unbatch(item.states)[rows.start])
                assert first.step == 0
                assert first.env == number + 1
                assert first.episode not in begun[number]
                begun[number].add(first.episode)
                wanted = games[number][first.episode]
                check_columns(item, rows, wanted, gamma, truncation)
                position += 1
    assert collector.env_steps == made
    if driver == "list":  # those that wait are not stepped
        assert sum(env.steps_taken() for env in envs) == made


def games_by_number(env, number):
    """The steps of each game by its number: lost lives are steps of it."""
    games = {}
    for step in steps_of(env, number):
        games.setdefault(decode(step[0]).episode, []).append(step)
    return games


def test_all_episodes_of_an_item_are_played_by_the_agent_as_it_is():
    envs = make_envs([[Episode(1), Episode(4)], [Episode(9)]])
    agent = CriticOfPlace()
    collector = EpisodeCollector(envs, agent, gamma=0.9, episodes=4)
    for version in range(3):
        agent.version = version
        item = next(collector)
        collector.after(None)
        states = unbatch(item.states)
        assert item.actions.tolist() == [agent.action(decode(state)) for state in states]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_long_episode_is_truncated_and_bootstraps_from_where_it_stands(driver):
    envs = make_envs([[Episode(50)], [Episode(3)]])
    collector = EpisodeCollector(
        drive(driver, envs), CriticOfPlace(), gamma=0.9, episodes=4, max_steps=5
    )
    for item in items(collector, 2):
        assert item.lengths.tolist() == [5, 5, 3, 3]
        assert item.truncated.tolist() == [*([False] * 4 + [True]) * 2, *[False] * 6]
        assert not item.terminated[:10].any()
        last = decode(unbatch(item.states)[4])
        assert item.next_values[4] == value_of(last._replace(step=5))
        assert item.discounts[4] == np.float32(0.9)


# Rows.


@PROPERTY
@given(driven_plans(), st.integers(1, 9), st.integers(1, 4), GAMMAS, TRUNCATIONS)
def test_rows_come_in_order_and_once(driven, batch_size, n, gamma, truncation):
    plan, driver = driven
    envs = make_envs(plan)
    collector = TransitionCollector(
        drive(driver, envs),
        PolicyOfPlace(),
        gamma=gamma,
        batch_size=batch_size,
        n_steps=n,
        truncation=truncation,
    )
    batches = items(collector, ITEMS)
    rows = [row for batch in batches for row in batch]
    assert [len(batch) for batch in batches] == [batch_size] * ITEMS
    windows = expected_windows(envs, n, next_step=driver == "next_step")
    for row, window in zip(rows, windows, strict=False):
        if not row.terminated:
            check_first_last(row, window, gamma, truncation)
            continue
        # A batch repeats the state where the row terminated: nothing comes after it.
        assert same(row.state, window.segment.observations[window.start])
        assert row.discount == 0.0
    assert len(rows) <= len(windows) < len(rows) + len(envs) * n


def test_rows_that_were_complete_before_an_exception_stay_until_a_restart():
    env = FaultyEnv([Episode(9)], fails_at=5)
    collector = TransitionCollector(env, PolicyOfPlace(), gamma=0.9, batch_size=8)
    with pytest.raises(Fault):
        next(collector)
    (batch,) = items(collector, 1)
    assert [decode(state).step for state in batch.states] == [0, 1, 2, 3, 4, 0, 1, 2]
    assert collector.advance(3) is None
    collector.restart(None)
    (batch,) = items(collector, 1)
    assert [decode(state).step for state in batch.states] == list(range(8))


# What the losses make of it.


def recorded_advantages(steps, gamma, lam):
    """GAE of one environment by its definition, from the last step backwards."""
    advantages, later = [], 0.0
    for state, _, reward, (terminated, truncated), after in reversed(steps):
        following = 0.0 if terminated else gamma * value_of(decode(after))
        error = reward + following - value_of(decode(state))
        later = error + (0.0 if terminated or truncated else gamma * lam * later)
        advantages.append(later)
    return advantages[::-1]


UNEQUAL = [
    [Episode(3), Episode(5, "truncated"), Episode(1)],
    [Episode(4, "truncated"), Episode(2)],
    [Episode(30)],
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
def test_advantages_of_a_rollout(driver, lam):
    envs = make_envs(UNEQUAL)
    collector = RolloutCollector(drive(driver, envs), CriticOfPlace(), gamma=0.9, steps=12)
    rollout = items(collector, 1)[0].to("cpu")
    found = generalized_advantages(
        rollout.rewards,
        rollout.values,
        rollout.next_values,
        rollout.discounts,
        rollout.truncated,
        lam,
    )
    for number, env in enumerate(envs):
        valid = rollout.valid[:, number]
        wanted = recorded_advantages(steps_of(env, number), 0.9, lam)
        torch.testing.assert_close(
            found.advantages[valid, number], torch.tensor(wanted), rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("driver", DRIVERS)
def test_monte_carlo_returns_of_episodes(driver):
    envs = make_envs([[Episode(3), Episode(5)], [Episode(4), Episode(2)], [Episode(8)]])
    collector = EpisodeCollector(drive(driver, envs), CriticOfPlace(), gamma=0.9, episodes=5)
    item = items(collector, 1)[0].to("cpu")
    nothing = torch.zeros_like(item.rewards)
    ends_of_games = torch.zeros(len(item.rewards), dtype=torch.bool)
    ends_of_games[item.lengths.cumsum(0) - 1] = True
    found = generalized_advantages(
        item.rewards, nothing, nothing, item.discounts, ends_of_games, 1.0
    ).returns
    wanted = []
    for number, games in ((0, 2), (1, 2), (2, 1)):
        for game in islice(games_by_number(envs[number], number).values(), games):
            rewards = [reward for _, _, reward, _, _ in game]
            wanted += [discounted(rewards[start:], 0.9) for start in range(len(rewards))]
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-4, atol=1e-4)
    loss = policy_gradient_loss(item.log_probs, found)
    expected = -np.mean(np.array(wanted) * item.log_probs.numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("driver", DRIVERS)
def test_n_step_targets_of_rows(driver):
    envs = make_envs(UNEQUAL)
    collector = TransitionCollector(
        drive(driver, envs), PolicyOfPlace(), gamma=0.9, batch_size=20, n_steps=3
    )
    batch = items(collector, 1)[0].to("cpu")
    values = [value_of(decode(state)) for state in batch.last_states.numpy()]
    found = batch.rewards + batch.discounts * torch.tensor(values)
    windows = expected_windows(envs, 3, next_step=driver == "next_step")
    for got, window in zip(found.tolist(), windows, strict=False):
        segment, end = window.segment, window.start + window.steps
        total = discounted(segment.rewards[window.start : end], 0.9)
        if not segment.flags[end - 1][0]:
            total += 0.9**window.steps * value_of(decode(segment.observations[end]))
        assert got == pytest.approx(total, rel=1e-5)
