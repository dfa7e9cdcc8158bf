"""Rollouts of fixed length from many environments, as A3C learns from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from ptan.actions.policy import Agent, PolicyStep
from ptan.common.checks import checked_callable, unit_interval
from ptan.common.types import Array, Envs, Observations
from ptan.experience.answers import checked_decision
from ptan.experience.flags import NO_TRANSITION
from ptan.experience.recorder import RecordedStep, Rollout, joined, map_arrays, record, stacked
from ptan.experience.sources import ExperienceSource, SourceOptions
from ptan.experience.stepper import EndedEpisode
from ptan.experience.stream import SourceIterator
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowSpec


@dataclass
class Rollouts:
    """What each environment did for a fixed number of steps, env by env.

    states   (N·T, *obs)      observations before the actions
    actions  (N·T, *action)
    returns  (N·T,) float32   discounted rewards, bootstrapped with the value after the rollout
    values   (N·T,) float32   the agent's values of the states
    """

    states: Observations
    actions: Array
    returns: Array
    values: Array

    def __iter__(self) -> Iterator[Any]:
        return iter((self.states, self.actions, self.returns, self.values))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return tuple(self)[index]


class ExperienceSourceRollouts(ExperienceSource):
    """Endless rollouts of `steps_count` steps per environment (Mnih et al. 2016, A3C).

        R_t = r_t + γ·R_{t+1},  R after the rollout = V(s), 0 after a termination

    A truncated episode bootstraps from the value of its true final observation. Environments may be
    uneven, as a reset step of a vector environment is no transition: surplus steps of the others
    wait for the next rollout.

    Args:
        env: one environment, a list of them, or a Gymnasium `VectorEnv`.
        agent: returns its values of the observations as agent states (`ActorCriticAgent`).
        gamma: discount per step, in [0, 1].
        steps_count: steps of each environment in a rollout.
        vectorized, env_seed, **options: see `ExperienceSource`.
    """

    _steps: list[RecordedStep]  # delivered places are flagged as no transition

    def __init__(
        self,
        env: Envs,
        agent: Agent,
        gamma: float,
        steps_count: int = 5,
        *,
        vectorized: bool = False,
        env_seed: int | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self.gamma: float = unit_interval("gamma", gamma)
        agent = _ValuesInStates(agent)
        super().__init__(env, agent, steps_count, 1, vectorized, env_seed, **options)

    def _spec(self) -> WindowSpec:
        return WindowSpec(gamma=self.gamma)

    @property
    def agent(self) -> Agent:
        """Who acts; another agent acts from the next step on."""
        agent: Agent = self._stepper.agent.agent
        return agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._stepper.agent = _ValuesInStates(agent)

    def __iter__(self) -> Iterator[Rollouts]:
        return SourceIterator(self, self._next_rollout)

    def _drop(self) -> None:
        super()._drop()
        self._steps = []

    def _keep(self, rows: Transitions | None, episodes: list[EndedEpisode]) -> None:  # noqa: ARG002
        self._episodes += episodes
        if self._stepper.needs_reset:
            self._steps = []

    def _next_rollout(self) -> Rollouts:
        """The oldest steps of each environment, as many as a rollout has."""
        self._show()
        while self._complete() < self.steps_count:
            self._step(1)
            self._steps.append(record(self._stepper))
        try:
            made = joined(self._steps, self._stepper, self.gamma)
        except Exception:  # steps whose values are wrong must not come again
            self._start()
            raise
        left = made.valid
        steps = np.argsort(~left, axis=0, kind="stable")[: self.steps_count].T  # (N, T)
        envs = np.arange(self._stepper.count)[:, None]
        left[steps, envs] = False
        for step, here in zip(self._steps, left, strict=True):
            step["flags"][~here] |= NO_TRANSITION
        self._steps = [step for step, here in zip(self._steps, left, strict=True) if here.any()]
        return _rollouts(Rollout(**made.mapped(lambda column: column[steps, envs])))

    def _complete(self) -> int:
        """Steps not delivered yet, of the environment that has the fewest."""
        if not self._steps:
            return 0
        return int((stacked(self._steps, "flags") & NO_TRANSITION == 0).sum(axis=0).min())


def _rollouts(made: Rollout) -> Rollouts:
    """What was made, as columns (N, T), with the discounted return of every step."""
    ended = made.terminated | made.truncated
    returns = made.rewards + made.discounts * made.next_values
    for t in range(returns.shape[1] - 2, -1, -1):
        going_on = made.rewards[:, t] + made.discounts[:, t] * returns[:, t + 1]
        returns[:, t] = np.where(ended[:, t], returns[:, t], going_on)
    parts = (made.states, made.actions, returns.astype(np.float32), made.values.astype(np.float32))
    return Rollouts(*map_arrays(lambda column: column.reshape(-1, *column.shape[2:]), parts))


class _ValuesInStates:
    """An agent whose states are its values, as a policy with a critic."""

    def __init__(self, agent: Agent) -> None:
        self.agent = checked_callable("agent", agent)
        self.initial_state = getattr(agent, "initial_state", lambda: None)

    def __call__(self, observations: Observations, agent_states: Any) -> tuple[Any, Any]:
        return self.step(observations, agent_states)[1:3]

    def step(self, observations: Observations, agent_states: Any) -> PolicyStep:
        result = self.agent(observations, agent_states)
        actions, states = checked_decision(result, len(agent_states))
        try:
            values = np.array([float(value) for value in states], np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"agent must return its values as agent states, a float each, got {states!r}"
            ) from None
        return PolicyStep(actions, actions, states, {"values": values})

    def values(self, observations: Observations, agent_states: Any) -> Array:
        values: Array = self.step(observations, agent_states).columns["values"]
        return values
