"""`ptan train`: what it leaves behind, and in which order settings count."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from ptan.algorithms import PRESETS, DQNConfig
from ptan.cli.train import _Flags, read_config

from .conftest import SMALL


def configured(words: str):
    return read_config(words.split()[1:], "ptan train", "", _Flags)[0]


def test_a_run_leaves_its_files_and_names_its_folder_last(ptan, tmp_path: Path) -> None:
    outcome = ptan("train dqn --steps 60 --name one --out", tmp_path, *SMALL)
    folder = tmp_path / "one"
    assert (outcome.status, outcome.err) == (0, [])
    assert str(folder) in outcome.out[-1]
    written = {path.name for path in folder.iterdir()}
    assert {"config.json", "metrics.jsonl", "checkpoints", "result.json", "tensorboard"} <= written
    assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"

    config = json.loads((folder / "config.json").read_text())
    assert config["env_id"] == "CartPole-v1"
    assert (config["config"]["hidden"], config["config"]["seed"]) == (8, 3)
    assert {"ptan", "torch", "gymnasium", "python"} <= config["versions"].keys()

    result = json.loads((folder / "result.json").read_text())
    assert (result["stopped_because"], result["env_steps"], result["updates"]) == ("steps", 60, 40)
    assert len(result["evaluation"]["returns"]) == result["evaluation"]["episodes"] == 2
    assert result["training"]["episodes"] >= 1
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert any("episodes/reward" in line for line in lines)
    assert lines[-1]["evaluation/reward"] == pytest.approx(result["evaluation"]["mean"])


def test_quiet_prints_only_the_folder_called_after_what_the_run_is(ptan, tmp_path: Path) -> None:
    outcome = ptan("train dqn --quiet --num-envs 3 --steps 60 --out", tmp_path, *SMALL)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("CartPole-v1-dqn-seed3-")
    assert outcome == (0, [f"Run folder: {folder}"], [])


def test_steps_within_the_warm_up_make_no_update_and_say_so(ptan, tmp_path: Path) -> None:
    outcome = ptan("train dqn --steps 10 --name w --out", tmp_path, *SMALL)
    assert outcome.status == 0
    assert any("warm-up" in line and "no update" in line for line in outcome.out)
    assert json.loads((tmp_path / "w" / "result.json").read_text())["updates"] == 0


def test_defaults_then_preset_then_rainbow_then_flags() -> None:
    assert configured("train dqn --env CartPole-v1").config == DQNConfig()

    pong = configured("train dqn --preset breakout")
    preset = PRESETS["breakout"]
    assert pong.config == preset.config
    assert (pong.settings.env_id, pong.settings.stop_reward) == (preset.env_id, preset.stop_reward)
    assert pong.preset == "breakout"

    rainbow = configured("train dqn --preset breakout --rainbow").config
    switches = ("double", "noisy", "prioritized", "dueling", "distributional")
    assert all(getattr(rainbow, name) for name in switches)
    assert (rainbow.n_steps, rainbow.learning_rate) == (4, preset.config.learning_rate)

    assert configured("train dqn --preset breakout --rainbow --no-rainbow").config == preset.config
    assert configured("train dqn --preset pong --preset breakout").config == preset.config

    less = configured("train dqn --preset breakout --rainbow --no-noisy --n-steps 2 --env A-v0")
    assert (less.config.noisy, less.config.double, less.config.n_steps) == (False, True, 2)
    assert less.settings.env_id == "A-v0"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_its_number_of_environments_and_its_preprocessing(name: str) -> None:
    settings = configured(f"train dqn --preset {name}").settings
    preset = PRESETS[name]
    assert settings.num_envs == preset.num_envs
    assert settings.stop_episodes == preset.stop_episodes
    assert settings.diagnostics_every == preset.diagnostics_every
    for setting, value in asdict(preset.atari).items():
        assert getattr(settings, setting) == value
    assert configured(f"train dqn --preset {name} --noop-max 7").settings.noop_max == 7


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        ("--hidden 128,64", "hidden", (128, 64)),
        ("--hidden 32", "hidden", 32),
        ("--hidden none", "hidden", None),
        ("--max-grad-norm 10", "max_grad_norm", 10.0),
        ("--max-grad-norm none", "max_grad_norm", None),
        ("--learning-rate 2.5e-4", "learning_rate", 2.5e-4),
        ("--replay-size 1e5", "replay_size", 100_000),
        ("--warm-up 5_000", "warm_up", 5_000),
        ("--double", "double", True),
        ("--no-double", "double", False),
        ("--v-min -5", "v_min", -5.0),
        ("--lr 3e-4", "learning_rate", 3e-4),
        ("--buffer-size 50_000", "replay_size", 50_000),
    ],
)
def test_flags_are_read_as_their_settings(flags: str, name: str, value: object) -> None:
    found = getattr(configured(f"train dqn --env CartPole-v1 {flags}").config, name)
    assert found == value
    assert type(found) is type(value)


def test_help_explains_every_setting_with_its_default(ptan) -> None:
    for words in ("train --help", "train dqn --help"):
        outcome = ptan(words)
        text = " ".join(" ".join(outcome.out).replace("│", " ").split())
        assert outcome.status == 0
        for name, default in asdict(DQNConfig()).items():
            assert f"--{name.replace('_', '-')}" in text
            if isinstance(default, float):
                assert f"(default: {default})" in text
        flags = "env steps seed num-envs device threads out name stop-reward resume quiet preset"
        for flag in (*flags.split(), "rainbow"):
            assert f"--{flag}" in text
        assert "Capacity of the replay buffer, in transitions (default: 100_000)" in text


def test_training_stops_where_training_and_greedy_evaluation_reach_the_reward(
    ptan, tmp_path: Path
) -> None:
    # Every episode of CartPole has more than 1; so the first evaluation confirms it.
    outcome = ptan(
        "train dqn --stop-reward 1 --stop-episodes 2 --steps 5000 --name s --out", tmp_path, *SMALL
    )
    result = json.loads((tmp_path / "s" / "result.json").read_text())
    assert (outcome.status, result["stopped_because"], result["solved"]) == (0, "stop_reward", True)
    assert result["env_steps"] < 500
    assert result["training"]["over_episodes"] == 2


def test_training_goes_on_while_greedy_evaluation_does_not_reach_the_reward(
    ptan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ptan.runs import run
    from ptan.runs.evaluation import Evaluation
    from ptan.training.evaluate import Played

    asked = []

    def poor(settings, agent, episodes, seed, interrupted):
        asked.append(seed)
        return Evaluation([Played(0.5, i, 1, False) for i in range(episodes)], "made up", seed)

    monkeypatch.setattr(run, "evaluate_greedily", poor)
    ptan(
        "train dqn --quiet --stop-reward 1 --stop-episodes 1 --eval-every 50 --steps 200 --name g",
        "--out",
        tmp_path,
        *SMALL,
    )
    result = json.loads((tmp_path / "g" / "result.json").read_text())
    assert (result["stopped_because"], result["solved"]) == ("steps", False)
    assert 2 <= len(asked) <= 5  # no two within 50 steps, and the last one at the end
    assert len(set(asked)) == len(asked)


def test_without_evaluation_the_training_mean_alone_stops(ptan, tmp_path: Path) -> None:
    words = "train dqn --quiet --stop-reward 1 --stop-episodes 1 --steps 999 --name e --out"
    ptan(words, tmp_path, *SMALL, "--eval-episodes 0")
    result = json.loads((tmp_path / "e" / "result.json").read_text())
    assert (result["stopped_because"], result["evaluation"]) == ("stop_reward", None)


def test_environments_of_ones_own_are_found_by_their_module(
    ptan, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "my_own_worlds.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('MyOwn-v0', entry_point=CartPoleEnv, max_episode_steps=30)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    words = [word for word in SMALL if word not in ("--env", "CartPole-v1")]
    outcome = ptan(
        "train dqn --env my_own_worlds:MyOwn-v0 --steps 60 --name own --out", tmp_path, *words
    )
    assert outcome.status == 0, outcome.err
    assert ptan("eval --episodes 2", tmp_path / "own").status == 0


def test_a_reader_that_has_left_stops_no_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ptan", "train", "dqn", "--steps", "60", "--name", "alone"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path), *SMALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert (tmp_path / "alone" / "result.json").exists()


def test_a_terminal_without_greek_letters_is_no_obstacle(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "ptan", "train", "dqn", "--help"]
    found = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    assert b"usage" in found.stdout


def test_help_imports_no_pytorch() -> None:
    code = (
        "import sys; from ptan.cli import main\n"
        "for command in ('train', 'eval', 'play', 'plot', 'ablate', 'bench', 'presets'):\n"
        "    assert main([command, '--help']) == 0\n"
        "print({'torch', 'gymnasium', 'numba', 'scipy', 'matplotlib'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.splitlines()[-1] == "set()"
