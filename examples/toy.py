"""An environment small enough to follow by hand, for the scripts that show one block each."""

from typing import Any

import gymnasium
from gymnasium.spaces import Discrete


class CountingEnv(gymnasium.Env[int, int]):
    """Shows the step number 0, 1, 2 …, pays 1.0 a step, and terminates after `length` steps."""

    observation_space = Discrete(1_000)
    action_space = Discrete(3)

    def __init__(self, length: int = 4, truncates: bool = False) -> None:
        self.length = length
        self.truncates = truncates  # True: a time limit cuts the episode, it does not end
        self.count = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Begin to count anew."""
        super().reset(seed=seed, options=options)
        self.count = 0
        return self.count, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:  # noqa: ARG002
        """Count on, whatever the action."""
        self.count += 1
        over = self.count == self.length
        return self.count, 1.0, over and not self.truncates, over and self.truncates, {}
