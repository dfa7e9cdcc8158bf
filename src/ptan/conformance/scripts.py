"""Scripted environments and the agent that acts in them.

Everything that happens in them follows from the script: which environment, episode and step an
observation belongs to can be read off it, the action follows from the observation, the reward from
both. So what a source must deliver is known without any record of the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

N_ACTIONS = 4
STEP_LIMIT = 5_000
ENDS = {"terminated": (True, False), "truncated": (False, True), "both": (True, True)}


class Place(NamedTuple):
    """Where an observation is from: environments and steps count from 0, episodes from 1."""

    env: int
    episode: int
    step: int


@dataclass(frozen=True)
class Episode:
    """One scripted episode.

    length  steps until it ends
    end     "terminated", "truncated" or "both"
    lost    numbers of steps after which a life is lost and the game goes on
    """

    length: int
    end: str = "terminated"
    lost: tuple[int, ...] = ()


Plan = Sequence[Episode]

PLANS: tuple[Plan, ...] = (
    (
        Episode(5),
        Episode(3, "truncated"),
        Episode(1),
        Episode(6, "truncated"),
        Episode(2, "truncated"),
        Episode(4, "both"),
        Episode(7, lost=(3,)),
    ),
    (Episode(4, "truncated"), Episode(8, lost=(2, 5)), Episode(1, "truncated"), Episode(3)),
    (Episode(2), Episode(9, "truncated", lost=(4,)), Episode(5, "truncated")),
)
"""Ends of all kinds after episodes shorter than, as long as and longer than usual windows."""


def without_lost_lives(plans: Sequence[Plan]) -> list[Plan]:
    """The same episodes with no lives to lose."""
    return [[Episode(e.length, e.end) for e in plan] for plan in plans]


def encode(place: Place) -> Any:
    """The observation of a place, (3,) float32."""
    return np.array([place.env + 1, place.episode, place.step], np.float32)


def decode(observation: Any) -> Place | None:
    """The place an observation tells, None if no environment gave it."""
    try:
        numbers = np.asarray(observation, np.float64)
    except (TypeError, ValueError):
        return None
    if numbers.shape != (3,) or not (np.isfinite(numbers) & (numbers % 1 == 0)).all():
        return None
    env, episode, step = (int(number) for number in numbers)
    return Place(env - 1, episode, step) if env >= 1 and episode >= 1 and step >= 0 else None


def action_at(place: Place) -> int:
    """What the agent does there."""
    return (place.env + 2 * place.episode + place.step) % N_ACTIONS


def reward_of(place: Place, action: int) -> float:
    """What the environment gives for it: above 0, and no short binary fraction."""
    number = 577 * place.env + 311 * place.episode + 229 * place.step + 83 * action
    return (number % 997 + 1) / 700


class ScriptedEnv(gymnasium.Env[Any, int]):
    """Plays a plan of episodes round and round.

    Args:
        plan: the episodes.
        index: number of this environment.
        reuse: True hands out one array for all observations.
        resume: True goes on with the game at a reset right after a lost life, as life-loss
            wrappers do; False starts a new one.
        encode: from a place to an observation.
        observation_space: the space of these.
    """

    def __init__(
        self,
        plan: Plan,
        index: int = 0,
        *,
        reuse: bool = False,
        resume: bool = False,
        encode: Callable[[Place], Any] = encode,
        observation_space: spaces.Space[Any] | None = None,
    ) -> None:
        self.plan = list(plan)
        self.index = index
        self.observation_space = observation_space or spaces.Box(0, 1e6, (3,), np.float32)
        self.action_space: Any = spaces.Discrete(N_ACTIONS)
        self.seeds: list[int | None] = []  # of every reset
        self.foreign_actions: list[tuple[Place, int]] = []  # that the agent did not choose
        self.flags = (False, False)  # of the last step
        self._reuse = reuse
        self._resume = resume
        self._encode = encode
        self._shared: Any = None
        self._place = Place(index, 0, 0)
        self._over = True
        self._steps = 0

    @property
    def place(self) -> Place:
        """Where the game is."""
        return self._place

    @property
    def over(self) -> bool:
        """Whether the episode has ended, and only a reset may follow."""
        return self._over

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The next episode, or the same one after a lost life."""
        super().reset(seed=seed, options=options)
        self.seeds.append(seed)
        resumed = self._resume and any(self.flags) and not self._over
        self.flags = (False, False)
        if resumed:
            return self._observe(), {"life_loss": True}
        self._place = Place(self.index, self._place.episode + 1, 0)
        self._over = False
        return self._observe(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step of the script."""
        if self._over:
            raise RuntimeError("step() was called on an episode that had ended, without a reset()")
        self._steps += 1
        if self._steps > STEP_LIMIT:
            raise RuntimeError(f"{STEP_LIMIT} steps were taken, too many for the rows delivered")
        before, action = self._place, int(action)
        if action != action_at(before):
            self.foreign_actions.append((before, action))
        self._place = before._replace(step=before.step + 1)
        script = self.plan[(before.episode - 1) % len(self.plan)]
        self._over = self._place.step == script.length
        life_lost = not self._over and self._place.step in script.lost
        self.flags = ENDS[script.end] if self._over else (life_lost, False)
        info = {"life_loss": True} if life_lost else {}
        return self._observe(), reward_of(before, action), *self.flags, info

    def _observe(self) -> Any:
        observation = self._encode(self._place)
        if not self._reuse:
            return observation
        if self._shared is None:
            self._shared = observation
        self._shared[...] = observation
        return self._shared


class ScriptedAgent:
    """Acts by what it sees, and counts the steps of an episode in its state.

    `wrong_states` lists (place, state it got, state that is right).
    """

    def __init__(self) -> None:
        self.wrong_states: list[tuple[Place, Any, int]] = []

    def initial_state(self) -> int:
        """The state at the start of an episode."""
        return 0

    def __call__(self, observations: Any, agent_states: Any = None) -> tuple[Any, Any]:
        """Actions (B,) int64 and new states for a batch."""
        places = [decode(observation) for observation in observations]
        actions = np.array([action_at(place) if place else 0 for place in places], np.int64)
        states = [None] * len(places) if agent_states is None else list(agent_states)
        following: list[Any] = []
        carried = any(state is not None for state in states)
        for place, state in zip(places, states, strict=False):
            if place is not None and carried and state != place.step:
                self.wrong_states.append((place, state, place.step))
            # Each state is judged on its own: go on from where the game is.
            following.append(place.step + 1 if place is not None and carried else state)
        return actions, following if carried else states


def make_envs(
    form: str, plans: Sequence[Plan], *, reuse: bool = False
) -> tuple[Any, list[ScriptedEnv]]:
    """What a source is given, and the environments inside (out of reach if asynchronous).

    Args:
        form: "single", "list", "next_step", "same_step", "disabled", "async_next_step",
            "async_same_step" or "async_disabled".
        plans: a plan per environment, one only for "single".
        reuse: see `ScriptedEnv`.
    """
    vector = form not in ("single", "list")
    # A vector environment resets whatever ends: a life-loss wrapper then resumes the game.
    envs = [ScriptedEnv(p, i, reuse=reuse, resume=vector) for i, p in enumerate(plans)]
    if not vector:
        return (envs[0] if form == "single" else envs), envs
    makers = [(lambda env=env: env) for env in envs]
    mode = AutoresetMode[form.removeprefix("async_").upper()]
    if form.startswith("async_"):
        return AsyncVectorEnv(makers, autoreset_mode=mode), []
    return SyncVectorEnv(makers, autoreset_mode=mode), envs
