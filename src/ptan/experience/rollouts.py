"""Rollouts of fixed length from many environments, for actor-critic methods."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptan.common.checks import unit_interval, whole_number
from ptan.experience.flags import ENDED, NO_TRANSITION, TRUNCATED
from ptan.experience.layout import Array, row_values, unflatten
from ptan.experience.rows import Experience
from ptan.experience.source_state import ResumableSource
from ptan.experience.sources import (
    EpisodeStatistics,
    Truncation,
    checked_agent,
    make_stepper,
)
from ptan.experience.stepping import Stepper
from ptan.experience.stream import FinishedEpisodes, Seat
from ptan.experience.tape import Cut, Tape
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


class ExperienceSourceRollouts(ResumableSource, EpisodeStatistics):
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
        cut = Cut(Experience, joined=True, n=1, delta=1, gamma=self.gamma)
        self._stepper = make_stepper(
            env,
            agent,
            cut,
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )
        self._finished: FinishedEpisodes = []
        self._seat = Seat()

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        return self._stepper.agent

    @agent.setter
    def agent(self, agent: Any) -> None:
        self._stepper.agent = checked_agent(agent)

    def __iter__(self) -> Iterator[Rollouts]:
        return _RolloutStream(self)

    def _made(self) -> dict[str, Any]:
        return {**super()._made(), "items": "Rollouts", "steps_count": self.steps_count}


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


class _RolloutStream(Iterator[Rollouts]):
    """One run through a rollout source, from a fresh start.

    Environments may be uneven: a reset step of a NEXT_STEP vector environment is no transition. The
    others' surplus steps wait for the next rollout.
    """

    def __init__(self, source: ExperienceSourceRollouts) -> None:
        self._source = source
        self._stepper = source._stepper
        self.seated = False
        self._begun = False
        self._blocks: list[_Block] = []
        self._open = np.empty((0, self._stepper.count), np.bool_)  # steps not delivered yet
        self._pending: FinishedEpisodes = []

    def __next__(self) -> Rollouts:
        source, stepper = self._source, self._stepper
        source._seat.claim(self)
        self.close()
        if not self._begun or stepper.torn:
            stepper.begin()
            self._begun = True
            self._blocks, self._open = [], self._open[:0]
        while not len(self._open) or self._open.sum(axis=0).min() < source.steps_count:
            self._step()
        return self._collect()

    def progress(self) -> dict[str, Any]:
        """What the rollouts to come depend on, beside the environments and the tape."""
        return {
            "begun": self._begun,
            "blocks": list(self._blocks),
            "open": self._open,
            "pending": list(self._pending),
        }

    def go_on(self, progress: dict[str, Any]) -> None:
        """Go on where another stream was; from a fresh start if nothing is said."""
        self._begun = progress.get("begun", False)
        self._blocks = progress.get("blocks", [])
        self._open = progress.get("open", self._open[:0])
        self._pending = progress.get("pending", [])

    def close(self) -> None:
        """Show the finished episodes: somebody asks beyond them."""
        self._source._finished.extend(self._pending)
        self._pending = []

    def _step(self) -> None:
        stepper, tape = self._stepper, _tape(self._stepper)
        stepper.step()
        stepper.torn = True  # until the step is kept: without it, all begin anew
        flaw = tape.first_flaw() if stepper.check_finite else None
        if flaw is not None:
            raise ValueError(flaw)
        _, episodes = tape.cut_rows()
        self._pending += [(total, int(steps)) for total, steps, _ in episodes.tolist()]
        base = (tape.t - 1) % tape.ring * tape.count
        part = slice(base, base + tape.count)
        flags = tape.flags[part].copy()
        self._blocks.append(
            _Block(
                states=[frames[part].copy() for frames in tape.frames],
                actions=tape.actions[part].copy(),
                rewards=tape.rewards[part].sum(axis=1),
                values=_values(stepper.given_states, tape.count),
                final_values=self._final_values(tape, base, flags),
                flags=flags,
            )
        )
        self._open = np.vstack([self._open, flags & NO_TRANSITION == 0])
        stepper.torn = False

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
            values[cut_off] = _ask(stepper, finals, [stepper.given_states[e] for e in cut_off])
        return values

    def _collect(self) -> Rollouts:
        """The oldest steps of each environment, as many as a rollout has."""
        tape, blocks = _tape(self._stepper), self._blocks
        length, gamma, envs = self._source.steps_count, self._source.gamma, np.arange(tape.count)
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


def _tape(stepper: Stepper) -> Tape:
    if stepper.tape is None:
        raise RuntimeError("the environments were not reset yet")
    return stepper.tape


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
