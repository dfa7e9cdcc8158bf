"""Where the time of training goes, and how near it comes to what its parts need alone."""

import copy
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from ptan.agent import AgentStates, BaseAgent, States
from ptan.common.checks import whole_number
from ptan.runs.environments import close, spaces_of, training_environments
from ptan.runs.parts import make_algorithm
from ptan.runs.settings import RunConfig
from ptan.runs.threads import choose_threads, torch_threads
from ptan.training.loop import train

__all__ = ["Profile", "profile"]

_FIRST_UPDATES = 20  # not counted: caches fill, kernels are compiled
_BATCHES = 16  # that updates alone learn from


@dataclass(frozen=True)
class Profile:
    """Times of a stretch of training, all in seconds.

    threads               of PyTorch
    env_steps, updates    in the stretch
    total                 all of it
    environments          stepping them
    acting                the agent, from observations to actions
    updating              sampling included
    storing               what is left: cutting and storing rows, and the loop
    env_step_alone        one environment step of the same environments with nothing else going on
    update_alone          one update from batches that are there already
    sample_alone          one batch
    """

    threads: int
    env_steps: int
    updates: int
    total: float
    environments: float
    acting: float
    updating: float
    storing: float
    env_step_alone: float
    update_alone: float
    sample_alone: float

    @property
    def steps_per_second(self) -> float:
        """Environment steps per second, updates included."""
        return self.env_steps / self.total

    @property
    def overhead(self) -> float:
        """Time of the whole relative to that of its environment steps and its updates alone."""
        return self.total / (
            self.env_steps * self.env_step_alone + self.updates * self.update_alone
        )

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)} of PyTorch"
        parts = {
            "environments": self.environments,
            "acting": self.acting,
            "updates, sampling included": self.updating,
            "storing and the rest": self.storing,
        }
        return "\n".join(
            [
                f"{self.steps_per_second:,.0f} environment steps/s with {threads}: "
                f"{self.env_steps:,} steps and {self.updates:,} updates in {self.total:.1f} s",
                *(f"  {name:27} {s / self.total:4.0%}  {s:.2f} s" for name, s in parts.items()),
                f"alone: {1e3 * self.env_step_alone:.2f} ms per environment step, "
                f"{1e3 * self.update_alone:.2f} ms per update, "
                f"{1e3 * self.sample_alone:.2f} ms per batch",
                f"training takes {self.overhead:.2f} times its steps and updates alone",
            ]
        )

    def to_json(self) -> dict[str, float]:
        """All of it, by name."""
        derived = {"steps_per_second": self.steps_per_second, "overhead": self.overhead}
        return {**asdict(self), **derived}


def profile(config: RunConfig, env_steps: int = 4_000) -> Profile:
    """Train for a stretch with a stopwatch on every part, then time the parts alone.

    Nothing is written, and no network is kept. The replay is filled up to the warm-up first, which
    is not counted.

    Args:
        config: All settings.
        env_steps: Length of the stretch, in environment steps.

    Returns:
        The times, all measured with the same number of threads.

    Raises:
        RunError: an unknown or unfit environment, an unfit setting or device.
        TypeError, ValueError: env_steps is no whole number of at least 1.
    """
    whole_number("env_steps", env_steps)
    env = training_environments(config.settings)
    try:
        spaces = spaces_of(env)
        threads = config.settings.threads
        if not threads:
            threads = choose_threads(lambda: make_algorithm(config, *spaces), *spaces).threads
        with torch_threads(threads):
            return _measured(config, env, threads, env_steps)
    finally:
        close(env)


