"""Small sources, wrappers and environments: right ones, and wrong ones with a known bug each."""

from collections import deque
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from ptan.experience import ExperienceFirstLast


class PlainSource:
    """Right: windows over one environment, as rows that say everything."""

    def __init__(self, env, agent, gamma, steps_count):
        self.env, self.agent, self.gamma, self.n = env, agent, gamma, steps_count

    def __iter__(self):
        observation = self.kept(self.env.reset()[0])
        steps = []
        while True:
            action = self.agent([observation])[0][0]
            after, reward, terminated, truncated, info = self.env.step(action)
            after = self.kept(after)
            steps.append((observation, action, reward))
            yield from self.rows(steps, after, terminated, truncated)
            observation = self.following(after, terminated, truncated, info)

    def rows(self, steps, after, terminated, truncated):
        if terminated or truncated:
            while steps:
                yield self.row(steps, after, terminated, truncated)
                steps.pop(0)
        elif len(steps) == self.n:
            yield self.row(steps, after, terminated, truncated)
            steps.pop(0)

    def row(self, steps, after, terminated, truncated):
        return ExperienceFirstLast(
            *steps[0][:2],
            self.total(steps),
            None if terminated or truncated else after,
            terminated=terminated,
            truncated=truncated,
            steps=len(steps),
            discount=0.0 if terminated else self.gamma ** len(steps),
            final_state=after,
        )

    def total(self, steps):
        return sum(self.gamma**i * reward for i, (_, _, reward) in enumerate(steps))

    def following(self, after, terminated, truncated, info):
        if truncated or (terminated and not info.get("life_loss")):
            return self.kept(self.env.reset()[0])
        return after

    def kept(self, observation):
        return np.array(observation)


class DoneOfFirstStep(PlainSource):
    """Ends the window's episode only if its first step did."""

    def row(self, steps, after, terminated, truncated):
        done = len(steps) == 1 and (terminated or truncated)
        reward = self.total(steps)
        return ExperienceFirstLast(*steps[0][:2], reward, None if done else after, terminated=done)


class LeakyRewards(PlainSource):
    """Goes on filling windows after an episode's end."""

    def rows(self, steps, after, terminated, truncated):
        if len(steps) > self.n:
            steps.pop(0)
        if len(steps) == self.n:
            done = terminated or truncated
            yield Bare(*steps[0][:2], self.total(steps), None if done else after)


class LostTails(PlainSource):
    """Forgets the last n - 1 starts of an episode."""

    def rows(self, steps, after, terminated, truncated):
        if len(steps) == self.n:
            yield self.row(steps, after, terminated, truncated)
            steps.pop(0)
        if terminated or truncated:
            steps.clear()


class TruncatedIsTerminated(PlainSource):
    """Knows one kind of end."""

    def row(self, steps, after, terminated, truncated):
        return super().row(steps, after, terminated or truncated, False)


class StaleFinalState(PlainSource):
    """At a truncation the next observation is the current one again."""

    def rows(self, steps, after, terminated, truncated):
        yield from super().rows(steps, steps[-1][0] if truncated else after, terminated, truncated)


class ResetAfterLifeLoss(PlainSource):
    """Resets whatever says terminated."""

    def following(self, after, terminated, truncated, info):
        return super().following(after, terminated, truncated, {})


class SharedObservations(PlainSource):
    """Keeps the arrays that the environment still writes to."""

    def kept(self, observation):
        return observation


class SeedAgain:
    """Seeds every reset with the same seed."""

    def __init__(self, env, agent, gamma, env_seed):
        self.source = PlainSource(env, agent, gamma, 1)
        reset = env.reset
        env.reset = lambda: reset(seed=env_seed)

    def __iter__(self):
        return iter(self.source)


class SeedDropped(PlainSource):
    """Takes a seed and forgets it."""

    def __init__(self, env, agent, gamma, env_seed):
        super().__init__(env, agent, gamma, 1)


