"""The algorithm of a run, made from its settings, and its greedy agent."""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from ptan.algorithms.protocol import Algorithm
from ptan.runs import state
from ptan.runs.environments import check_spaces, close, make_one, spaces_of
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.settings import RunConfig

__all__ = ["LoadedAgent", "choose_device", "differences", "load_agent", "make_algorithm"]


def make_algorithm(config: RunConfig, observations: Any, actions: Any) -> Algorithm[Any]:
    """The algorithm of a run for the spaces of its environment.

    Raises:
        RunError: an unfit space, setting or device.
    """
    device = choose_device(config.settings.device)
    env_id = config.settings.env_id
    check_spaces(config.algorithm, config.entry, env_id, actions)
    try:
        made: Algorithm[Any] = config.entry.algorithm(
            observations, actions, config.config, device=device
        )
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{config.algorithm} does not fit {env_id}: {reason}") from error
    return made


def differences(algorithm: Any) -> list[str]:
    """What an algorithm does otherwise than its settings say, in a line each."""
    wanted, got = (getattr(one, "mixed_precision", False) for one in (algorithm.config, algorithm))
    if wanted and not got:
        return ["mixed precision: float32 is used, as this device only imitates bfloat16"]
    return []


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is the first CUDA device, or else the CPU.

    Raises:
        RunError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"device must be one that is there, got {name!r}: {reason}") from None
    return device


class LoadedAgent(NamedTuple):
    """A greedy agent with what it comes from.

    config      settings of its run
    agent       acts without exploration
    env_steps   of training, up to the checkpoint
    warnings    about checkpoints that were damaged
    """

    config: RunConfig
    agent: Any
    env_steps: int
    warnings: list[str]


def load_agent(path: Path | str, device: str | None = None) -> LoadedAgent:
    """Load the greedy agent of a run's newest intact checkpoint.

    Args:
        path: The run's folder.
        device: Where the network shall live; None takes the run's.

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
