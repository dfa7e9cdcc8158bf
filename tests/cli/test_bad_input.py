"""Whatever is wrong with a command: one clear line on stderr, status 2, and nothing left behind."""

import json
import sys
from pathlib import Path

import pytest

from .conftest import SMALL

WRONG = {
    "": "COMMAND",
    "trian": "did you mean 'train'",
    "train": "ALGO is missing",
    "train dqm": "ALGO must be one of dqn, got 'dqm'; did you mean 'dqn'",
    "train dqn": "give --env ID",
    "train dqn --env CartPole-v9": "'CartPole-v9'; did you mean 'CartPole-v1'",
    "train dqn --env cartpole-v1": "did you mean 'CartPole-v1'",
    "train dqn --env PonNoFrameskip-v4": "did you mean 'PongNoFrameskip-v4'",
    "train dqn --env nowhere.at.all:X-v0": "nowhere.at.all:X-v0",
    "train dqn --env broken_worlds:X-v0": "ZeroDivisionError",
    "train dqn --env Pendulum-v1": "dqn needs a Discrete action space, Pendulum-v1 has Box",
    "train dqn --preset pnog": "did you mean 'pong'",
    "train dqn --env CartPole-v1 --learnin-rate 1": "unknown flag --learnin-rate; did you mean "
    "'--learning-rate'",
    "train dqn --env CartPole-v1 --duble": "did you mean '--double'",
    "train dqn --env CartPole-v1 stray": "unknown argument stray",
    "train dqn --env CartPole-v1 --gamma 1.5": "gamma must be a finite number in [0, 1], got 1.5",
    "train dqn --env CartPole-v1 --gamma high": "must be a number, got 'high'",
    "train dqn --env CartPole-v1 --n-steps 0": "n_steps must be an int of at least 1, got 0",
    "train dqn --env CartPole-v1 --n-steps 1.5": "must be a whole number, got '1.5'",
    "train dqn --env CartPole-v1 --steps -5": "steps must be an int of at least 1",
    "train dqn --env CartPole-v1 --steps": "--steps",
    "train dqn --env CartPole-v1 --hidden 8,x": "whole numbers with commas",
    "train dqn --env CartPole-v1 --num-envs 0": "num_envs must be an int of at least 1",
    "train dqn --env CartPole-v1 --warm-up 300 --replay-size 200": "warm_up must be at most",
    "train dqn --env CartPole-v1 --stop-reward nan": "stop_reward must be a finite number",
    "train dqn --env CartPole-v1 --device cuda:99": "device must be one that is there",
    "train dqn --env CartPole-v1 --device toaster": "device must be one that is there",
    "train dqn --resume /nowhere/at/all": "no such folder",
    "eval /nowhere/at/all": "no such folder",
    "play /nowhere/at/all": "no such folder",
    "plot /nowhere/at/all": "no such folder",
    "plot": "RUN",
    "eval": "RUN",
    "bench dqn": "env must be named",
    "bench dqn --env CartPole-v1 --steps 5": "unknown flag --steps",
    "bench dqn --env CartPole-v1 --measured 0": "measured must be",
    "ablate": "env must be named",
    "ablate --env CartPole-v1 --switches duble": "did you mean 'double'",
    "ablate --env CartPole-v1 --seeds 0": "at least 1",
    "ablate --env CartPole-v1 --jobs two": "--jobs",
    "ablate --env CartPole-v1 --stop-reward 3": "--stop-reward",
    "ablate --env CartPole-v1 --eval-episodes 0": "eval_episodes",
    "ablate --preset pung": "did you mean 'pong'",
    "ablate dqm --env CartPole-v1": "did you mean 'dqn'",
    "eval run --episodes 0": "episodes must be a whole number of at least 1, got '0'",
}


def is_refused(outcome, text: str) -> None:
    assert outcome.status == 2
    assert outcome.out == []
    assert len(outcome.err) == 1
    assert outcome.err[0].startswith("ptan: ")
    assert text in outcome.err[0]


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_command_is_one_clear_line(
    ptan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken_worlds.py").write_text("1 / 0")
    is_refused(ptan(words), WRONG[words])
    assert {path.name for path in tmp_path.iterdir()} <= {"broken_worlds.py", "__pycache__"}


def test_a_folder_that_is_there_already(ptan, small_run: Path) -> None:
    before = (small_run / "config.json").read_text()
    outcome = ptan("train dqn --name short --out", small_run.parent, *SMALL)
    is_refused(outcome, "is there already")
    assert (small_run / "config.json").read_text() == before


def test_a_folder_that_cannot_be_written(ptan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = ptan("train dqn --name x --out", tmp_path / "file", *SMALL)
    is_refused(outcome, "cannot be made")


def test_a_folder_that_is_no_run(ptan, tmp_path: Path) -> None:
    for command in ("eval", "play", "plot", "train dqn --resume"):
        is_refused(ptan(command, tmp_path), "no config.json")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "damaged"),
        ("[1, 2]", "no JSON object"),
        ('{"name": "something else"}', "format"),
        ('{"format": 99}', "format"),
        ('{"format": 2}', "'algorithm'"),
        ('{"format": 2, "algorithm": "magic", "settings": {}, "config": {}}', "magic"),
        ('{"format": 2, "algorithm": "dqn", "settings": {}, "config": {"gama": 1}}', "gama"),
        ('{"format": 2, "algorithm": "dqn", "settings": {}, "config": {"gamma": 7}}', "gamma"),
        ('{"format": 2, "algorithm": "dqn", "settings": 5, "config": {}}', "no run's"),
    ],
)
def test_a_config_that_is_no_runs(ptan, tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "config.json").write_text(text)
    is_refused(ptan("eval", tmp_path), complaint)


def test_a_run_without_checkpoints(ptan, small_run: Path) -> None:
    (small_run / "checkpoints").rename(small_run / "elsewhere")
    for command in ("eval", "play", "train dqn --resume"):
        is_refused(ptan(command, small_run), "no checkpoint")


def test_a_video_that_cannot_be_written(ptan, small_run: Path) -> None:
    is_refused(ptan("play --video film.txt", small_run), "video must end in")
    is_refused(ptan("play --video /nowhere/film.mp4", small_run), "no such folder")


def test_a_checkpoint_of_other_settings(ptan, small_run: Path) -> None:
    content = json.loads((small_run / "config.json").read_text())
    content["config"]["hidden"] = 9
    (small_run / "config.json").write_text(json.dumps(content))
    is_refused(ptan("eval", small_run), "does not fit the settings")
    is_refused(ptan("train --resume", small_run), "does not fit the settings")


def test_settings_that_a_resumed_run_keeps(ptan, small_run: Path) -> None:
    new = "--gamma 0.5,--seed 4,--rainbow,--preset pong,--env Acrobot-v1,--num-envs 2,--noop-max 3"
    for flag in new.split(","):
        outcome = ptan("train dqn", flag, "--resume", small_run)
        is_refused(outcome, "cannot change when a run is resumed")
    is_refused(ptan("train dqn --steps 0 --resume", small_run), "steps must be")


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("ale_py", "train dqn --preset pong", "ptan[atari]"),
        ("matplotlib", "plot", "ptan[plots]"),
        ("cv2", "play --video film.mp4", "ptan[atari]"),
    ],
)
def test_a_missing_extra(
    ptan, small_run: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(small_run)
    is_refused(ptan(words, *([] if "train" in words else [small_run])), f'pip install "{extra}"')
