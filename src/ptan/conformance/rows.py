"""The rows that a source must give over scripted environments, by the place where they start."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ptan.conformance.findings import Findings
from ptan.conformance.oracles import Window, discounted, expected_windows, games_of
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at, decode

EPISODES = 80  # per environment, more than any check sees


class Expected:
    """All rows over scripted environments with these plans, and what they must say.

    Windows of `n` steps start every `delta`; truncation "terminal" makes truncations terminations.
    """

    def __init__(
        self,
        plans: Sequence[tuple[Episode, ...]],
        n: int,
        delta: int,
        gamma: float,
        truncation: str,
    ) -> None:
        self.plans, self.gamma, self.truncation = plans, gamma, truncation
        envs = [_played(plan, index) for index, plan in enumerate(plans)]
        self.windows, self.steps = (
            {_place(w.segment.observations[w.start]): w for w in windows}
            for windows in (expected_windows(envs, n, delta), expected_windows(envs, 1))
        )
        self.places = {_place(event.observation) for env in envs for event in env.log}
        self.games = [games_of([env]) for env in envs]

    def words(self, state: Any, start: Place | None = None) -> str:
        """What an observation is, seen from a row's start."""
        place = decode(state)
        if place is None or place not in self.places:
            return "None" if state is None else f"{state!r}, which no environment gave"
        if start and place[:2] == start[:2]:
            return f"the observation of step {place.step}"
        return f"that of {place}" if place.step else "the reset observation"

    def why(self, start: Place, window: Window | None = None) -> str:
        """How long the window that starts there is, and how it leaves the episode."""
        window = window or self.windows[start]
        segment, last = window.segment, start.step + window.steps - 1
        if start.step and window.start == 0:
            return f"after a life was lost at {start.step - 1}"
        if window.stop < len(segment):
            return f"{window.steps} steps, the episode goes on"
        how = "terminated" if segment.flags[-1][0] else "was truncated"
        how = "lost a life" if segment.goes_on else how
        return f"{window.steps} steps, the episode {how} at {last}"

    def compare(self, steps: Sequence[Any], start: Place, findings: Findings) -> None:
        """Compare a row that joins a window (it has `last_state`), or its steps (`done`)."""
        joined, window = hasattr(steps[0], "last_state"), self.windows[start]
        if joined:
            self._compare(steps[0], start, window, findings)
            return
        findings.expect(f"{start}: the length of the tuple", len(steps), window.steps)
        for i, step in enumerate(steps[: window.steps]):
            place = start._replace(step=start.step + i)
            self._compare(step, place, self.steps[place], findings)

    def _compare(self, row: Any, start: Place, window: Window, findings: Findings) -> None:
        """Of all fields what the row has; None says nothing where nothing needs to be said."""
        segment = window.segment
        terminated, truncated = segment.flags[window.stop - 1]
        ended = terminated or truncated
        terminated = terminated or (truncated and self.truncation == "terminal")
        after = self.words(segment.observations[window.stop], start)
        says_truncated = bool(getattr(row, "truncated", False))
        says_terminated = getattr(row, "terminated", None) or getattr(row, "discount", None) == 0
        right = {
            "state": self.words(segment.observations[window.start], start),
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
        why = f" ({self.why(start, window)})"
        for name, value in right.items():
            found = getattr(row, name, None)
            if found is not None or (hasattr(row, name) and needed.get(name)):
                found = self.words(found, start) if name.endswith("state") else found
                findings.expect(f"{start}: the row's {name}", found, value, why)


expected_rows = lru_cache(Expected)


@lru_cache
def _played(plan: tuple[Episode, ...], index: int) -> ScriptedEnv:
    """A scripted environment after many episodes with the actions of the scripted agent."""
    env = ScriptedEnv(plan, index)
    for _ in range(EPISODES):
        env.reset()
        while env.running:
            env.step(action_at(env.place))
    return env


def _place(observation: Any) -> Place:
    return decode(observation) or Place(-1, 0, 0)
