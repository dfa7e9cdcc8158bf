"""Episodes that are repeated from their seed and actions."""

import json
import random

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from tests.envs.games import REPEATING, Odd, breakout, maker, needs, play
from tests.replay.states import broken_parts, paths_in, with_part

from ptan.envs.repeat import MadeAnew, NotRepeated, RepeatEpisodes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("make", "steps"), REPEATING)
def test_an_episode_goes_on_in_another_object_as_if_nothing_had_happened(make, steps):
    env = RepeatEpisodes(make(), seed=3)
    env.reset()
    for part in range(2):  # at the second time within a later episode
        play(env, steps, rng(part))
        state = env.state_dict()
        other = RepeatEpisodes(make(), seed=0)
        other.load_state_dict(state)
        assert play(other, 30, rng(9)) == play(env, 30, rng(9))
        assert checksums(other) == checksums(env)


def checksums(env):
    state = env.state_dict()
    return state["seed"], state["index"], state["episode"], state["steps"], state["checksum"]


def test_every_episode_has_a_seed_of_its_own():
    def first(seed, index, episodes, again=None):
        env = RepeatEpisodes(maker("CartPole-v1")(), seed, index)
        env.reset(seed=again)
        return [env.reset()[0].tolist() for _ in range(episodes)]

    assert first(1, 0, 3) == first(1, 0, 3) == first(7, 0, 3, again=1)
    all_of_them = first(1, 0, 4) + first(1, 1, 4) + first(2, 0, 4)
    assert len({tuple(obs) for obs in all_of_them}) == 12


@pytest.mark.parametrize("reset_lives", [True, False])
@pytest.mark.parametrize("steps", [4, 5, 7, 16, 17, 30, 35])
def test_a_lost_life_belongs_to_the_episode(steps, reset_lives):
    env = RepeatEpisodes(Odd(), 3)
    env.reset()
    play(env, steps, rng(), reset_lives)
    other = RepeatEpisodes(Odd(), 3)
    other.load_state_dict(env.state_dict())
    assert other.unwrapped.t == env.unwrapped.t == len(env.unwrapped.seen)
    assert play(other, 40, rng(1), reset_lives) == play(env, 40, rng(1), reset_lives)


@needs("ale_py")
def test_lives_of_a_game_that_go_on_without_a_reset():
    env = RepeatEpisodes(breakout(), 3)
    env.reset()
    draws = rng()
    while not play(env, 1, draws, reset_lives=False)[-1][2]:
        pass
    other = RepeatEpisodes(breakout(), 3)
    other.load_state_dict(env.state_dict())
    assert other.reset()[1]["life_loss"]
    assert env.reset()[1]["life_loss"]
    assert play(other, 20, rng(1)) == play(env, 20, rng(1))


def test_a_state_taken_right_after_a_reset_and_one_taken_before_the_first():
    for resets in (0, 1, 4):
        env = RepeatEpisodes(Odd(), 3, 2)
        for _ in range(resets):
            env.reset()
        other = RepeatEpisodes(Odd(), 8)
        other.reset()
        other.load_state_dict(env.state_dict())
        assert repr(other.state_dict()) == repr(env.state_dict())
        assert other.reset()[0].tolist() == env.reset()[0].tolist()


ACTION_SPACES = {
    "discrete": spaces.Discrete(4, start=-2),
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "bits": spaces.MultiBinary(3),
    "nested": spaces.Dict(
        {"move": spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (2,)))), "say": spaces.Text(4)}
    ),
}


@pytest.mark.parametrize("space", ACTION_SPACES.values(), ids=ACTION_SPACES)
def test_actions_of_any_space_are_given_again_in_their_types(space):
    env = RepeatEpisodes(Odd(action_space=space), 3)
    env.reset()
    play(env, 14, rng(), reset_lives=False)
    other = RepeatEpisodes(Odd(action_space=space), 3)
    other.load_state_dict(env.state_dict())
    assert len(other.unwrapped.seen) == 14
    assert all(space.contains(one) for one in other.unwrapped.seen)
    assert repr(other.unwrapped.seen) == repr(env.unwrapped.seen)


def test_actions_keep_their_types_where_they_change_within_an_episode():
    given = [0, np.int64(1), 2.5, np.float32(0.1), True, np.ones(2, np.float32), np.ones((1, 2))]
    env = RepeatEpisodes(Odd(), 3)
    env.reset()
    for action in given:
        env.step(action)
    other = RepeatEpisodes(Odd(), 3)
    other.load_state_dict(env.state_dict())
    assert [type(one) for one in other.unwrapped.seen] == [type(one) for one in given]
    assert all(np.array_equal(a, b) for a, b in zip(other.unwrapped.seen, given, strict=True))
    dtypes = [getattr(one, "dtype", None) for one in given]
    assert [getattr(one, "dtype", None) for one in other.unwrapped.seen] == dtypes


