"""Small sources, wrappers, environments and buffers that are right, and a way to plant bugs."""

from collections import deque
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from ptan.experience import Batch, ExperienceFirstLast


def changed(base, **methods):
    """A class with other methods; they are called with `super()` behind self."""

    def method(change):
        return lambda self, *args, **kwargs: change(self, super(cls, self), *args, **kwargs)

    cls = type("Changed", (base,), {name: method(change) for name, change in methods.items()})
    return cls


class PlainSource:
    """Windows over one environment, as rows that say everything."""

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
        ended = terminated or truncated
        while steps and (ended or len(steps) == self.n):
            yield self.row(steps, after, terminated, truncated)
            steps.pop(0)

    def row(self, steps, after, terminated, truncated):
        return ExperienceFirstLast(
            *steps[0][:2],
            sum(self.gamma**i * reward for i, (_, _, reward) in enumerate(steps)),
            None if terminated or truncated else after,
            terminated=terminated,
            truncated=truncated,
            steps=len(steps),
            discount=0.0 if terminated else self.gamma ** len(steps),
            final_state=after,
        )

    def following(self, after, terminated, truncated, info):
        if truncated or (terminated and not info.get("life_loss")):
            return self.kept(self.env.reset()[0])
        return after

    def kept(self, observation):
        return np.array(observation)


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


def step_tuple(self, right, steps, after, terminated, truncated):
    done = terminated or truncated
    return tuple(Step(*step, done and step is steps[-1]) for step in steps)


BareRows = changed(PlainSource, row=lambda self, right, *window: Bare(*right.row(*window)))
StepTuples = changed(PlainSource, row=step_tuple)


class GameStatistics(PlainSource):
    """Tells the rewards of games; a lost life ends none."""

    def __init__(self, env, agent, gamma, steps_count):
        super().__init__(env, agent, gamma, steps_count)
        self.finished, self.rewards = [], []

    def rows(self, steps, after, terminated, truncated):
        self.rewards.append(steps[-1][2])
        return super().rows(steps, after, terminated, truncated)

    def following(self, after, terminated, truncated, info):
        if self.over(terminated, truncated, info):
            self.finished.append((sum(self.rewards), len(self.rewards)))
            self.rewards = []
        return super().following(after, terminated, truncated, info)

    def over(self, terminated, truncated, info):
        return truncated or (terminated and not info.get("life_loss"))

    def pop_rewards_steps(self):
        told, self.finished = self.finished, []
        return told


class SameStepVector:
    """Windows over a vector environment in SAME_STEP mode."""

    def __init__(self, env, agent, gamma, steps_count):
        self.env, self.agent = env, agent
        self.plain = PlainSource(None, None, gamma, steps_count)

    def __iter__(self):
        observations, _ = self.env.reset()
        windows = [[] for _ in observations]
        while True:
            actions, _ = self.agent(observations)
            shown, rewards, *flags, info = self.env.step(actions)
            for i, steps in enumerate(windows):
                steps.append((observations[i], actions[i], rewards[i]))
                terminated, truncated = (bool(flag[i]) for flag in flags)
                after = self.after(i, shown, terminated or truncated, info)
                yield from self.plain.rows(steps, after, terminated, truncated)
            observations = shown

    def after(self, i, shown, ended, info):
        return info["final_obs"][i] if ended else shown[i]


class Stack(gymnasium.Wrapper):
    """The last k observations, the first one repeated."""

    def __init__(self, env, k=3):
        super().__init__(env)
        self.k, self.frames = k, deque(maxlen=k)
        space = env.observation_space
        self.observation_space = spaces.Box(0, 255, (k, *space.shape), space.dtype.type)

    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed, options=options)
        self.begin(observation)
        return np.stack(self.frames), info

    def begin(self, observation):
        self.frames.extend([observation] * self.k)

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.add(observation, truncated, info)
        return np.stack(self.frames), reward, terminated, truncated, info

    def add(self, observation, truncated, info):
        self.frames.append(observation)


class Walk(gymnasium.Env):
    """A random walk with episodes of ten steps."""

    observation_space = spaces.Box(-50, 50, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.position = 0, self.start()
        return self.shown(), {}

    def start(self):
        return self.np_random.normal(size=2).astype(np.float32)

    def step(self, action):
        self.steps += 1
        self.position = self.position + np.float32(action) - np.float32(0.5)
        return self.shown(), 1.0, False, self.steps == 10, {}

    def shown(self):
        return self.position


class LivesWalk(Walk):
    """Loses a life at step 4 and goes on."""

    def step(self, action):
        observation, reward, terminated, truncated, _ = super().step(action)
        lost = self.steps == 4
        return observation, reward, terminated or lost, truncated, {"life_loss": lost}


FixedWalk = changed(Walk, start=lambda self, right: np.zeros(2, np.float32))


class ListBuffer:
    """A ring in a list."""

    def __init__(self, source, capacity):
        self.source = None if source is None else iter(source)
        self.capacity, self.rows, self.end = capacity, [], 0
        self.rng = np.random.default_rng(1)

    def add(self, row):
        if len(self.rows) < self.capacity:
            self.rows.append(row)
        else:
            self.rows[self.end % self.capacity] = row
        self.end += 1

    def populate(self, count):
        for _ in range(count):
            self.add(next(self.source))

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        cut = self.end % self.capacity if len(self.rows) == self.capacity else 0
        return iter(self.rows[cut:] + self.rows[:cut])

    def sample(self, count):
        return self.picked(self.rng.integers(len(self.rows), size=count))

    def picked(self, slots):
        return [self.rows[i] for i in slots]


BatchBuffer = changed(
    ListBuffer, sample=lambda self, right, count: Batch.from_rows(right.sample(count))
)


class PriorityList(ListBuffer):
    """Prioritized, by a draw over all."""

    beta_start, beta_frames = 0.4, 1000

    def __init__(self, source, capacity, alpha):
        super().__init__(source, capacity)
        self.alpha, self.beta, self.greatest = alpha, self.beta_start, 1.0
        self.priorities = np.zeros(capacity)

    def add(self, row):
        self.priorities[self.end % self.capacity] = self.newest_priority()
        super().add(row)

    def newest_priority(self):
        return self.greatest

    def powers(self):
        return self.priorities[: len(self.rows)] ** self.alpha

    def update_beta(self, frame):
        share = min(1.0, frame / self.beta_frames)
        self.beta = self.beta_start + (1 - self.beta_start) * share
        return self.beta

    def sample(self, count, beta=None):
        chances = self.powers() / self.powers().sum()
        slots = self.rng.choice(len(self.rows), count, p=chances)
        weights = self.weights(chances, slots, self.beta if beta is None else beta)
        first = self.end - len(self.rows)
        return self.picked(slots), first + (slots - first) % self.capacity, weights

    def weights(self, chances, slots, beta):
        weights = (len(self.rows) * chances[slots]) ** -beta
        return weights / weights.max()

    def update_priorities(self, numbers, priorities):
        if len(numbers) != len(priorities) or not np.isfinite(priorities).all():
            raise ValueError("priorities")
        if (priorities <= 0).any() or (numbers < 0).any() or (numbers >= self.end).any():
            raise ValueError("numbers")
        for number, priority in zip(numbers, priorities, strict=True):
            self.update(number, priority)

    def update(self, number, priority):
        if number >= self.end - len(self.rows):
            self.priorities[number % self.capacity] = priority
            self.greatest = max(self.greatest, priority)
