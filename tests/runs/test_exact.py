"""Exact runs: cut in several places and resumed in other processes, they equal the uncut one."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ptan.algorithms import DQNConfig
from ptan.runs import Run, RunConfig, RunError, RunSettings
from ptan.runs import environments as made
from ptan.training.checkpoint import Checkpoints

from .small import Listener, after, metrics

WORLDS = """
import gymnasium, numpy as np

class Discretized(gymnasium.ActionWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.action_space = gymnasium.spaces.Discrete(3)

    def action(self, action):
        low, high = self.env.action_space.low, self.env.action_space.high
        return (low + (high - low) * action / 2).astype(np.float32)

def make(name):
    return lambda render_mode=None: Discretized(gymnasium.make(name, render_mode=render_mode))

class Walks(gymnasium.vector.VectorEnv):
    # One generator for all; resets at the step after an end.

    def __init__(self, num_envs, render_mode=None):
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP}
        self.single_observation_space = gymnasium.spaces.Box(-1e3, 1e3, (1,), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(2)
        self.observation_space = gymnasium.spaces.Box(-1e3, 1e3, (num_envs, 1), np.float32)
        self.action_space = gymnasium.spaces.MultiDiscrete([2] * num_envs)
        self.over = np.zeros(num_envs, bool)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.over[:] = False
        self.at = self.np_random.normal(size=(self.num_envs, 1)).astype(np.float32)
        return self.at.copy(), {}

    def step(self, actions):
        begun, drawn = self.over.copy(), self.np_random.normal(size=(self.num_envs, 1))
        moved = self.at + (2 * actions[:, None] - 1) + 0.1 * drawn
        self.at = np.where(begun[:, None], drawn, moved).astype(np.float32)
        self.over = (abs(self.at[:, 0]) > 4) & ~begun
        return self.at.copy(), np.where(begun, 0.0, 1.0), self.over, np.zeros_like(begun), {}

gymnasium.register("Walks-v0", make("Pendulum-v1"), vector_entry_point=Walks)
gymnasium.register("Walker-v0", make("BipedalWalker-v3"))
gymnasium.register("Pole-v0", make("InvertedPendulum-v5"))
"""

GAME = {"env_id": "ALE/Pong-v5", "screen_size": 36, "noop_max": 4, "checkpoint_every": 40}
CASES: dict[str, dict[str, Any]] = {
    "one": {"env_id": "CartPole-v1"},
    "list": {"env_id": "CartPole-v1", "num_envs": 3},
    "sync": {"env_id": "CartPole-v1", "num_envs": 2, "vector": "sync"},
    "lander": {"env_id": "LunarLander-v3"},
    "mujoco": {"env_id": "worlds:Pole-v0"},
    "game": {**GAME, "steps": 100},
    # What cannot be saved in the middle of an episode: new ones begin at every checkpoint.
    "games": {**GAME, "num_envs": 8, "steps": 104},
    "walker": {"env_id": "worlds:Walker-v0"},
    "native": {"env_id": "CartPole-v1", "num_envs": 2, "vector": "own"},
    "own": {"env_id": "worlds:Walks-v0", "num_envs": 2, "vector": "own"},
}
NEEDS = {
    "lander": "Box2D",
    "walker": "Box2D",
    "mujoco": "mujoco",
    "game": "ale_py",
    "games": "ale_py",
}
REPEATED = ("one", "list", "sync", "lander", "mujoco", "game")
AVAILABLE = [name for name in CASES if importlib.util.find_spec(NEEDS.get(name, "numpy"))]

GO_ON = """
import itertools, sys
from ptan.runs import Run
for path, calls in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    count = itertools.count(1)
    Run.resume(path).train(interrupted=lambda: 0 < calls <= next(count))
"""


def config(name: str) -> RunConfig:
    settings = {"steps": 220, "checkpoint_every": 50, "eval_episodes": 0, "exact": True}
    settings["diagnostics_every"] = 2 if "game" in name else 10
    small = DQNConfig(
        **{"hidden": 8, "batch_size": 4, "replay_size": 90, "warm_up": 60, "eps_steps": 100},
        **{"sync_every": 7, "n_steps": 2, "prioritized": True, "seed": 5},
        steps_per_update=8 if "game" in name else 2,
    )
    return RunConfig(
        algorithm="dqn",
        settings=RunSettings(**{**settings, **CASES[name]}),
        config=small,
    )


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Each run uncut, and cut in the warm-up and twice later; what the uncut one has said."""
    folder = tmp_path_factory.mktemp("exact")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    (folder / "worlds.py").write_text(WORLDS)
    lines = {}
    for name in AVAILABLE:
        listener = Listener()
        Run.create(config(name), f"whole/{name}").train(listener)
        lines[name] = listener.lines
        assert Run.create(config(name), f"parts/{name}").train(interrupted=after(1)) is None
    paths = os.pathsep.join(path for path in sys.path if path)
    for calls, of_games in ((9, 2), (14, 2), (0, 0)):
        cuts = {name: of_games if "game" in name else calls for name in AVAILABLE}
        words = [word for name, cut in cuts.items() for word in (f"parts/{name}", str(cut))]
        subprocess.run(
            [sys.executable, "-c", GO_ON, *words],
            check=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
    yield lines
    patch.undo()


def same(a: Any, b: Any) -> bool:
    """Equal to the bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(itertools.starmap(same, zip(a, b, strict=True)))
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return bool(np.array_equal(a, b))


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_was_cut_equals_the_uncut_one_to_the_bit(
    name: str, said: dict[str, list[str]]
) -> None:
    if name not in said:
        pytest.skip(f"{NEEDS[name]} is not installed")
    whole, parts = Path("whole") / name, Path("parts") / name
    resumed = json.loads((parts / "config.json").read_text())["resumed"]
    assert len(resumed) == 3
    assert metrics(parts) == metrics(whole)
    assert any("train/avg_loss" in line or "values/values" in line for line in metrics(whole))
    one, other = (Checkpoints(path / "checkpoints").load() for path in (whole, parts))
    assert one is not None
    assert other is not None
    assert same(other.state["algorithm"], one.state["algorithm"])
    if name in REPEATED:
        assert any("episodes can be saved" in line for line in said[name])
    else:
        assert any("episodes cannot be saved, so new ones begin" in line for line in said[name])


def test_episodes_that_are_too_long_to_repeat_begin_anew_in_the_uncut_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "REPEATED", 10)
    Run.create(config("one"), tmp_path / "whole").train()
    run = Run.create(config("one"), tmp_path / "parts")
    assert run.train(interrupted=after(40)) is None
    Run.resume(tmp_path / "parts").train()
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    assert Run.resume(tmp_path / "whole").state.beginnings > 0


def test_what_makes_a_run_exact_does_not_change(tmp_path: Path) -> None:
    Run.create(config("one"), tmp_path / "run").train(interrupted=after(1))
    with pytest.raises(RunError, match="checkpoint_every cannot change when an exact run"):
        Run.resume(tmp_path / "run", {"checkpoint_every": 7})
    with pytest.raises(RunError, match="exact cannot change"):
        Run.resume(tmp_path / "run", {"exact": False})


def test_environments_that_never_go_the_same_way_are_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "moods.py").write_text(
        "import gymnasium, numpy as np\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "class Moody(CartPoleEnv):\n"
        "    def step(self, action):\n"
        "        obs, *rest = super().step(action)\n"
        "        noise = np.random.default_rng().random(4) * 0.01\n"
        "        return (obs + noise).astype(np.float32), *rest\n"
        "gymnasium.register('Moody-v0', entry_point=Moody, max_episode_steps=30)\n"
    )
    CASES["moody"] = {"env_id": "moods:Moody-v0"}
    listener = Listener()
    run = Run.create(config("moody"), tmp_path / "run")
    assert run.train(listener, interrupted=after(60)) is None
    assert listener.heard("exact: impossible here")
    again = Listener()
    assert Run.resume(tmp_path / "run").train(again) is not None
    assert again.heard("new episodes begin")
    del CASES["moody"]