def test_an_environment_may_write_into_its_action_and_an_agent_reuse_its_array():
    class Writes(Odd):
        def step(self, action):
            result = super().step(action.copy())
            action[:] = 9
            return result

    action = np.zeros(2)
    env = RepeatEpisodes(Writes(), 3)
    env.reset()
    for t in range(3):
        action[:] = t
        env.step(action)
    state = env.state_dict()
    for _ in range(2):  # the state is not changed either
        other = RepeatEpisodes(Writes(), 3)
        other.load_state_dict(state)
        assert np.array(other.unwrapped.seen)[:, 0].tolist() == [0, 1, 2]


OBSERVATIONS = {
    "not contiguous": lambda rng, t: rng.normal(size=(3, 2)).T,
    "nested": lambda rng, t: {"a": (rng.integers(9), rng.normal(size=2)), "b": f"step {t}"},
    "objects": lambda rng, t: np.array([{"x": rng.normal()}, None], object),
    "tensors": lambda rng, t: torch.tensor(rng.normal(size=2)),
    "text": lambda rng, t: str(rng.integers(1000)),
    "dates": lambda rng, t: np.array(rng.integers(1000), "datetime64[s]"),
    "instances": lambda rng, t: [object(), rng.normal()],
}


@pytest.mark.parametrize("observe", OBSERVATIONS.values(), ids=OBSERVATIONS)
def test_observations_of_any_kind_are_compared(observe):
    env = RepeatEpisodes(Odd(observe), 3)
    env.reset()
    play(env, 12, rng())
    state = env.state_dict()
    RepeatEpisodes(Odd(observe), 3).load_state_dict(state)
    with pytest.raises(NotRepeated):
        RepeatEpisodes(Odd(), 3).load_state_dict(state)


class GlobalDraws(Odd):
    def step(self, action):
        obs, _, terminated, truncated, info = super().step(action)
        return obs, random.random(), terminated, truncated, info


class OneBitOff(Odd):
    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, np.nextafter(reward, 9), terminated, truncated, info


class LosesNoLife(Odd):
    def step(self, action):
        obs, reward, terminated, _, _ = super().step(action)
        return obs, reward, terminated, False, {}


@pytest.mark.parametrize(
    ("made", "other"), [(GlobalDraws, GlobalDraws), (Odd, OneBitOff), (Odd, LosesNoLife)]
)
def test_an_episode_that_goes_otherwise_is_refused(made, other):
    env = RepeatEpisodes(made(), 3)
    env.reset()
    play(env, 12, rng())
    with pytest.raises(NotRepeated, match="does not repeat the 12 steps of its episode 0"):
        RepeatEpisodes(other(), 3).load_state_dict(env.state_dict())


def test_a_first_observation_that_differs_is_refused_as_well():
    env = RepeatEpisodes(Odd(lambda _, t: np.zeros(3)), 3)
    env.reset()
    with pytest.raises(NotRepeated, match="the 0 steps of its episode 0: observations, rew"):
        RepeatEpisodes(Odd(), 3).load_state_dict(env.state_dict())


def test_after_a_refusal_the_environment_begins_anew():
    env = RepeatEpisodes(GlobalDraws(), 3)
    env.reset()
    play(env, 3, rng())
    other = RepeatEpisodes(GlobalDraws(), 3)
    with pytest.raises(NotRepeated):
        other.load_state_dict(env.state_dict())
    other.reset(seed=5)
    fresh = RepeatEpisodes(Odd(), 5)
    fresh.reset()
    assert other.step(1)[0].tolist() == fresh.step(1)[0].tolist()


class RaisesLater(Odd):
    raises = False

    def step(self, action):
        if self.raises:
            raise RuntimeError("no such door")
        return super().step(action)


def test_an_environment_that_raises_in_the_repetition_does_not_repeat(monkeypatch):
    env = RepeatEpisodes(RaisesLater(), 3)
    env.reset()
    play(env, 3, rng())
    monkeypatch.setattr(RaisesLater, "raises", True)
    with pytest.raises(NotRepeated, match="episode 0: no such door"):
        RepeatEpisodes(RaisesLater(), 3).load_state_dict(env.state_dict())


