"""Environments that fail or are old: one line, the right exit status, and a checkpoint."""

import json
import re
from pathlib import Path

import pytest

from ptan.algorithms import DQN

WORLDS = """
import gymnasium, numpy as np, sys
from gymnasium import spaces

class World(gymnasium.Env):
    observation_space = spaces.Box(-9, 9, (2,), np.float32)
    action_space = spaces.Discrete(2)
    made = 0

    def __init__(self, answer, at=45, render_mode=None):
        self.answer, self.steps, self.at = answer, 0, at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.at:
            return self.answer()
        return np.zeros(2, np.float32), 1.0, self.steps % 10 == 0, False, {}

def fail():
    raise RuntimeError("the plug was pulled")

obs = np.zeros(2, np.float32)
ANSWERS = {
    "raises": fail,
    "nan_reward": lambda: (obs, np.nan, False, False, {}),
    "nan_observation": lambda: (np.array([0, np.nan], np.float32), 1.0, False, False, {}),
    "no_reward": lambda: (obs, None, False, False, {}),
    "no_info": lambda: (obs, 1.0, False, False, None),
    "shape": lambda: (np.zeros(3, np.float32), 1.0, False, False, {}),
    "huge": lambda: (obs, 1e39, False, False, {}),
    "column": lambda: (obs, np.full(1, 2.0), False, False, {}),
    "leaves": lambda: sys.exit(7),
    "memory": lambda: bytearray(1 << 62),
}
for name, answer in ANSWERS.items():
    gymnasium.register(
        f"{name}-v0", World, kwargs={"answer": answer}, disable_env_checker=True
    )

class LeavesLate(World):
    def step(self, action):
        World.made += 1
        return sys.exit(0) if World.made > 30 else super().step(action)

gymnasium.register("leaves_late-v0", LeavesLate, kwargs={"answer": fail}, disable_env_checker=True)

class Endless(World):
    def step(self, action):
        return obs, -1.0, False, False, {}

    def render(self):
        return np.zeros((16, 16, 3), np.uint8)

Endless.metadata = {"render_modes": ["human", "rgb_array"]}
gymnasium.register("Endless-v0", Endless, kwargs={"answer": None}, disable_env_checker=True)

class Old:
    observation_space, action_space = World.observation_space, World.action_space
    steps = 0

    def reset(self):
        self.steps = 0
        return np.zeros(2, np.float32)

    def step(self, action):
        self.steps += 1
        return np.full(2, self.steps / 9, np.float32), 1.0, self.steps == 9, {}

gymnasium.register("Old-v0", Old, disable_env_checker=True)
"""

FLAGS = [
    *["--hidden", "8", "--batch-size", "4", "--replay-size", "200", "--warm-up", "20"],
    *["--eval-episodes", "0", "--steps", "60", "--name", "run", "--out", "."],
]


@pytest.fixture(autouse=True)
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_worlds.py").write_text(WORLDS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", ["RuntimeError: the plug was pulled"]),
        ("nan_reward", ["nan"]),
        ("nan_observation", ["nan"]),
        ("no_reward", ["None"]),
        ("no_info", ["info"]),
        ("shape", ["(3,)"]),
        ("huge", ["1e+39", "float32"]),
        ("leaves", ["SystemExit: 7"]),
        ("memory", ["MemoryError"]),
    ],
)
def test_a_failing_environment_is_one_line_and_what_was_learned_is_saved(
    ptan, name: str, words: list[str]
) -> None:
    outcome = ptan("train dqn --env", f"failing_worlds:{name}-v0", *FLAGS)
    assert outcome.status == 1, outcome.err
    line = outcome.err[-1]
    assert line.startswith(f"ptan: failing_worlds:{name}-v0 failed in training")
    for part in ("4", *words):
        assert part in line
    (saved,) = Path("run/checkpoints").glob("*-step-*")
    assert saved.name.endswith(("-step-44", "-step-45"))  # a bad answer is a step, too
    assert "episodes/reward" in Path("run/metrics.jsonl").read_text()
    again = ptan("train dqn --resume run")
    assert again.status in (0, 1)
    assert any(re.match(r"resumed at 4[45] .* and 24 updates", one) for one in again.out)


