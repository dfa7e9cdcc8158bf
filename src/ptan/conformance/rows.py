"""The rows that a source must give over scripted environments, and how a row differs from one."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ptan.conformance.oracles import Window, discounted, expected_windows, games_of, play
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at, decode

EPISODES = 200  # per environment, more than any check sees


@lru_cache
def _played(plan: tuple[Episode, ...], index: int) -> ScriptedEnv:
    return play(ScriptedEnv(plan, index), EPISODES)


def close(found: Any, right: float) -> bool:
    """Whether a number, a scalar array or a tensor is right within the rounding of float32."""
    try:
        number = float(np.asarray(found, np.float64).reshape(()))
    except (TypeError, ValueError):
        return False
    return math.isclose(number, right, rel_tol=1e-5, abs_tol=1e-6)


class Expected:
    """All rows that a source must give, by the place where they start.

    Args:
        plans: episodes of each environment.
        n: steps in a window.
        delta: distance between the starts of windows.
        gamma: discount per step.
    """

    def __init__(
        self, plans: Sequence[tuple[Episode, ...]], n: int, delta: int, gamma: float
    ) -> None:
        self.plans, self.n, self.delta, self.gamma = plans, n, delta, gamma
        self.truncation = "bootstrap"  # "terminal" makes truncations terminations
        envs = [_played(plan, index) for index, plan in enumerate(plans)]
        self.windows = {window.place: window for window in expected_windows(envs, n, delta)}
        self.steps = {window.place: window for window in expected_windows(envs, 1)}
        self.games = {env.index: games_of([env]) for env in envs}
        self._places = {decode(event.observation) for env in envs for event in env.log}

    def __contains__(self, place: Place | None) -> bool:
        return place in self._places

    def words(self, state: Any, start: Place) -> str:
        """What an observation is, seen from a row's start."""
        place = decode(state)
        if state is None:
            return "None"
        if place is None or place not in self:
            return f"no observation that the environment gave, {state!r}"
        if place.env != start.env:
            return f"an observation of environment {place.env}"
        if place.episode != start.episode and place.step == 0:
            return "the reset observation"
        of = "" if place.episode == start.episode else f" of episode {place.episode}"
        return f"the observation of step {place.step}{of}"

    def end(self, window: Window) -> str:
        """How its last step left the episode."""
        place = decode(window.after)
        assert place is not None
        if not any(window.flags):
            return "the episode goes on"
        if place in self.steps:
            return f"the episode lost a life at {place.step - 1}"
        how = "terminated" if window.flags[0] else "was truncated"
        return f"the episode {how} at {place.step - 1}"

    def differences(self, row: Any, window: Window) -> Iterator[tuple[str, str]]:
        """(kind, text) of everything that a row says wrongly of its window.

        `row` joins the window (`last_state`), or is its only step (`done`). What it says of
        `terminated`, `truncated`, `final_state`, `steps` and `discount` is compared too.
        """
        start, after, end = window.place, decode(window.after), self.end(window)
        assert after is not None
        kind = end.partition(" at ")[0]
        ended = any(window.flags)
        terminated = window.flags[0] or (ended and self.truncation == "terminal")
        if not close(row.action, action_at(start)):
            yield "action", f"the row's action is {row.action}, the agent chose {action_at(start)}"
        reward = discounted(window.rewards, self.gamma)
        if not close(row.reward, reward):
            text = f"the row's reward is {row.reward}, right is {reward:.6g}"
            yield "reward", text + self._other_sum(row.reward, window)
        for name in ("last_state", "final_state"):
            found = getattr(row, name, None)
            if found is not None or (hasattr(row, name) and self._needs(name, row, window)):
                if decode(found) != after:
                    what = f"{name.replace('_', ' ')} is {self.words(found, start)}"
                    right = f"right is the observation of step {after.step}"
                    yield f"{name} {kind}", f"{end}, but the row's {what}, {right}"
                elif name == "last_state" and terminated and not _says_terminated(row):
                    text = "but the row has a last state and does not say terminated"
                    yield "bootstrap", f"{end}, {text}: a target would bootstrap past the end"
        flags = {"done": ended, "terminated": terminated, "truncated": ended and not terminated}
        for name, flag in flags.items():
            found = getattr(row, name, None)
            if name == "truncated" and terminated:
                continue  # it decides nothing
            if found is not None and bool(found) != flag:
                hint = ": a target would not bootstrap" if name == "truncated" and flag else ""
                yield f"{name} {kind}", f"the row says {name}={found}, but {end}{hint}"
        discount = 0.0 if terminated else self.gamma**window.steps
        why = f"gamma to the {window.steps} steps it spans, 0 after termination"
        for name, number in (("steps", window.steps), ("discount", discount)):
            found = getattr(row, name, None)
            if found is not None and not close(found, number):
                yield name, f"the row's {name} is {found:.6g}, right is {number:.6g}: {why}"

    def _needs(self, name: str, row: Any, window: Window) -> bool:
        """Whether a row must not leave out this observation."""
        if name == "last_state":
            return not any(window.flags)
        return window.flags == (False, True) and bool(getattr(row, "truncated", False))

    def _other_sum(self, found: Any, window: Window) -> str:
        """Which other steps the reward sums, if it does."""
        place, rewards = window.place, []
        for steps in range(1, self.n + 3):
            step = self.steps[place]
            rewards.append(step.rewards[0])
            if steps != window.steps and close(found, discounted(rewards, self.gamma)):
                if place.episode == window.place.episode:
                    return f": it sums {steps} steps instead of {window.steps}"
                return ": it takes in rewards of the next episode"
            place = place._replace(step=place.step + 1)
            if place not in self.steps:
                place = Place(place.env, place.episode + 1, 0)
        return ""


def _says_terminated(row: Any) -> bool:
    return bool(getattr(row, "terminated", False)) or close(getattr(row, "discount", None), 0.0)
