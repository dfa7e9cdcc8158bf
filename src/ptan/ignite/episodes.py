"""From a source's finished episodes to the engine's state, metrics and events."""

import math
from typing import NamedTuple, Protocol

from ignite.engine import Engine, EventEnum, Events

from ptan.common.checks import check_finite, unit_interval, whole_number
from ptan.ignite.events import EpisodeEvents, move_last, register


class EpisodeSource(Protocol):
    """Anything that knows which episodes have finished: a source, a collector."""

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(undiscounted reward, steps) of the episodes finished since the last call."""


class _Episode(NamedTuple):
    """One finished episode, as the engine's state shows it while its events are fired."""

    number: int
    reward: float
    steps: int
    avg_reward: float
    avg_steps: float
    events: list[EventEnum]

    def show(self, engine: Engine) -> None:
        state = engine.state
        state.episode, state.episode_reward, state.episode_steps = self[:3]
        names = ("reward", "steps", "avg_reward", "avg_steps")
        state.metrics.update(zip(names, self[1:5], strict=True))


class EndOfEpisodeHandler:
    """Tell the engine about finished episodes.

    After each iteration, for every episode that finished in it, sets `engine.state.episode`
    (counted from 1), `episode_reward`, `episode_steps` and the metrics `reward`, `steps`,
    `avg_reward` and `avg_steps`, then fires in this order:

    * `EPISODE_COMPLETED`;
    * `BOUND_REWARD_REACHED` when `avg_reward` reaches the bound, and again only after it has been
      below the bound in between;
    * `BEST_REWARD_REACHED` when `avg_reward` exceeds its best value so far. The first episode sets
      that value and does not fire.

    The averages are `alpha * average + (1 - alpha) * value`, started with the first episode. They
    and the episode count go on when the engine runs again.

    Args:
        exp_source: An experience source, a collector, or another `EpisodeSource`.
        alpha: Share of the old average that one episode keeps, in [0, 1].
        bound_avg_reward: The bound, a reward per episode; None never fires its event.
        subsample_end_of_episode: Fire `EPISODE_COMPLETED` only for every k-th episode.

    An argument that makes no sense raises TypeError or ValueError.
    """

    def __init__(
        self,
        exp_source: EpisodeSource,
        alpha: float = 0.98,
        bound_avg_reward: float | None = None,
        subsample_end_of_episode: int | None = None,
    ) -> None:
        if not callable(getattr(exp_source, "pop_rewards_steps", None)):
            raise TypeError(f"exp_source must have pop_rewards_steps(), got {type(exp_source)}")
        if bound_avg_reward is not None:
            check_finite("bound_avg_reward", bound_avg_reward)
        every = 1 if subsample_end_of_episode is None else subsample_end_of_episode
        self._exp_source = exp_source
        self._alpha = unit_interval("alpha", alpha)
        self._bound = math.inf if bound_avg_reward is None else bound_avg_reward
        self._every = whole_number("subsample_end_of_episode", every)
        self._latest: _Episode | None = None
        self._best = -math.inf
        self._waiting: list[_Episode] = []

    def attach(self, engine: Engine) -> None:
        """Start handling the episodes of `engine`; attaching it a second time changes nothing."""
        register(engine, EpisodeEvents, "episode")
        if not engine.has_event_handler(self, Events.ITERATION_COMPLETED):
            updated = Events.ITERATION_COMPLETED
            engine.add_event_handler(updated, self)
            engine.add_event_handler(updated, self._fire)
            engine.add_event_handler(Events.STARTED, move_last, updated, self._fire)

    def __call__(self, engine: Engine) -> None:
        """Take the finished episodes from the source and show the latest on the engine's state."""
        for reward, steps in self._exp_source.pop_rewards_steps():
            # Another source's handler may count on this engine, too.
            number = engine.state.episode + 1
            self._latest = self._next(number, float(reward), int(steps))
            self._waiting.append(self._latest)
            self._latest.show(engine)

    def _next(self, number: int, reward: float, steps: int) -> _Episode:
        """Move the averages and decide which events the episode fires."""
        before, alpha = self._latest, self._alpha
        avg_reward, avg_steps, was_above = reward, float(steps), False
        if before is not None:
            avg_reward = alpha * before.avg_reward + (1 - alpha) * reward
            avg_steps = alpha * before.avg_steps + (1 - alpha) * steps
            was_above = before.avg_reward >= self._bound
        due = (
            number % self._every == 0,
            avg_reward >= self._bound and not was_above,
            avg_reward > self._best and before is not None,
        )
        self._best = max(self._best, avg_reward)
        events = [event for event, is_due in zip(EpisodeEvents, due, strict=True) if is_due]
        return _Episode(number, reward, steps, avg_reward, avg_steps, events)

    def _fire(self, engine: Engine) -> None:
        """Show the waiting episodes one after the other and fire the events of each."""
        while self._waiting:
            episode = self._waiting.pop(0)
            episode.show(engine)
            for event in episode.events:
                engine.fire_event(event)
