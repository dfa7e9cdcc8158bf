"""What the agent did as it is now: rollouts, whole episodes, small batches of rows."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch

from ptan.actions.policy import Agent
from ptan.common.checks import unit_interval, whole_number
from ptan.experience import Batch, ExperienceReplayBuffer
from ptan.experience.collectors.base import SteppingCollector
from ptan.experience.collectors.recorder import RecordedStep, joined, mapped, record
from ptan.experience.collectors.shares import FixedShares
from ptan.experience.flags import EPISODE_OVER
from ptan.experience.windows import WindowSpec


@dataclass(frozen=True)
class Rollout:
    """T steps of N environments as columns (T, N, …): arrays, or tensors after `to`.

    states        (T, N, *obs)     observations before the actions, nested as the environment's
    actions       (T, N, *action)
    rewards       (T, N) float32   of single steps
    discounts     (T, N) float32   gamma, 0 after a termination
    terminated    (T, N) bool      the environment ended the episode
    truncated     (T, N) bool      it was cut off: its last observation has a value
    valid         (T, N) bool      False where a vector environment only reset: nothing to learn
    values        (T, N) float     V of the states; None for agents without a critic
    next_values   (T, N) float     V of what the steps led to: where an episode ended, of its true
                                   final observation
    log_probs     (T, N) float     of the actions when they were chosen; None where not known
    agent_states  the N agent states before the first step
    """

    states: Any
    actions: Any
    rewards: Any
    discounts: Any
    terminated: Any
    truncated: Any
    valid: Any
    values: Any
    next_values: Any
    log_probs: Any
    agent_states: list[Any]

    def to(self, device: torch.device | str) -> Self:
        """The same with tensors on `device`; uint8 stays uint8."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: _moved(column, device) for name, column in columns.items()})


@dataclass(frozen=True)
class Episodes(Rollout):
    """Whole episodes, one after the other: the columns of `Rollout` as (R, …), all steps valid.

    Those of the first environment come first, in the order in which they were played.

    lengths  (E,) int64: steps of each episode
    """

    lengths: Any


class RolloutCollector(SteppingCollector[Rollout]):
    """Yields `steps` steps of every environment; nothing is kept for the next rollout.

    Args:
        env: See `SteppingCollector`.
        agent: One with a critic, such as `ActorCriticAgent`, gives values and log-probabilities.
        gamma: Discount per step, in [0, 1].
        steps: T.
        **stepping: on_steps, env_steps, env_seed, truncation, check_finite, max_steps.
    """

    _saved = (*SteppingCollector._saved, "_steps", "_agent_states")

    def __init__(
        self, env: Any, agent: Agent, *, gamma: float, steps: int, **stepping: Any
    ) -> None:
        self.gamma = unit_interval("gamma", gamma)
        self.steps = whole_number("steps", steps)
        super().__init__(env, agent, WindowSpec(gamma=gamma), **stepping)
        self._steps: list[RecordedStep] = []
        self._agent_states: list[Any] = []

    def _collect(self, most: int) -> int:  # noqa: ARG002 - one is always allowed
        if not self._steps:
            if self._stepper.needs_reset:
                self._stepper.begin()
            self._agent_states = list(self._stepper.agent_states)
        self._step(self.agent)
        self._steps.append(record(self._stepper))
        return 1

    def _item(self) -> Rollout | None:
        if len(self._steps) < self.steps:
            return None
        columns = joined(self._steps, self._stepper, self.gamma)
        self._steps = []
        return Rollout(**columns, agent_states=self._agent_states)

    def _drop(self) -> None:
        self._steps = []