class OneAgentState(PlainSource):
    """Does not begin agent states anew; the scripted agent's follow the game, so it shows late."""

    def __init__(self, env, agent, gamma, steps_count):
        states = [agent.initial_state()]

        def act(observations):
            nonlocal states
            actions, states = agent(observations, states)
            return actions, states

        super().__init__(env, act, gamma, steps_count)


class Swapped(PlainSource):
    def __iter__(self):
        rows = super().__iter__()
        for row in rows:
            yield from (next(rows), row)


class Doubled(PlainSource):
    def __iter__(self):
        for row in super().__iter__():
            yield from (row, row)


def spoiled(**fields):
    """The right source, with fields of its rows changed by these functions."""

    class Spoiled(PlainSource):
        def row(self, *window):
            row = super().row(*window)
            return row._replace(**{name: change(row) for name, change in fields.items()})

    return Spoiled


class LifeStatistics(PlainSource):
    """Counts a lost life as the end of a game."""

    def __init__(self, env, agent, gamma, steps_count):
        super().__init__(env, agent, gamma, steps_count)
        self.finished, self.total_reward, self.steps = [], 0.0, 0

    def rows(self, steps, after, terminated, truncated):
        self.total_reward += steps[-1][2]
        self.steps += 1
        if terminated or truncated:
            self.finished.append((self.total_reward, self.steps))
            self.total_reward, self.steps = 0.0, 0
        yield from super().rows(steps, after, terminated, truncated)

    def pop_rewards_steps(self):
        told, self.finished = self.finished, []
        return told


class Bare(NamedTuple):
    """A row that carries the four fields and nothing else."""

    state: Any
    action: Any
    reward: Any
    last_state: Any


class Step(NamedTuple):
    """A step that carries the four fields and nothing else."""

    state: Any
    action: Any
    reward: Any
    done: bool


class BareRows(PlainSource):
    """Right as far as it goes."""

    def row(self, steps, after, terminated, truncated):
        return Bare(*steps[0][:2], self.total(steps), None if terminated or truncated else after)


class StepTuples(PlainSource):
    """Right: tuples of steps without another word."""

    done_at_last = True

    def row(self, steps, after, terminated, truncated):
        done = (terminated or truncated) and self.done_at_last
        last = len(steps) - 1
        return tuple(Step(*step, done and i == last) for i, step in enumerate(steps))


class StepTuplesWithoutDone(StepTuples):
    done_at_last = False


class NaiveVector:
    """One-step rows from what `VectorEnv.step` returns, whatever the auto-reset mode."""

    def __init__(self, env, agent, gamma):
        self.env, self.agent, self.gamma = env, agent, gamma

    def __iter__(self):
        observations, _ = self.env.reset()
        while True:
            actions, _ = self.agent(observations)
            after, rewards, terminated, truncated, _ = self.env.step(actions)
            for i in range(self.env.num_envs):
                yield ExperienceFirstLast(
                    observations[i],
                    actions[i],
                    rewards[i],
                    None if terminated[i] else after[i],
                    terminated=bool(terminated[i]),
                    truncated=bool(truncated[i]),
                    final_state=None if terminated[i] else after[i],
                )
            observations = after


class CrossedActions(NaiveVector):
    """Gives each environment the action of another."""

    def __init__(self, env, agent, gamma):
        super().__init__(env, lambda observations: (agent(observations)[0][::-1], None), gamma)


class OffByOneVector:
    """Windows of n + 1 steps, over SAME_STEP environments."""

    def __init__(self, env, agent, gamma, steps_count):
        self.env, self.agent, self.gamma, self.n = env, agent, gamma, steps_count

    def __iter__(self):
        plain = PlainSource(None, None, self.gamma, self.n + 1)
        observations, _ = self.env.reset()
        windows = [[] for _ in observations]
        while True:
            actions, _ = self.agent(observations)
            after, rewards, terminated, truncated, info = self.env.step(actions)
            for i, steps in enumerate(windows):
                steps.append((observations[i], actions[i], rewards[i]))
                ended = terminated[i] or truncated[i]
                true_after = info["final_obs"][i] if ended else after[i]
                yield from plain.rows(steps, true_after, bool(terminated[i]), bool(truncated[i]))
            observations = after


