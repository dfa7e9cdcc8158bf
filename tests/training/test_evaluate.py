"""Evaluation plays whole episodes and returns what the game itself gave."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ptan.algorithms import DQN, DQNConfig
from ptan.training import evaluate


class Countdown(gymnasium.Env):
    """Episode k has k steps; the reward is the step's number, shown clipped to 1."""

    observation_space = spaces.Box(0, 100, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, *, clipped: bool = False, truncates: bool = False) -> None:
        self.clipped, self.truncates = clipped, truncates
        self.episode = 0
        self.seeds: list[int | None] = []
        self.actions: list[int] = []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.episode += 1
        self.step_number = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.actions.append(int(action))
        self.step_number += 1
        over = self.step_number == self.episode
        reward = float(self.step_number)
        info = {"raw_reward": reward} if self.clipped else {}
        shown = min(reward, 1.0) if self.clipped else reward
        observation = np.full(1, self.step_number, np.float32)
        return observation, shown, over and not self.truncates, over and self.truncates, info


def second_action(observations, states=None):
    return np.ones(len(observations), np.int64), states


@pytest.mark.parametrize("truncates", [False, True])
@pytest.mark.parametrize("clipped", [False, True])
def test_returns_are_the_games_own_undiscounted(clipped: bool, truncates: bool) -> None:
    env = Countdown(clipped=clipped, truncates=truncates)
    assert evaluate(env, second_action, episodes=4) == [1.0, 3.0, 6.0, 10.0]
    assert set(env.actions) == {1}


def test_the_environment_is_seeded_once() -> None:
    env = Countdown()
    evaluate(env, second_action, episodes=3, seed=17)
    assert env.seeds[0] == 17
    assert set(env.seeds[1:]) == {None}


def test_equal_seeds_give_equal_returns() -> None:
    env = gymnasium.make("CartPole-v1")
    agent = DQN(env.observation_space, env.action_space, DQNConfig(hidden=8)).greedy_agent()
    first = evaluate(env, agent, episodes=5, seed=3)
    assert len(first) == 5
    assert evaluate(gymnasium.make("CartPole-v1"), agent, episodes=5, seed=3) == first


@pytest.mark.parametrize(("episodes", "error"), [(0, ValueError), (2.5, TypeError)])
def test_a_number_of_episodes_that_makes_no_sense_is_refused(episodes, error) -> None:
    with pytest.raises(error, match="episodes"):
        evaluate(Countdown(), second_action, episodes=episodes)
