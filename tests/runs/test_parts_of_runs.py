"""Threads, seeds, settings as JSON, evaluations in words, speed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from ptan.algorithms import DQNConfig
from ptan.runs import RunConfig, RunError, RunSettings, threads
from ptan.runs.environments import has_chance
from ptan.runs.errors import nearest
from ptan.runs.evaluation import Evaluation, Interrupted, evaluate_greedily
from ptan.runs.progress import Progress, Speed
from ptan.runs.seeds import EVALUATED, EVALUATION, FINAL, NEW_EPISODES, derived_seed
from ptan.training.evaluate import Played

IMAGES = spaces.Box(0, 255, (4, 84, 84), np.uint8)
VECTORS = spaces.Box(-1, 1, (4,), np.float32)


class Learner:
    """Takes as long for an update as its clock is told for the threads in use."""

    def __init__(self, clock, cost, parameters=1_000_000, device="cpu") -> None:
        self.clock, self.cost = clock, cost
        self.net = torch.nn.Linear(1, parameters, bias=False)
        self.device = torch.device(device)
        self.config = SimpleNamespace(batch_size=2, gamma=0.9)

    def update(self, batch) -> None:
        assert batch.states.shape == (2, 4, 84, 84)
        self.clock.now += self.cost[torch.get_num_threads()] / 1_000


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(now=0.0)
    monkeypatch.setattr(threads.time, "perf_counter", lambda: found.now)
    return found


@pytest.mark.parametrize(
    ("cost", "chosen"),
    [
        ({1: 40, 2: 22, 3: 21}, 2),  # the third gains less than 10 %
        ({1: 40, 2: 22, 3: 15}, 3),
        ({1: 40, 2: 39, 3: 38}, 1),
        ({1: 40, 2: 200, 3: 10}, 3),
    ],
)
def test_as_many_threads_as_are_worth_it(clock, cost, chosen) -> None:
    before = torch.get_num_threads()
    choice = threads.choose_threads(
        lambda: Learner(clock, cost), IMAGES, spaces.Discrete(3), most=3
    )
    assert choice.threads == chosen
    assert choice.milliseconds == pytest.approx(cost)
    assert torch.get_num_threads() == before
    assert "40.0 ms" in str(choice)


def test_a_hopeless_number_of_threads_is_given_up(clock) -> None:
    choice = threads.choose_threads(
        lambda: Learner(clock, {1: 10, 2: 30_000}), IMAGES, spaces.Discrete(3), most=2
    )
    assert choice.threads == 1
    assert clock.now < 31


def test_nothing_is_measured_for_small_networks_or_other_devices(clock) -> None:
    small = Learner(clock, {}, parameters=100)
    elsewhere = Learner(clock, {}, device="meta")
    assert threads.choose_threads(lambda: small, VECTORS, spaces.Discrete(2), 4).threads == 1
    assert threads.choose_threads(lambda: elsewhere, IMAGES, spaces.Discrete(2), 4).threads == 1


@given(st.integers(0, 2**40), st.integers(0, 50))
def test_seeds_of_different_purposes_differ_and_leave_room(seed: int, number: int) -> None:
    found = [derived_seed(seed, p, number) for p in (EVALUATION, FINAL, NEW_EPISODES, EVALUATED)]
    assert len(set(found)) == 4
    assert all(0 <= one < 2**31 - 2**16 for one in found)
    assert derived_seed(seed, FINAL, number) == found[1]


def test_settings_survive_json() -> None:
    config = RunConfig(
        algorithm="dqn",
        preset="pong",
        settings=RunSettings(env_id="CartPole-v1", stop_reward=3.5),
        config=DQNConfig(hidden=(8, 4), eps_decay=0.5),
    )
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_unknown_algorithm_or_foreign_settings_are_refused() -> None:
    with pytest.raises(RunError, match="did you mean 'dqn'"):
        RunConfig(algorithm="dqnn", settings=RunSettings(), config=DQNConfig())
    with pytest.raises(RunError, match="config must be a DQNConfig"):
        RunConfig(algorithm="dqn", settings=RunSettings(), config=RunSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("threads", -1), ("eval_every", 0), ("stop_reward", float("inf"))],
)
def test_impossible_settings_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        RunSettings(**{name: value})


def test_the_nearest_names_are_suggested_and_others_are_not() -> None:
    assert nearest("cartpol-v1", ["CartPole-v1", "Pendulum-v1"]) == "; did you mean 'CartPole-v1'?"
    assert nearest("xyz", ["CartPole-v1"]) == ""


def test_an_evaluation_in_words_and_numbers() -> None:
    played = [Played(float(i), i, 1, False) for i in range(1, 5)]
    evaluation = Evaluation(played, "made up", 0)
    # Student's t for 3 degrees of freedom: 3.1824; standard deviation sqrt(5/3).
    assert evaluation.ci95 == pytest.approx(3.182446 * (5 / 3) ** 0.5 / 2, rel=1e-5)
    assert str(evaluation) == "2.50 ± 2.05 (95 %, Student's t, 4 episodes)"
    assert str(Evaluation(played[:1], "made up", 0)) == "1.00 (one episode)"
    same = Evaluation(played[3:] * 3, "made up", 0, chance=False)
    assert (same.ci95, str(same)) == (None, "4.00 (3 episodes, all the same)")


def test_episodes_that_repeat_each_other_do_not_narrow_the_interval() -> None:
    games = [*(Played(total, i, 1, False) for i, total in enumerate((15.0, 19.0, 20.0, 21.0)))]
    once, often = (Evaluation(games * n, "made up", 0, chance=False) for n in (1, 5))
    assert (often.mean, often.ci95) == (once.mean, once.ci95)
    assert str(often) == "18.75 ± 4.18 (95 %, Student's t, 20 episodes, 4 different)"
    assert (often.to_json()["episodes"], often.to_json()["different"]) == (20, 4)
    # Equal returns of different episodes are two observations.
    equal = [Played(1.0, 1, 1, False), Played(1.0, 2, 1, False)]
    assert len(Evaluation(equal, "made up", 0, chance=False).different) == 2
    # Where the environment draws, nothing is a repetition.
    assert len(Evaluation(games * 5, "made up", 0).different) == 20
    assert has_chance(RunSettings(env_id="CartPole-v1"))
    assert has_chance(RunSettings(env_id="ALE/Pong-v5"))
    assert not has_chance(RunSettings(env_id="PongNoFrameskip-v4"))


def test_an_evaluation_can_be_interrupted_at_any_step() -> None:
    def agent(observations, states=None):
        return np.zeros(len(observations), np.int64), states

    with pytest.raises(Interrupted):
        evaluate_greedily(RunSettings(env_id="CartPole-v1"), agent, 2, 0, lambda: True)


def test_speed_looks_back_a_few_seconds() -> None:
    speed = Speed(span=10.0)
    assert speed.value is None
    for second in range(30):
        speed.add(second * 100 if second < 15 else 1_400 + (second - 14) * 10, float(second))
    assert speed.value == pytest.approx(10.0)
    progress = Progress("training", 500, 1_500, 1, 0, None, None, None, speed.value)
    assert progress.seconds_left == pytest.approx(100.0)
    speed.forget()
    assert speed.value is None
