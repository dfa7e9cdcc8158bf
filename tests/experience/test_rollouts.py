"""A3C rollouts against plain loops over the environments' logs."""

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import ExperienceSourceRollouts

from .envs import (
    MODES,
    Episode,
    ScriptedEnv,
    ValueAgent,
    decode,
    drive,
    make_envs,
    unbatch,
    value_of,
)
from .oracles import games_of, rollout_returns, same, steps_of
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

ROLLOUTS = 6


def check_rollouts(rollouts, envs, steps_count, gamma, truncation):
    """Rollout k holds steps k·S … of every environment, env by env."""
    all_steps = [steps_of(env, number) for number, env in enumerate(envs)]
    for count, rollout in enumerate(rollouts):
        states, actions, returns, values = rollout
        wanted = []
        for steps in all_steps:
            block = steps[count * steps_count : (count + 1) * steps_count]
            assert len(block) == steps_count
            block_returns = rollout_returns(
                [reward for _, _, reward, _, _ in block],
                [flags for _, _, _, flags, _ in block],
                [value_of(decode(after)) for *_, after in block],
                gamma,
                truncation,
            )
            wanted.extend(
                (state, action, total, value_of(decode(state)))
                for (state, action, *_), total in zip(block, block_returns, strict=True)
            )
        assert len(states) == len(envs) * steps_count
        assert all(same(state, row[0]) for state, row in zip(unbatch(states), wanted, strict=True))
        assert actions.tolist() == [row[1] for row in wanted]
        assert np.allclose(returns, [row[2] for row in wanted], rtol=1e-5, atol=1e-4)
        assert np.allclose(values, [row[3] for row in wanted], rtol=1e-6)


@PROPERTY
@given(plans(lives=True), st.integers(1, 7), GAMMAS, TRUNCATIONS)
def test_rollouts_of_a_list_of_environments(plan, steps_count, gamma, truncation):
    envs = make_envs(plan)
    source = ExperienceSourceRollouts(
        envs, ValueAgent(), gamma, steps_count=steps_count, truncation=truncation
    )
    rollouts = list(islice(source, ROLLOUTS))
    check_rollouts(rollouts, envs, steps_count, gamma, truncation)


@PROPERTY
@given(plans(), st.sampled_from(sorted(MODES)), st.integers(1, 7), GAMMAS, TRUNCATIONS)
def test_rollouts_of_a_vector_environment(plan, mode, steps_count, gamma, truncation):
    envs = make_envs(plan)
    source = ExperienceSourceRollouts(
        drive(mode, envs), ValueAgent(), gamma, steps_count=steps_count, truncation=truncation
    )
    rollouts = list(islice(source, ROLLOUTS))
    check_rollouts(rollouts, envs, steps_count, gamma, truncation)


@pytest.mark.parametrize("kind", ["vector", "pixels", "discrete"])
@pytest.mark.parametrize("form", ["list", "array"])
def test_the_parts_are_arrays_with_these_dtypes(kind, form):
    envs = make_envs([[Episode(3)], [Episode(4, "truncated")]], kind=kind)
    source = ExperienceSourceRollouts(envs, ValueAgent(form), gamma=0.9)
    rollout = next(iter(source))
    states, actions, returns, values = rollout
    dtype, shape = {
        "vector": (np.float32, (10, 3)),
        "pixels": (np.uint8, (10, 3, 16, 16)),
        "discrete": (np.int64, (10,)),
    }[kind]
    assert (states.dtype, states.shape) == (dtype, shape)
    assert (actions.dtype, actions.shape) == (np.int64, (10,))
    assert (returns.dtype, returns.shape) == (np.float32, (10,))
    assert (values.dtype, values.shape) == (np.float32, (10,))
    assert rollout.states is states
    assert rollout.actions is actions
    assert rollout.returns is returns
    assert rollout.values is values


def test_the_returns_of_a_hand_computed_rollout():
    (env,) = make_envs([[Episode(2), Episode(9)]])
    states, _, returns, values = next(
        iter(ExperienceSourceRollouts(env, ValueAgent(), gamma=0.5, steps_count=4))
    )
    rewards = [event.reward for event in env.log if event.kind == "step"][:4]
    bootstrap = 100 + 20 + 2 + 0.25
    assert returns[0] == pytest.approx(rewards[0] + 0.5 * rewards[1], rel=1e-5)
    assert returns[1] == pytest.approx(rewards[1], rel=1e-5)
    assert returns[2] == pytest.approx(rewards[2] + 0.5 * rewards[3] + 0.25 * bootstrap, rel=1e-5)
    assert returns[3] == pytest.approx(rewards[3] + 0.5 * bootstrap, rel=1e-5)
    assert values.tolist() == [110.25, 111.25, 120.25, 121.25]
    assert [decode(state)[1:] for state in states] == [(1, 0), (1, 1), (2, 0), (2, 1)]


@pytest.mark.parametrize("length", [3, 6])
@pytest.mark.parametrize("truncation", ["bootstrap", "terminal"])
def test_a_truncation_bootstraps_from_the_true_last_observation(length, truncation):
    (env,) = make_envs([[Episode(length, "truncated")]])
    source = ExperienceSourceRollouts(
        env, ValueAgent(), gamma=0.5, steps_count=6, truncation=truncation
    )
    _, _, returns, _ = next(iter(source))
    reward = next(event.reward for event in env.log if event.truncated)
    bootstrap = 0.5 * (100 + 10 + length + 0.25) if truncation == "bootstrap" else 0.0
    assert returns[length - 1] == pytest.approx(reward + bootstrap, rel=1e-5)


