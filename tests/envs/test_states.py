"""States of several environments, separate ones and vectors of them."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit
from tests.envs.games import Odd, breakout, maker, needs, play
from tests.envs.test_repeat import Counts

from ptan.envs.repeat import NotRepeated, RepeatEpisodes
from ptan.envs.states import CannotSave, load_env, load_envs, save_env, save_envs, within_budget
from ptan.envs.vector import make_vector

cart_pole = maker("CartPole-v1")


def factories(make=cart_pole, count=3, **options):
    return [lambda i=i: RepeatEpisodes(make(), 7, i, **options) for i in range(count)]


class Drawn:
    """Plays a vector environment with actions drawn per step."""

    def __init__(self, env, mode):
        self.env, self.mode = env, mode

    def play(self, first, last):
        got = []
        for t in range(first, last):
            actions = np.random.default_rng(t).integers(0, 2, self.env.num_envs)
            obs, rewards, terminated, truncated, _ = self.env.step(actions)
            done = terminated | truncated
            if self.mode == AutoresetMode.DISABLED and done.any():
                obs, _ = self.env.reset(options={"reset_mask": done})
            got.append((obs.tolist(), rewards.tolist(), done.tolist()))
        return got


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors_go_on_in_every_auto_reset_mode(kind, mode):
    env = Drawn(kind(factories(), autoreset_mode=mode), mode)
    env.env.reset(seed=4)
    before = env.play(0, 33)
    cuts = {}
    for t in range(33, 55):
        cuts[t] = save_envs(env.env), t
        before += env.play(t, t + 1)
    after = env.play(55, 75)
    ended = [t for t in cuts if any(before[t - 1][2])]
    assert ended  # a reset waits there in NEXT_STEP mode
    for t in (ended[0], 50):
        other = Drawn(kind(factories(), autoreset_mode=mode), mode)
        load_envs(other.env, cuts[t][0])
        assert other.play(t, 75) == before[t:] + after
        other.env.close()
    env.env.close()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_masked_reset_right_after_loading_shows_the_others_where_they_are(asynchronous):
    for make in (maker("CartPole-v1"), Counts):
        env, other = (make_vector(factories(make, 2), asynchronous) for _ in range(2))
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
        play(env, 10 * i, np.random.default_rng(i))
    load_envs(others, save_envs(envs))
    for env, other in zip(envs, others, strict=True):
        one, two = (play(e, 30, np.random.default_rng(1)) for e in (env, other))
        assert one == two


@needs("ale_py")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_games_with_lives_in_a_vector(asynchronous):
    mode = AutoresetMode.DISABLED
    env, other = (Drawn(make_vector(factories(breakout, 2), asynchronous), mode) for _ in range(2))
    env.env.reset(seed=4)
    env.play(0, 120)
    load_envs(other.env, save_envs(env.env))
    assert other.play(120, 160) == env.play(120, 160)
    env.env.close()
    other.env.close()


def test_an_environment_with_a_state_of_its_own_needs_no_wrapper():
    env, other = (TimeLimit(Counts(), 9) for _ in range(2))
    env.reset()
    for _ in range(5):
        env.step(0)
    load_env(other, save_env(env))
    assert other.unwrapped.n == env.unwrapped.n
    assert [other.step(0)[3] for _ in range(4)] == [False, False, False, True]


def test_a_vector_with_a_state_of_its_own_is_asked():
    class Known(SyncVectorEnv):
        def state_dict(self):
            return {"n": 3}

        def load_state_dict(self, state):
            self.n = state["n"]

    envs = Known([maker("CartPole-v1")])
    state = save_envs(envs)
    load_envs(envs, state)
    assert envs.n == 3
    assert within_budget(state)


class Own(VectorEnv):
    pass


@pytest.mark.parametrize(
    ("envs", "words"),
    [
        (
            [maker("CartPole-v1")()],
            "environment 0, .*CartPole.* cannot be saved: CartPoleEnv has no state_dict",
        ),
        (
            [FrameStackObservation(RepeatEpisodes(Odd(), 0), 2)],
            "FrameStackObservation has no state_dict.*RepeatEpisodes its outermost wrapper",
        ),
        (SyncVectorEnv([maker("CartPole-v1")]), "SyncVectorEnv cannot be saved: make .*Repeat"),
        (Own(), "Own cannot be saved: it has no state_dict"),
        (
            gymnasium.wrappers.vector.RecordEpisodeStatistics(SyncVectorEnv(factories())),
            "RecordEpisodeStatistics cannot be saved",
        ),
    ],
)
def test_what_cannot_be_saved_is_named_with_the_mend(envs, words):
    with pytest.raises(CannotSave, match=words):
        save_envs(envs)


def test_refusing_leaves_the_workers_alive():
    env = AsyncVectorEnv([maker("CartPole-v1")] * 2)
    with pytest.raises(CannotSave, match="AsyncVectorEnv"):
        save_envs(env)
    env.reset()
    env.close()


def test_a_state_of_another_number_of_environments_is_refused():
    state = save_envs([make() for make in factories(count=2)])
    with pytest.raises(ValueError, match="must be of 3 environments, is of 2"):
        load_envs([make() for make in factories(count=3)], state)
    with pytest.raises(ValueError, match="must be of 3 environments, is of 2"):
        load_envs(SyncVectorEnv(factories(count=3)), state)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Gymnasium's, of a worker that failed
@pytest.mark.parametrize("asynchronous", [False, True])
def test_another_environment_in_a_vector_is_refused(asynchronous):
    env = make_vector(factories())
    env.reset()
    other = make_vector(
        factories(lambda: gymnasium.make("CartPole-v1", sutton_barto_reward=True)), asynchronous
    )
    env.step(np.zeros(3, np.int64))
    with pytest.raises(NotRepeated, match="does not repeat the 1 steps of its episode 0"):
        load_envs(other, save_envs(env))
    other.close(**({"terminate": True} if asynchronous else {}))


def test_states_tell_whether_they_are_within_the_budget():
    for envs in ([make() for make in factories(budget=3)], SyncVectorEnv(factories(budget=3))):
        if isinstance(envs, list):
            for env in envs:
                env.reset()
            steps = [lambda env=env: env.step(0) for env in envs]
        else:
            envs.reset()
            steps = [lambda envs=envs: envs.step(np.zeros(3, np.int64))]
        for expected in (True, True, True, False):
            for step in steps:
                step()
            assert within_budget(save_envs(envs)) == expected
