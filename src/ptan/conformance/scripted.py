"""A scripted environment, and an agent that acts in it.

Every observation says which environment, episode and step it is from, and each call is logged:
what a source must deliver follows from the plan, or from the log.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from ptan.common.types import Action, AnyEnv, Array, Envs, Info, Observation, Observations

N_ACTIONS = 4
ENDS = {"terminated": (True, False), "truncated": (False, True), "both": (True, True)}
MODES = {mode.name.lower(): mode for mode in AutoresetMode}


class Place(NamedTuple):
    """Where an observation is from: episodes count from 1, steps from 0."""

    env: int
    episode: int
    step: int

    def __str__(self) -> str:
        return f"step {self.step} of environment {self.env} (episode {self.episode})"


@dataclass(frozen=True)
class Episode:
    """One scripted episode.

    length  steps until it ends
    end     "terminated", "truncated" or "both"
    lost    numbers of steps after which a life is lost and the game goes on, unless it is over
    """

    length: int
    end: str = "terminated"
    lost: tuple[int, ...] = ()


@dataclass
class Event:
    """One call: "reset", "step", or "resume" (a reset that goes on after a lost life)."""

    kind: str
    observation: Observation
    action: Action = None
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: dict[str, object] = field(default_factory=dict)
    kwargs: dict[str, object] = field(default_factory=dict)


def encode(place: Place) -> Array:
    """The observation of a place, (3,) float32."""
    return np.array(place, np.float32)


def decode(observation: Observation) -> Place | None:
    """The place that an observation tells, None if no scripted environment gave it."""
    try:
        numbers = np.asarray(observation, np.float64)
        place = Place(*map(int, numbers))
    except (OverflowError, TypeError, ValueError):
        return None
    known = tuple(numbers) == place and min(place) >= 0 and place.episode > 0
    return place if known else None


def action_at(place: Place) -> int:
    """What the scripted agent does there."""
    return (place.env + 2 * place.episode + 3 * place.step) % N_ACTIONS


def reward_of(place: Place, action: int) -> float:
    """What a step from there pays: never 0, and no short binary fraction."""
    number = 577 * place.env + 311 * place.episode + 229 * place.step + 83 * action
    return (number % 997 + 1) / (1000 if number % 3 else -1000)


class ScriptedEnv(gymnasium.Env[Observation, Action]):
    """Plays a plan of episodes round and round, and keeps a log of its calls.

    Args:
        plan: the episodes.
        index: number of this environment.
        reuse: hand out one array for all observations.
        resume: the first reset after a lost life goes on with the game and says so in its info,
            as life-loss wrappers do; otherwise it starts a new one.
        max_calls: of `reset` and `step` together; more raise.
    """

    def __init__(
        self,
        plan: Iterable[Episode],
        index: int = 0,
        *,
        reuse: bool = False,
        resume: bool = False,
        max_calls: float = np.inf,
    ) -> None:
        self.plan, self.index = list(plan), index
        self.reuse, self.resume, self.max_calls = reuse, resume, max_calls
        self.observation_space: Any = spaces.Box(-1e6, 1e6, (3,), np.float32)
        self.action_space = spaces.Discrete(N_ACTIONS)
        self.log: list[Event] = []
        self.episode, self.at, self.running, self.lost_life = 0, 0, False, False
        self._shared: Array | None = None

    @property
    def place(self) -> Place:
        """Where the game is."""
        return Place(self.index, self.episode, self.at)

    def observe(self) -> Observation:
        """The observation of the present place, in one array where it is reused."""
        observation = self.encode(self.place)
        if not self.reuse:
            return observation
        self._shared = observation if self._shared is None else self._shared
        self._shared[...] = observation
        return self._shared

    def encode(self, place: Place) -> Observation:
        """The observation of a place."""
        return encode(place)

    def reward(self, action: int) -> float:
        """What this action pays here."""
        return reward_of(self.place, action)

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Observation, Info]:
        """The next episode, or the same one after a lost life."""
        super().reset(seed=seed, options=options)
        kind = "resume" if self.resume and self.lost_life else "reset"
        if kind == "reset":
            self.episode, self.at, self.running = self.episode + 1, 0, True
        self.lost_life = False
        observation = self._log(kind, kwargs={} if seed is None else {"seed": seed})
        return observation, {"life_loss": True} if kind == "resume" else {}

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """One step of the script."""
        if not self.running:
            raise RuntimeError("step() was called after the end of an episode without a reset()")
        if len(self.log) >= self.max_calls:
            raise RuntimeError(f"{self.max_calls} calls were made, too many for the rows given")
        script = self.plan[(self.episode - 1) % len(self.plan)]
        reward = self.reward(int(action))
        self.at += 1
        self.running = self.at < script.length
        self.lost_life = self.running and self.at in script.lost
        flags = (self.lost_life, False) if self.running else ENDS[script.end]
        info = {"life_loss": True} if self.at in script.lost else {}
        return self._log("step", int(action), reward, *flags, dict(info)), reward, *flags, info

    def _log(self, kind: str, *what: Any, **settings: Any) -> Observation:
        """Log an event here, and return its observation."""
        observation = self.observe()
        self.log.append(Event(kind, copy.deepcopy(observation), *what, **settings))
        return observation


class ScriptedAgent:
    """Acts by what it sees, and counts the steps of an episode in its state.

    `wrong_states` lists (place, state it got); right is the place's step.
    """

    def __init__(self) -> None:
        self.wrong_states: list[tuple[Place, object]] = []

    def initial_state(self) -> int:
        """The state at the start of an episode."""
        return 0

    def __call__(
        self, observations: Observations, agent_states: Sequence[object] | None = None
    ) -> tuple[Array, list[object]]:
        """Actions (B,) int64 and new states for a batch."""
        places = [decode(observation) for observation in observations]
        actions = np.array([action_at(place) if place else 0 for place in places], np.int64)
        given = [None] * len(places) if agent_states is None else agent_states
        states: list[object] = [*given]
        if all(state is None for state in states):
            return actions, states
        pairs = zip(places, states, strict=False)
        self.wrong_states += [(place, s) for place, s in pairs if place and s != place.step]
        # Each state is judged on its own: go on from where the game is.
        return actions, [place.step + 1 if place else None for place in places]


def drive(driver: str, envs: Sequence[AnyEnv], **settings: Any) -> Envs:
    """What a source is given: "single", "list", or a vector environment of an auto-reset mode.

    "next_step", "same_step" and "disabled" are a `SyncVectorEnv`; after "async_" they are an
    `AsyncVectorEnv`.
    """
    if driver in ("single", "list"):
        return envs[0] if driver == "single" else list(envs)
    vector = AsyncVectorEnv if driver.startswith("async_") else SyncVectorEnv
    makers = [lambda env=env: env for env in envs]
    return vector(makers, autoreset_mode=MODES[driver.removeprefix("async_")], **settings)