def test_later_rollouts_change_no_earlier_one():
    envs = make_envs([[Episode(5, "truncated")], [Episode(3)]], reuse=True)
    source = ExperienceSourceRollouts(envs, ValueAgent(), 0.9, 4)
    rollouts = list(islice(source, ROLLOUTS))
    check_rollouts(rollouts, envs, 4, 0.9, "bootstrap")


def test_statistics_are_kept():
    envs = make_envs([[Episode(5)], [Episode(3, "truncated")]], raw=True)
    source = ExperienceSourceRollouts(envs, ValueAgent(), 0.9, 4)
    list(islice(source, ROLLOUTS))
    popped = source.pop_rewards_steps()
    wanted = games_of(envs)
    assert len(popped) >= 20 // 5 + 20 // 3
    assert [steps for _, steps in popped] == [game.steps for game in wanted[: len(popped)]]
    assert [total for total, _ in popped] == pytest.approx(
        [game.total for game in wanted[: len(popped)]]
    )


def test_a_changed_agent_acts_in_the_very_next_step():
    envs = make_envs([[Episode(5)], [Episode(3, "truncated")]])
    agent = ValueAgent()
    stream = iter(ExperienceSourceRollouts(envs, agent, 0.9, 4))
    for version in range(8):
        agent.version = version
        states, actions, _, _ = next(stream)
        assert actions.tolist() == [agent.action(decode(state)) for state in states]


class Fault(Exception):
    """Raised by the agents and environments of these tests."""


@pytest.mark.parametrize("fails_at", range(1, 14))
@pytest.mark.parametrize("steps_count", [1, 3])
def test_no_step_is_lost_when_an_agent_breaks(fails_at, steps_count):
    # Whichever call breaks, for a step or for a value: it is made again, nothing is left out.
    class Faulty(ValueAgent):
        def __call__(self, observations, agent_states=None):
            if self.calls == fails_at and not self.failed:
                self.failed = True
                raise Fault("the agent broke")
            return super().__call__(observations, agent_states)

    envs, agent = make_envs([[Episode(4, "truncated")], [Episode(3, "truncated")]]), Faulty()
    agent.failed = False
    stream = iter(ExperienceSourceRollouts(envs, agent, 0.9, steps_count))
    rollouts = []
    for _ in range(12):
        try:
            rollouts.append(next(stream))
        except Fault:
            continue
    assert agent.failed
    assert len(rollouts) == 11
    check_unbroken(rollouts, envs, steps_count)


def check_unbroken(rollouts, envs, steps_count):
    """Within a rollout every environment goes on step by step, and its returns fit its rows."""
    lengths = [4, 3]
    for states, _, returns, _ in rollouts:
        for number, env in enumerate(envs):
            block = slice(number * steps_count, (number + 1) * steps_count)
            places = [decode(state) for state in states[block]]
            for (_, episode, step), (_, later_episode, later) in pairwise(places):
                over = step + 1 == lengths[number]
                assert (later_episode, later) == ((episode + 1, 0) if over else (episode, step + 1))
            index, episode, step = places[-1]
            reward = reward_at(env, episode, step)
            after = value_of((index, episode, step + 1))
            assert returns[block][-1] == pytest.approx(reward + 0.9 * after, rel=1e-5)


def reward_at(env, episode, step):
    """The reward of one step as the log has it."""
    return next(
        event.reward
        for before, event in pairwise(env.log)
        if event.kind == "step" and decode(before.observation)[1:] == (episode, step)
    )


def test_a_broken_environment_restarts_the_stream():
    class FaultyEnv(ScriptedEnv):
        failed = False

        def step(self, action):
            if self.steps_taken() == 5 and not self.failed:
                self.failed = True
                raise Fault("the environment broke")
            return super().step(action)

    envs = [ScriptedEnv([Episode(9)], 1), FaultyEnv([Episode(9)], 2)]
    stream = iter(ExperienceSourceRollouts(envs, ValueAgent(), 0.9, 3))
    next(stream)
    with pytest.raises(Fault):
        next(stream)
    states, *_ = next(stream)
    wanted = [(index, 2, step) for index in (1, 2) for step in range(3)]
    assert [decode(state) for state in states] == wanted


def test_what_is_not_finite_raises():
    class Spoiled(ScriptedEnv):
        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, float("nan") if self.at == 3 else reward, *rest

    stream = iter(ExperienceSourceRollouts(Spoiled([Episode(5)]), ValueAgent(), 0.9, 4))
    with pytest.raises((ValueError, ArithmeticError), match=r"(?s)(?=.*env\w*\s*0)(?=.*step)"):
        next(stream)


def test_an_agent_without_values_raises():
    class Valueless(ValueAgent):
        def __call__(self, observations, agent_states=None):
            actions, _ = super().__call__(observations, agent_states)
            return actions, [None] * len(actions)

    (env,) = make_envs([[Episode(5)]])
    with pytest.raises((TypeError, ValueError), match="value"):
        next(iter(ExperienceSourceRollouts(env, Valueless(), 0.9)))


def test_a_new_stream_starts_afresh():
    (env,) = make_envs([[Episode(9)]])
    source = ExperienceSourceRollouts(env, ValueAgent(), 0.9, 4)
    older = iter(source)
    next(older)
    states, *_ = next(newer := iter(source))
    assert decode(states[0]) == (1, 2, 0)
    with pytest.raises(RuntimeError):
        next(older)
    states, *_ = next(newer)
    assert decode(states[0]) == (1, 2, 4)


def test_seeds_reach_the_environments():
    envs = make_envs([[Episode(2)], [Episode(3)]])
    list(islice(ExperienceSourceRollouts(envs, ValueAgent(), 0.9, env_seed=4), 3))
    assert [env.log[0].kwargs for env in envs] == [{"seed": 4}, {"seed": 5}]
    assert all(event.kwargs == {} for env in envs for event in env.log[1:])
