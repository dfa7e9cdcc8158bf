"""`ptan ablate`: its flags, its table, and what it refuses."""

import json
from pathlib import Path

import pytest

from ptan.runs.folder import RunFolder

from .conftest import SMALL, Command


def test_a_table_is_printed_and_written(ptan: Command, tmp_path: Path) -> None:
    words = ("ablate --steps 50 --seeds 2 --switches double,n-steps --gamma 0.8", *SMALL)
    done = ptan(*words, "--out", tmp_path / "a", "--quiet")
    assert done.status == 0, done.err
    assert done.err == []
    assert done.out[-1] == f"Results: {tmp_path / 'a'}"
    assert "\n".join(done.out[:-1]).strip() == (tmp_path / "a/results.md").read_text().strip()
    found = json.loads((tmp_path / "a/results.json").read_text())
    assert list(found["variants"]) == ["base", "double", "n_steps", "all"]
    assert found["seeds"] == [3, 4]
    config = RunFolder(tmp_path / "a/all/seed-4").read_config()
    assert (config.config.n_steps, config.config.double, config.config.gamma) == (4, True, 0.8)
    assert config.settings.steps == 50
    # The same command again has nothing to do, and says so.
    again = ptan(*words, "--out", tmp_path / "a")
    assert again.status == 0
    assert "8 of 8 runs are over already" in again.out
    assert json.loads((tmp_path / "a/results.json").read_text()) == found


@pytest.mark.parametrize(
    ("flags", "labels"),
    [
        ("", ["base", "double", "noisy", "all"]),
        ("--leave-one-out", ["base", "all without double", "all without noisy", "all"]),
    ],
)
def test_which_variants_are_made(ptan: Command, tmp_path: Path, flags: str, labels) -> None:
    done = ptan(
        "ablate --preset cartpole-textbook --hidden 8 --steps 40 --seeds 1 --eval-episodes 1",
        f"--switches double,noisy {flags} --quiet --out",
        tmp_path,
    )
    assert done.status == 0, done.err
    found = json.loads((tmp_path / "results.json").read_text())
    assert list(found["variants"]) == labels
    assert found["preset"] == "cartpole-textbook"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ablate", "env must be named"),
        ("ablate --env CartPole-v1 --switches duble", "did you mean 'double'"),
        ("ablate --env CartPole-v1 --seeds 0", "at least 1"),
        ("ablate --env CartPole-v1 --jobs two", "--jobs"),
        ("ablate --env CartPole-v1 --stop-reward 3", "--stop-reward"),
        ("ablate --env CartPole-v1 --eval-episodes 0", "eval_episodes"),
        ("ablate --env CartPoll-v1", "did you mean 'CartPole"),
        ("ablate --preset pung", "did you mean 'pong'"),
        ("ablate dqm --env CartPole-v1", "did you mean 'dqn'"),
    ],
)
def test_bad_input_is_one_line(
    ptan: Command, tmp_path: Path, monkeypatch, words: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ptan(words)
    assert done.status == 2
    assert len(done.err) == 1
    assert message in done.err[0]
    assert not list(tmp_path.glob("**/*.json"))


def test_the_help_names_every_flag(ptan: Command) -> None:
    text = "\n".join(ptan("ablate --help").out)
    for flag in ("--switches", "--seeds", "--jobs", "--leave-one-out", "--out"):
        assert flag in text
    for setting in ("--steps", "--num-envs", "--learning-rate", "--batch-size"):
        assert setting in text
    assert "--stop-reward" not in text


def test_the_default_folder_is_named_after_the_environment(
    ptan: Command, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ptan("ablate --switches double --steps 40 --seeds 1 --quiet", *SMALL)
    assert done.out[-1] == "Results: runs/ablation-CartPole-v1"
    assert (tmp_path / "runs/ablation-CartPole-v1/curves.png").exists()
