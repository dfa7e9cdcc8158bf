"""Vector environments: the same rows in every auto-reset mode, errors, workers, real games."""

from itertools import islice

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import (
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
)

from .envs import (
    KINDS,
    MODES,
    CountingAgent,
    DullAgent,
    Episode,
    Fault,
    FaultyEnv,
    PolicyOfPlace,
    ScriptedEnv,
    check_counted,
    decode,
    drive,
    make_envs,
)
from .oracles import (
    check_experience,
    check_first_last,
    expected_windows,
    games_by_item,
    games_of,
    same,
)
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

ITEMS = 45
PLAN = [
    [Episode(4, "truncated"), Episode(1), Episode(3, "both")],
    [Episode(1, "truncated"), Episode(6)],
    [Episode(2), Episode(2, "truncated")],
]

modes = st.sampled_from(sorted(MODES))
every_mode = pytest.mark.parametrize("mode", sorted(MODES))


def vector_source(mode, envs, agent=None, n=1, **settings):
    return VectorExperienceSourceFirstLast(
        drive(mode, envs), agent or PolicyOfPlace(), 0.9, n, **settings
    )


def take_checked(source, envs, mode, n, delta=1, items=ITEMS):
    """Takes rows and checks that each comes out in the very vector step that completes it."""

    def steps(env):
        resets = sum(event.kind != "step" for event in env.log)
        return env.steps_taken() + (resets - 1 if mode == "next_step" else 0)

    stream, rows = iter(source), []
    for number in range(items):
        rows.append(next(stream))
        windows = expected_windows(envs, n, delta, next_step=mode == "next_step")
        assert len(windows) > number, "a row came that the log does not know"
        assert all(steps(env) == windows[number].tick + 1 for env in envs)
    return zip(rows, windows, strict=False)


class TestAgainstTheOracle:
    @PROPERTY
    @given(plans(), modes, st.integers(1, 6), st.integers(1, 4), GAMMAS, TRUNCATIONS, st.data())
    def test_rows_of_all_sources(self, plan, mode, n, delta, gamma, truncation, data):
        envs = make_envs(plan)
        agent = PolicyOfPlace(data.draw(st.sampled_from(["array", "list"])))
        flag = {"vectorized": data.draw(st.booleans()), "truncation": truncation}
        kind = data.draw(st.sampled_from(["vector", "first-last", "steps"]))
        if kind == "steps":
            source = ExperienceSource(drive(mode, envs), agent, n, delta, **flag)
            for row, window in take_checked(source, envs, mode, n, delta):
                check_experience(row, window, truncation)
            return
        if kind == "vector":
            delta = 1
            source = VectorExperienceSourceFirstLast(
                drive(mode, envs), agent, gamma, n, truncation=truncation
            )
        else:
            source = ExperienceSourceFirstLast(drive(mode, envs), agent, gamma, n, delta, **flag)
        for row, window in take_checked(source, envs, mode, n, delta):
            check_first_last(row, window, gamma, truncation)

    @PROPERTY
    @given(plans(lives=True), modes, st.integers(1, 5), st.booleans())
    def test_lost_lives_statistics_and_agent_states(self, plan, mode, n, raw):
        # A vector env resets what says "terminated"; a life-loss wrapper then goes on.
        envs = make_envs(plan, resume=True, raw=raw)
        source = vector_source(mode, envs, CountingAgent(), n)
        popped, next_step = [], mode == "next_step"

        def popping():
            for row in source:
                popped.append(source.pop_rewards_steps())
                yield row

        for row, window in take_checked(popping(), envs, mode, n):
            check_first_last(row, window, 0.9)
        windows = expected_windows(envs, n, next_step=next_step)
        expected = games_by_item(games_of(envs, next_step=next_step), windows, ITEMS)
        for item, games in zip(popped, expected, strict=True):
            assert [steps for _, steps in item] == [steps for _, steps in games]
            assert [total for total, _ in item] == pytest.approx([total for total, _ in games])
        check_counted(envs)

    @PROPERTY
    @given(plans(), modes, st.integers(1, 5), st.integers(0, 1000))
    def test_equal_seeds_give_each_environment_the_rows_it_gives_in_a_list(
        self, plan, mode, n, seed
    ):
        def by_environment(driver):
            envs = make_envs(plan, noise=True)
            source = ExperienceSourceFirstLast(
                drive(driver, envs), PolicyOfPlace(), 0.9, n, env_seed=seed
            )
            found = [[] for _ in envs]
            for row in islice(source, 60):
                found[decode(row.state)[0] - 1].append(row)
            return found

        for one, other in zip(by_environment("list"), by_environment(mode), strict=True):
            shorter = min(len(one), len(other))
            assert shorter > 0 or len(plan) > 1
            assert one[:shorter] == other[:shorter]
            for left, right in zip(one, other, strict=False):
                assert left.discount == right.discount
                assert same(left.final_state, right.final_state)


