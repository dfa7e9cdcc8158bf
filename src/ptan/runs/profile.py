"""How fast training is, and where its time goes."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ptan.agent import AgentStates, BaseAgent, States
from ptan.common.checks import whole_number
from ptan.runs.environments import close, spaces_of, training_environments
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig
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
    acting                the agent, from observations to actions
    updating              the algorithm, from a batch to new weights
    storing               what is left: cutting, storing and sampling rows, and the loop
    """

    threads: int
    env_steps: int
    updates: int
    total: float
    environments: float
    acting: float
    updating: float
    storing: float

    @property
    def steps_per_second(self) -> float:
        """Environment steps per second, updates included."""
        return self.env_steps / self.total

    def to_json(self) -> dict[str, float]:
        """All of it, by name."""
        return {**asdict(self), "steps_per_second": self.steps_per_second}

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)} of PyTorch"
        lines = [
            f"{self.steps_per_second:,.0f} environment steps/s with {threads}: "
            f"{self.env_steps:,} steps and {self.updates:,} updates in {self.total:.1f} s"
        ]
        for name in ("environments", "acting", "updating", "storing"):
            seconds = getattr(self, name)
            lines.append(f"  {name:13} {seconds / self.total:4.0%}  {seconds:.2f} s")
        return "\n".join(lines)


def profile(config: RunConfig, env_steps: int = 4_000) -> Profile:
    """Train for a stretch with a stopwatch on every part. Nothing is written.

    Args:
        config: All settings. Without `threads` there is one.
        env_steps: Length of the stretch, after the warm-up and a few updates.

    Raises:
        RunError: an unknown or unfit environment, an unfit setting or device.
        TypeError, ValueError: env_steps is no whole number of at least 1.
    """
    whole_number("env_steps", env_steps)
    env = training_environments(config.settings)
    threads = config.settings.threads or 1
    try:
        with torch_threads(threads):
            return _measured(config, env, threads, env_steps)
    finally:
        close(env)


def _measured(config: RunConfig, env: Any, threads: int, env_steps: int) -> Profile:
    spent = dict.fromkeys(("environments", "acting", "updating"), 0.0)

    def timed(part: str, call: Callable[..., Any], *args: Any) -> Any:
        begin = time.perf_counter()
        result = call(*args)
        spent[part] += time.perf_counter() - begin
        return result

    algorithm = make_algorithm(config, *spaces_of(env))
    algorithm.agent = _TimedAgent(algorithm.agent, timed)
    for one in env if isinstance(env, list) else [env]:
        one.step = partial(timed, "environments", one.step)
    collector = algorithm.collector(env)

    def update() -> None:
        collector.after(timed("updating", algorithm.update, next(collector)))

    while algorithm.updates < _FIRST_UPDATES:
        update()
    spent.update(dict.fromkeys(spent, 0.0))
    steps, updates, begin = algorithm.env_steps, algorithm.updates, time.perf_counter()
    while algorithm.env_steps < steps + env_steps:
        update()
    total = time.perf_counter() - begin
    rest = total - sum(spent.values())
    made = algorithm.env_steps - steps
    return Profile(threads, made, algorithm.updates - updates, total, **spent, storing=rest)


class _TimedAgent(BaseAgent):
    def __init__(self, agent: Any, timed: Callable[..., Any]) -> None:
        self._agent, self._timed = agent, timed

    def initial_state(self) -> Any:
        return self._agent.initial_state()

    def __call__(self, observations: States, agent_states: AgentStates = None) -> Any:
        return self._timed("acting", self._agent, observations, agent_states)
