"""Experience sources: environments and an agent in, rows out."""

from collections import deque
from collections.abc import Iterator
from math import inf
from typing import Any, TypedDict, Unpack

from ptan.actions.policy import Agent
from ptan.common.checks import unit_interval, whole_number
from ptan.common.types import Envs, VecEnv
from ptan.experience.coding import decode
from ptan.experience.make_stepper import Truncation, make_stepper
from ptan.experience.rows import Experience
from ptan.experience.stepper import EndedEpisode
from ptan.experience.stream import Source, SourceIterator
from ptan.experience.transitions import Transitions, TransitionStream
from ptan.experience.windows import WindowSpec


class SourceOptions(TypedDict, total=False):
    """Keyword arguments of all sources.

    truncation    "bootstrap" (default): a truncated episode has a future; "terminal": it has none
    check_finite  True (default): NaN or infinite observations and rewards raise ValueError
    """

    truncation: Truncation
    check_finite: bool


class RowIterator(SourceIterator[Any], TransitionStream):
    """An iterator over the rows of a source, which also gives them as columns."""

    def __init__(self, source: "ExperienceSource") -> None:
        super().__init__(source, source._next_row)
        self._take = source._take

    def take(self, count: int) -> Transitions:
        """At least one and at most `count` rows, valid until the next call."""
        if self._source._newest is not self:
            self._enter()
        return self._take(count)


class ExperienceSource(Source):
    """Endless sub-trajectories: tuples of up to `steps_count` `Experience` rows.

    They start at steps 0, d, 2d … of every episode; at its end the shorter tails follow. Ended
    environments are reset. Weights or settings of the agent that change between two items count
    from the very next step on.

    Every `iter(source)` starts everything afresh, and ends older iterators with RuntimeError. After
    an exception an iterator goes on: rows that were complete come first; if environments were left
    half stepped, all are reset.

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
        self._stepper = make_stepper(
            env, agent, self._spec(), vectorized=vectorized, env_seed=env_seed, **options
        )
        self._shown: list[tuple[float, int]] = []
        self._drop()

    def _spec(self) -> WindowSpec:
        return WindowSpec(self.steps_count, self.steps_delta, row_class=Experience, joined=False)

    def __iter__(self) -> Iterator[Any]:
        return RowIterator(self)

    @property
    def agent(self) -> Agent:
        """Who acts; another agent acts from the next step on."""
        agent: Agent = self._stepper.agent
        return agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._stepper.agent = agent

    def pop_rewards_steps(self) -> list[tuple[float, int]]:  # noqa: D102
        shown, self._shown = self._shown, []
        return shown

    def _drop(self) -> None:
        self._rows: Transitions | None = None  # cut, and not delivered from `_next` on
        self._items: list[object] | None = None  # the same rows as objects
        self._next = 0
        self._episodes: deque[EndedEpisode] = deque()  # not shown yet

    def _start(self) -> None:
        self._show()
        self._drop()
        self._stepper.needs_reset = True

    # Deliveries.

    def _next_row(self) -> object:
        rows = self._ready(1)
        if self._items is None:
            self._items = decode(rows)
        item = self._items[self._next]
        self._deliver(rows, 1)
        return item

    def _take(self, count: int) -> Transitions:
        rows = self._ready(count)
        first, size = self._next, len(rows)
        number = min(count, size - first)
        self._deliver(rows, number)
        return rows if number == size else rows[first : first + number]

    def _take_step(self) -> list[object]:
        """All rows that come next out of one step. Their episodes are shown at once."""
        rows = self._ready(1)
        self._deliver(rows, len(rows))
        self._show()
        return decode(rows)

    def _deliver(self, rows: Transitions, number: int) -> None:
        self._next += number
        if self._episodes:
            self._show(self._next - 1)
        if self._next == len(rows):
            self._rows = self._items = None

    def _show(self, rows: float = inf) -> None:
        """Show the episodes that end with the first so many of the present rows."""
        while self._episodes and self._episodes[0][2] <= rows:
            self._shown.append(self._episodes.popleft()[:2])

    # Steps.

    def _ready(self, wanted: int) -> Transitions:
        """Rows at hand, after as many steps as it takes to have one, towards `wanted`."""
        if self._episodes:
            self._show(self._next)
        while self._rows is None:
            self._step(wanted)
        return self._rows

    def _step(self, wanted: int) -> None:
        stepper, steps = self._stepper, 1
        if stepper.needs_reset:
            stepper.begin()
        if wanted > 1:
            # No more steps than are certain to be needed: each may complete one row per
            # environment, and an end completes the windows that are open.
            steps = -(-(wanted - stepper.windows.open_steps) // stepper.count)
            steps = max(1, min(steps, stepper.tape.room))
        stepper.step_and_cut(steps, self._keep)

    def _keep(self, rows: Transitions | None, episodes: list[EndedEpisode]) -> None:
        self._rows, self._next = rows, 0
        self._episodes += episodes


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
