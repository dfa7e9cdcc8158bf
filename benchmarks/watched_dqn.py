"""Where the time of a DQN run goes: every part of the loop on a stopwatch of its own."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np

from ptan.agent import BaseAgent
from ptan.algorithms import DQN, DQNConfig
from ptan.experience import ExperienceReplayBuffer, ExperienceSourceFirstLast
from ptan.training import Record, run

PARTS = ("environments", "acting", "sampling", "update")


class Stopwatch:
    """Seconds spent in each part so far."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)

    def time(self, part: str, call: Callable[..., Any], *args: Any) -> Any:
        """What the call returns; its time goes to the part."""
        start = time.perf_counter()
        result = call(*args)
        self.spent[part] += time.perf_counter() - start
        return result


class _Environments(gymnasium.vector.VectorWrapper):
    def __init__(self, env: Any, watch: Stopwatch) -> None:
        super().__init__(env)
        self._watch = watch

    def step(self, actions: Any) -> Any:
        return self._watch.time("environments", self.env.step, actions)


class _Agent(BaseAgent):
    def __init__(self, agent: BaseAgent, watch: Stopwatch) -> None:
        self._agent, self._watch = agent, watch

    def __call__(self, observations: Any, agent_states: Any = None) -> tuple[Any, Any]:
        return self._watch.time("acting", self._agent, observations, agent_states)


class _Buffer(ExperienceReplayBuffer):
    def __init__(self, watch: Stopwatch, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = watch

    def sample(self, batch_size: int) -> Any:
        return self._watch.time("sampling", super().sample, batch_size)


class _DQN(DQN):
    def __init__(self, watch: Stopwatch, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = watch

    def learn(self, batch: Any) -> Any:
        return self._watch.time("update", super().learn, batch)


def watched_run(env: Any, config: DQNConfig) -> tuple[Iterator[Record], Stopwatch]:
    """The records of a run with uniform replay, and the stopwatch that it keeps."""
    watch = Stopwatch()
    algorithm = _DQN(watch, env.single_observation_space, env.single_action_space, config)
    source = ExperienceSourceFirstLast(
        _Environments(env, watch),
        _Agent(algorithm.agent, watch),
        config.gamma,
        config.n_steps,
        env_seed=config.seed,
    )
    rng = np.random.default_rng(config.seed)
    buffer = _Buffer(watch, source, config.replay_size, gamma=config.gamma, rng=rng)
    return run(algorithm, source, buffer), watch
