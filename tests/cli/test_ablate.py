"""`ptan ablate`: its flags, its table, and where it writes them."""

import json
from pathlib import Path

from ptan.runs import RunFolder

from .conftest import SMALL, Command


def test_a_table_is_printed_and_written(ptan: Command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("ablate --preset cartpole-textbook --steps 50 --seeds 2 --gamma 0.8", *SMALL)
    words = (*words, "--switches double,n-steps --leave-one-out")
    done = ptan(*words, "--quiet")
    assert (done.status, done.err) == (0, [])
    folder = Path("runs/ablation-CartPole-v1")
    assert done.out[-1] == f"Results: {folder}"
    assert "\n".join(done.out[:-1]).strip() == (folder / "results.md").read_text().strip()
    assert (folder / "curves.png").exists()
    found = json.loads((folder / "results.json").read_text())
    assert list(found["variants"]) == ["base", "all without double", "all without n_steps", "all"]
    assert (found["preset"], found["seeds"]) == ("cartpole-textbook", [3, 4])
    config = RunFolder(folder / "all/seed-4").read_config()
    assert (config.config.n_steps, config.config.double, config.config.gamma) == (4, True, 0.8)
    assert config.settings.steps == 50
    # The same command again has nothing to do, and says so.
    again = ptan(*words)
    assert again.status == 0
    assert "8 of 8 runs are over already" in again.out
    assert json.loads((folder / "results.json").read_text()) == found


def test_the_folder_can_be_chosen(ptan: Command, tmp_path: Path) -> None:
    done = ptan("ablate --switches double --steps 40 --seeds 1 --quiet", *SMALL, "--out", tmp_path)
    assert done.out[-1] == f"Results: {tmp_path}"
    assert (tmp_path / "results.json").exists()


def test_the_help_names_every_flag(ptan: Command) -> None:
    text = "\n".join(ptan("ablate --help").out)
    for flag in ("switches", "seeds", "jobs", "leave-one-out", "out", "steps", "learning-rate"):
        assert f"--{flag}" in text
    assert "--stop-reward" not in text