def _measured(config: RunConfig, env: Any, threads: int, env_steps: int) -> Profile:
    watch = _Stopwatch()
    algorithm = make_algorithm(config, *spaces_of(env))
    algorithm.agent = _TimedAgent(algorithm.agent, watch)
    collector = algorithm.collector(_timed(env, watch))
    buffer = collector.buffer
    turns = max(1, env_steps // algorithm.config.steps_per_update)
    watched: Any = _TimedAlgorithm(algorithm, watch)
    records = train(watched, collector)
    for _ in itertools.islice(records, _FIRST_UPDATES):
        pass
    watch.spent.clear()
    steps_before, begin = algorithm.env_steps, time.perf_counter()
    for _ in itertools.islice(records, turns):
        pass
    total = time.perf_counter() - begin
    steps = algorithm.env_steps - steps_before
    spent = {part: watch.spent.get(part, 0.0) for part in ("environments", "acting", "updating")}
    batches = [_batch(buffer.sample(algorithm.config.batch_size)) for _ in range(_BATCHES)]
    again = itertools.cycle(batches)
    repeats = max(_BATCHES, turns // 4)
    return Profile(
        threads=threads,
        env_steps=steps,
        updates=turns,
        total=total,
        **spent,
        storing=total - sum(spent.values()),
        update_alone=_seconds(lambda: algorithm.update(next(again)), repeats),
        sample_alone=_seconds(lambda: buffer.sample(algorithm.config.batch_size), repeats),
        env_step_alone=_env_step_alone(env, steps),
    )


class _Stopwatch:
    """Seconds spent in each part so far."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def time(self, part: str, call: Callable[..., Any], *args: Any) -> Any:
        """What the call returns; its time goes to the part."""
        begin = time.perf_counter()
        result = call(*args)
        self.spent[part] = self.spent.get(part, 0.0) + time.perf_counter() - begin
        return result


class _TimedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: Any, watch: _Stopwatch) -> None:
        super().__init__(env)
        self._watch = watch

    def step(self, action: Any) -> Any:
        return self._watch.time("environments", self.env.step, action)


class _TimedVector(VectorWrapper):
    def __init__(self, env: Any, watch: _Stopwatch) -> None:
        super().__init__(env)
        self._watch = watch

    def step(self, actions: Any) -> Any:
        return self._watch.time("environments", self.env.step, actions)


class _TimedAgent(BaseAgent):
    def __init__(self, agent: BaseAgent, watch: _Stopwatch) -> None:
        self._agent, self._watch = agent, watch

    def initial_state(self) -> Any:
        return self._agent.initial_state()

    def __call__(self, observations: States, agent_states: AgentStates = None) -> Any:
        return self._watch.time("acting", self._agent, observations, agent_states)


class _TimedAlgorithm:
    """What the loop needs of an algorithm, with its updates on the stopwatch."""

    def __init__(self, algorithm: Any, watch: _Stopwatch) -> None:
        self._algorithm, self._watch = algorithm, watch
        self.config = algorithm.config
        self.on_steps = algorithm.on_steps

    @property
    def env_steps(self) -> int:
        return int(self._algorithm.env_steps)

    @property
    def updates(self) -> int:
        return int(self._algorithm.updates)

    def update(self, batch: Any) -> Any:
        return self._watch.time("updating", self._algorithm.update, batch)


def _timed(env: Any, watch: _Stopwatch) -> Any:
    """The environments of a run, with their steps on the stopwatch."""
    if isinstance(env, VectorEnv):
        return _TimedVector(env, watch)
    if isinstance(env, list):
        return [_TimedEnv(one, watch) for one in env]
    return _TimedEnv(env, watch)


def _batch(sample: Any) -> Any:
    """The batch alone of what a uniform or a prioritized buffer samples."""
    return sample[0] if isinstance(sample, tuple) else sample


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    """The mean time of a call, after one that does not count."""
    call()
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def _env_step_alone(env: Any, env_steps: int) -> float:
    """The mean time of an environment step under random actions, resets included."""
    envs: Sequence[Any] = env if isinstance(env, list) else [env]
    count = env.num_envs if isinstance(env, VectorEnv) else 1
    actions = copy.deepcopy(spaces_of(env)[1])
    actions.seed(0)
    turns = max(1, env_steps // count)
    drawn = np.array([[actions.sample() for _ in range(count)] for _ in range(turns)])
    for i, one in enumerate(envs):
        one.reset(seed=i)
    begin = time.perf_counter()
    if isinstance(env, VectorEnv):
        for chosen in drawn:
            env.step(chosen)
    else:
        for one, (action,) in zip(itertools.cycle(envs), drawn, strict=False):
            _, _, terminated, truncated, _ = one.step(action)
            if terminated or truncated:
                one.reset()
    return (time.perf_counter() - begin) / (turns * count)