class TestKinds:
    @every_mode
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [1, 3])
    def test_every_kind_of_observation(self, mode, kind, n):
        envs = make_envs(PLAN, kind=kind)
        for row, window in take_checked(vector_source(mode, envs, n=n), envs, mode, n):
            check_first_last(row, window, 0.9)
            if kind in ("vector", "pixels"):
                assert row.state.dtype == row.final_state.dtype == KINDS[kind].dtype
            if kind == "discrete":
                assert (type(row.state), type(row.action), type(row.reward)) == (int, int, float)

    @every_mode
    @pytest.mark.parametrize("kind", ["vector", "pixels", "dict"])
    @pytest.mark.parametrize("n", [1, 3])
    def test_a_vector_environment_that_reuses_its_arrays_changes_no_row(self, mode, kind, n):
        # In SAME_STEP mode an environment that reuses its own array overwrites the final
        # observation before Gymnasium hands it out: there only the vector env reuses arrays.
        envs = make_envs(PLAN, kind=kind, reuse=kind != "dict" and mode != "same_step")
        source = VectorExperienceSourceFirstLast(
            drive(mode, envs, copy=False), PolicyOfPlace(), 0.9, n
        )
        rows = list(islice(source, ITEMS))
        windows = expected_windows(envs, n, next_step=mode == "next_step")
        for row, window in zip(rows, windows, strict=False):
            check_first_last(row, window, 0.9)

    def test_the_agent_gets_the_batch_as_an_array(self):
        class Watching(DullAgent):
            def __call__(self, observations, agent_states="missing"):
                assert isinstance(observations, np.ndarray)
                assert observations.shape == (3, 3)
                assert agent_states != "missing"
                return super().__call__(observations, agent_states)

        assert len(list(islice(vector_source("next_step", make_envs(PLAN), Watching(1)), 20))) == 20


class TestUnnested:
    @every_mode
    @pytest.mark.parametrize("n", [1, 3])
    def test_one_list_per_vector_step_holds_the_same_rows(self, mode, n):
        envs = make_envs(PLAN)
        lists = list(islice(vector_source(mode, envs, n=n, unnest_data=False), 25))
        assert all(type(rows) is list for rows in lists)
        windows = expected_windows(envs, n, next_step=mode == "next_step")
        for row, window in zip([row for rows in lists for row in rows], windows, strict=False):
            check_first_last(row, window, 0.9)
        # What one list holds was completed by one vector step.
        ticks = [window.tick for window in windows]
        place = 0
        for rows in filter(None, lists):
            assert len(set(ticks[place : place + len(rows)])) == 1
            assert ticks[place + len(rows) :] == [] or ticks[place + len(rows)] != ticks[place]
            place += len(rows)

    @every_mode
    @pytest.mark.parametrize("n", [1, 2])
    def test_episodes_come_together_with_the_list_that_holds_their_last_rows(self, mode, n):
        envs = make_envs([[Episode(3)], [Episode(3, "truncated")], [Episode(3, "both")]])
        source = vector_source(mode, envs, n=n, unnest_data=False)
        found = [(len(rows), len(source.pop_rewards_steps())) for rows in islice(source, 6)]
        per_game = {1: [(3, 0), (3, 0), (3, 3)], 2: [(3, 0), (6, 3)]}[n]
        assert found == (per_game * 3)[:6]


