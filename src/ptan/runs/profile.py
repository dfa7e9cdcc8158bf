"""How fast training is, and where its time goes."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ptan.runs.environments import close, spaces_of, training_environments
from ptan.runs.errors import RunError, TrainingFailure
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig
from ptan.training.loop import train
from ptan.training.threads import torch_threads

__all__ = ["profile"]

_FIRST_UPDATES = 20  # not counted: caches fill, kernels are compiled


def profile(config: RunConfig, env_steps: int = 4_000) -> dict[str, float]:
    """Train for a stretch, after the warm-up and a few updates. Nothing is written.

    Returns `threads` of PyTorch, `env_steps` and `updates` of the stretch, `steps_per_second`, and
    seconds: the `total`, and of that `environments` (stepping them), `updating` (from a batch to
    new weights) and the `rest` (acting; cutting, storing and sampling rows; the loop).

    Raises:
        RunError: an unknown or unfit environment, an unfit setting or device.
        TrainingFailure: an environment or an update failed.
    """
    spent = {"environments": 0.0, "updating": 0.0}

    def timed(part: str, call: Callable[..., Any], *args: object) -> Any:
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
                    spent.update(environments=0.0, updating=0.0)
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
    return {
        "threads": threads,
        "env_steps": record.env_steps - steps,
        "updates": record.updates - updates,
        "total": total,
        **spent,
        "rest": total - sum(spent.values()),
        "steps_per_second": (record.env_steps - steps) / total,
    }
