"""The rows that a source must give over scripted environments, by the place where they start."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ptan.conformance.findings import Findings
from ptan.conformance.oracles import Window, discounted, expected_windows, games_of, play
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at, decode

EPISODES = 80  # per environment, more than any check sees


class Expected:
    """All rows over scripted environments with these plans, and what they must say.

    Args:
        plans: episodes of each environment.
        n: steps in a window.
        delta: distance between the starts of windows.
        gamma: discount per step.
        truncation: "terminal" makes truncations terminations.
    """

    def __init__(
        self, plans: Sequence[Sequence[Episode]], n: int, delta: int, gamma: float, truncation: str
    ) -> None:
        self.gamma, self.truncation = gamma, truncation
        envs = [play(ScriptedEnv(plan, index), EPISODES) for index, plan in enumerate(plans)]
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
        segment = window.segment
        if window.stop < len(segment):
            return f"{window.steps} steps, the episode goes on"
        how = "terminated" if segment.flags[-1][0] else "was truncated"
        how = "lost a life" if segment.goes_on else how
        return f"{window.steps} steps, the episode {how} at {start.step + window.steps - 1}"

    def compare(self, row: Any, start: Place, where: str, findings: Findings) -> None:
        """Compare what a row says with its window.

        `row` joins the window (`last_state`), or is one step (`done`). Of the other fields only
        what it has is compared, and None says nothing where nothing needs to be said.
        """
        window = (self.windows if hasattr(row, "last_state") else self.steps)[start]
        segment = window.segment
        terminated, truncated = segment.flags[window.stop - 1]
        ended = terminated or truncated
        terminated = terminated or (truncated and self.truncation == "terminal")
        after = self.words(segment.observations[window.stop], start)
        says_truncated = bool(getattr(row, "truncated", False))
        says_terminated = getattr(row, "terminated", None) or getattr(row, "discount", None) == 0
        right = {
            "action": action_at(start),
            "reward": discounted(segment.rewards[window.start : window.stop], self.gamma),
            # A target would bootstrap past the end from a row that does not say terminated.
            "last_state": None if terminated and not says_terminated else after,
            "final_state": after,
            "done": ended,
            "terminated": terminated,
            "truncated": says_truncated if terminated else truncated,
            "steps": window.steps,
            "discount": 0.0 if terminated else self.gamma**window.steps,
        }
        needed = {"last_state": not ended, "final_state": says_truncated and not terminated}
        for name, value in right.items():
            found = getattr(row, name, None)
            if found is not None or (hasattr(row, name) and needed.get(name)):
                found = self.words(found, start) if name.endswith("state") else found
                why = f" ({self.end(start, window)})"
                findings.expect(f"{where}: the row's {name}", found, value, why)


def _place(observation: Any) -> Place:
    return decode(observation) or Place(-1, 0, 0)


expected_rows = lru_cache(Expected)
