"""The network of a run, to be watched or evaluated."""

from pathlib import Path
from typing import Any, NamedTuple

from ptan.runs import state
from ptan.runs.environments import close, make_one, spaces_of
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig

__all__ = ["LoadedAgent", "load_agent"]


class LoadedAgent(NamedTuple):
    """A greedy agent, the settings and steps of its run, and lines about damaged checkpoints."""

    config: RunConfig
    agent: Any
    env_steps: int
    warnings: list[str]


def load_agent(path: Path | str, device: str | None = None) -> LoadedAgent:
    """Load the greedy agent of a run's newest intact checkpoint, onto `device`, or the run's.

    Raises:
        RunError: no run folder, no intact checkpoint, or no such device or environment here.
    """
    folder = RunFolder.open(path)
    config = folder.read_config()
    if device is not None:
        config = state.changed(config, {"device": device})
    saved = state.load(folder)
    env = make_one(config.settings, None)
    try:
        algorithm = make_algorithm(config, *spaces_of(env))
    finally:
        close(env)
    try:
        algorithm.load_state_dict(saved.parts["algorithm"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{saved.path} does not fit the settings of the run: {error}") from error
    return LoadedAgent(config, algorithm.greedy_agent(), algorithm.env_steps, saved.warnings)