class TestSteps:
    @every_mode
    @pytest.mark.parametrize("seed", [None, 0, 11])
    def test_the_seed_goes_to_the_first_reset_only(self, mode, seed):
        envs = make_envs(PLAN)
        source = vector_source(mode, envs, env_seed=seed)
        list(islice(source, 30))
        list(islice(source, 5))
        for place, env in enumerate(envs):
            first, *later = [event.kwargs for event in env.log if event.kind == "reset"]
            assert first == ({} if seed is None else {"seed": seed + place})
            assert later == [{}] * len(later)

    @every_mode
    def test_a_new_stream_starts_new_games_also_where_a_reset_would_go_on(self, mode):
        envs = make_envs([[Episode(6, lost=(2,))], [Episode(9)]], resume=True)
        source = vector_source(mode, envs, CountingAgent())
        older = iter(source)
        assert [next(older).terminated for _ in range(4)] == [False, False, True, False]
        rows = list(islice(source, 4))
        assert [decode(row.state)[2] for row in rows] == [0, 0, 1, 1]
        assert [decode(row.state)[1] > 1 for row in rows] == [True] * 4
        assert [row.action for row in rows] == [0, 0, 1, 1]
        with pytest.raises(RuntimeError):
            next(older)

    @every_mode
    def test_a_broken_step_restarts_the_stream(self, mode):
        envs = [FaultyEnv(PLAN[0], 1), *make_envs(PLAN)[1:]]
        stream = iter(vector_source(mode, envs, CountingAgent()))
        with pytest.raises(Fault):
            list(islice(stream, 60))
        episodes = [env.episode for env in envs]
        rows = [next(stream) for _ in envs]
        begun = [(env.index, number + 1, 0) for env, number in zip(envs, episodes, strict=True)]
        assert [decode(row.state) for row in rows] == begun
        assert [row.action for row in rows] == [0, 0, 0]

    @every_mode
    @pytest.mark.parametrize("part", ["observation", "final observation", "reward"])
    def test_what_is_not_finite_raises_unless_the_check_is_off(self, mode, part):
        class Spoiled(ScriptedEnv):
            def step(self, action):
                observation, reward, *rest = super().step(action)
                if self.index == 2 and self.episode == 1:
                    if part == "reward" and self.at == 3:
                        return observation, float("nan"), *rest
                    if self.at == {"observation": 3, "final observation": 6}.get(part):
                        return observation * np.float32(np.inf), reward, *rest
                return observation, reward, *rest

        def source(**settings):
            envs = [Spoiled([Episode(6, "truncated")], index) for index in (1, 2, 3)]
            return vector_source(mode, envs, DullAgent(1), **settings)

        stream = iter(source())
        step = 5 if part == "final observation" else 2
        with pytest.raises(ValueError, match=f"{part.split()[-1]} of environment 1 at step {step}"):
            list(islice(stream, 18))
        anew = [row for row in islice(stream, 9) if decode(row.state)[1] > 1]
        assert [decode(row.state)[::2] for row in anew[:3]] == [(1, 0), (2, 0), (3, 0)]
        rows = list(islice(source(check_finite=False), 18))
        with np.errstate(all="ignore"):
            values = [row.reward * row.final_state.sum() for row in rows]
        assert not np.isfinite(values).all()


class PushBothWays(DullAgent):
    """Balances the first cart and pushes the others to one side."""

    def __init__(self):
        super().__init__(1)

    def __call__(self, observations, agent_states=None):
        actions = np.ones(len(observations), dtype=np.int64)
        actions[0] = int(observations[0][2] + observations[0][3] > 0)
        return actions, agent_states


class TestRealEnvironments:
    @pytest.mark.parametrize("settings", [{}, {"vectorization_mode": "sync"}])
    def test_every_row_of_cart_poles_obeys_its_physics(self, settings):
        vector = gymnasium.make_vec("CartPole-v1", num_envs=3, max_episode_steps=17, **settings)
        physics = gymnasium.make("CartPole-v1").unwrapped
        physics.reset()
        source = VectorExperienceSourceFirstLast(vector, PushBothWays(), 0.9, env_seed=3)
        kinds = set()
        for row in islice(source, 300):
            physics.state = tuple(float(number) for number in row.state)
            physics.steps_beyond_terminated = None
            after, _, terminated, _, _ = physics.step(row.action)
            assert np.allclose(row.final_state, after, atol=1e-5)
            assert row.terminated is terminated
            kinds.add((row.terminated, row.truncated))
        assert kinds == {(False, False), (True, False), (False, True)}


