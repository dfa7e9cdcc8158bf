"""Episodes that are repeated from their seed and actions."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from tests.envs.games import GlobalDraws, Odd, breakout, maker, needs, noted, play, pong

from ptan.envs.repeat import MadeAnew, NotRepeated, RepeatEpisodes, checksum
from ptan.training.state_tree import encode


def played(make, steps, reset_lives=True, **kwargs):
    env = RepeatEpisodes(make(), 3, **kwargs)
    env.reset()
    play(env, steps, reset_lives=reset_lives)
    return env


def resumed(make, state):
    env = RepeatEpisodes(make(), 0)
    env.load_state_dict(state)
    return env


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        pytest.param(maker("CartPole-v1"), 200, id="CartPole"),
        pytest.param(maker("Pendulum-v1"), 450, id="Pendulum"),
        pytest.param(maker("FrozenLake-v1"), 40, id="FrozenLake"),
        pytest.param(maker("LunarLander-v3"), 600, id="LunarLander", marks=needs("Box2D")),
        pytest.param(maker("Hopper-v5"), 200, id="Hopper", marks=needs("mujoco")),
        pytest.param(pong, 150, id="Pong", marks=needs("ale_py")),
        pytest.param(breakout, 250, id="Breakout", marks=needs("ale_py")),
    ],
)
def test_an_episode_goes_on_in_another_object_as_if_nothing_had_happened(make, steps):
    env = played(make, steps)
    for part in range(2):  # at the second time within a later episode
        other = resumed(make, env.state_dict())
        assert repr(other.state_dict()) == repr(env.state_dict())
        assert play(other, 30, 9) == play(env, 30, 9)
        assert other.state_dict()["checksum"] == env.state_dict()["checksum"]
        play(env, steps, part)


def test_every_episode_has_a_seed_of_its_own():
    def first(seed, index, episodes, again=None):
        env = RepeatEpisodes(maker("CartPole-v1")(), seed, index)
        env.reset(seed=again)
        return [env.reset()[0].tolist() for _ in range(episodes)]

    assert first(1, 0, 3) == first(1, 0, 3) == first(7, 0, 3, again=1)
    all_of_them = first(1, 0, 4) + first(1, 1, 4) + first(2, 0, 4)
    assert len({tuple(obs) for obs in all_of_them}) == 12


OBSERVATIONS = {
    "plain": None,
    "not contiguous": lambda rng, t: rng.normal(size=(3, 2)).T,
    "nested": lambda rng, t: {"a": (rng.integers(9), rng.normal(size=2)), "b": f"step {t}"},
    "objects": lambda rng, t: np.array([{"x": rng.normal()}, None], object),
    "tensors": lambda rng, t: torch.tensor(rng.normal(size=2)),
    "text": lambda rng, t: str(rng.integers(1000)),
    "dates": lambda rng, t: np.array(rng.integers(1000), "datetime64[s]"),
    "instances": lambda rng, t: [object(), rng.normal()],
}
NESTED = spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (2,))))
ACTIONS = {
    "discrete": spaces.Discrete(4, start=-2),
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "bits": spaces.MultiBinary(3),
    "nested": spaces.Dict({"move": NESTED, "say": spaces.Text(4)}),
}


@given(
    st.sampled_from([*OBSERVATIONS]), st.sampled_from([*ACTIONS]), st.integers(0, 40), st.booleans()
)
def test_any_actions_are_repeated_with_lost_lives_and_ends(observe, actions, steps, reset_lives):
    def make():
        return Odd(OBSERVATIONS[observe], ACTIONS[actions])

    env = played(make, steps, reset_lives)
    encode(env.state_dict())  # a checkpoint can hold it
    other = resumed(make, env.state_dict())
    assert other.unwrapped.t == env.unwrapped.t == len(env.unwrapped.seen)
    assert repr(other.unwrapped.seen) == repr(env.unwrapped.seen)
    for one in (env, other):
        play(one, 40, 1, reset_lives)
    assert repr(other.state_dict()) == repr(env.state_dict())


def test_actions_of_any_type_are_given_again_in_it():
    env = played(Odd, 0)
    for action in [0, np.int64(1), 2.5, True, np.ones(2, np.float32), np.ones((1, 2))]:
        env.step(action)
        other = resumed(Odd, env.state_dict())
        assert repr(other.unwrapped.seen) == repr(env.unwrapped.seen)


@pytest.mark.parametrize("resets", [0, 1, 4])
def test_a_state_taken_right_after_a_reset_and_one_taken_before_the_first(resets):
    env, other = RepeatEpisodes(Odd(), 3, 2), RepeatEpisodes(Odd(), 8)
    for _ in range(resets):
        env.reset()
    other.reset()
    other.load_state_dict(env.state_dict())
    assert repr(other.state_dict()) == repr(env.state_dict())
    assert other.reset()[0].tolist() == env.reset()[0].tolist()


def test_a_step_after_an_end_begins_the_next_episode():
    env, other = played(Odd, 16, reset_lives=False), played(Odd, 16, reset_lives=False)
    assert env.step(0)[2] == other.step(0)[2]
    obs, *rest = env.step(0)
    assert rest == [0.0, False, False, {}]
    assert obs.tolist() == other.reset()[0].tolist()


def test_an_environment_may_write_into_its_action_and_an_agent_reuse_its_array():
    class Writes(Odd):
        def step(self, action):
            result = super().step(action.copy())
            action[:] = 9
            return result

    action = np.zeros(2)
    env = played(Writes, 0)
    for t in range(3):
        action[:] = t
        env.step(action)
    state = env.state_dict()
    for _ in range(2):  # the state is not changed either
        seen = resumed(Writes, state).unwrapped.seen
        assert np.array(seen)[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [*OBSERVATIONS][1:])
def test_observations_of_any_kind_are_compared(kind):
    observe = OBSERVATIONS[kind]
    state = played(lambda: Odd(observe), 12).state_dict()
    with pytest.raises(NotRepeated):
        resumed(Odd, state)
    with pytest.raises(NotRepeated, match=r"the 0 steps of its episode 0 \(observations, rew"):
        resumed(Odd, played(lambda: Odd(observe), 0).state_dict())


def test_one_changed_bit_of_any_part_changes_the_checksum():
    value = {"a": (np.arange(3), [1.0, "text"]), "b": None, "c": torch.ones(2)}
    others = [
        {**value, "a": (np.arange(3) + (np.arange(3) == 2), [1.0, "text"])},
        {**value, "a": (np.arange(3), [1.0 + 1e-15, "text"])},
        {**value, "a": (np.arange(3), [1.0, "texT"])},
        {**value, "b": 0},
        {**value, "c": torch.ones(2).nextafter(torch.zeros(2))},
        {"a": value["a"], "b": None, "d": value["c"]},
    ]
    assert len({checksum(one) for one in [value, *others]}) == 7
    assert checksum(value, 1) != checksum(value)


def test_a_checksum_is_the_same_in_every_process():
    value = "{'a': ('text', 1.5, None, object()), 'b': {}}"
    program = f"from ptan.envs.repeat import checksum; print(checksum({value}))"
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert seen == f"{checksum(eval(value))}\n".encode()


class OneBitOff(Odd):
    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, np.nextafter(reward, 9), *rest


class LosesNoLife(Odd):
    def step(self, action):
        return *super().step(action)[:2], False, False, {}


class Fails(Odd):
    def step(self, action):
        if action == 7:
            raise RuntimeError("no power")
        return super().step(action)


class FailsAlways(Fails):
    def step(self, action):
        return super().step(7)


@pytest.mark.parametrize(
    ("made", "other", "words"),
    [
        (GlobalDraws, GlobalDraws, "others"),
        (Odd, OneBitOff, "others"),
        (Odd, LosesNoLife, ""),
        (Odd, FailsAlways, "no power"),
    ],
)
def test_an_episode_that_goes_otherwise_is_refused_and_the_next_is_a_new_one(made, other, words):
    env = RepeatEpisodes(other(), 3)
    message = rf"does not repeat the 12 steps of its episode 0 \(.*{words}"
    with pytest.raises(NotRepeated, match=message):
        env.load_state_dict(played(made, 12).state_dict())
    assert env.reset(seed=5)[0].tolist() == RepeatEpisodes(Odd(), 5).reset()[0].tolist()


def test_a_reset_with_a_seed_begins_a_new_episode_whatever_was_to_be_loaded():
    env = RepeatEpisodes(Odd(), 3)
    env.resume_from = played(Odd, 12).state_dict()
    for _ in range(2):
        assert env.reset(seed=5)[0].tolist() == RepeatEpisodes(Odd(), 5).reset()[0].tolist()


def test_a_failing_step_is_no_part_of_the_episode():
    env = played(Fails, 3)
    with pytest.raises(RuntimeError):
        env.step(7)
    resumed(Fails, env.state_dict())


def test_an_episode_longer_than_its_budget_is_marked_and_not_kept():
    env = played(Odd, 4, budget=4)
    state = env.state_dict()
    assert state["within_budget"]
    resumed(Odd, state)
    play(env, 2, reset_lives=False)
    state = env.state_dict()
    assert (state["within_budget"], state["actions"], state["steps"]) == (False, [], 6)
    with pytest.raises(ValueError, match="within its budget, is of 6 steps"):
        resumed(Odd, state)
    env.reset(seed=1)
    assert env.state_dict()["within_budget"]
    with pytest.raises(ValueError, match="state must have the entries"):
        resumed(Odd, {"steps": 3})


@pytest.mark.parametrize("bad", [-1, True, 1.7, "0"])
def test_a_reset_with_a_bad_seed_changes_nothing(bad):
    env, other = played(Odd, 12), played(Odd, 12)
    env.resume_from = other.state_dict()
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        env.reset(seed=bad)
    assert repr(env.state_dict()) == repr(other.state_dict())
    env.reset()
    assert play(env, 20) == play(other, 20)


@pytest.mark.parametrize("life", [0, 5])  # options after a lost life begin a new episode
def test_an_episode_is_repeated_with_the_options_of_its_reset(life):
    class Starts(Odd):
        def reset(self, *, seed=None, options=None):
            obs, info = super().reset(seed=seed)
            return obs + (options or {"at": [0.0]})["at"].pop(), info

    env, options = RepeatEpisodes(Starts(), 3), {"at": [1.0, 2.5]}
    env.reset()
    play(env, life, reset_lives=False)
    env.reset(options=options)
    options["at"].clear()
    state = env.state_dict()
    assert state["options"] == {"at": [1.0, 2.5]}
    for _ in range(2):  # the state is not changed
        other = resumed(Starts, state)
        assert repr(other.state_dict()) == repr(state)
    play(env, 4)
    resumed(Starts, env.state_dict())
    env.reset()
    assert env.state_dict()["options"] is None


def test_options_that_cannot_be_saved_are_named():
    env = RepeatEpisodes(Odd(), 3)
    env.reset(options={"at": 2j})
    with pytest.raises(TypeError, match=r"state\['options'\]\['at'\] is a builtins.complex"):
        encode(env.state_dict())


def test_actions_around_lost_lives_are_one_array():
    state = played(Odd, 16).state_dict()
    assert (state["actions"].shape, state["actions"].dtype) == ((16,), np.int64)
    assert state["resets"].tolist() == [5, 11, 17]


@pytest.mark.parametrize("bad", [-1, True, 1.5, "0", None])
def test_bad_seeds_are_refused(bad):
    for name, seeds in (("seed", (bad,)), ("index", (0, bad))):
        with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
            RepeatEpisodes(Odd(), *seeds)


@needs("Box2D")
def test_an_environment_in_which_resets_leave_traces_is_made_anew():
    """BipedalWalker keeps its world: where a body lands there depends on those before it."""

    def episodes(env, seeds):
        return [(env.reset(seed=seed), play(env, 40, seed or 0))[1] for seed in seeds]

    used = MadeAnew(maker("BipedalWalker-v3"))
    episodes(used, [1, None, None, None])
    fresh = maker("BipedalWalker-v3")()
    assert episodes(used, [2, None, None]) == episodes(fresh, [2, None, None])


def test_what_is_made_anew_is_closed_first_and_only_at_a_seed():
    env = MadeAnew(noted(made := []))
    env.reset(seed=1)
    env.reset()
    assert [one.closed for one in made] == [False]
    env.reset(seed=1)
    env.close()
    assert [one.closed for one in made] == [True, True]
