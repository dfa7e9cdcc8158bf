"""`ptan bench` on a small run."""

import json

import pytest

from ptan.cli import main

SMALL = [
    "bench",
    "dqn",
    "--env",
    "CartPole-v1",
    "--hidden",
    "8",
    "--warm-up",
    "40",
    "--measured",
    "100",
    "--threads",
    "1",
]


def test_it_says_how_fast_and_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 0
    out = capsys.readouterr().out
    assert "environment steps/s with 1 thread of PyTorch: 100 steps and 100 updates" in out
    for part in ("environments", "updating", "rest"):
        assert part in out


def test_json_holds_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "--steps-per-update", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["env_steps"], found["updates"], found["threads"]) == (100, 25, 1)
    assert found["steps_per_second"] == pytest.approx(found["env_steps"] / found["total"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["bench", "dqn"], "env must be named"),
        ([*SMALL, "--steps", "5"], "unknown flag --steps"),
        ([*SMALL[:-2], "--measured", "0"], "measured must be"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
