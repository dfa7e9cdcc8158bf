"""Rollouts of fixed length from many environments, as A3C learns from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptan.actions.policy import PolicyStep
from ptan.common.checks import checked_callable, unit_interval, whole_number
from ptan.experience.answers import checked_decision
from ptan.experience.collectors.recorder import RecordedStep, joined, mapped, record
from ptan.experience.flags import ENDED, NO_TRANSITION, TERMINATED
from ptan.experience.layout import Array
from ptan.experience.sources import EpisodeStatistics
from ptan.experience.state import plain
from ptan.experience.stepping import Truncation, WindowSpec, make_stepper
from ptan.experience.stream import Runs, SourceIterator, Stream


@dataclass
class Rollouts:
    """What each environment did for a fixed number of steps, env by env.

    states   (N·T, *obs)      observations before the actions
    actions  (N·T, *action)
    returns  (N·T,) float32   discounted rewards, bootstrapped with the value after the rollout
    values   (N·T,) float32   the agent's values of the states
    """

    states: Any
    actions: Array
    returns: Array
    values: Array

    def __iter__(self) -> Iterator[Any]:
        return iter((self.states, self.actions, self.returns, self.values))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return tuple(self)[index]


class ExperienceSourceRollouts(EpisodeStatistics):
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
        vectorized, env_seed, truncation, check_finite: see `ExperienceSource`.

    Raises:
        ValueError, TypeError: an argument that makes no sense, named in the text.
    """

    def __init__(
        self,
        env: Any,
        agent: Any,
        gamma: float,
        steps_count: int = 5,
        *,
        vectorized: bool = False,
        env_seed: int | None = None,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
    ) -> None:
        self.env = env
        self.gamma = unit_interval("gamma", gamma)
        self.steps_count = whole_number("steps_count", steps_count)
        self._stepper = make_stepper(
            env,
            _ValuesInStates(agent),
            WindowSpec(gamma=self.gamma),
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )
        self._stream = Stream(self._stepper)
        self._steps: list[RecordedStep] = []  # delivered places are flagged as no transition
        self._finished: list[tuple[float, int]] = []
        self._runs = Runs(self._start)

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        wrapped: _ValuesInStates = self._stepper.agent
        return wrapped.agent

    @agent.setter
    def agent(self, agent: Any) -> None:
        self._stepper.agent = _ValuesInStates(agent)

    def __iter__(self) -> Iterator[Rollouts]:
        return SourceIterator(self._runs, self._next)

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        finished, self._finished = self._finished, []
        return finished

    def state_dict(self) -> dict[str, Any]:
        """See `ExperienceSource.state_dict`."""
        values = {"steps": self._steps, "finished": self._finished}
        return {
            "steps_count": self.steps_count,
            "stream": self._stream.state_dict(),
            "values": plain(values, "state"),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `ExperienceSource.load_state_dict`."""
        try:
            if state["steps_count"] != self.steps_count:
                raise ValueError(f"state must be of a source with steps_count={self.steps_count}")
            values, stream = plain(state["values"], "state"), state["stream"]
            steps, finished = values["steps"], values["finished"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self._stream.load_state_dict(stream)
        self._steps, self._finished = steps, finished
        self._runs.resume()

    def _start(self) -> None:
        self._stream.start()
        self._steps = []

    def _next(self) -> Rollouts:
        """The oldest steps of each environment, as many as a rollout has."""
        # An episode is shown when the rollout after it is asked for.
        self._finished += self._stream.pop_rewards_steps()
        while not self._steps or self._open().sum(axis=0).min() < self.steps_count:
            try:
                self._stream.advance(1)
            finally:
                if self._stepper.needs_reset:
                    self._steps = []
            self._steps.append(record(self._stepper))
        try:
            columns = joined(self._steps, self._stepper, self.gamma)
        except ValueError:  # steps whose values are wrong must not come again
            self._start()
            raise
        opened, envs = columns["valid"], np.arange(self._stepper.count)
        chosen = np.argsort(~opened, axis=0, kind="stable")[: self.steps_count]  # (T, N)
        rollouts = self._rollouts(columns, (chosen, envs))
        opened[chosen, envs] = False
        for step, left in zip(self._steps, opened, strict=True):
            step["flags"][~left] |= NO_TRANSITION
        spent = int(opened.any(axis=1).argmax()) if opened.any() else len(opened)
        self._steps = self._steps[spent:]
        return rollouts

    def _open(self) -> Array:
        """(steps, N) bool: what was not delivered yet."""
        opened: Array = np.stack([step["flags"] for step in self._steps]) & NO_TRANSITION == 0
        return opened

    def _rollouts(self, columns: dict[str, Any], places: tuple[Array, Array]) -> Rollouts:
        ended, terminated = (
            np.stack([step["flags"] & bits != 0 for step in self._steps])[places]
            for bits in (ENDED, TERMINATED)
        )
        rewards = np.stack([step["rewards"] for step in self._steps])[places]
        next_values = np.where(terminated, 0.0, columns["next_values"][places])
        returns = rewards + self.gamma * next_values
        for t in range(len(returns) - 2, -1, -1):
            going_on = rewards[t] + self.gamma * returns[t + 1]
            returns[t] = np.where(ended[t], returns[t], going_on)
        return Rollouts(
            states=mapped(columns["states"], lambda part: _by_env(part[places])),
            actions=_by_env(columns["actions"][places]),
            returns=_by_env(returns).astype(np.float32),
            values=_by_env(columns["values"][places]).astype(np.float32),
        )


class _ValuesInStates:
    """An agent whose states are its values, as a policy with a critic."""

    def __init__(self, agent: Any) -> None:
        self.agent = checked_callable("agent", agent)
        self.initial_state = getattr(agent, "initial_state", lambda: None)

    def __call__(self, observations: Any, agent_states: Any) -> tuple[Any, Any]:
        return self.step(observations, agent_states)[1:3]

    def step(self, observations: Any, agent_states: Any) -> PolicyStep:
        result = self.agent(observations, agent_states)
        actions, states = checked_decision(result, len(agent_states))
        try:
            values = np.array([float(value) for value in states], np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"agent must return its values as agent states, a float each, got {states!r}"
            ) from None
        return PolicyStep(actions, actions, states, {"values": values})

    def values(self, observations: Any, agent_states: Any) -> Array:
        values: Array = self.step(observations, agent_states).columns["values"]
        return values


def _by_env(steps: Array) -> Array:
    """(T, N, …) to (N·T, …), env by env."""
    return np.ascontiguousarray(np.swapaxes(steps, 0, 1)).reshape(-1, *steps.shape[2:])
