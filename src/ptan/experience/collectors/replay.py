"""Sampled batches, at a fixed ratio of updates to environment steps."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from torch import Tensor

from ptan.actions.policy import Agent, PolicyStep
from ptan.common.checks import check_above_zero, unit_interval, whole_number
from ptan.common.generators import as_generator, check_generator_state, generator_state
from ptan.experience.collectors.base import D, D_co, Phase, SteppingCollector, Update
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowSpec

# A debt of updates that was added up from fractions may miss a whole number by rounding.
_ROUNDING = 1e-6
_MANY_STEPS = 16


class ReplayBuffer(Protocol[D_co]):
    """What holds the rows: any buffer of the library."""

    def insert(self, rows: Transitions, /) -> None:
        """Append rows."""

    def sample_batch(self, batch_size: int, /) -> D_co:
        """A batch of rows; of a prioritized buffer, with their `indices`."""

    def state_dict(self) -> dict[str, Any]:
        """All rows."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Take over what `state_dict` returned."""

    def __len__(self) -> int: ...


class ReplayCollector(SteppingCollector[D]):
    """Fills a replay buffer and yields batches sampled from it.

    *Warm-up*: the first `warm_up` transitions take actions drawn uniformly from the action space,
    and no batch is yielded. A collector made later, with `env_steps` transitions behind it, first
    fills its empty buffer with as many transitions of its agent.

    *Pace*: from then on every transition adds `updates_per_step` to a debt, and batches are yielded
    until it is below one.

    Args:
        env, agent: See `SteppingCollector`.
        buffer: Takes the rows, such as `ExperienceReplayBuffer(None, capacity)`. Of a prioritized
            one, β moves by its `update_beta`, from the end of the warm-up on.
        gamma: Discount per step, in [0, 1].
        n_steps: Environment steps in a row.
        batch_size: Rows in a batch.
        updates_per_step: Batches per transition, above 0.
        warm_up: Transitions before the first batch.
        action_space: Of the agent's actions; None takes the environment's.
        env_actions: Turns the agent's actions into the environment's; None: they are equal.
        rng: A generator or seed of the warm-up's actions.
        **stepping: on_steps, env_steps, env_seed, truncation, check_finite, max_steps.

    Raises:
        ValueError, TypeError: an argument that makes no sense, named in the text.
    """

    _saved = (*SteppingCollector._saved, "_debt", "_filled_at", "_rng_state", "_rows")

    def __init__(
        self,
        env: Any,
        agent: Agent,
        buffer: ReplayBuffer[D],
        *,
        gamma: float,
        n_steps: int = 1,
        batch_size: int = 32,
        updates_per_step: float = 1.0,
        warm_up: int = 0,
        action_space: spaces.Space[Any] | None = None,
        env_actions: Callable[[Any], Any] | None = None,
        rng: np.random.Generator | int | None = None,
        **stepping: Any,
    ) -> None:
        n_steps = whole_number("n_steps", n_steps)
        spec = WindowSpec(n_step=n_steps, gamma=unit_interval("gamma", gamma))
        super().__init__(env, agent, spec, **stepping)
        self.buffer = buffer
        self.batch_size = whole_number("batch_size", batch_size)
        check_above_zero("updates_per_step", updates_per_step)
        self.updates_per_step = updates_per_step
        self.warm_up = whole_number("warm_up", warm_up, least=0)
        space = self._stepper.space("action") if action_space is None else action_space
        if warm_up and space is None:
            raise ValueError("action_space must be given for a warm-up, as env has none")
        self._uniform = UniformPolicy(agent, space, as_generator(rng), env_actions)
        self._filled_at = self.env_steps + warm_up
        self._debt = 0.0
        self._prioritized: Any = buffer if hasattr(buffer, "update_priorities") else None
        self._indices: Any = None

    @property
    def phase(self) -> Phase:
        """Warm-up until the buffer is filled."""
        return "warm-up" if self.env_steps < self._filled_at else "training"

    @property
    def metrics(self) -> dict[str, float]:
        """`beta` of a prioritized buffer."""
        return {} if self._prioritized is None else {"beta": self._prioritized.beta}

    def held_out(self, n: int, rng: np.random.Generator) -> Any:
        """Observations of n different rows of the buffer, or of all, for diagnostics.

        An array (n, *obs), or a list of observations that are no arrays.
        """
        rows: Any = self.buffer
        slots = rng.choice(len(rows), min(n, len(rows)), replace=False)
        states = [rows.buffer[slot].state for slot in slots.tolist()]
        return np.stack(states) if isinstance(states[0], np.ndarray) else states

    @property
    def _rows(self) -> dict[str, Any]:
        return self.buffer.state_dict()

    @_rows.setter
    def _rows(self, state: dict[str, Any]) -> None:
        self.buffer.load_state_dict(state)

    @property
    def _rng_state(self) -> dict[str, Any]:
        return generator_state(self._uniform.rng)

    @_rng_state.setter
    def _rng_state(self, state: dict[str, Any]) -> None:
        check_generator_state(self._uniform.rng, state, "state['rng']")
        self._uniform.rng.bit_generator.state = state

    def _collect(self, most: int) -> int:
        before, filling = self.env_steps, self.phase == "warm-up"
        steps = min(most, self._steps_to_go())
        rows = self._step(self._uniform if before < self.warm_up else self.agent, steps)
        if rows is not None:
            self.buffer.insert(rows)
        # Long windows give their first row later than the first transition.
        if not filling and len(self.buffer):
            self._debt += (self.env_steps - before) * self.updates_per_step
        return steps

    def _steps_to_go(self) -> int:
        """Steps of every environment until a phase ends or a batch is due, up to a few.

        Their rows enter the buffer together, which costs less.
        """
        if self.env_steps < self.warm_up:
            transitions: float = self.warm_up - self.env_steps
        elif self.env_steps < self._filled_at:
            transitions = self._filled_at - self.env_steps
        elif len(self.buffer):
            transitions = (1 - _ROUNDING - self._debt) / self.updates_per_step
        else:
            return 1
        return min(_MANY_STEPS, math.ceil(transitions / self._stepper.count))

    def _item(self) -> D | None:
        if self._debt < 1 - _ROUNDING:
            return None
        if self._prioritized is not None:
            self._prioritized.update_beta(max(0, self.env_steps - self.warm_up))
        batch = self.buffer.sample_batch(self.batch_size)
        self._debt -= 1
        self._indices = getattr(batch, "indices", None)
        return batch

    def _settle(self, update: Update | None) -> None:
        if self._prioritized is None or update is None or update.priorities is None:
            return
        priorities = update.priorities
        if isinstance(priorities, Tensor):
            priorities = priorities.numpy(force=True)
        self._prioritized.update_priorities(self._indices, priorities)

    def _drop(self) -> None:
        pass  # rows that are complete stay in the buffer


