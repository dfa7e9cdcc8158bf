"""DDPG and SAC agents against their equations and distributions."""

import copy

import numpy as np
import pytest
import torch

from ptan.actions import GaussianNoise, OrnsteinUhlenbeckProcess
from ptan.agent import DDPGAgent, SACAgent
from refusals import INF, NAN, assert_tells, table

from .models import LOGITS, Pair, Table, rows


def test_ddpg_adds_ou_noise_whose_position_travels_in_the_agent_states():
    noise = OrnsteinUhlenbeckProcess(rng=4)
    twin = copy.deepcopy(noise)
    agent = DDPGAgent(Table(), noise=noise, low=-10, high=10)
    observations = rows([0.5, -0.5], [1.0, 2.0])
    states = None
    position = np.zeros((2, 2))
    for step in range(4):
        if step == 2:
            states[1] = agent.initial_state()
            position[1] = 0.0
        given = copy.deepcopy(states)
        actions, new_states = agent(observations, states)
        assert str(states) == str(given)
        states = new_states
        position = position - 0.15 * position + 0.2 * twin.rng.standard_normal((2, 2))
        assert np.stack(states) == pytest.approx(position, rel=1e-12)
        assert actions == pytest.approx(np.stack(observations) + position, rel=1e-6)
        assert actions.dtype == np.float32
        assert isinstance(states, list)


def test_ddpg_without_exploration_is_the_policy_clipped():
    agent = DDPGAgent(Table(), low=[-1.0, 0.0], high=[1.0, 0.5], explore=False)
    actions, states = agent(rows([-2.0, 2.0], [0.25, 0.25]), ["x", "y"])
    assert actions.tolist() == [[-1.0, 0.5], [0.25, 0.25]]
    assert states == ["x", "y"]
    assert agent(rows([0.0, 0.0]))[1] == [None]


def test_ddpg_takes_gaussian_noise_which_needs_no_state():
    agent = DDPGAgent(Table(), noise=GaussianNoise(0.5, rng=1), low=-0.3, high=0.3)
    actions, states = agent(rows([0.0] * 1000))
    assert states == [None]
    assert actions.min() == np.float32(-0.3)
    assert actions.max() == np.float32(0.3)
    assert 0.2 < (abs(actions) < 0.1).mean() / 0.159 < 2
    agent.explore = False
    assert not agent(rows([0.0] * 1000))[0].any()


def test_default_noise_is_not_shared():
    assert DDPGAgent(Table()).noise.rng is not DDPGAgent(Table()).noise.rng


def test_ddpg_learns_from_the_actions_that_the_environment_gets():
    step = DDPGAgent(Table(), low=-0.5, high=0.5).step(LOGITS)
    assert step.actions is step.env_actions
    assert abs(step.actions).max() <= 0.5


def test_sac_in_evaluation_is_the_squashed_mean_in_the_bounds():
    agent = SACAgent(Pair(), low=[-2.0, 0.0], high=[2.0, 1.0], deterministic=True)
    observations = rows([0.5, -0.5], [100.0, -100.0])
    actions, states = agent(observations)
    expected = [[2 * np.tanh(0.5), 0.5 * (1 + np.tanh(-0.5))], [2.0, 0.0]]
    assert actions == pytest.approx(np.array(expected), rel=1e-6)
    assert actions.dtype == np.float32
    assert states == [None, None]
    assert agent(observations)[0].tolist() == actions.tolist()


def test_sac_samples_a_tanh_gaussian_and_learns_from_it_before_it_is_stretched():
    agent = SACAgent(Pair(log_std=np.log(0.5)), low=-3.0, high=1.0, rng=2)
    step = agent.step(np.full((20_000, 1), 0.25, np.float32))
    raw = np.arctanh(step.actions.astype(float))
    assert raw.mean() == pytest.approx(0.25, abs=0.02)
    assert raw.std() == pytest.approx(0.5, rel=0.02)
    # A normal has 68.27 % within one standard deviation.
    assert (abs(raw - 0.25) < 0.5).mean() == pytest.approx(0.6827, abs=0.015)
    assert step.env_actions == pytest.approx(-1 + 2 * step.actions, abs=1e-6)
    assert step.columns == {}


def test_sac_draws_nothing_in_evaluation_and_a_seed_repeats_training():
    first, second = SACAgent(Pair(), rng=5), SACAgent(Pair(), rng=5)
    first.deterministic = True
    first(LOGITS)
    first.deterministic = False
    assert first(LOGITS)[0].tolist() == second(LOGITS)[0].tolist()
    assert first(LOGITS)[0].tolist() != SACAgent(Pair(), rng=6)(LOGITS)[0].tolist()


TWO, ONES = [np.zeros(3, np.float32)] * 2, torch.ones(2, 1)


def ddpg(**settings):
    return lambda: DDPGAgent(lambda states: ONES, **settings)(TWO, [None])


def nan(agent):
    return lambda: agent(rows([NAN]))


@table(
    ("ddpg-states", ddpg(), ValueError, "states", "got 1", "2 environments"),
    ("ddpg-noise", ddpg(noise=0.1), TypeError, "noise", "got 0.1", "callable"),
    ("ddpg-bounds", ddpg(low=1, high=1), ValueError, "low", "high=1", "below high"),
    ("ddpg-nan", nan(DDPGAgent(Table())), ValueError, "actions", "nan", "not be NaN"),
    ("ddpg-nan-greedy", nan(DDPGAgent(Table(), explore=False)), ValueError, "actions", "nan",
     "not be NaN"),
    ("sac-nan", nan(SACAgent(Pair())), ValueError, "actions", "nan", "not be NaN"),
    ("sac-nan-greedy", nan(SACAgent(Pair(), deterministic=True)), ValueError, "actions", "nan",
     "not be NaN"),
    ("sac-bounds", lambda: SACAgent(Pair(), low=-INF), ValueError, "low", "-inf", "be finite"),
    ("sac-one-output", lambda: SACAgent(lambda states: torch.ones(2, 2))(TWO), TypeError,
     "the model", "got tensor", r"pair \(mean, log_std\)"),
)  # fmt: skip
def test_agents_refuse(case):
    assert_tells(case)
