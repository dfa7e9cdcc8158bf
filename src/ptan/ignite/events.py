"""The events of episodes and iterations, and what all handlers share."""

from collections.abc import Callable, Iterable

from ignite.engine import Engine, EventEnum, Events


class EpisodeEvents(EventEnum):  # type: ignore[misc]  # Ignite's modules are not followed
    """Fired by `EndOfEpisodeHandler`; a logger attached to one logs at the episode's number."""

    EPISODE_COMPLETED = "episode_completed"
    BOUND_REWARD_REACHED = "bound_reward_reached"
    BEST_REWARD_REACHED = "best_reward_reached"


class PeriodEvents(EventEnum):  # type: ignore[misc]  # Ignite's modules are not followed
    """Fired by `PeriodicEvents`; a logger attached to one logs at the iteration."""

    ITERS_10_COMPLETED = "iterations_10_completed"
    ITERS_100_COMPLETED = "iterations_100_completed"
    ITERS_1000_COMPLETED = "iterations_1000_completed"
    ITERS_10000_COMPLETED = "iterations_10000_completed"
    ITERS_100000_COMPLETED = "iterations_100000_completed"


class PeriodicEvents:
    """Fire `PeriodEvents` every 10, 100, 1000, 10000 and 100000 iterations of an engine."""

    def attach(self, engine: Engine) -> None:
        """Start firing; a second attachment, also of another instance, changes nothing."""
        register(engine, PeriodEvents, "iteration")
        if engine.has_event_handler(_fire_periods, Events.ITERATION_COMPLETED):
            return
        # EPOCH_STARTED comes after STARTED, where episodes are put last: a period event then
        # follows the episode events of its iteration.
        engine.add_event_handler(
            Events.EPOCH_STARTED, move_last, Events.ITERATION_COMPLETED, _fire_periods
        )
        engine.add_event_handler(Events.ITERATION_COMPLETED, _fire_periods)


def _fire_periods(engine: Engine) -> None:
    for power, event in enumerate(PeriodEvents, start=1):
        if engine.state.iteration % 10**power == 0:
            engine.fire_event(event)


def register(engine: Engine, events: Iterable[EventEnum], attribute: str) -> None:
    """Let `engine` fire `events`, and loggers find their step in `engine.state.<attribute>`."""
    members = list(events)
    engine.register_events(*members, event_to_attr=dict.fromkeys(members, attribute))


def move_last(engine: Engine, event: EventEnum, handler: Callable[..., None]) -> None:
    """Let `handler` run after all others of `event`, unless it has been removed."""
    if engine.has_event_handler(handler, event):
        engine.remove_event_handler(handler, event)
        engine.add_event_handler(event, handler)
