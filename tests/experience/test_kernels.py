"""Compiled kernels do what their undecorated Python does, call by call."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest

from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    PrioritizedReplayBuffer,
)
from ptan.experience import windows as experience_kernels
from ptan.replay import _kernels as replay_kernels

MODULES = (experience_kernels, replay_kernels)
# Called by other kernels alone, where nothing can step between.
INNER = {"_fingerprint", "_same", "release_row"}


class Twin:
    """A kernel that also runs its Python form, on a copy of the arguments, and compares."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        plain = copy.deepcopy(args)
        result = self.kernel(*args)
        with np.errstate(over="ignore"):  # fingerprints wrap around
            expected = self.kernel.py_func(*plain)
        np.testing.assert_equal(_as_tuple(result), _as_tuple(expected))
        for after, wanted in zip(args, plain, strict=True):
            np.testing.assert_equal(after, wanted)
        self.calls += 1
        return result


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> dict[str, Twin]:
    found = {}
    for module in MODULES:
        kernels = {name: k for name, k in vars(module).items() if hasattr(k, "py_func")}
        for name in kernels.keys() - INNER:
            found[name] = Twin(kernels[name])
            monkeypatch.setattr(module, name, found[name])
    return found


def alternate(observations: Any, states: Any) -> Any:
    return [int(observation[0] > 0) for observation in observations], states


def test_every_kernel_equals_its_python_form(twins: dict[str, Twin]) -> None:
    envs = [gymnasium.make("CartPole-v1", max_episode_steps=7) for _ in range(3)]
    rows = ExperienceSourceFirstLast(envs, alternate, 0.9, steps_count=3, env_seed=1)
    prioritized = PrioritizedReplayBuffer(rows, 40, 0.6, rng=0)
    prioritized.populate(100)
    _, indices, _ = prioritized.sample(16)
    prioritized.update_priorities(indices, np.linspace(0.1, 2.0, 16))
    windows = ExperienceSource(envs, alternate, steps_count=4, steps_delta=2, env_seed=2)
    uniform = ExperienceReplayBuffer(windows, 30, rng=0)
    uniform.populate(50)
    uniform.sample(8)
    assert {name for name, twin in twins.items() if not twin.calls} == set()
