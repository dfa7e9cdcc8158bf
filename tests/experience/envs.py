"""The scripted environment with observations of every kind; agents, toys, a large one."""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from ptan.agent import BaseAgent
from ptan.conformance import scripted
from ptan.conformance.scripted import (
    ENDS,
    MODES,
    N_ACTIONS,
    Episode,
    Event,
    Place,
    action_at,
    drive,
)

__all__ = ["ENDS", "MODES", "Episode", "Event", "Place", "drive"]

_STACK = spaces.Box(0, 255, (3, 16, 16), np.uint8)
KINDS: dict[str, spaces.Space[Any]] = {
    "vector": spaces.Box(-1e6, 1e6, (3,), np.float32),
    "pixels": _STACK,  # the newest three frames of the episode
    "discrete": spaces.Discrete(1_000_000),
    "dict": spaces.Dict(
        where=spaces.Box(-1e6, 1e6, (2,), np.float64),
        views=spaces.Tuple((_STACK, spaces.Discrete(100))),
    ),
    "tuple": spaces.Tuple((spaces.Box(-1000, 1000, (2,), np.int16), spaces.Discrete(100))),
}
"""Kinds of observations, and their spaces."""


def encode(place: Place, kind: str = "vector") -> Any:
    """The observation of this kind at a place."""
    env, episode, step = place
    if kind == "pixels":
        frames = [(env, episode, max(0, step - back)) for back in (2, 1, 0)]
        stack = [np.random.default_rng(frame).integers(0, 255, (16, 16)) for frame in frames]
        for noise, frame in zip(stack, frames, strict=True):
            noise[0, :3] = frame
        return np.stack(stack).astype(np.uint8)
    if kind == "discrete":
        return np.int64(env * 10_000 + episode * 100 + step)
    if kind == "dict":
        views = (encode(place, "pixels"), np.int64(step))
        return {"views": views, "where": np.array([env, episode], np.float64)}
    if kind == "tuple":
        return np.array([env, episode], np.int16), np.int64(step)
    return scripted.encode(place)


