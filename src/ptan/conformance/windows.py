"""What the rows of a scripted run must say, by counting.

Shares no code with `ptan.experience`: it knows scripts, sums and lists only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ptan.conformance.scripts import ENDS, Episode, Place, Plan, action_at, reward_of


@dataclass(frozen=True)
class Window:
    """The steps that one row stands for.

    start       where they begin
    steps       how many they are: n, or fewer at the end of an episode or a life
    terminated  the last of them terminated the episode, or lost a life
    truncated   the last of them cut the episode off
    life_lost   the game goes on after the last of them
    """

    start: Place
    steps: int
    terminated: bool
    truncated: bool
    life_lost: bool

    @property
    def after(self) -> Place:
        """The place after the last step."""
        return self.start._replace(step=self.start.step + self.steps)

    @property
    def ended(self) -> bool:
        """Whether the last step ended the episode, for whatever reason."""
        return self.terminated or self.truncated

    def discount(self, gamma: float) -> float:
        """The discount of its last state: gamma to the steps, 0 after termination."""
        return 0.0 if self.terminated else gamma**self.steps


class Script:
    """All episodes that the environments play, and the windows in them.

    Args:
        plans: a plan per environment.
        n: steps in a window.
        delta: distance between the starts of windows.
        gamma: discount per step.
    """

    def __init__(self, plans: Sequence[Plan], n: int, delta: int = 1, gamma: float = 1.0) -> None:
        self.plans = plans
        self.n = n
        self.delta = delta
        self.gamma = gamma

    def episode(self, place: Place) -> Episode:
        """The episode that a place is in."""
        plan = self.plans[place.env]
        return plan[(place.episode - 1) % len(plan)]

    def knows(self, place: Place | None) -> bool:
        """Whether there is such a place."""
        return (
            place is not None
            and place.env < len(self.plans)
            and place.step <= self.episode(place).length
        )

    def is_final(self, place: Place) -> bool:
        """Whether the episode is over there."""
        return place.step == self.episode(place).length

    def window(self, start: Place) -> Window:
        """The window of up to n steps from `start` on; lost lives and ends cut it off."""
        script = self.episode(start)
        stop = min(s for s in (*script.lost, script.length) if s > start.step)
        steps = min(self.n, stop - start.step)
        if start.step + steps < stop:
            return Window(start, steps, False, False, False)
        if stop < script.length:
            return Window(start, steps, True, False, True)
        return Window(start, steps, *ENDS[script.end], False)

    def starts(self, env: int, episode: int) -> list[Place]:
        """Where rows start: every `delta` steps of a life, and in its last n - 1 steps."""
        script = self.episode(Place(env, episode, 0))
        begins = (0, *sorted(script.lost))
        ends = (*sorted(script.lost), script.length)
        return [
            Place(env, episode, step)
            for begin, end in zip(begins, ends, strict=True)
            for step in range(begin, end)
            if (step - begin) % self.delta == 0 or end - step < self.n
        ]

    def reward(self, start: Place, steps: int, *, leak: bool = False) -> float:
        """The discounted reward of so many steps, in an episode or (`leak`) on into the next."""
        places = [start]
        while len(places) < steps:
            last = places[-1]
            following = last._replace(step=last.step + 1)
            if self.is_final(following):
                if not leak:
                    break
                following = Place(last.env, last.episode + 1, 0)
            places.append(following)
        total = 0.0
        for place in reversed(places):
            total = reward_of(place, action_at(place)) + self.gamma * total
        return total

    def episode_total(self, env: int, episode: int) -> tuple[float, int]:
        """(undiscounted return, steps) of a whole game."""
        length = self.episode(Place(env, episode, 0)).length
        places = [Place(env, episode, step) for step in range(length)]
        return sum(reward_of(place, action_at(place)) for place in places), length