class UniformPolicy:
    """Draws actions uniformly from a space, in place of an agent whose states it passes on.

    Where a space has no bounds, they are drawn as Gymnasium samples it; but always from `rng`.
    """

    def __init__(
        self,
        agent: Agent,
        space: spaces.Space[Any] | None,
        rng: np.random.Generator,
        env_actions: Callable[[Any], Any] | None = None,
    ) -> None:
        self._space = copy.deepcopy(space)  # it is seeded here for every draw
        self.rng = rng
        self._env_actions = env_actions
        self.initial_state = getattr(agent, "initial_state", lambda: None)

    def __call__(self, observations: Any, agent_states: Any) -> tuple[Any, Any]:
        """Actions that environments take."""
        return self.step(observations, agent_states)[1:3]

    def step(self, observations: Any, agent_states: Any) -> PolicyStep:  # noqa: ARG002
        """A random decision for each agent state."""
        actions = self._draw(len(agent_states))
        env_actions = actions if self._env_actions is None else self._env_actions(actions)
        return PolicyStep(actions, env_actions, agent_states, {})

    def _draw(self, count: int) -> Any:
        space = self._space
        if isinstance(space, spaces.Discrete):
            return self.rng.integers(space.start, space.start + space.n, count)
        assert space is not None
        drawn = []
        for seed in self.rng.integers(2**31, size=count).tolist():
            space.seed(seed)
            drawn.append(space.sample())
        return np.stack(drawn) if isinstance(drawn[0], np.ndarray) else drawn
