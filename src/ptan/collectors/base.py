"""What all collectors share: they step environments, and yield one item at a time."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, Unpack

from torch import Tensor

from ptan.actions.policy import Agent
from ptan.common.checks import checked_callable, unit_interval, whole_number
from ptan.common.types import Array, Envs, SavedState, State
from ptan.experience.make_stepper import make_stepper
from ptan.experience.sources import SourceOptions
from ptan.experience.stepper import EndedEpisode
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowSpec

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)
Phase: TypeAlias = Literal["warm-up", "training"]

_ADVANCE = 10_000  # transitions in one go, where a loop waits for the next item


class Update(NamedTuple):
    """What an algorithm says about one update.

    metrics      by name: floats, or scalar tensors on the device, which are not waited for
    priorities   (B,) positive, of the rows of a prioritized batch; None otherwise
    """

    metrics: dict[str, Tensor | float]
    priorities: Tensor | Array | None = None


class Collector(Protocol[D_co]):
    """What a loop needs: one item of data after the other, each closed by `after`.

    env_steps   transitions made so far, also those that an item lacks because of an exception.
                Reset steps of a vector environment are none, nor is a step that it interrupted
    iteration   items yielded so far
    """

    env_steps: int
    iteration: int

    @property
    def phase(self) -> Phase:
        """The warm-up gathers transitions that no item comes from."""
        return "training"

    @property
    def metrics(self) -> dict[str, float]:
        """What the collector itself varies, such as `beta`."""
        return {}

    def __iter__(self) -> Iterator[D_co]:
        """Itself: it always goes on, and never restarts by being iterated."""
        return self

    def __next__(self) -> D_co:
        """The next item; RuntimeError unless `after` followed the one before."""
        while (item := self.advance(_ADVANCE)) is None:
            pass
        return item

    def advance(self, max_steps: int) -> D_co | None:
        """The next item, or None after so many transitions: the next call goes on from there.

        Every environment is stepped at least once where the item is not ready.
        """

    def after(self, update: Update | None) -> None:
        """Close the item; None says that it was not learned from."""

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(undiscounted raw return, steps) of the episodes finished since the last call."""

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere, seeded anew; windows and items in progress are dropped."""

    def state_dict(self, *, episodes: bool = True) -> State:
        """All that the items to come depend on, except the agent's weights and randomness.

        Without `episodes`, environments in the middle of theirs and the item in progress are left
        out: a collector that loads it goes on with the episodes that it has or begins. As in
        PyTorch, arrays are views: save or copy before going on.

        Raises:
            RuntimeError: an item is not closed.
            CannotSave: an environment can neither be saved nor repeated.
        """

    def load_state_dict(self, state: SavedState) -> None:
        """Go on where a collector was that was made with equal arguments.

        Raises:
            ValueError: the state is of another collector, which changes nothing, or of other
                environments: new episodes begin.
        """


class Stepping(SourceOptions, total=False):
    """How a collector steps its environments: by these, and by `SourceOptions`.

    env_seed      environment i gets the seed `env_seed + i` at its first reset
    max_steps     a longer episode is truncated; None for no limit
    on_steps      called with the number of transitions made, before the agent acts again
    env_steps     transitions made before, by another collector
    """

    env_seed: int | None
    max_steps: int | None
    on_steps: Callable[[int], None] | None
    env_steps: int


class SteppingCollector(Collector[D]):
    """A collector that steps environments of its own process.

    A subclass says by `_item` when an item is ready. It may choose who acts, and for how long
    (`_collect`), keep complete rows (`_keep`), and learn from an update (`_settle`).

    Args:
        env: One environment, a list of them, or a Gymnasium `VectorEnv`. It is never closed here.
        agent: Acts; may be changed at any time.
        gamma: Discount per step, in [0, 1].
        n_steps: Environment steps in a row.
        **stepping: See `Stepping`.
    """

    # Part of the state: plain values, and what has a `state_dict` of its own.
    _saved: ClassVar[tuple[str, ...]] = ("env_steps", "iteration", "_finished")
    # What belongs to the episodes under way: the item in progress.
    _saved_with_episodes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, env: Envs, agent: Agent, gamma: float, n_steps: int, **stepping: Unpack[Stepping]
    ) -> None:
        self.gamma = unit_interval("gamma", gamma)
        spec = WindowSpec(whole_number("n_steps", n_steps), gamma=gamma)
        self.n_steps = n_steps
        self.env_steps = whole_number("env_steps", stepping.pop("env_steps", 0), 0)
        self.iteration = 0
        self._on_steps = stepping.pop("on_steps", None)
        if self._on_steps is not None:
            checked_callable("on_steps", self._on_steps)
        self._stepper = make_stepper(env, agent, spec, **stepping)  # type: ignore[misc]
        self._agent = agent
        self._finished: list[tuple[float, int]] = []
        self._open = False  # an item was yielded, and `after` did not follow yet

    @property
    def agent(self) -> Agent:
        """Who acts, from the next step on."""
        return self._agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._agent = self._stepper.agent = agent  # episodes may begin before it acts

    def advance(self, max_steps: int) -> D | None:
        self._require_closed("the next item")
        left = max(1, whole_number("max_steps", max_steps) // self._stepper.count)
        while (item := self._item()) is None:
            if left == 0:
                return None
            if self._stepper.needs_reset:
                self._drop()
                self._stepper.begin()
            left -= self._collect(left)
        self.iteration += 1
        self._open = True
        return item

    def after(self, update: Update | None) -> None:
        if not self._open:
            raise RuntimeError("after(update) must follow an item, and only once")
        self._settle(update)
        self._open = False

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        finished, self._finished = self._finished, []
        return finished

    def restart(self, env_seed: int | None) -> None:
        self._require_closed("a restart")
        self._stepper.restart(env_seed)
        self._drop()

    def state_dict(self, *, episodes: bool = True) -> State:
        self._require_closed("state_dict()")
        values = {name: part.state_dict() for name, part in self._parts().items()}
        for name in (*self._saved, *(self._saved_with_episodes if episodes else ())):
            if name not in values:
                values[name] = copy.copy(getattr(self, name))
        stepper = self._stepper.state_dict() if episodes else None
        return {"made": self._arguments(), "stepper": stepper, "values": values}

    def _arguments(self) -> State:
        """What must be equal for a state to fit."""
        return {"kind": type(self).__name__, "gamma": self.gamma, "n_steps": self.n_steps}

    def load_state_dict(self, state: SavedState) -> None:
        self._require_closed("load_state_dict()")
        try:
            if (made := state["made"]) != self._arguments():
                raise ValueError(f"state must be of {self._arguments()}, is of {made}")
            stepper, saved = state["stepper"], state["values"]
            names = (*self._saved, *(() if stepper is None else self._saved_with_episodes))
            values = {name: saved[name] for name in names}
        except (KeyError, TypeError) as error:
            raise ValueError(f"state must be of a {type(self).__name__}: {error!r}") from error
        parts = self._parts()
        for name in self._saved:
            if name not in parts and type(values[name]) is not type(getattr(self, name)):
                kind = type(getattr(self, name)).__name__
                raise ValueError(f"state's {name} must be of type {kind}, got {values[name]!r}")
        before = {name: part.state_dict() for name, part in parts.items()}
        try:
            for name, part in parts.items():
                part.load_state_dict(values.pop(name))
            if stepper is not None:
                self._stepper.load_state_dict(stepper)
        except BaseException:
            for name, part in parts.items():
                part.load_state_dict(before[name])
            raise
        for name, value in values.items():
            setattr(self, name, copy.copy(value))

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own."""
        saved = {name: getattr(self, name) for name in self._saved}
        return {name: part for name, part in saved.items() if hasattr(part, "state_dict")}

    def _require_closed(self, what: str) -> None:
        if self._open:
            raise RuntimeError(
                f"{what} depends on the update from the item before: call after(update) first, or "
                "after(None) if there was none"
            )

    def _step(self, agent: Agent, steps: int) -> None:
        """Some steps in every environment, each counted before the agent acts again."""
        if self._stepper.agent is not agent:
            self._stepper.agent = agent
        self._stepper.step_and_cut(steps, self._take, self._count)

    def _count(self, transitions: int) -> None:
        self.env_steps += transitions
        if self._on_steps is not None:
            self._on_steps(transitions)

    def _take(self, rows: Transitions | None, episodes: list[EndedEpisode]) -> None:
        self._finished += [episode[:2] for episode in episodes]
        if rows is not None:
            self._keep(rows)

    # What kinds of collectors do in ways of their own.

    @abstractmethod
    def _item(self) -> D | None:
        """The next item, if the steps made so far are enough."""

    def _collect(self, most: int) -> int:  # noqa: ARG002 - one is always allowed
        """Take steps in every environment towards the next item: how many, 1 … `most`."""
        self._step(self.agent, 1)
        return 1

    def _keep(self, rows: Transitions) -> None:
        """Take rows that are complete; they are valid until the next step."""

    def _drop(self) -> None:
        """Forget the item in progress: its episodes were cut off."""

    def _settle(self, update: Update | None) -> None:
        """Take what an update says about the item."""
