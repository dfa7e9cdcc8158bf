"""The network of a run, to be watched or evaluated."""

from pathlib import Path
from typing import NamedTuple

from ptan.actions.policy import Agent
from ptan.runs.environments import close, evaluation_environments, spaces_of
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig
from ptan.runs.state import load_checkpoint

__all__ = ["LoadedAgent", "load_agent"]


class LoadedAgent(NamedTuple):
    """A greedy agent, the settings and steps of its run, and lines about damaged checkpoints."""

    config: RunConfig
    agent: Agent
    env_steps: int
    warnings: list[str]


def load_agent(path: Path | str, device: str | None = None) -> LoadedAgent:
    """Load the greedy agent of a run's newest intact checkpoint, onto `device`, or the run's.

    Raises:
        RunError: no run folder, no intact checkpoint, or no such device or environment here.
    """
    folder = RunFolder(path)
    config = folder.read_config().changed({} if device is None else {"device": device})
    saved, _ = load_checkpoint(folder)
    envs = evaluation_environments(config.settings)
    try:
        algorithm = make_algorithm(config, *spaces_of(envs))
        algorithm.load_state_dict(saved.state["algorithm"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{saved.path} does not fit the settings of the run: {error}") from error
    finally:
        close(envs)
    return LoadedAgent(config, algorithm.greedy_agent(), algorithm.env_steps, saved.warnings)
