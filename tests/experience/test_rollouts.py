"""A3C rollouts against plain loops over the environments' logs."""

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import ExperienceSourceRollouts

from .envs import (
    Episode,
    Fault,
    FaultyEnv,
    ScriptedEnv,
    ValueAgent,
    decode,
    drive,
    make_envs,
    unbatch,
    value_of,
)
from .oracles import games_of, rollout_returns, same, steps_of
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, driven_plans

ROLLOUTS = 6


@PROPERTY
@given(driven_plans(), st.integers(1, 7), GAMMAS, TRUNCATIONS, st.booleans())
def test_rollout_k_holds_steps_from_k_times_t_on_of_every_environment(
    driven, steps_count, gamma, truncation, reuse
):
    plan, driver = driven
    # Gymnasium hands on the final array of SAME_STEP as it is.
    envs = make_envs(plan, reuse=reuse and driver == "list")
    source = ExperienceSourceRollouts(
        drive(driver, envs), ValueAgent(), gamma, steps_count=steps_count, truncation=truncation
    )
    rollouts = list(islice(source, ROLLOUTS))
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


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [("vector", np.float32, (3,)), ("pixels", np.uint8, (3, 16, 16)), ("discrete", np.int64, ())],
)
@pytest.mark.parametrize("form", ["list", "array"])
def test_the_parts_are_arrays_with_these_dtypes(kind, dtype, shape, form):
    envs = make_envs([[Episode(3)], [Episode(4, "truncated")]], kind=kind)
    rollout = next(iter(ExperienceSourceRollouts(envs, ValueAgent(form), gamma=0.9)))
    found = [(part.dtype, part.shape) for part in rollout]
    assert found == [
        (dtype, (10, *shape)), (np.int64, (10,)), (np.float32, (10,)), (np.float32, (10,)),
    ]  # fmt: skip
    assert len(rollout) == 4
    names = ("states", "actions", "returns", "values")
    assert all(getattr(rollout, name) is rollout[i] for i, name in enumerate(names))


def test_the_returns_of_a_hand_computed_rollout():
    (env,) = make_envs([[Episode(2), Episode(9)]])
    states, _, returns, values = next(
        iter(ExperienceSourceRollouts(env, ValueAgent(), gamma=0.5, steps_count=4))
    )
    r = [event.reward for event in env.log if event.kind == "step"][:4]
    bootstrap = 100 + 20 + 2 + 0.25
    wanted = [r[0] + 0.5 * r[1], r[1], r[2] + 0.5 * r[3] + 0.25 * bootstrap, r[3] + 0.5 * bootstrap]
    assert returns.tolist() == pytest.approx(wanted, rel=1e-5)
    assert values.tolist() == [110.25, 111.25, 120.25, 121.25]
    assert [decode(state)[1:] for state in states] == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_episodes_are_told_when_the_rollout_after_them_is_asked_for():
    envs = make_envs([[Episode(5)], [Episode(3, "truncated")]], raw=True)
    source, told = ExperienceSourceRollouts(envs, ValueAgent(), 0.9, 4), 0
    for number, _ in enumerate(islice(source, ROLLOUTS)):
        wanted = [(g.total, g.steps) for g in games_of(envs) if g.tick < 4 * number][told:]
        assert source.pop_rewards_steps() == [(pytest.approx(t), steps) for t, steps in wanted]
        told += len(wanted)
    assert told == 20 // 5 + 20 // 3


def test_a_changed_agent_acts_in_the_very_next_step():
    envs = make_envs([[Episode(5)], [Episode(3, "truncated")]])
    agent, other = ValueAgent(), ValueAgent()
    source = ExperienceSourceRollouts(envs, agent, 0.9, 4)
    stream = iter(source)
    for version in range(8):
        agent.version = version
        states, actions, _, _ = next(stream)
        assert actions.tolist() == [agent.action(decode(state)) for state in states]
    source.agent = other
    next(stream)
    assert source.agent is other
    assert other.calls


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
            reward = next(row[2] for row in steps_of(env, number) if decode(row[0]) == places[-1])
            after = value_of((index, episode, step + 1))
            assert returns[block][-1] == pytest.approx(reward + 0.9 * after, rel=1e-5)


def test_a_broken_environment_restarts_the_stream():
    envs = [ScriptedEnv([Episode(9)], 1), FaultyEnv([Episode(9)], 2)]
    stream = iter(ExperienceSourceRollouts(envs, ValueAgent(), 0.9, 3))
    next(stream)
    with pytest.raises(Fault):
        next(stream)
    states, *_ = next(stream)
    wanted = [(index, 2, step) for index in (1, 2) for step in range(3)]
    assert [decode(state) for state in states] == wanted


def test_a_new_stream_starts_afresh():
    (env,) = make_envs([[Episode(9)]])
    source = ExperienceSourceRollouts(env, ValueAgent(), 0.9, 4)
    next(older := iter(source))
    states, *_ = next(newer := iter(source))
    assert decode(states[0]) == (1, 2, 0)
    with pytest.raises(RuntimeError):
        next(older)
    states, *_ = next(newer)
    assert decode(states[0]) == (1, 2, 4)
