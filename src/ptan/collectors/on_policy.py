"""What the agent did as it is now: rollouts, whole episodes, small batches of rows."""

from dataclasses import replace
from typing import ClassVar, TypeVar, Unpack

import numpy as np

from ptan.actions.policy import Agent
from ptan.collectors.base import Stepping, SteppingCollector
from ptan.common.checks import whole_number
from ptan.common.types import Envs
from ptan.experience.flags import EPISODE_OVER
from ptan.experience.recorder import Episodes, RecordedStep, Rollout, joined, record, stacked
from ptan.experience.shares import begin_shares, count_ended
from ptan.experience.transitions import Transitions
from ptan.replay.batch import Batch
from ptan.replay.buffer import ExperienceReplayBuffer

R = TypeVar("R", bound=Rollout)


class _RecordingCollector(SteppingCollector[R]):
    """Records its steps, puts them together as an item, and keeps nothing for the next one."""

    _saved_with_episodes: ClassVar[tuple[str, ...]] = ("_steps",)

    def __init__(self, env: Envs, agent: Agent, gamma: float, **stepping: Unpack[Stepping]) -> None:
        super().__init__(env, agent, gamma, 1, **stepping)
        self._steps: list[RecordedStep] = []

    def _collect(self, most: int) -> int:
        stepper, before = self._stepper, self._stepper.tape.t
        try:
            super()._collect(most)
            self._steps.append(record(stepper))
            self._look()
        except BaseException:
            if stepper.tape.t != before:  # the item would lack a step: all episodes begin anew
                stepper.needs_reset = True
            raise
        return 1

    def _look(self) -> None:
        """Take note of what the newest step ended."""

    def _joined(self) -> Rollout:
        steps, self._steps = self._steps, []  # also where they cannot be joined
        return joined(steps, self._stepper, self.gamma)

    def _drop(self) -> None:
        self._steps = []


class RolloutCollector(_RecordingCollector[Rollout]):
    """Yields `steps` steps of every environment; nothing is kept for the next rollout.

    Args:
        env, gamma: See `SteppingCollector`.
        agent: One with a critic, such as `ActorCriticAgent`, gives values and log-probabilities.
        steps: T.
        **stepping: See `ptan.collectors.Stepping`.
    """

    _saved_with_episodes = ("_steps", "_agent_states")

    def __init__(
        self, env: Envs, agent: Agent, *, gamma: float, steps: int, **stepping: Unpack[Stepping]
    ) -> None:
        self.steps = whole_number("steps", steps)
        super().__init__(env, agent, gamma, **stepping)
        self._agent_states: list[object] = []

    def _collect(self, most: int) -> int:
        if not self._steps:
            self._agent_states = list(self._stepper.agent_states)
        return super()._collect(most)

    def _item(self) -> Rollout | None:
        if len(self._steps) < self.steps:
            return None
        return replace(self._joined(), agent_states=self._agent_states)


class EpisodeCollector(_RecordingCollector[Episodes]):
    """Yields whole episodes, each environment its own share; one that is done waits.

    Args:
        env, gamma: See `SteppingCollector`.
        agent: One with a critic, such as `ActorCriticAgent`, gives values.
        episodes: How many in an item; of N environments each plays `episodes / N`, fixed
            beforehand: the first to end would be short ones.
        **stepping: See `ptan.collectors.Stepping`; `max_steps` is 27,000 where it is not given.
    """

    _saved_with_episodes = ("_steps", "_left")

    def __init__(
        self, env: Envs, agent: Agent, *, gamma: float, episodes: int, **stepping: Unpack[Stepping]
    ) -> None:
        self.episodes = whole_number("episodes", episodes)
        stepping.setdefault("max_steps", 27_000)
        super().__init__(env, agent, gamma, **stepping)
        self._left = np.zeros(0)  # episodes that each environment has still to play

    def _collect(self, most: int) -> int:
        if not self._steps:
            self._left = begin_shares(self._stepper, self.episodes)
        return super()._collect(most)

    def _look(self) -> None:
        count_ended(self._stepper, self._left)

    def _item(self) -> Episodes | None:
        if not self._steps or self._left.any():
            return None
        flags = stacked(self._steps, "flags")
        rollout = self._joined()
        envs, times = np.nonzero(rollout.valid.T)
        over = flags[times, envs] & EPISODE_OVER
        lengths = np.diff(np.flatnonzero(over), prepend=-1)
        return Episodes(**rollout.mapped(lambda part: part[times, envs]), lengths=lengths)


class TransitionCollector(SteppingCollector[Batch]):
    """Yields batches of n-step rows, each row once, in the order in which they were made.

    One step of many environments can make more rows than a batch takes: the rest waits, and is
    learned from after the agent has changed. With 50 games, batches of 32 and four reward steps, as
    the textbook has them, rows are at most two updates older than the agent.

    Args:
        env, agent, gamma, n_steps: See `SteppingCollector`.
        batch_size: Rows in a batch.
        **stepping: See `ptan.collectors.Stepping`.
    """

    _saved = (*SteppingCollector._saved, "_buffer", "_made", "_yielded")

    def __init__(
        self,
        env: Envs,
        agent: Agent,
        *,
        gamma: float,
        batch_size: int,
        n_steps: int = 1,
        **stepping: Unpack[Stepping],
    ) -> None:
        self.batch_size = whole_number("batch_size", batch_size)
        super().__init__(env, agent, gamma, n_steps, **stepping)
        # A step may complete all windows of all environments.
        self._buffer = ExperienceReplayBuffer(None, batch_size + self._stepper.count * n_steps)
        self._made = 0
        self._yielded = 0

    def _keep(self, rows: Transitions) -> None:
        self._buffer.insert(rows)
        self._made += len(rows)

    def _item(self) -> Batch | None:
        end = self._yielded + self.batch_size
        if self._made < end:
            return None
        batch = self._buffer.take(np.arange(self._yielded, end))
        self._yielded = end
        return batch

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere, seeded anew; rows that wait are dropped."""
        super().restart(env_seed)
        self._yielded = self._made
