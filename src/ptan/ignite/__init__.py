"""Run the blocks of `ptan` under a PyTorch Ignite engine.

`setup_ignite` attaches all handlers, with printed lines and TensorBoard. They may be attached in
any order. What they measure is set where they were attached; the events they fire come after all
other `ITERATION_COMPLETED` handlers that were attached before the run, so that a logger sees this
iteration's metrics. A logger can only be attached to an event after the handler that fires it.

Needs the extra `ptan[ignite]`.
"""

from importlib import import_module

try:
    import_module("ignite.engine")
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'ptan.ignite needs PyTorch Ignite: pip install "ptan[ignite]"', name=error.name
    ) from error

from ptan.ignite.episodes import EndOfEpisodeHandler, EpisodeSource
from ptan.ignite.events import EpisodeEvents, PeriodEvents, PeriodicEvents
from ptan.ignite.setup import setup_ignite
from ptan.ignite.speed import EpisodeFPSHandler

__all__ = [
    "EndOfEpisodeHandler",
    "EpisodeEvents",
    "EpisodeFPSHandler",
    "EpisodeSource",
    "PeriodEvents",
    "PeriodicEvents",
    "setup_ignite",
]