@pytest.mark.parametrize("space", ["discrete", "nested"])
def test_a_damaged_state_is_refused_or_right(space):
    def make():
        return RepeatEpisodes(Odd(action_space=ACTION_SPACES[space]), 3)

    env, draws = make(), rng()
    env.reset()
    play(env, 12, rng())
    state = env.state_dict()
    refused = 0
    for path, part in list(paths_in(state)):
        for broken in broken_parts(part, draws):
            damaged = with_part(state, path, broken)
            if path == () and not isinstance(broken, dict):
                continue
            other = make()
            try:
                other.load_state_dict(damaged)
            except ValueError:
                refused += 1
                other.reset()
            other.step(other.action_space.sample())
    assert refused > 100


def test_options_of_a_reset_are_repeated():
    env = RepeatEpisodes(Odd(), 3)
    env.reset(options={"start": 11})
    play(env, 2, rng())
    other = RepeatEpisodes(Odd(), 3)
    other.load_state_dict(env.state_dict())
    assert other.unwrapped.t == 13


def test_an_episode_longer_than_its_budget_is_marked_and_not_kept():
    env = RepeatEpisodes(Odd(), 3, budget=4)
    env.reset()
    play(env, 4, rng())
    state = env.state_dict()
    assert state["within_budget"]
    RepeatEpisodes(Odd(), 3, budget=4).load_state_dict(state)
    play(env, 2, rng(), reset_lives=False)
    state = env.state_dict()
    assert not state["within_budget"]
    assert (state["actions"], state["steps"]) == ([], 6)
    with pytest.raises(ValueError, match="within its budget of steps, got one of 6 steps"):
        RepeatEpisodes(Odd(), 3).load_state_dict(state)
    env.reset(seed=1)
    assert env.state_dict()["within_budget"]


def test_a_state_is_plain_data():
    env = RepeatEpisodes(Odd(action_space=ACTION_SPACES["nested"]), 3)
    env.reset()
    play(env, 12, rng())

    def listed(value):
        assert isinstance(value, np.ndarray), value
        return value.tolist()

    json.dumps(env.state_dict(), default=listed)


class Counts(gymnasium.Env):
    """Knows its own state, and would take very long to repeat."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self):
        self.n, self.loaded = 0.0, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = 0.0
        return np.array([self.n], np.float32), {}

    def step(self, action):
        self.n += self.np_random.random() + random.random()
        return np.array([self.n], np.float32), 1.0, False, False, {}

    def state_dict(self):
        return {"n": self.n, "rng": self.np_random.bit_generator.state}

    def load_state_dict(self, state):
        self.n, self.loaded = state["n"], self.loaded + 1
        self.np_random.bit_generator.state = state["rng"]


def test_an_environment_with_a_state_of_its_own_is_asked_instead():
    gymnasium.register("Counts-v0", Counts, max_episode_steps=9)
    try:
        env, other = (RepeatEpisodes(gymnasium.make("Counts-v0"), 3) for _ in range(2))
    finally:
        del gymnasium.registry["Counts-v0"]
    env.reset()
    for _ in range(5):
        env.step(0)
    state = env.state_dict()
    assert "actions" not in state
    other.load_state_dict(state)
    assert other.unwrapped.loaded == 1
    for i in range(4):  # with the time limit of nine steps
        for one in (env, other):
            random.seed(i)
            result = one.step(0)
            assert result[3] == (i == 3)
        assert env.unwrapped.n == other.unwrapped.n
    assert other.reset()[0] == env.reset()[0]


@pytest.mark.parametrize("bad", [-1, True, 1.5, "0", None])
def test_bad_seeds_are_refused(bad):
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        RepeatEpisodes(Odd(), bad)
    with pytest.raises((TypeError, ValueError), match="index must be"):
        RepeatEpisodes(Odd(), 0, bad)


@needs("Box2D")
def test_an_environment_in_which_resets_leave_traces_is_made_anew():
    """BipedalWalker keeps its world: where a body lands there depends on those before it."""

    def episodes(env, seeds):
        got = []
        for seed in seeds:
            env.reset(seed=seed)
            got.append(play(env, 40, rng(seed or 0)))
        return got

    used = MadeAnew(maker("BipedalWalker-v3"))
    episodes(used, [1, None, None, None])
    fresh = maker("BipedalWalker-v3")()
    assert episodes(used, [2, None, None]) == episodes(fresh, [2, None, None])
    assert used.env is not used.unwrapped


def test_what_is_made_anew_is_closed_first_and_only_at_a_seed():
    made = []

    class Closes(Odd):
        closed = False

        def close(self):
            self.closed = True

    def make():
        made.append(Closes())
        return made[-1]

    env = MadeAnew(make)
    env.reset(seed=1)
    env.reset()
    assert [one.closed for one in made] == [False]
    env.reset(seed=1)
    assert [one.closed for one in made] == [True, False]
    env.close()
    assert [one.closed for one in made] == [True, True]
