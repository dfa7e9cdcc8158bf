"""Learning is tested by learning: the demo's own training, until CartPole is solved.

`make test-learning SEEDS=5` trains with the seeds 1 … 5, which takes minutes.
"""

import importlib
import math
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("cartpole_demo")


@pytest.mark.learning
@pytest.mark.timeout(3600)
def test_dqn_from_blocks_solves_cartpole_with_four_of_five_seeds(demo: ModuleType) -> None:
    seeds = range(1, int(os.environ.get("SEEDS", "5")) + 1)
    results = {}
    for seed in seeds:
        net = demo.make_network(seed)
        *_, status = demo.train(net, seed)
        results[seed] = float(np.mean(demo.evaluate(net, demo.TEST_SEEDS)))
        print(
            f"seed {seed}: greedy reward {results[seed]:.1f} after {status.steps:,} steps, "
            f"{status.updates:,} updates, {status.seconds:.0f} s"
        )
    solved = [seed for seed, reward in results.items() if reward >= demo.SOLVED]
    assert len(solved) >= math.ceil(0.8 * len(seeds)), results


def test_two_runs_of_the_demo_with_one_seed_are_equal(demo: ModuleType) -> None:
    def rewards() -> list[tuple[int, float]]:
        *_, status = demo.train(demo.make_network(7), seed=7, max_steps=1_500)
        assert len(status.episodes) > 10
        return status.episodes

    assert rewards() == rewards()
