"""Experience sources: environments and an agent in, rows out."""

from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from ptan.actions.policy import Agent
from ptan.common.checks import unit_interval, whole_number
from ptan.common.types import Envs, VecEnv
from ptan.experience.make_stepper import Truncation, make_stepper
from ptan.experience.rows import Experience
from ptan.experience.stream import RowIterator, SourceIterator, SteppedSource
from ptan.experience.windows import WindowSpec


class SourceOptions(TypedDict, total=False):
    """Keyword arguments of all sources.

    truncation    "bootstrap" (default): a truncated episode has a future; "terminal": it has none
    check_finite  True (default): NaN or infinite observations and rewards raise ValueError
    """

    truncation: Truncation
    check_finite: bool


class ExperienceSource(SteppedSource):
    """Endless sub-trajectories: tuples of up to `steps_count` `Experience` rows.

    They start at steps 0, d, 2d … of every episode; at its end the shorter tails follow. Ended
    environments are reset. Weights or settings of the agent that change between two items count
    from the very next step on.

    Every `iter(source)` starts everything afresh, and ends older iterators with RuntimeError.

    Args:
        env: one environment, a list or tuple of them (stepped in turn, with one call of the agent
            for all), or a Gymnasium `VectorEnv`. Old-style Gym environments work too.
        agent: called as `agent(observations, agent_states)`, returns (actions, agent states).
        steps_count: environment steps in a window, n.
        steps_delta: distance between the starts of windows, d.
        vectorized: True if `env` must be a `VectorEnv`; it is recognised without.
        env_seed: environment i gets the seed `env_seed + i` at its first reset.
        **options: `truncation` and `check_finite`, see `SourceOptions`.

    Raises:
        ValueError, TypeError: an argument that makes no sense, named in the text.
    """

    gamma: float | None = None

    def __init__(
        self,
        env: Envs,
        agent: Agent,
        steps_count: int = 2,
        steps_delta: int = 1,
        vectorized: bool = False,
        env_seed: int | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self.env = env
        self.steps_count = whole_number("steps_count", steps_count)
        self.steps_delta = whole_number("steps_delta", steps_delta)
        stepper = make_stepper(
            env, agent, self._spec(), vectorized=vectorized, env_seed=env_seed, **options
        )
        super().__init__(stepper)

    def _spec(self) -> WindowSpec:
        return WindowSpec(self.steps_count, self.steps_delta, row_class=Experience, joined=False)

    def __iter__(self) -> Iterator[Any]:
        return RowIterator(self)


class ExperienceSourceFirstLast(ExperienceSource):
    """Endless `ExperienceFirstLast` rows: windows of up to n steps in one.

    The reward is the discounted sum over the window; `last_state` the observation after it, None
    if the episode ended within, for whatever reason. With `steps_delta=1` an episode of T steps
    yields T rows: its last n - 1 windows are shorter, and their discount says so.

    Args:
        gamma: discount per step, in [0, 1].
        env, agent, …: see `ExperienceSource`.
    """

    def __init__(
        self,
        env: Envs,
        agent: Agent,
        gamma: float,
        steps_count: int = 1,
        steps_delta: int = 1,
        vectorized: bool = False,
        env_seed: int | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self.gamma = unit_interval("gamma", gamma)
        super().__init__(env, agent, steps_count, steps_delta, vectorized, env_seed, **options)

    def _spec(self) -> WindowSpec:
        return WindowSpec(self.steps_count, self.steps_delta, self.gamma)


class VectorExperienceSourceFirstLast(ExperienceSourceFirstLast):
    """The rows of `ExperienceSourceFirstLast` from any Gymnasium `VectorEnv`, in env order.

    Args:
        env: the vector environment, in any auto-reset mode.
        unnest_data: False yields a list per vector step that completes rows, instead of the rows.
        agent, gamma, …: see `ExperienceSourceFirstLast`.
    """

    def __init__(
        self,
        env: VecEnv,
        agent: Agent,
        gamma: float,
        steps_count: int = 1,
        env_seed: int | None = None,
        unnest_data: bool = True,
        **options: Unpack[SourceOptions],
    ) -> None:
        super().__init__(env, agent, gamma, steps_count, 1, True, env_seed, **options)
        self.unnest_data = unnest_data

    def __iter__(self) -> Iterator[Any]:
        if self.unnest_data:
            return super().__iter__()
        return SourceIterator(self, self._take_step)
