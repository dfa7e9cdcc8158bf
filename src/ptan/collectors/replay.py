"""Sampled batches, at a fixed ratio of updates to environment steps."""

import math
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from ptan.actions.policy import Agent
from ptan.actions.uniform import UniformPolicy
from ptan.collectors.base import Phase, Stepping, SteppingCollector, Update
from ptan.common.checks import check_above_zero, whole_number
from ptan.common.generators import as_generator
from ptan.common.types import Actions, Envs, Observations, Space
from ptan.experience.transitions import Transitions
from ptan.replay.batch import Batch
from ptan.replay.buffer import ExperienceReplayBuffer

# A debt of updates that was added up from fractions may miss a whole number by rounding.
_ROUNDING = 1e-6
_AT_ONCE = 16  # steps of every environment, whose rows enter the buffer together


class ReplayCollector(SteppingCollector[Batch]):
    """Fills a replay buffer and yields batches sampled from it.

    *Warm-up*: the first `warm_up` transitions take actions drawn uniformly from the action space,
    and no batch is yielded. A collector made later, with `env_steps` transitions behind it, first
    fills its empty buffer with as many transitions of its agent.

    *Pace*: from then on every transition adds `updates_per_step` to a debt, and batches are yielded
    until it is below one.

    Args:
        env, agent, gamma, n_steps: See `SteppingCollector`.
        buffer: Takes the rows, such as `ExperienceReplayBuffer(None, capacity)`. Of a prioritized
            one, β moves by its `update_beta`, from the end of the warm-up on.
        batch_size: Rows in a batch.
        updates_per_step: Batches per transition, above 0.
        warm_up: Transitions before the first batch.
        action_space: Of the agent's actions; None takes the environment's.
        env_actions: Turns the agent's actions into the environment's; None: they are equal.
        rng: A generator or seed of the warm-up's actions.
        **stepping: See `ptan.collectors.Stepping`.

    Raises:
        ValueError, TypeError: an argument that makes no sense, named in the text.
    """

    _saved = (*SteppingCollector._saved, "_debt", "_filled_at", "_uniform", "buffer")

    def __init__(
        self,
        env: Envs,
        agent: Agent,
        buffer: ExperienceReplayBuffer,
        *,
        gamma: float,
        n_steps: int = 1,
        batch_size: int = 32,
        updates_per_step: float = 1.0,
        warm_up: int = 0,
        action_space: Space | None = None,
        env_actions: Callable[[Actions], Actions] | None = None,
        rng: np.random.Generator | int | None = None,
        **stepping: Unpack[Stepping],
    ) -> None:
        super().__init__(env, agent, gamma, n_steps, **stepping)
        self.buffer = buffer
        self.batch_size = whole_number("batch_size", batch_size)
        check_above_zero("updates_per_step", updates_per_step)
        self.updates_per_step = updates_per_step
        self.warm_up = whole_number("warm_up", warm_up, least=0)
        space = self._stepper.action_space if action_space is None else action_space
        if warm_up and space is None:
            raise ValueError("action_space must be given for a warm-up, as env has none")
        self._uniform = UniformPolicy(agent, space, as_generator(rng), env_actions)
        self._filled_at = self.env_steps + warm_up
        self._debt = 0.0
        # Any buffer that takes priorities: a user's need not be a subclass of ours.
        self._prioritized: Any = buffer if hasattr(buffer, "update_priorities") else None
        self._indices: Any = None

    @property
    def phase(self) -> Phase:
        """Warm-up until the buffer is filled."""
        return "warm-up" if self.env_steps < self._filled_at else "training"

    @property
    def metrics(self) -> dict[str, float]:
        """`beta` of a prioritized buffer."""
        beta = getattr(self.buffer, "beta", None)
        return {} if beta is None else {"beta": beta}

    def held_out(self, n: int, rng: np.random.Generator) -> Observations:
        """Observations (n, *obs) of different rows, or of all, nested as the environment's."""
        rows = len(self.buffer)
        numbers = self.buffer.first + rng.choice(rows, min(n, rows), replace=False)
        return self.buffer.take(numbers).states

    def _collect(self, most: int) -> int:
        before, filling = self.env_steps, self.phase == "warm-up"
        self._uniform.agent = self.agent
        steps = min(most, self._steps_to_go())
        try:
            self._step(self._uniform if before < self.warm_up else self.agent, steps)
        finally:
            # Long windows give their first row later than the first transition.
            if not filling and len(self.buffer):
                self._debt += (self.env_steps - before) * self.updates_per_step
        return steps

    def _keep(self, rows: Transitions) -> None:
        self.buffer.insert(rows)

    def _steps_to_go(self) -> int:
        """Steps of every environment until a phase ends or a batch is due, up to a few."""
        filled_at = self.warm_up if self.env_steps < self.warm_up else self._filled_at
        transitions: float = filled_at - self.env_steps
        if transitions <= 0:
            owed = 1 - _ROUNDING - self._debt
            transitions = owed / self.updates_per_step if len(self.buffer) else 1
        most = min(_AT_ONCE, self._stepper.tape.room)
        return min(most, math.ceil(transitions / self._stepper.count))

    def _item(self) -> Batch | None:
        if self._debt < 1 - _ROUNDING:
            return None
        if hasattr(self.buffer, "update_beta"):
            self.buffer.update_beta(max(0, self.env_steps - self.warm_up))
        batch = self.buffer.sample_batch(self.batch_size)
        self._debt -= 1
        self._indices = batch.indices
        return batch

    def _settle(self, update: Update | None) -> None:
        if self._prioritized is not None and update is not None and update.priorities is not None:
            self._prioritized.update_priorities(self._indices, update.priorities)
