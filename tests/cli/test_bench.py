"""`ptan bench` on a small run."""

import json

import pytest

from .conftest import Command

SMALL = "bench dqn --env CartPole-v1 --hidden 8 --warm-up 40 --threads 1 --measured"


def test_it_says_how_fast_and_where_the_time_goes(ptan: Command) -> None:
    done = ptan(SMALL, "100")
    assert done.status == 0
    assert "environment steps/s with 1 thread of PyTorch: 100 steps and 100 updates" in done.out[0]
    assert [line.split()[0] for line in done.out[1:]] == ["environments", "updating", "rest"]


def test_json_holds_the_same_numbers(ptan: Command) -> None:
    found = json.loads(ptan(SMALL, "100 --json --steps-per-update 4").out[0])
    assert (found["env_steps"], found["updates"], found["threads"]) == (100, 25, 1)
    assert found["steps_per_second"] == pytest.approx(found["env_steps"] / found["total"])
