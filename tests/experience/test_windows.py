"""Windows: what they are checked with, counted by hand; kernels do what their Python does."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest

from ptan.conformance.scripted import Episode, ScriptedEnv, action_at, decode
from ptan.conformance.sources import PLANS, windows_of
from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    PrioritizedReplayBuffer,
)
from ptan.experience import windows as experience_kernels
from ptan.replay import _kernels as replay_kernels

from .oracles import discounted, expected_windows, games_of

PLAN = [Episode(5, "truncated"), Episode(6, lost=(2,)), Episode(1)]


def played(plan, episodes, **settings):
    env = ScriptedEnv(plan, **settings)
    for _ in range(episodes):
        env.reset()
        while env.running:
            env.step(action_at(env.place))
            if env.lost_life and env.resume:
                env.reset()
    return env


@pytest.mark.parametrize(
    ("n", "delta", "episode", "windows"),
    [
        (1, 1, 1, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]),
        (3, 1, 1, [(0, 3), (1, 3), (2, 3), (3, 2), (4, 1)]),
        (2, 3, 1, [(0, 2), (3, 2), (4, 1)]),
        (1, 2, 2, [(0, 1), (2, 1), (4, 1)]),
        (2, 3, 2, [(0, 2), (1, 1), (2, 2), (5, 1)]),
        (4, 3, 2, [(0, 2), (1, 1), (2, 4), (3, 3), (4, 2), (5, 1)]),
        (3, 1, 3, [(0, 1)]),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_windows_and_their_shortened_tails(n, delta, episode, windows, resume):
    found = [
        (place.step, window.steps)
        for window in expected_windows([played(PLAN, 3, resume=resume)], n, delta)
        if (place := decode(window.segment.observations[window.start])).episode == episode
    ]
    assert found == windows


def test_windows_of_several_environments_come_when_they_are_complete():
    envs = [played([Episode(2)], 2), played([Episode(3, "truncated")], 1, index=1)]
    windows = expected_windows(envs, 2)
    assert [(w.tick, w.env) for w in windows] == [
        (1, 0), (1, 0), (1, 1), (2, 1), (2, 1), (3, 0), (3, 0),
    ]  # fmt: skip
    late = expected_windows(envs, 2, next_step=True)  # its second reset takes a step
    assert [w.tick for w in late if w.env == 0] == [1, 1, 4, 4]


def test_games_go_on_over_lost_lives():
    env = played(PLAN, 3)
    rewards = [event.reward for event in env.log if event.kind == "step"]
    games = games_of([env])
    assert [(game.tick, game.steps) for game in games] == [(4, 5), (10, 6), (11, 1)]
    totals = [sum(rewards[:5]), sum(rewards[5:11]), rewards[11]]
    assert np.allclose([game.total for game in games], totals)


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("delta", [1, 2, 3])
def test_the_windows_that_sources_are_checked_with_follow_from_the_logs_too(n, delta):
    envs = [played(plan, 2 * len(plan), index=i) for i, plan in enumerate(PLANS)]
    given = windows_of(PLANS, n, delta, 0.9)
    for window in expected_windows(envs, n, delta):
        segment, stop = window.segment, window.start + window.steps
        told = given[decode(segment.observations[window.start])]
        assert (told.steps, told[3:5]) == (window.steps, segment.flags[stop - 1])
        assert np.isclose(told.reward, discounted(segment.rewards[window.start : stop], 0.9))
    episodes = {place: 2 * len(plan) for place, plan in enumerate(PLANS)}
    right = sum(place.episode <= episodes[place.env] for place in given)
    assert len(expected_windows(envs, n, delta)) == right


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
