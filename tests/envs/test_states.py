"""States of separate environments and of vectors of them, and whether they carry over."""

import re

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import FrameStackObservation, NormalizeObservation
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from tests.envs.games import GlobalDraws, Odd, breakout, maker, needs, noted, play, pong

from ptan.envs.atari_vector import make_atari_vec
from ptan.envs.make import make_vector
from ptan.envs.repeat import MadeAnew, NotRepeated, RepeatEpisodes
from ptan.envs.states import CannotSave, load_envs, probe_repeats, save_envs, within_budget

cart_pole, walker = maker("CartPole-v1"), maker("BipedalWalker-v3")
both = pytest.mark.parametrize("asynchronous", [False, True])


def factories(make=cart_pole, count=3, **options):
    return [lambda i=i: RepeatEpisodes(make(), 7, i, **options) for i in range(count)]


def played(env, first, last):
    """What a vector environment answers to actions drawn per step."""
    got = []
    for t in range(first, last):
        actions = np.random.default_rng(t).integers(0, 2, env.num_envs)
        obs, rewards, terminated, truncated, _ = env.step(actions)
        done = terminated | truncated
        if env.metadata["autoreset_mode"] == AutoresetMode.DISABLED and done.any():
            obs, _ = env.reset(options={"reset_mask": done})
        got.append((obs.tolist(), rewards.tolist(), done.tolist()))
    return got


@pytest.mark.parametrize("make", [cart_pole, Odd])
@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors_go_on_in_every_auto_reset_mode(make, kind, mode):
    env = kind(factories(make), autoreset_mode=mode)
    env.reset(seed=4)
    before = played(env, 0, 33)
    states = {}
    for t in range(33, 55):
        states[t] = save_envs(env)
        before += played(env, t, t + 1)
    ended = [t for t in states if any(before[t - 1][2])]
    assert ended  # a reset waits there in NEXT_STEP mode
    before += played(env, 55, 75)
    for t in (ended[0], 50):
        other = kind(factories(make), autoreset_mode=mode)
        load_envs(other, states[t])
        assert played(other, t, 75) == before[t:]
        other.close()
    env.close()


@both
def test_a_masked_reset_right_after_loading_shows_the_others_where_they_are(asynchronous):
    env, other = (make_vector(factories(count=2), asynchronous) for _ in range(2))
    env.reset()
    newest = env.step(np.array([0, 1]))[0]
    load_envs(other, save_envs(env))
    obs, _ = other.reset(options={"reset_mask": np.array([True, False])})
    assert obs[1].tolist() == newest[1].tolist()
    env.close()
    other.close()


def test_separate_environments_go_on():
    envs, others = ([make() for make in factories(Odd)] for _ in range(2))
    for i, env in enumerate(envs):
        env.reset(seed=i)
        play(env, 10 * i, i)
    load_envs(others, save_envs(envs))
    assert [play(env, 30) for env in envs] == [play(other, 30) for other in others]


class Known:
    """Has a state of its own."""

    n = 3

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


class KnownOdd(Known, Odd):
    pass


class KnownVector(Known, SyncVectorEnv):
    pass


@pytest.mark.parametrize("make", [KnownOdd, lambda: KnownVector([Odd])])
def test_what_has_a_state_of_its_own_is_asked(make):
    asked, loaded = make(), make()
    envs, others = (one if isinstance(one, VectorEnv) else [one] for one in (asked, loaded))
    asked.n = 5
    load_envs(others, save_envs(envs))
    assert loaded.n == 5
    assert within_budget(save_envs(envs))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: [cart_pole()], "environment 0 cannot be saved: .*CartPole.* has no state_dict"),
        (
            lambda: [FrameStackObservation(RepeatEpisodes(Odd(), 0), 2)],
            "FrameStackObservation.* has no state_dict.*RepeatEpisodes its outermost wrapper",
        ),
        (lambda: AsyncVectorEnv([Odd]), "AsyncVectorEnv cannot be saved: .* make ptan.envs.Repeat"),
        (VectorEnv, "VectorEnv cannot be saved: it has no state_dict"),
        (
            lambda: RecordEpisodeStatistics(SyncVectorEnv(factories())),
            "RecordEpisodeStatistics cannot be saved",
        ),
    ],
)
def test_what_cannot_be_saved_is_named_with_the_mend(make, words):
    envs = make()
    with pytest.raises(CannotSave, match=words):
        save_envs(envs)
    if isinstance(envs, AsyncVectorEnv):
        envs.reset()  # its workers live
        envs.close()


