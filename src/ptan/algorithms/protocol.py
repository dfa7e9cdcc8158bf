"""What every driver needs of an algorithm: the loop, Ignite, Lightning, Ray."""

from typing import Protocol, TypeVar

from ptan.actions.policy import Agent
from ptan.algorithms.optimizer import OptimizerStep
from ptan.collectors import Collector, Update
from ptan.common.types import Envs, SavedState, State

__all__ = ["Algorithm"]

D = TypeVar("D")
"""What one update learns from: a `Batch`, a `Rollout`, `Episodes`."""


class Algorithm(Protocol[D]):
    """A method of learning, without a loop of its own.

        for data in collector:
            update = algorithm.update(data)
            collector.after(update)

    agent        explores: what the collector lets act
    optimizers   all steps of its optimizers by name; a driver may replace any of them
    env_steps    transitions made so far, which schedules are read by
    updates      calls of `update` so far
    """

    agent: Agent
    optimizers: dict[str, OptimizerStep]
    env_steps: int
    updates: int

    def collector(self, env: Envs, *, env_seed: int | None = None) -> Collector[D]:
        """What gathers its experience: in one environment, a list of them, or a `VectorEnv`.

        Environment i gets the seed `env_seed` + i at its first reset; None takes the algorithm's.
        """

    def update(self, data: D, /) -> Update:
        """Learn from one item of the collector."""

    def greedy_agent(self) -> Agent:
        """A copy of the policy as it is now, without exploration, for evaluation."""

    def on_steps(self, n_steps: int, /) -> None:
        """Count transitions that were made; the collector calls it before the agent acts again."""

    def state_dict(self) -> State:
        """All that it needs to go on as if never stopped, except the collector's state.

        As in PyTorch, it shares memory with the networks: save or copy it before training goes on.
        """

    def load_state_dict(self, state: SavedState, /) -> None:
        """Take over the state of an equal algorithm, or raise ValueError and change nothing."""
