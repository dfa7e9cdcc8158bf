"""A command line in this process, with small networks."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ptan.cli import main

SMALL = [
    *["--env", "CartPole-v1", "--hidden", "8", "--batch-size", "4", "--replay-size", "200"],
    *["--warm-up", "20", "--eps-steps", "100", "--eval-episodes", "2", "--seed", "3"],
]


class Outcome(NamedTuple):
    status: int
    out: list[str]
    err: list[str]


Command = Callable[..., Outcome]


@pytest.fixture
def ptan(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `ptan …`: a text is split into words, paths are words."""

    def command(*words: str | Path) -> Outcome:
        split = [
            w for word in words for w in (word.split() if isinstance(word, str) else [str(word)])
        ]
        status = main(split)
        out, err = capsys.readouterr()
        return Outcome(status, out.splitlines(), err.splitlines())

    return command


@pytest.fixture
def small_run(ptan: Command, tmp_path: Path) -> Path:
    """The folder of a short run that is over."""
    outcome = ptan("train dqn --quiet --steps 60 --name short --out", tmp_path, *SMALL)
    assert outcome.status == 0, outcome.err
    return tmp_path / "short"