class TestAsync:
    @every_mode
    @pytest.mark.parametrize("shared_memory", [True, False])
    def test_worker_processes_give_the_rows_of_a_sync_environment(self, mode, shared_memory):
        def rows(driver, **settings):
            vector = drive(driver, make_envs(PLAN, kind="vector", raw=True), **settings)
            try:
                source = VectorExperienceSourceFirstLast(vector, CountingAgent(), 0.9, 3)
                found = list(islice(source, 60))
                return found, source.pop_rewards_steps()
            finally:
                vector.close()

        (found, popped), (expected, games) = (
            rows(f"async_{mode}", shared_memory=shared_memory),
            rows(mode),
        )
        assert popped == games
        assert found == expected
        for row, other in zip(found, expected, strict=True):
            assert (row.discount, row.truncated) == (other.discount, other.truncated)
            assert np.array_equal(row.final_state, other.final_state)


@pytest.mark.atari
class TestAtariVectorEnv:
    """Lost lives of ``AtariVectorEnv`` against the same game stepped by hand."""

    STEPS = 700

    @staticmethod
    def make(mode):
        from ale_py.vector_env import AtariVectorEnv

        vector = AtariVectorEnv(
            "breakout",
            2,
            autoreset_mode=MODES[mode],
            life_loss_info=True,
            reward_clipping=False,
            noop_max=0,
            num_threads=1,
        )
        # The environment does not keep these settings; without them a source has to warn.
        vector.reward_clipping = vector.episodic_life = False
        return vector

    @staticmethod
    def action(count, env):
        return (count * 7 + env * 3 + count // 5) % 4

    def by_hand(self, mode):
        """Per environment the (state, action, reward, terminated, after) of every true step, and
        the lengths of the finished games."""
        vector = self.make(mode)
        states, info = vector.reset(seed=5)
        frames, resetting = info["episode_frame_number"].copy(), [False, False]
        steps, games, running = [[], []], [], [0, 0]
        for count in range(self.STEPS):
            actions = np.array([self.action(count, env) for env in range(2)])
            after, rewards, terminated, _, info = vector.step(actions)
            for env in range(2):
                if resetting[env]:
                    resetting[env] = False
                    continue
                over = bool(terminated[env])
                true_after = after[env]
                if mode == "same_step":
                    over = over and info["episode_frame_number"][env] < frames[env]
                    true_after = info["final_obs"][env] if over else true_after
                elif over:
                    over = info["lives"][env] == 0
                    resetting[env] = over
                result = actions[env], rewards[env], terminated[env], true_after
                steps[env].append((states[env], *result))
                running[env] += 1
                if over:
                    games.append(running[env])
                    running[env] = 0
            frames, states = info["episode_frame_number"].copy(), after
        vector.close()
        return steps, games

    @pytest.mark.parametrize("mode", ["next_step", "same_step"])
    def test_a_lost_life_ends_the_window_and_not_the_game(self, mode):
        class ByCount(DullAgent):
            count = 0

            def __call__(agent, observations, agent_states=None):
                actions = [self.action(agent.count, env) for env in range(2)]
                agent.count += 1
                return actions, agent_states

        steps, games = self.by_hand(mode)
        assert len(games) > 1
        vector = self.make(mode)
        source = VectorExperienceSourceFirstLast(vector, ByCount(1), 0.9, env_seed=5)
        rows = list(islice(source, sum(map(len, steps))))
        popped = source.pop_rewards_steps()
        vector.close()
        for row in rows:  # each is the next one of one of the environments
            for left in steps:
                state, action, reward, terminated, after = left[0] if left else (None,) * 5
                if np.array_equal(row.state, state) and row.action == action:
                    del left[0]
                    break
            assert row.reward == reward
            assert row.terminated is (row.last_state is None) is bool(terminated)
            assert np.array_equal(row.final_state, after)
        assert [steps for _, steps in popped] == games[: len(popped)]
        assert len(popped) >= len(games) - 1

    def test_one_that_clips_rewards_warns(self):
        vector = gymnasium.make_vec("ALE/Breakout-v5", num_envs=1)
        with pytest.warns(UserWarning, match="clip"):
            VectorExperienceSourceFirstLast(vector, DullAgent(1), 0.9)
        vector.close()
