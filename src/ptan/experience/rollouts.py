"""Rollouts of fixed length from many environments, for actor-critic methods."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptan.common.checks import unit_interval, whole_number
from ptan.experience.flags import ENDED, NO_TRANSITION, TRUNCATED
from ptan.experience.layout import Array, row_values, unflatten
from ptan.experience.rows import Experience
from ptan.experience.sources import EpisodeStatistics
from ptan.experience.state import plain
from ptan.experience.stepping import Stepper, Truncation, WindowSpec, make_stepper
from ptan.experience.stream import Runs, SourceIterator
from ptan.experience.tape import Tape
from ptan.experience.vector import VectorStepper


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

    A truncated episode bootstraps from the value of its true final observation.

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
        # The tape only counts episodes here; a rollout is collected from its single steps.
        spec = WindowSpec(row_class=Experience, gamma=self.gamma)
        self._stepper = make_stepper(
            env,
            agent,
            spec,
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )
        self._stream = _RolloutStream(self._stepper, self.gamma, self.steps_count)
        self._runs = Runs(self._stream.start)

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        return self._stepper.agent

    @agent.setter
    def agent(self, agent: Any) -> None:
        self._stepper.agent = agent

    def __iter__(self) -> Iterator[Rollouts]:
        return SourceIterator(self._runs, self._stream.next_rollouts)

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        finished, self._stream.finished = self._stream.finished, []
        return finished

    def state_dict(self) -> dict[str, Any]:
        """See `ExperienceSource.state_dict`."""
        stream, stepper = self._stream.state_dict(), self._stepper.state_dict()
        return {"steps_count": self.steps_count, "stepper": stepper, "stream": stream}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `ExperienceSource.load_state_dict`."""
        try:
            if state["steps_count"] != self.steps_count:
                raise ValueError(f"state must be of a source with steps_count={self.steps_count}")
            stream, stepper = plain(state["stream"], "state"), state["stepper"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self._stepper.load_state_dict(stepper)
        self._stream.load_state_dict(stream)
        self._runs.resume()


@dataclass
class _Block:
    """One step of all environments, copied off the tape.

    states (N, *obs) per leaf · actions (N, *action) · rewards, values, final_values (N,) float64
    (final_values: of the true final observation, where truncated) · flags (N,) of the tape
    """

    states: list[Array]
    actions: Array
    rewards: Array
    values: Array
    final_values: Array
    flags: Array


class _RolloutStream:
    """One run through a rollout source, from a fresh start.

    Environments may be uneven: a reset step of a NEXT_STEP vector environment is no transition. The
    others' surplus steps wait for the next rollout.
    """

    def __init__(self, stepper: Stepper, gamma: float, steps_count: int) -> None:
        self._stepper, self._gamma, self._steps_count = stepper, gamma, steps_count
        self.finished: list[tuple[float, int]] = []
        self._pending: list[tuple[float, int]] = []
        self.start()

    def start(self) -> None:
        """Begin new episodes everywhere before the next rollout."""
        self._close()
        self._blocks: list[_Block] = []
        self._open = np.empty((0, self._stepper.count), np.bool_)  # steps not delivered yet
        self._stepper.needs_reset = True

    def next_rollouts(self) -> Rollouts:
        """The next steps of every environment."""
        self._close()
        if self._stepper.needs_reset:
            self._stepper.begin()
            self._blocks, self._open = [], self._open[:0]
        while not len(self._open) or self._open.sum(axis=0).min() < self._steps_count:
            self._step()
        return self._collect()

    def state_dict(self) -> dict[str, Any]:
        """What the rollouts to come depend on, beside the stepper."""
        blocks = [vars(block) for block in self._blocks]
        values = {
            "blocks": blocks,
            "open": self._open,
            "pending": self._pending,
            "finished": self.finished,
        }
        return {name: plain(value, name) for name, value in values.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another stream was."""
        self._blocks = [_Block(**block) for block in state["blocks"]]
        self._open = state["open"]
        self._pending, self.finished = list(state["pending"]), list(state["finished"])

    def _close(self) -> None:
        """Show the finished episodes: the rollout after them is asked for."""
        self.finished.extend(self._pending)
        self._pending = []

    def _step(self) -> None:
        stepper, tape = self._stepper, self._stepper.tape
        stepper.step()
        stepper.needs_reset = True  # until the step is kept: without it, all begin anew
        if (flaw := stepper.first_flaw()) is not None:
            raise ValueError(flaw)
        _, episodes = stepper.cut()
        self._pending += [(total, int(steps)) for total, steps, _ in episodes.tolist()]
        part = tape.newest
        flags = tape.flags[part].copy()
        self._blocks.append(
            _Block(
                states=[frames[part].copy() for frames in tape.frames],
                actions=tape.actions[part].copy(),
                rewards=tape.rewards[part].sum(axis=1),
                values=_values(stepper.last.states, tape.count),
                final_values=self._final_values(tape, part.start, flags),
                flags=flags,
            )
        )
        self._open = np.vstack([self._open, flags & NO_TRANSITION == 0])
        stepper.needs_reset = False

    def _final_values(self, tape: Tape, base: int, flags: Array) -> Array:
        """The agent's values of final observations, where an episode was truncated."""
        values = np.zeros(tape.count)
        cut_off = np.flatnonzero(flags & ENDED == TRUNCATED)
        if len(cut_off):
            stepper = self._stepper
            numbers = tape.ring * tape.count + base + cut_off
            parts = [frames[numbers] for frames in tape.frames]
            finals: Any = row_values(tape.layout, parts)
            if isinstance(stepper, VectorStepper):
                finals = unflatten(tape.layout, parts)
            values[cut_off] = _ask(stepper, finals, [stepper.last.states[e] for e in cut_off])
        return values

    def _collect(self) -> Rollouts:
        """The oldest steps of each environment, as many as a rollout has."""
        tape, blocks = self._stepper.tape, self._blocks
        length, gamma, envs = self._steps_count, self._gamma, np.arange(tape.count)
        chosen = np.argsort(~self._open, axis=0, kind="stable")[:length]  # (T, N) block numbers
        self._open[chosen, envs] = False
        flags, rewards, values, finals = (
            np.stack([getattr(block, name) for block in blocks])[chosen, envs]
            for name in ("flags", "rewards", "values", "final_values")
        )
        following = self._values_after()
        returns = np.empty(rewards.shape)
        for t in range(length - 1, -1, -1):
            following = np.where(flags[t] & ENDED, finals[t], following)  # 0 where terminated
            following = returns[t] = rewards[t] + gamma * following
        if self._stepper.check_finite and not np.isfinite(returns + values).all():
            raise ValueError(
                "agent must return finite values as agent states, got "
                f"{values.tolist()} and returns {returns.tolist()}"
            )
        states = [
            _by_env(np.stack([block.states[i] for block in blocks])[chosen, envs])
            for i in range(len(tape.frames))
        ]
        actions = _by_env(np.stack([block.actions for block in blocks])[chosen, envs])
        spent = int(np.argmax(self._open.any(axis=1))) if self._open.any() else len(blocks)
        self._blocks, self._open = blocks[spent:], self._open[spent:]
        return Rollouts(
            states=unflatten(tape.layout, states),
            actions=actions,
            returns=_by_env(returns).astype(np.float32),
            values=_by_env(values).astype(np.float32),
        )

    def _values_after(self) -> Array:
        """Values of the observations after each environment's last step in the rollout."""
        stepper = self._stepper
        values = _ask(stepper, stepper.observations, stepper.agent_states)
        for e in np.flatnonzero(self._open.any(axis=0)):  # these went on: their next step knows
            values[e] = self._blocks[int(np.argmax(self._open[:, e]))].values[e]
        return values


def _ask(stepper: Stepper, observations: Any, states: Any) -> Array:
    """The agent's values of observations that it does not act on."""
    result = stepper.agent(observations, states)
    try:
        _, values = result
    except (TypeError, ValueError):
        raise TypeError(f"agent must return (actions, agent states), got {result!r}") from None
    return _values(values, len(states))


def _values(states: Any, count: int) -> Array:
    """The agent's values, one float for each of `count` observations."""
    try:
        values = np.array([float(value) for value in states], np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"agent must return its values as agent states, a float each, got {states!r}"
        ) from None
    if len(values) != count:
        raise ValueError(
            f"agent must return one value per observation ({count}), got {len(values)}"
        )
    return values


def _by_env(steps: Array) -> Array:
    """(T, N, …) to (N·T, …), env by env."""
    return np.ascontiguousarray(np.swapaxes(steps, 0, 1)).reshape(-1, *steps.shape[2:])
