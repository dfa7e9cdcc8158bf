"""`ptan eval`, `play`, `plot` and `presets`: they look at runs and change nothing in them."""

import json
from pathlib import Path

import numpy as np
import pytest

from ptan.algorithms import PRESETS

T_95 = {2: 12.706, 3: 4.303, 4: 3.182}  # Student's t, two-sided, by number of values (n - 1 = 1 …)


def test_eval_json_is_one_object_with_mean_spread_and_protocol(ptan, small_run: Path) -> None:
    outcome = ptan("eval --json --episodes 4 --seed 9", small_run)
    assert (outcome.status, len(outcome.out), outcome.err) == (0, 1, [])
    found = json.loads(outcome.out[0])
    returns = found["returns"]
    assert (found["episodes"], len(returns)) == (4, 4)
    assert found["mean"] == pytest.approx(sum(returns) / 4)
    std = float(np.sqrt(sum((r - found["mean"]) ** 2 for r in returns) / 3))
    assert found["std"] == pytest.approx(std)
    assert found["ci95"] == pytest.approx(T_95[4] * std / 2, rel=1e-3)
    assert "greedy" in found["protocol"]


def test_eval_is_decided_by_its_seed_and_has_no_interval_of_one(ptan, small_run: Path) -> None:
    first, again, other, one = (
        json.loads(ptan("eval --json --episodes", words, small_run).out[0])
        for words in ("3 --seed 1", "3 --seed 1", "3 --seed 2", "1")
    )
    assert first == again
    assert first["returns"] != other["returns"]
    assert (one["std"], one["ci95"]) == (None, None)


def test_eval_says_in_words_how_it_was_done_and_leaves_the_run_as_it_is(
    ptan, small_run: Path
) -> None:
    def contents():
        files = (path for path in small_run.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files}

    before = contents()
    text = "\n".join(ptan("eval --episodes 2", small_run).out)
    for words in ("±", "95 %", "Student's t", "2 episodes", "protocol", "60 environment steps"):
        assert words in text
    assert contents() == before


@pytest.mark.parametrize("kind", ["mp4", "webm", "avi"])
def test_play_writes_a_video_with_a_picture_per_step(ptan, small_run: Path, kind: str) -> None:
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("pygame")
    file = small_run / f"game.{kind}"
    outcome = ptan("play", small_run, "--video", file)
    assert (outcome.status, outcome.err) == (0, [])
    assert outcome.out[0].startswith("episode 1: return ")
    steps = int(outcome.out[0].rpartition(" ")[2])  # CartPole gives 1 per step
    video = cv2.VideoCapture(str(file))
    pictures = []
    while (read := video.read())[0]:
        pictures.append(read[1])
    assert len(pictures) == steps
    assert pictures[0].shape == (400, 600, 3)
    assert any(not np.array_equal(pictures[0], picture) for picture in pictures[1:])


def test_plot_draws_one_run_and_several(ptan, small_run: Path, tmp_path: Path) -> None:
    (small_run / "curve.png").unlink()
    assert ptan("plot", small_run).status == 0
    assert (small_run / "curve.png").read_bytes()[:4] == b"\x89PNG"
    outcome = ptan("plot", small_run, small_run, "--out", tmp_path / "both.png")
    assert (outcome.status, outcome.err) == (0, [])
    assert (tmp_path / "both.png").read_bytes()[:4] == b"\x89PNG"


def test_presets_are_listed_with_what_differs_from_the_defaults(ptan) -> None:
    outcome = ptan("presets")
    text = "\n".join(outcome.out)
    assert outcome.status == 0
    for name, preset in PRESETS.items():
        assert name in text
        assert preset.env_id in text
    assert "--replay-size 1000000" in text
    breakout = text[text.index("breakout ") :].splitlines()[1]
    assert "--eps-final 0.1" in breakout
    assert "--stop-reward 500.0" in breakout
    assert "gamma" not in breakout


@pytest.mark.parametrize("words", ["--version", "--help", "eval --help", "play --help"])
def test_help_and_version_end_well(ptan, words: str) -> None:
    outcome = ptan(words)
    assert (outcome.status, outcome.err) == (0, [])
    assert outcome.out