class EpisodeCollector(SteppingCollector[Episodes]):
    """Yields whole episodes, each environment its own share; one that is done waits.

    Args:
        env: See `SteppingCollector`.
        agent: One with a critic, such as `ActorCriticAgent`, gives values.
        gamma: Discount per step, in [0, 1].
        episodes: How many in an item; of N environments each plays `episodes / N`, fixed
            beforehand, as the first to end would be short ones.
        max_steps: A longer episode is truncated.
        **stepping: on_steps, env_steps, env_seed, truncation, check_finite.
    """

    _saved = (*SteppingCollector._saved, "_steps", "_left")

    def __init__(
        self,
        env: Any,
        agent: Agent,
        *,
        gamma: float,
        episodes: int,
        max_steps: int = 27_000,
        **stepping: Any,
    ) -> None:
        self.gamma = unit_interval("gamma", gamma)
        self.episodes = whole_number("episodes", episodes)
        whole_number("max_steps", max_steps)
        super().__init__(env, agent, WindowSpec(gamma=gamma), max_steps=max_steps, **stepping)
        self._shares = FixedShares(self._stepper, episodes)
        self._steps: list[RecordedStep] = []

    @property
    def _left(self) -> Any:
        return self._shares.left

    @_left.setter
    def _left(self, left: Any) -> None:
        self._shares.left = left

    def _collect(self, most: int) -> int:  # noqa: ARG002 - one is always allowed
        if not self._steps:
            self._shares.begin()
        self._step(self.agent)
        self._steps.append(record(self._stepper))
        self._shares.settle()
        return 1

    def _item(self) -> Episodes | None:
        if not self._steps or self._left.any():
            return None
        columns = joined(self._steps, self._stepper, self.gamma)
        envs, times = np.nonzero(columns["valid"].T)
        flat = {
            name: mapped(column, lambda part: part[times, envs]) for name, column in columns.items()
        }
        over = np.stack([step["flags"] for step in self._steps])[times, envs] & EPISODE_OVER
        lengths = np.diff(np.flatnonzero(over), prepend=-1)
        self._steps = []
        return Episodes(**flat, agent_states=[], lengths=lengths)

    def _drop(self) -> None:
        self._steps = []


class TransitionCollector(SteppingCollector[Batch]):
    """Yields batches of n-step rows, each row once, in the order in which they were made.

    One step of many environments can make more rows than a batch takes: the rest waits, and is
    learned from after the agent has changed. With 50 games, batches of 32 and four reward steps, as
    the textbook has them, rows are at most two updates older than the agent.

    Args:
        env, agent: See `SteppingCollector`.
        gamma: Discount per step, in [0, 1].
        batch_size: Rows in a batch.
        n_steps: Environment steps in a row.
        **stepping: on_steps, env_steps, env_seed, truncation, check_finite, max_steps.
    """

    _saved = (*SteppingCollector._saved, "_rows", "_made", "_yielded")

    def __init__(
        self,
        env: Any,
        agent: Agent,
        *,
        gamma: float,
        batch_size: int,
        n_steps: int = 1,
        **stepping: Any,
    ) -> None:
        self.batch_size = whole_number("batch_size", batch_size)
        n_steps = whole_number("n_steps", n_steps)
        spec = WindowSpec(n_step=n_steps, gamma=unit_interval("gamma", gamma))
        super().__init__(env, agent, spec, **stepping)
        # A step may complete all windows of all environments.
        self._buffer = ExperienceReplayBuffer(None, batch_size + self._stepper.count * n_steps)
        self._made = 0
        self._yielded = 0

    @property
    def _rows(self) -> dict[str, Any]:
        return self._buffer.state_dict()

    @_rows.setter
    def _rows(self, state: dict[str, Any]) -> None:
        self._buffer.load_state_dict(state)

    def _collect(self, most: int) -> int:  # noqa: ARG002 - one is always allowed
        rows = self._step(self.agent)
        if rows is not None:
            self._buffer.insert(rows)
            self._made += len(rows)
        return 1

    def _item(self) -> Batch | None:
        end = self._yielded + self.batch_size
        if self._made < end:
            return None
        batch = self._buffer.take(np.arange(self._yielded, end))
        self._yielded = end
        return batch

    def _drop(self) -> None:
        self._yielded = self._made


def _moved(column: Any, device: torch.device | str) -> Any:
    def move(part: Any) -> Any:
        is_plain = isinstance(part, np.ndarray) and not part.dtype.hasobject
        return torch.from_numpy(part).to(device) if is_plain else part

    return mapped(column, move)