# Wrappers.


class Stack(gymnasium.Wrapper):
    """Right: the last k observations, the first one repeated."""

    def __init__(self, env, k=3):
        super().__init__(env)
        self.k, self.frames = k, deque(maxlen=k)
        space = env.observation_space
        shape = (k, *space.shape)
        self.observation_space = spaces.Box(0, 255, shape, space.dtype.type)

    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed, options=options)
        self.begin(observation)
        return np.stack(self.frames), info

    def begin(self, observation):
        self.frames.extend([observation] * self.k)

    def step(self, action):
        observation, *rest = self.env.step(action)
        self.frames.append(observation)
        return np.stack(self.frames), *rest


class StackAcrossEpisodes(Stack):
    """Puts the reset observation on top of the old stack."""

    def begin(self, observation):
        self.frames.extend([observation] * (1 if self.frames else self.k))


class StackWithoutSeed(Stack):
    """Drops the seed on reset."""

    def reset(self, *, seed=None, options=None):
        return super().reset(options=options)


class StackStaleAtTruncation(Stack):
    """Does not look at the observation of a truncation."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not truncated:
            self.frames.append(observation)
        return np.stack(self.frames), reward, terminated, truncated, info


class StackClearedByLifeLoss(Stack):
    """Begins the stack anew where a life is lost."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.frames.append(observation)
        if info.get("life_loss"):
            self.begin(observation)
        return np.stack(self.frames), reward, terminated, truncated, info


class TruncationAsTermination(gymnasium.Wrapper):
    """Folds both ends into one."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated or truncated, False, info


# Environments.


class Walk(gymnasium.Env):
    """Right: a random walk with episodes of ten steps."""

    def __init__(self):
        self.observation_space = spaces.Box(-50, 50, (2,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        self.position = self.np_random.normal(size=2).astype(np.float32)
        return self.shown(), {}

    def step(self, action):
        self.steps += 1
        self.position = self.position + np.float32(action) - np.float32(0.5)
        return self.shown(), 1.0, False, self.steps == 10, {}

    def shown(self):
        return self.position


class NanWalk(Walk):
    def shown(self):
        return self.position * np.float32(np.nan if self.steps == 4 else 1)


class GrowingWalk(Walk):
    def shown(self):
        return self.position.astype(np.float64 if self.steps == 3 else np.float32)


class FlaggedWalk(Walk):
    def step(self, action):
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, "no", truncated, info


class UnseededWalk(Walk):
    def __init__(self):
        super().__init__()
        self.own = np.random.default_rng()

    def shown(self):
        return self.position + self.own.random(2).astype(np.float32)


class UnseededLate(UnseededWalk):
    """Draws what nobody seeded, but not in its first steps."""

    def shown(self):
        return super().shown() if self.steps > 5 else self.position


class ReusingWalk(Walk):
    def shown(self):
        self.shared = getattr(self, "shared", np.zeros(2, np.float32))
        self.shared[:] = self.position
        return self.shared


class LivesWalk(Walk):
    """Right: loses a life at step 4 and goes on."""

    def step(self, action):
        observation, reward, terminated, truncated, _ = super().step(action)
        lost = self.steps == 4
        return observation, reward, terminated or lost, truncated, {"life_loss": lost}


class LivesThatEndGames(LivesWalk):
    """Says that only a life was lost, and refuses to go on."""

    def step(self, action):
        if self.steps == 4:
            raise RuntimeError("the game is over")
        return super().step(action)


class SeedlessWalk(Walk):
    def reset(self):
        return super().reset()


class LateSeedWrapper(gymnasium.Wrapper):
    """Forgets the seed; the walk of a fixed start hides it."""

    def reset(self, *, seed=None, options=None):
        return self.env.reset(options=options)


class FixedWalk(Walk):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = np.zeros(2, np.float32)
        return self.shown(), {}