def test_a_state_of_another_number_of_environments_is_refused():
    state = save_envs([make() for make in factories(count=2)])
    for envs in ([make() for make in factories()], SyncVectorEnv(factories())):
        with pytest.raises(ValueError, match="must be of 3 environments, is of 2"):
            load_envs(envs, state)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Gymnasium's, of a worker that failed
@both
def test_another_environment_in_a_vector_is_refused(asynchronous):
    env = make_vector(factories())
    env.reset()
    env.step(np.zeros(3, np.int64))
    other = make_vector(factories(maker("CartPole-v1", sutton_barto_reward=True)), asynchronous)
    with pytest.raises(NotRepeated, match="does not repeat the 1 steps of its episode 0"):
        load_envs(other, save_envs(env))
    other.close(**({"terminate": True} if asynchronous else {}))


def test_states_tell_whether_they_are_within_the_budget():
    env = SyncVectorEnv(factories(budget=3))
    env.reset()
    for expected in (True, True, True, False):
        env.step(np.zeros(3, np.int64))
        assert within_budget(save_envs(env)) == within_budget(save_envs(env.envs)) == expected


# The probe


def vector(make, asynchronous=False):
    return lambda: make_vector(factories(make), asynchronous)


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        pytest.param(cart_pole, 320, id="CartPole"),
        pytest.param(vector(cart_pole), 320, id="sync"),
        pytest.param(vector(cart_pole, True), 320, id="async"),
        pytest.param(Odd, 320, id="lives"),
        pytest.param(maker("LunarLander-v3"), 320, id="LunarLander", marks=needs("Box2D")),
        pytest.param(maker("HalfCheetah-v5"), 320, id="HalfCheetah", marks=needs("mujoco")),
        pytest.param(pong, 60, id="Pong", marks=needs("ale_py")),
        pytest.param(breakout, 100, id="Breakout", marks=needs("ale_py")),
        pytest.param(lambda: MadeAnew(walker), 320, id="made anew", marks=needs("Box2D")),
    ],
)
def test_the_probe_finds_what_repeats(make, steps):
    found = probe_repeats(make, steps=steps)
    assert (found.repeats, found.restart) == (True, "reset")
    assert found.reason == "3 saved episodes went on equally"


class Forgets(Odd):
    """Its own state lacks a part."""

    def state_dict(self):
        return {"rng": self.np_random.bit_generator.state}

    def load_state_dict(self, state):
        self.np_random.bit_generator.state = state["rng"]


@pytest.mark.parametrize(
    ("make", "restart", "words"),
    [
        pytest.param(walker, "remake", "traces of before", marks=needs("Box2D")),
        pytest.param(vector(walker), "remake", "traces of before", marks=needs("Box2D")),
        # A running mean over all episodes so far is no part of this one.
        (lambda: NormalizeObservation(cart_pole()), "remake", "does not repeat"),
        (GlobalDraws, "never", "does not repeat the .*; two of them with one seed go different"),
        (Forgets, "reset", "goes on otherwise"),
        (lambda: gymnasium.make_vec("CartPole-v1", 3), "reset", "CartPoleVectorEnv cannot be sav"),
        pytest.param(
            lambda: make_atari_vec("ALE/Breakout-v5", 2, noop_max=30),
            *("reset", "AtariVector cannot be saved"),
            marks=needs("ale_py"),
        ),
    ],
)
def test_the_probe_finds_what_does_not_repeat(make, restart, words):
    found = probe_repeats(make)
    assert (found.repeats, found.restart) == (False, restart)
    assert re.search(words, found.reason)


def test_the_probe_closes_what_it_makes():
    probe_repeats(noted(made := []))
    assert [env.closed for env in made] == [True] * 4
    with pytest.raises(ValueError, match="steps must be at least 8"):
        probe_repeats(Odd, steps=7)


@pytest.mark.parametrize("several", [False, True])
def test_the_probe_names_the_step_that_failed_as_steppers_do(several):
    class Fails(Odd):
        steps = 0  # in all, as the probe resets now and then

        def step(self, action):
            self.steps += 1
            if self.steps == 4:
                raise RuntimeError("no power")
            return super().step(action)

    with pytest.raises(RuntimeError, match="no power") as caught:
        probe_repeats(vector(Fails) if several else Fails)
    words = "step 3 of env" if several else "environment 0, step 3"
    assert caught.value.__notes__ == [words]
