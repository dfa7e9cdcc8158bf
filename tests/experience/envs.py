"""Scripted environments and agents: every observation says where it comes from.

Each environment writes a plain log of what it was asked and what it answered. The oracles read
that log and nothing else.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from ptan.agent import BaseAgent

ENDS = {"terminated": (True, False), "truncated": (False, True), "both": (True, True)}
MODES = {
    "next_step": AutoresetMode.NEXT_STEP,
    "same_step": AutoresetMode.SAME_STEP,
    "disabled": AutoresetMode.DISABLED,
}
BIG = 400_000  # numbers in an observation of kind "big", which KINDS leaves out
KINDS = ("vector", "pixels", "discrete", "dict", "tuple")
N_ACTIONS = 4


@dataclass(frozen=True)
class Episode:
    """One scripted episode: its length, how it ends, and after which steps a life is lost.

    A life may also be lost at the very end if that is a truncation: the game is over then.
    """

    length: int
    end: str = "terminated"
    lost: tuple[int, ...] = ()


@dataclass
class Event:
    """One call of an environment: ``kind`` is "reset", "resume" (a reset after a lost life that
    goes on with the game) or "step"."""

    kind: str
    observation: Any
    action: Any = None
    reward: Any = 0.0
    terminated: bool = False
    truncated: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    kwargs: dict[str, Any] = field(default_factory=dict)


def encode(kind: str, index: int, episode: int, step: int) -> Any:
    """An observation of this kind that says which environment, episode and step it is from."""
    if kind == "vector":
        return np.array([index, episode, step], dtype=np.float32)
    if kind == "pixels":
        return np.array([[index, episode, step], [step, index, episode]], dtype=np.uint8)
    if kind == "big":
        return np.pad(np.array([index, episode, step], dtype=np.float32), (0, BIG - 3))
    if kind == "discrete":
        return np.int64(index * 10_000 + episode * 100 + step)
    if kind == "dict":
        return {"where": np.array([index, episode], dtype=np.float64), "step": np.int64(step)}
    return np.array([index, episode], dtype=np.int16), np.int64(step)


def decode(observation: Any) -> tuple[int, int, int]:
    """The (environment, episode, step) that an observation of any kind tells."""
    if isinstance(observation, dict):
        index, episode = observation["where"]
        return int(index), int(episode), int(observation["step"])
    if isinstance(observation, tuple):
        index, episode = observation[0]
        return int(index), int(episode), int(observation[1])
    array = np.asarray(observation)
    if array.ndim == 0:
        number = int(array)
        return number // 10_000, number // 100 % 100, number % 100
    flat = array.reshape(-1)
    return int(flat[0]), int(flat[1]), int(flat[2])


def space_of(kind: str) -> spaces.Space:
    """The observation space of a kind."""
    step = spaces.Discrete(100)
    return {
        "vector": spaces.Box(-1e6, 1e6, (3,), np.float32),
        "pixels": spaces.Box(0, 255, (2, 3), np.uint8),
        "big": spaces.Box(-1e6, 1e6, (BIG,), np.float32),
        "discrete": spaces.Discrete(1_000_000),
        "dict": spaces.Dict({"where": spaces.Box(-1e6, 1e6, (2,), np.float64), "step": step}),
        "tuple": spaces.Tuple((spaces.Box(-1000, 1000, (2,), np.int16), step)),
    }[kind]


class ScriptedEnv(gymnasium.Env):
    """An environment that plays a list of episodes round and round.

    Args:
        plan: the episodes; environments and episodes are numbered from 1, steps from 0.
        index: number of this environment.
        kind: of observation, one of KINDS.
        reuse: hand out one array for all observations ("vector" and "pixels" only).
        raw: tell ten times the reward as ``info["raw_reward"]``.
        resume: the first reset right after a lost life goes on with the game and says so in its
            info, as a life-loss wrapper does.
        noise: add a draw from the environment's own generator to every reward.
    """

    metadata: ClassVar = {"render_modes": []}

    def __init__(
        self,
        plan: Iterable[Episode],
        index: int = 1,
        kind: str = "vector",
        *,
        reuse: bool = False,
        raw: bool = False,
        resume: bool = False,
        noise: bool = False,
    ):
        self.plan, self.index, self.kind = list(plan), index, kind
        self.reuse, self.raw, self.resume, self.noise = reuse, raw, resume, noise
        self.observation_space = space_of(kind)
        self.action_space = spaces.Discrete(N_ACTIONS)
        self.log: list[Event] = []
        self.episode, self.at, self.running, self.lost_life = 0, 0, False, False
        self._shared: Any = None

    def observe(self) -> Any:
        observation = encode(self.kind, self.index, self.episode, self.at)
        if not self.reuse:
            return observation
        if self._shared is None:
            self._shared = observation
        else:
            self._shared[...] = observation
        return self._shared

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        kwargs = {} if seed is None else {"seed": seed}
        if self.resume and self.lost_life:
            kind = "resume"
        else:
            kind = "reset"
            self.episode, self.at, self.running = self.episode + 1, 0, True
        self.lost_life = False
        observation = self.observe()
        self.log.append(Event(kind, copy.deepcopy(observation), kwargs=kwargs))
        return observation, {"life_loss": True} if kind == "resume" else {}

    def step(self, action: Any):
        if not self.running:
            raise RuntimeError("step() was called after the end of an episode without a reset()")
        script = self.plan[(self.episode - 1) % len(self.plan)]
        reward = self.reward(int(action))
        self.at += 1
        terminated = truncated = False
        info: dict[str, Any] = {"raw_reward": reward * 10} if self.raw else {}
        self.lost_life = False
        if self.at == script.length:
            terminated, truncated = ENDS[script.end]
            self.running = False
        elif self.at in script.lost:
            terminated, self.lost_life = True, True
        if self.at in script.lost:
            info["life_loss"] = True
        observation = self.observe()
        self.log.append(
            Event(
                "step",
                copy.deepcopy(observation),
                int(action),
                reward,
                terminated,
                truncated,
                dict(info),
            )
        )
        return observation, reward, terminated, truncated, info

    def reward(self, action: int) -> float:
        """A reward that depends on everything and is no short binary fraction."""
        number = self.index * 7 + self.episode * 13 + self.at * 31 + action * 17
        value = (number % 23 - 11) / 7
        return value + float(self.np_random.random()) if self.noise else value

    def steps_taken(self) -> int:
        return sum(event.kind == "step" for event in self.log)


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

    def action(self, place: tuple[int, int, int]) -> int:
        index, episode, step = place
        return (index + 2 * episode + 3 * step + self.version) % N_ACTIONS


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


def value_of(place: tuple[int, int, int]) -> float:
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


def make_envs(plans: Sequence[Iterable[Episode]], **settings: Any) -> list[ScriptedEnv]:
    """One scripted environment per plan, numbered from 1."""
    return [ScriptedEnv(plan, index, **settings) for index, plan in enumerate(plans, start=1)]


def drive(driver: str, envs: Sequence[gymnasium.Env], **settings: Any) -> Any:
    """What a source gets: the one env, the list of envs, or a vector env in a mode."""
    if driver == "single":
        (env,) = envs
        return env
    if driver == "list":
        return list(envs)
    fns = [(lambda env=env: env) for env in envs]
    if driver.startswith("async_"):
        return AsyncVectorEnv(fns, autoreset_mode=MODES[driver.removeprefix("async_")], **settings)
    return SyncVectorEnv(fns, autoreset_mode=MODES[driver], **settings)


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
