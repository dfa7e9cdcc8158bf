"""Evaluations in words and numbers, interrupted, and of environments that never end."""

import gymnasium
import numpy as np
import pytest

from ptan.runs import RunSettings
from ptan.runs.errors import EnvironmentFailure
from ptan.runs.evaluation import Evaluation, Interrupted, evaluate_greedily
from ptan.training.evaluate import Played


def played(*pairs: tuple[float, int]) -> list[Played]:
    return [Played(total, trace, 10, False) for total, trace in pairs]


def still(observations, states=None):
    """Always the first action."""
    return np.zeros(len(observations), np.int64), states


def test_an_evaluation_in_words_and_numbers() -> None:
    episodes = played((1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4))
    evaluation = Evaluation(episodes, "made up", 0)
    # Student's t for 3 degrees of freedom: 3.1824; standard deviation sqrt(5/3).
    assert evaluation.to_json()["ci95"] == pytest.approx(3.182446 * (5 / 3) ** 0.5 / 2, rel=1e-5)
    assert str(evaluation) == "2.50 ± 2.05 (95 %, Student's t, 4 episodes)"
    assert str(Evaluation(episodes[:1], "made up", 0)) == "1.00 (one episode)"
    same = Evaluation(episodes[3:] * 3, "made up", 0, chance=False)
    assert (same.to_json()["ci95"], str(same)) == (None, "4.00 (3 episodes, all the same)")


def test_episodes_that_repeat_each_other_do_not_narrow_the_interval() -> None:
    games = played((15.0, 1), (19.0, 2), (20.0, 3), (21.0, 4))
    once, often = (Evaluation(games * n, "made up", 0, chance=False) for n in (1, 5))
    assert often.to_json()["ci95"] == once.to_json()["ci95"]
    assert str(often) == "18.75 ± 4.18 (95 %, Student's t, 20 episodes, 4 different)"
    assert (often.to_json()["episodes"], often.to_json()["different"]) == (20, 4)
    # Equal returns of different episodes are two observations.
    equal = played((1.0, 1), (1.0, 2))
    assert Evaluation(equal, "made up", 0, chance=False).to_json()["different"] == 2
    # Where the environment draws, nothing is a repetition.
    assert Evaluation(games * 5, "made up", 0).to_json()["different"] == 20


@pytest.mark.atari
@pytest.mark.parametrize(("env_id", "sticky"), [("ALE/Pong-v5", 0.25), ("PongNoFrameskip-v4", 0)])
def test_the_protocol_names_what_makes_scores_comparable(env_id: str, sticky: float) -> None:
    pytest.importorskip("ale_py")
    found = evaluate_greedily(RunSettings(env_id=env_id, eval_max_steps=3), still, 1, 7)
    assert found.protocol == (
        "greedy: no ε, no noise in the weights; raw game score: no reward clipping, no life-loss "
        f"ends; at most 30 no-ops at the start, sticky actions {sticky}, frame skip 4; 1 whole "
        "episodes, cut off after 3 steps, in environments of their own, seed 7"
    )
    assert found.chance == (sticky > 0)  # Atari games have chance by sticky actions only


def test_an_evaluation_can_be_interrupted_at_any_step() -> None:
    with pytest.raises(Interrupted):
        evaluate_greedily(RunSettings(env_id="CartPole-v1"), still, 2, 0, lambda: True)


@pytest.fixture
def corridor():
    """-1 per step, and no end while the agent stands still; at place 3 it breaks."""

    class Corridor(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 9, (1,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.place = 0
            return np.zeros(1, np.float32), {}

        def step(self, action):
            self.place += int(action)
            if self.place == 3:
                raise RuntimeError("the floor is gone")
            return np.full(1, self.place, np.float32), -1.0, False, False, {}

    gymnasium.register("Corridor-v0", entry_point=Corridor)
    yield "Corridor-v0"
    del gymnasium.registry["Corridor-v0"]


def test_an_evaluation_without_a_time_limit_ends(corridor: str) -> None:
    settings = RunSettings(env_id=corridor, eval_max_steps=50)
    found = evaluate_greedily(settings, still, 3, 0)
    assert found.returns == [-50.0] * 3
    assert found.to_json()["truncated"] == 3
    assert "3 cut off" in str(found)
    assert "cut off after 50 steps" in found.protocol
    assert found.chance


def test_an_environment_that_breaks_in_an_evaluation_is_one_line(corridor: str) -> None:
    def walk(observations, states=None):
        return np.ones(len(observations), np.int64), states

    settings = RunSettings(env_id=corridor)
    with pytest.raises(EnvironmentFailure, match=r"step 2.*RuntimeError: the floor is gone"):
        evaluate_greedily(settings, walk, 1, 0)
