"""Evaluation: each environment plays its own share, whatever ends first."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.training import evaluate, play_parallel


class Scripted(gymnasium.Env):
    """Episode k of it has `lengths[k]` steps; the reward of every step is `worth`."""

    observation_space = spaces.Box(0, 1_000, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, lengths, worth=1.0, *, clipped=False, lives=False, truncates=False) -> None:
        self.lengths, self.worth = lengths, worth
        self.clipped, self.lives, self.truncates = clipped, lives, truncates
        self.episode, self.at, self.steps = -1, 0, 0
        self.seeds, self.actions = [], []

    def _observation(self):
        return np.array([self.episode, self.at], np.float32)

    def reset(self, *, seed=None, options=None):
        if self.lives and 0 < self.at < self.lengths[self.episode]:
            return self._observation(), {"life_loss": True}  # the game goes on
        self.seeds.append(seed)
        self.episode, self.at = (self.episode + 1) % len(self.lengths), 0
        return self._observation(), {}

    def step(self, action):
        self.actions.append(int(action))
        self.at += 1
        self.steps += 1
        over = self.at == self.lengths[self.episode]
        lost_life = self.lives and not over and self.at % 2 == 0
        info = {"raw_reward": self.worth} if self.clipped else {}
        if lost_life:
            info["life_loss"] = True
        ends = (over and not self.truncates) or lost_life
        reward = float(np.sign(self.worth)) if self.clipped else self.worth
        return self._observation(), reward, bool(ends), bool(over and self.truncates), info


def second_action(observations, states=None):
    return np.ones(len(observations), np.int64), states


def vector(envs, mode):
    return SyncVectorEnv([lambda env=env: env for env in envs], autoreset_mode=mode)


KINDS = ["list", *AutoresetMode]


def arranged(envs, kind):
    return list(envs) if kind == "list" else vector(envs, kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("clipped", [False, True])
def test_each_environment_plays_its_share_however_long_it_takes(kind, clipped) -> None:
    # Of eight episodes that end first, seven would be of the first environment.
    envs = [Scripted([1], 3.0, clipped=clipped), Scripted([9, 5], 3.0, clipped=clipped)]
    assert evaluate(arranged(envs, kind), second_action, 4) == [3.0, 3.0, 27.0, 15.0]
    assert {*envs[0].actions, *envs[1].actions} == {1}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_where_episodes_do_not_divide_the_first_environments_play_one_more(kind) -> None:
    envs = [Scripted([1, 2]), Scripted([3, 4]), Scripted([5, 6])]
    assert evaluate(arranged(envs, kind), second_action, 4) == [1.0, 2.0, 3.0, 5.0]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_fewer_episodes_than_environments(kind) -> None:
    envs = [Scripted([2]), Scripted([3]), Scripted([1])]
    assert evaluate(arranged(envs, kind), second_action, 2) == [2.0, 3.0]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("clipped", [False, True])
def test_a_lost_life_ends_no_episode(kind, clipped) -> None:
    envs = [Scripted([5, 3], 2.0, lives=True, clipped=clipped), Scripted([4, 4], lives=True)]
    assert evaluate(arranged(envs, kind), second_action, 4) == [10.0, 6.0, 4.0, 4.0]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_truncation_ends_an_episode(kind) -> None:
    envs = [Scripted([3, 2], truncates=True)]
    assert evaluate(arranged(envs, kind), second_action, 2) == [3.0, 2.0]


def test_listed_environments_that_are_done_are_not_stepped_any_more() -> None:
    envs = [Scripted([2]), Scripted([7])]
    evaluate(envs, second_action, 2)
    assert [env.steps for env in envs] == [2, 7]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_seeds_are_given_once_in_order(kind) -> None:
    envs = [Scripted([2, 2]), Scripted([2, 2])]
    evaluate(arranged(envs, kind), second_action, 4, seed=40)
    assert [env.seeds[0] for env in envs] == [40, 41]
    assert {seed for env in envs for seed in env.seeds[1:]} <= {None}


class Counting:
    """Its state counts the steps of an episode; the action is that count's parity."""

    def initial_state(self):
        return 0

    def __call__(self, observations, states):
        assert list(states) == [int(obs[1]) for obs in observations]
        return np.array([state % 2 for state in states]), [state + 1 for state in states]


@pytest.mark.parametrize("kind", ["list", AutoresetMode.SAME_STEP, AutoresetMode.DISABLED], ids=str)
def test_agent_states_belong_to_episodes(kind) -> None:
    envs = [Scripted([3, 4]), Scripted([2, 6])]
    evaluate(arranged(envs, kind), Counting(), 4)


def test_one_environment_gives_what_the_serial_evaluation_gives() -> None:
    def lean(observations, states=None):
        return np.array([int(obs[2] > 0) for obs in observations]), states

    serial = evaluate(gymnasium.make("CartPole-v1"), lean, episodes=4, seed=5)
    assert evaluate([gymnasium.make("CartPole-v1")], lean, 4, seed=5) == serial


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_episode_without_an_end_is_truncated_and_says_so(kind) -> None:
    # Steps that would go on for ever, beside ones that end.
    envs = [Scripted([10**9], -1.0), Scripted([3, 40], -1.0), Scripted([2, 2], truncates=True)]
    played = play_parallel(arranged(envs, kind), second_action, 6, max_steps=20)
    assert [(one.total, one.steps, one.truncated) for one in played] == [
        (-20.0, 20, True),
        (-20.0, 20, True),
        (-3.0, 3, False),
        (-20.0, 20, True),
        (2.0, 2, True),
        (2.0, 2, True),
    ]


def test_the_serial_evaluation_ends_as_well() -> None:
    assert evaluate(Scripted([10**9], -1.0), second_action, 2, max_steps=30) == [-30.0, -30.0]
    with pytest.raises(ValueError, match="max_steps"):
        evaluate(Scripted([5]), second_action, max_steps=0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_not_finite_is_named_at_once(kind) -> None:
    class Spoiled(Scripted):
        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, np.nan if self.steps == 3 else reward, *rest

    envs = [Scripted([9]), Spoiled([9])]
    with pytest.raises(ValueError, match="reward of environment 1 at step 2 must be finite"):
        evaluate(arranged(envs, kind), second_action, 2)
    assert envs[0].steps == 3


def test_traces_tell_episodes_that_became_one_and_the_same() -> None:
    envs = [Scripted([150, 149, 3]), Scripted([150, 7, 3])]
    traces = [one.trace for one in play_parallel(envs, second_action, 6)]
    assert traces[0] == traces[1] == traces[3]  # of equal last steps, whatever their length
    assert traces[2] == traces[5] != traces[0]


@pytest.mark.parametrize(
    ("envs", "episodes", "error", "text"),
    [
        ([], 1, ValueError, "env"),
        ([Scripted([1])], 0, ValueError, "episodes"),
        ([Scripted([1])], 1.5, TypeError, "episodes"),
    ],
)
def test_bad_arguments_are_refused(envs, episodes, error, text) -> None:
    with pytest.raises(error, match=text):
        evaluate(envs, second_action, episodes)
