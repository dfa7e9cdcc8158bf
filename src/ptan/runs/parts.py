"""The working parts of a run, made from its settings."""

from dataclasses import dataclass
from typing import Any

import torch

from ptan.runs.environments import check_spaces, close, spaces_of, training_environments
from ptan.runs.errors import RunError
from ptan.runs.seeds import NEW_EPISODES, derived_seed
from ptan.runs.settings import RunConfig

__all__ = ["Parts", "choose_device", "differences", "make_algorithm"]


@dataclass
class Parts:
    """Everything that training needs.

    Args:
        env: What the source steps: one environment, a list, or a vector.
        algorithm: What is trained.
        env_seed: Of the first episodes; None takes the algorithm's.
        collector: Gathers its experience.
    """

    env: Any
    algorithm: Any
    env_seed: int | None
    collector: Any

    @classmethod
    def make(cls, config: RunConfig, beginning: int = 0) -> "Parts":
        """Make all of them.

        Args:
            config: All settings.
            beginning: How often the run has been resumed with new episodes. Those of the first
                beginning are seeded as the algorithm wants it, later ones differently.

        Raises:
            RunError: an unknown or unfit environment, an unfit setting or device.
        """
        env = training_environments(config.settings)
        try:
            algorithm = make_algorithm(config, *spaces_of(env))
            seed = derived_seed(config.seed, NEW_EPISODES, beginning) if beginning else None
            collector = algorithm.collector(env, env_seed=seed)
        except BaseException:
            close(env)
            raise
        return cls(env, algorithm, seed, collector)


def make_algorithm(config: RunConfig, observations: Any, actions: Any) -> Any:
    """The algorithm of a run for the spaces of its environment.

    Raises:
        RunError: an unfit space, setting or device.
    """
    device = choose_device(config.settings.device)
    env_id = config.settings.env_id
    check_spaces(config.algorithm, config.entry, env_id, actions)
    try:
        return config.entry.algorithm(observations, actions, config.config, device=device)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{config.algorithm} does not fit {env_id}: {reason}") from error


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