def decode(observation: Any) -> Place:
    """The place that an observation of any kind tells."""
    if isinstance(observation, dict):
        observation = observation["where"], observation["views"][1]
    if isinstance(observation, tuple):
        observation = np.append(*observation)
    numbers = np.asarray(observation)
    if numbers.ndim == 0:
        return Place(int(numbers) // 10_000, int(numbers) // 100 % 100, int(numbers) % 100)
    return Place(*map(int, numbers[-1, 0, :3] if numbers.ndim == 3 else numbers[:3]))


class ScriptedEnv(scripted.ScriptedEnv):
    """A scripted environment of any kind of observations.

    Args:
        plan, index, settings: of the scripted environment.
        kind: of the observations, one of `KINDS`.
        raw: tell ten times the reward as `info["raw_reward"]`.
        noise: add a draw from the environment's own generator to every reward.
    """

    def __init__(
        self,
        plan: Iterable[Episode],
        index: int = 1,
        kind: str = "vector",
        *,
        raw: bool = False,
        noise: bool = False,
        **settings: Any,
    ):
        super().__init__(plan, index, **settings)
        self.kind, self.raw, self.noise = kind, raw, noise
        self.observation_space = KINDS[kind]

    def encode(self, place: Place) -> Any:
        return encode(place, self.kind)

    def reward(self, action: int) -> float:
        return super().reward(action) + (float(self.np_random.random()) if self.noise else 0.0)

    def step(self, action: Any):
        observation, reward, *flags, info = super().step(action)
        if self.raw:
            self.log[-1].info["raw_reward"] = info["raw_reward"] = reward * 10
        return observation, reward, *flags, info

    def steps_taken(self) -> int:
        return sum(event.kind == "step" for event in self.log)


BIG = 400_000  # numbers in an observation of a `BigEnv`


class BigEnv(ScriptedEnv):
    """Its observations are large."""

    def __init__(self, plan: Iterable[Episode], index: int = 1):
        super().__init__(plan, index)
        self.observation_space = spaces.Box(-1e6, 1e6, (BIG,), np.float32)

    def encode(self, place: Place) -> Any:
        return np.pad(scripted.encode(place), (0, BIG - 3))


class Fault(Exception):
    """Raised by faulty environments and agents."""


class FaultyEnv(ScriptedEnv):
    """Raises once, at the step of this number, before anything happened."""

    def __init__(self, plan: Iterable[Episode], index: int = 1, fails_at: int = 5):
        super().__init__(plan, index)
        self.fails_at, self.failed = fails_at, False

    def step(self, action: Any):
        if self.steps_taken() == self.fails_at and not self.failed:
            self.failed = True
            raise Fault("the environment broke")
        return super().step(action)


class PolicyOfPlace(BaseAgent):
    """Acts by what the observation tells and by its own ``version``; keeps no state.

    ``form`` says how the actions are handed back, "list" or "array".
    """

    def __init__(self, form: str = "array"):
        self.form, self.version, self.calls = form, 0, 0
        self.batch_sizes: list[int] = []

    def __call__(self, observations: Any, agent_states: Any = None):
        self.calls += 1
        batch = unbatch(observations)
        self.batch_sizes.append(len(batch))
        actions = [self.action(decode(observation)) for observation in batch]
        return (np.array(actions) if self.form == "array" else actions), agent_states

    def action(self, place: Place) -> int:
        return (action_at(place) + self.version) % N_ACTIONS


def check_counted(envs: Iterable[ScriptedEnv]) -> None:
    """Every action of a `CountingAgent` is the number of steps since its own game began."""
    for env in envs:
        count = 0
        for event in env.log:
            count = 0 if event.kind == "reset" else count
            if event.kind == "step":
                assert event.action == count % N_ACTIONS
                count += 1


class CountingAgent(BaseAgent):
    """Its state is the number of steps since the episode began, its action that number."""

    def __init__(self):
        self.initial_states = 0

    def initial_state(self):
        self.initial_states += 1
        return 0

    def __call__(self, observations: Any, agent_states: Any = None):
        assert len(agent_states) == len(unbatch(observations))
        actions = [int(state) % N_ACTIONS for state in agent_states]
        return actions, [state + 1 for state in agent_states]


class ValueAgent(PolicyOfPlace):
    """Keeps a value of the observation as its state, as an actor-critic does."""

    def __call__(self, observations: Any, agent_states: Any = None):
        actions, _ = super().__call__(observations, agent_states)
        return actions, [value_of(decode(observation)) for observation in unbatch(observations)]


def value_of(place: Place) -> float:
    """The scripted value of a place: far from zero, different everywhere."""
    index, episode, step = place
    return 100.0 * index + 10.0 * episode + step + 0.25


def unbatch(observations: Any) -> list[Any]:
    """Single observations of a batch given as a list, an array, or a dict or tuple of arrays."""
    if isinstance(observations, dict):
        columns = [unbatch(column) for column in observations.values()]
        return [dict(zip(observations, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(observations, tuple):
        columns = [unbatch(column) for column in observations]
        return list(zip(*columns, strict=True))
    return list(observations)


def make_envs(
    plans: Sequence[Iterable[Episode]], make: Any = ScriptedEnv, **settings: Any
) -> list[ScriptedEnv]:
    """One scripted environment per plan, numbered from 1."""
    return [make(plan, index, **settings) for index, plan in enumerate(plans, start=1)]


class ToyEnv:
    """The textbook toy in Gym's old style: counts 0..4 round, reward is the action, 10 steps.

    It derives from nothing and its ``reset`` takes no arguments.
    """

    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(3)

    def __init__(self):
        self.count = 0
        self.resets = 0

    def reset(self):
        self.count = 0
        self.resets += 1
        return self.count

    def step(self, action):
        self.count += 1
        return self.count % 5, float(action), self.count == 10, {}


class NewToyEnv(gymnasium.Env):
    """The same toy with Gymnasium's tuples and still a ``reset`` without arguments."""

    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(3)

    def __init__(self):
        self.toy = ToyEnv()

    def reset(self):
        return self.toy.reset(), {}

    def step(self, action):
        observation, reward, done, info = self.toy.step(action)
        return observation, reward, done, False, info


class DullAgent(BaseAgent):
    """The textbook agent of one action; hands back the states it was given."""

    def __init__(self, action: int):
        self.action = action

    def __call__(self, observations, agent_states=None):
        return [self.action for _ in observations], agent_states


class NoStatesAgent(DullAgent):
    """Hands back None instead of a list of states."""

    def __call__(self, observations, agent_states=None):
        return [self.action for _ in observations], None