def test_a_reward_in_an_array_of_one_is_a_reward(ptan) -> None:
    outcome = ptan("train dqn --env failing_worlds:column-v0", *FLAGS)
    assert outcome.status == 0, outcome.err


def test_an_old_environment_trains_unseeded_and_that_is_said(ptan) -> None:
    outcome = ptan("train dqn --env failing_worlds:Old-v0", *FLAGS, "--eval-episodes 2")
    assert outcome.status == 0, outcome.err
    assert len([one for one in outcome.err if "unseeded" in one]) == 1
    assert json.loads(Path("run/result.json").read_text())["training"]["episodes"] == 6


def test_an_error_in_an_update_is_one_line_and_what_was_learned_is_saved(
    ptan, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = DQN.update

    def failing(self: DQN, data: object) -> object:
        if self.env_steps >= 40:
            raise ValueError("two\nlines")
        return update(self, data)

    monkeypatch.setattr(DQN, "update", failing)
    outcome = ptan("train dqn --env CartPole-v1", *FLAGS)
    assert outcome.status == 1
    assert outcome.err[-1] == (
        "ptan: training on CartPole-v1 failed in an update after 40 steps: two lines; "
        "what was learned so far is saved"
    )
    (saved,) = Path("run/checkpoints").glob("*-step-40")
    assert saved.is_dir()


@pytest.mark.parametrize(
    ("name", "reason"), [("raises", "RuntimeError: the plug"), ("leaves", "SystemExit: 7")]
)
def test_failures_while_exactness_is_found_out_read_as_in_training(
    ptan, name: str, reason: str
) -> None:
    outcome = ptan(f"train dqn --exact --env failing_worlds:{name}-v0", *FLAGS)
    assert outcome.status == 1
    start = f"ptan: failing_worlds:{name}-v0 failed in training (environment 0, step 44): "
    assert outcome.err[-1].startswith(start + reason)


def test_a_failure_in_bench_is_one_line(ptan) -> None:
    small = ["--hidden", "8", "--warm-up", "20", "--batch-size", "4", "--measured", "100"]
    outcome = ptan("bench dqn --env failing_worlds:raises-v0", *small)
    assert outcome.status == 1
    (line,) = outcome.err
    assert "step" in line
    assert line.endswith("RuntimeError: the plug was pulled")


def test_an_episode_without_end_is_cut_off_in_play(ptan) -> None:
    flags = ["--env failing_worlds:Endless-v0", *FLAGS, "--eval-max-steps 30"]
    assert ptan("train dqn", *flags).status == 0
    outcome = ptan("play run")
    assert (outcome.status, outcome.out) == (0, ["episode 1: return -30, cut off after 30 steps"])


def test_damaged_metrics_are_one_line(ptan) -> None:
    assert ptan("train dqn --env CartPole-v1", *FLAGS).status == 0
    metrics = Path("run/metrics.jsonl")
    texts = ("{no json\n", "[1]\n", '{"env_steps": 1}\n')
    for steps, text in zip((80, 90, 100), texts, strict=True):
        metrics.write_text(text)
        outcome = ptan(f"train dqn --resume run --steps {steps}")
        assert (outcome.status, len(outcome.err)) == (2, 1), text
        assert "metrics.jsonl is damaged: " in outcome.err[0]
    metrics.write_text('{"seconds": 1}\n')
    outcome = ptan("plot run")
    assert outcome.status == 2
    assert outcome.err[0].endswith(
        "metrics.jsonl is damaged: line 1: must have env_steps and seconds, is {'seconds': 1}"
    )


def test_an_environment_that_leaves_in_the_last_evaluation_is_a_failure(ptan) -> None:
    flags = [*FLAGS, "--steps 30", "--eval-episodes 1"]
    assert ptan("train dqn --env failing_worlds:leaves_late-v0", *flags).status == 1
