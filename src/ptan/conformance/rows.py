"""The rows that a source must give over scripted environments, and how a row differs from one."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ptan.conformance.oracles import Window, discounted, expected_windows, games_of, play
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at, decode

EPISODES = 80  # per environment, more than any check sees


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
        truncation: "terminal" makes truncations terminations.
    """

    def __init__(
        self,
        plans: Sequence[tuple[Episode, ...]],
        n: int,
        delta: int,
        gamma: float,
        truncation: str = "bootstrap",
    ) -> None:
        self.n, self.gamma, self.truncation = n, gamma, truncation
        envs = [_played(plan, index) for index, plan in enumerate(plans)]
        self.windows, self.steps = (
            {_place(w.segment.observations[w.start]): w for w in windows}
            for windows in (expected_windows(envs, n, delta), expected_windows(envs, 1))
        )
        self.places = {_place(event.observation) for env in envs for event in env.log}
        self.games = [games_of([env]) for env in envs]

    def words(self, state: Any, start: Place) -> str:
        """What an observation is, seen from a row's start."""
        place = decode(state)
        if place is None or place not in self.places:
            return "None" if state is None else f"{state!r}, which no environment gave"
        if place.env != start.env:
            return f"an observation of environment {place.env}"
        if place.episode != start.episode and place.step == 0:
            return "the reset observation"
        episode = "" if place.episode == start.episode else f" of episode {place.episode}"
        return f"the observation of step {place.step}{episode}"

    def end(self, start: Place, window: Window) -> str:
        """How its last step left the episode."""
        if window.stop < len(window.segment) or not window.segment.ended:
            return "the episode goes on"
        terminated, _ = window.segment.flags[-1]
        how = "terminated" if terminated else "was truncated"
        return f"the episode {'lost a life' if window.segment.goes_on else how} at " + str(
            start.step + window.steps - 1
        )

    def differences(self, row: Any, start: Place) -> Iterator[str]:
        """Everything that a row says wrongly of its window.

        `row` joins the window (`last_state`), or is its first step (`done`). What it says of
        `terminated`, `truncated`, `final_state`, `steps` and `discount` is compared too.
        """
        window = (self.windows if hasattr(row, "last_state") else self.steps)[start]
        segment, end = window.segment, self.end(start, window)
        after = segment.observations[window.stop]
        terminated, truncated = segment.flags[window.stop - 1]
        ended = terminated or truncated
        terminated = terminated or (truncated and self.truncation == "terminal")
        if not close(row.action, action_at(start)):
            yield f"the row's action is {row.action}, the agent chose {action_at(start)}"
        reward = discounted(segment.rewards[window.start : window.stop], self.gamma)
        if not close(row.reward, reward):
            other = self._other_sum(row.reward, start, window)
            yield f"the row's reward is {row.reward}, right is {reward:.6g}{other}"
        says_terminated = getattr(row, "terminated", None) or getattr(row, "discount", None) == 0
        says_truncated = getattr(row, "truncated", False) and not terminated
        for name, needed in (("last_state", not ended), ("final_state", says_truncated)):
            found = getattr(row, name, None)
            if found is None and not (needed and hasattr(row, name)):
                continue
            if decode(found) != decode(after):
                is_, right = self.words(found, start), self.words(after, start)
                yield f"{end}, but the row's {name.replace('_', ' ')} is {is_}, right is {right}"
            elif name == "last_state" and terminated and not says_terminated:
                text = "but the row has a last state and does not say terminated"
                yield f"{end}, {text}: a target would bootstrap past the end"
        for name, flag in (("done", ended), ("terminated", terminated), ("truncated", ended)):
            found = getattr(row, name, None)
            if found is None or bool(found) == flag or (name == "truncated" and terminated):
                continue
            hint = ": a target would not bootstrap" if name == "truncated" and flag else ""
            yield f"the row says {name}={found}, but {end}{hint}"
        discount = 0.0 if terminated else self.gamma**window.steps
        why = f"gamma to the {window.steps} steps it spans, 0 after termination"
        for name, number in (("steps", window.steps), ("discount", discount)):
            found = getattr(row, name, None)
            if found is not None and not close(found, number):
                yield f"the row's {name} is {found:.6g}, right is {number:.6g}: {why}"

    def _other_sum(self, found: Any, start: Place, window: Window) -> str:
        """Which other number of steps the reward sums, if it does."""
        ahead = [w for place, w in self.steps.items() if place.env == start.env and place >= start]
        rewards = [w.segment.rewards[w.start] for w in ahead[: self.n + 2]]
        for steps in range(1, len(rewards) + 1):
            if steps != window.steps and close(found, discounted(rewards[:steps], self.gamma)):
                text = f"it sums {steps} steps instead of {window.steps}"
                return f": {text}, and {self.end(start, window)}"
        return ""


expected_rows = lru_cache(Expected)


def _place(observation: Any) -> Place:
    place = decode(observation)
    assert place is not None
    return place
