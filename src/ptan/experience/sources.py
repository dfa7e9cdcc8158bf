"""Experience sources: environments and an agent in, rows out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from ptan.actions.policy import Agent
from ptan.common.checks import unit_interval, whole_number
from ptan.common.types import Envs, SavedState, State, VecEnv
from ptan.experience.rows import Experience
from ptan.experience.stepping import Truncation, WindowSpec, make_stepper
from ptan.experience.stream import Stream
from ptan.experience.transitions import Transitions, TransitionStream

T = TypeVar("T")


class SourceOptions(TypedDict, total=False):
    """Keyword arguments of all sources.

    truncation    "bootstrap" (default): a truncated episode has a future; "terminal": it has none
    check_finite  True (default): NaN or infinite observations and rewards raise ValueError
    """

    truncation: Truncation
    check_finite: bool


class Source(ABC):
    """What all sources share: finished episodes, and iterators of which the newest is alive."""

    _newest: "SourceIterator[Any] | None" = None
    _resumed = False  # by a state that was loaded: the first iterator goes on from there

    def _start(self) -> None:  # noqa: B027 - some have nothing to start
        """Start everything afresh, for an iterator that begins."""

    def pop_total_rewards(self) -> list[float]:
        """Undiscounted returns of the episodes finished since the last call.

        It is the raw game's return where a wrapper clips rewards (`info["raw_reward"]`); of vector
        rewards, the sum of all parts.
        """
        return [total for total, _ in self.pop_rewards_steps()]

    @abstractmethod
    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes finished since the last call.

        An episode appears when the item after its last one is asked for; of lists of rows,
        together with the list that holds its last row.
        """


class SourceIterator(Iterator[T], Generic[T]):
    """An iterator of a source, of which `next_item` gives the items."""

    def __init__(self, source: Source, next_item: Callable[[], T]) -> None:
        self._source = source
        self._next_item = next_item
        self._begun = False

    def __next__(self) -> T:
        if self._source._newest is not self:
            self._enter()
        return self._next_item()

    def _enter(self) -> None:
        """Begin; RuntimeError if another iterator began after this one."""
        if self._begun:
            raise RuntimeError(
                "this iterator is out of date: its source was iterated anew, which starts "
                "everything afresh"
            )
        source, self._begun = self._source, True
        source._newest = self
        if not source._resumed:
            source._start()
        source._resumed = False


class RowIterator(SourceIterator[Any], TransitionStream):
    """An iterator over the rows of a stream, which also gives them as columns."""

    def __init__(self, source: Source, stream: Stream) -> None:
        super().__init__(source, stream.next_row)
        self._stream = stream

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        if self._source._newest is not self:
            self._enter()
        return self._stream.take(count)


class ExperienceSource(Source):
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
        self._stream = Stream(
            make_stepper(
                env, agent, self._spec(), vectorized=vectorized, env_seed=env_seed, **options
            )
        )

    def _start(self) -> None:
        self._stream.start()

    def _spec(self) -> WindowSpec:
        return WindowSpec(self.steps_count, self.steps_delta, row_class=Experience, joined=False)

    @property
    def agent(self) -> Agent:
        """Who acts; another agent acts from the next step on."""
        agent: Agent = self._stream.stepper.agent
        return agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._stream.stepper.agent = agent

    def __iter__(self) -> Iterator[Any]:
        return RowIterator(self, self._stream)

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        return self._stream.pop_rewards_steps()

    def state_dict(self) -> State:
        """Everything that the items to come depend on, except the agent's weights and randomness.

        It is a state tree of its own memory; environments in the middle of their episodes and
        episodes not popped are part of it.

        Raises:
            CannotSave: an environment, named by its number, or an agent state cannot be saved.
        """
        return self._stream.state_dict()

    def load_state_dict(self, state: SavedState) -> None:
        """Go on, to the bit, where the source was that was made with equal arguments.

        The iterator that began last goes on there; if none began yet, the first one that begins
        does so. Any later one starts everything afresh, as ever.

        Raises:
            ValueError: it is of another source, or of other environments. Nothing is changed.
        """
        self._stream.load_state_dict(state)
        self._resumed = self._newest is None


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
        return SourceIterator(self, self._stream.take_step)
