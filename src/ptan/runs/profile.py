"""How fast training is, and where its time goes."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ptan.common.checks import whole_number
from ptan.runs.environments import close, spaces_of, training_environments
from ptan.runs.errors import RunError, TrainingFailure
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig
from ptan.training.loop import train
from ptan.training.threads import torch_threads

__all__ = ["Profile", "profile"]

_FIRST_UPDATES = 20  # not counted: caches fill, kernels are compiled


@dataclass(frozen=True)
class Profile:
    """Times of a stretch of training, all in seconds.

    threads               of PyTorch
    env_steps, updates    in the stretch
    total                 all of it
    environments          stepping them
    updating              the algorithm, from a batch to new weights
    rest                  acting; cutting, storing and sampling rows; the loop
    """

    threads: int
    env_steps: int
    updates: int
    total: float
    environments: float
    updating: float
    rest: float

    def to_json(self) -> dict[str, float]:
        """All of it by name, and environment steps per second."""
        return {**asdict(self), "steps_per_second": self.env_steps / self.total}

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)} of PyTorch"
        parts = {name: getattr(self, name) for name in ("environments", "updating", "rest")}
        return "\n".join(
            [
                f"{self.env_steps / self.total:,.0f} environment steps/s with {threads}: "
                f"{self.env_steps:,} steps and {self.updates:,} updates in {self.total:.1f} s",
                *(f"  {k:13} {v / self.total:4.0%}  {v:.2f} s" for k, v in parts.items()),
            ]
        )


def profile(config: RunConfig, env_steps: int = 4_000) -> Profile:
    """Train for a stretch, after the warm-up and a few updates. Nothing is written.

    Raises:
        RunError: an unknown or unfit environment, an unfit setting or device.
        TrainingFailure: an environment or an update failed.
    """
    whole_number("env_steps", env_steps)
    spent = dict.fromkeys(("environments", "updating"), 0.0)

    def timed(part: str, call: Callable[..., Any], *args: Any) -> Any:
        begin = time.perf_counter()
        result = call(*args)
        spent[part] += time.perf_counter() - begin
        return result

    env = training_environments(config.settings)
    threads = config.settings.threads or 1
    try:
        with torch_threads(threads):
            algorithm: Any = make_algorithm(config, *spaces_of(env))
            algorithm.update = partial(timed, "updating", algorithm.update)
            for one in env if isinstance(env, list) else [env]:
                one.step = partial(timed, "environments", one.step)
            steps, updates, begin = 0, 0, 0.0
            for record in train(algorithm, algorithm.collector(env)):
                if record.updates == _FIRST_UPDATES:
                    spent.update(dict.fromkeys(spent, 0.0))
                    steps, updates, begin = record.env_steps, record.updates, time.perf_counter()
                elif begin and record.env_steps >= steps + env_steps:
                    break
            total = time.perf_counter() - begin
    except RunError:
        raise
    except (Exception, SystemExit) as error:
        raise TrainingFailure.of(error, f"{config.settings.env_id} failed in training") from error
    finally:
        close(env)
    made, learned = record.env_steps - steps, record.updates - updates
    return Profile(threads, made, learned, total, **spent, rest=total - sum(spent.values()))
