"""What all collectors share: they step environments, and yield one item at a time."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from torch import Tensor

from ptan.actions.policy import Agent
from ptan.common.checks import whole_number
from ptan.experience.layout import Array
from ptan.experience.stepping import Truncation, make_stepper
from ptan.experience.stream import Stream
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowSpec

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)
Phase: TypeAlias = Literal["warm-up", "training"]

_MANY_STEPS = 10_000


class Update(NamedTuple):
    """What an algorithm says about one update.

    metrics      by name: floats, or scalar tensors on the device, which are not waited for
    priorities   (B,) positive, of the rows of a prioritized batch; None otherwise
    """

    metrics: dict[str, Tensor | float]
    priorities: Tensor | Array | None = None


class Collector(Protocol[D_co]):
    """What a loop needs: one item of data after the other, each closed by `after`.

    env_steps   transitions made so far; reset steps of a vector environment are none
    iteration   items yielded so far
    phase       "warm-up" while transitions are gathered that no item comes from
    metrics     what the collector itself varies, such as `beta`
    """

    env_steps: int
    iteration: int

    @property
    def phase(self) -> Phase: ...
    @property
    def metrics(self) -> dict[str, float]: ...

    def __iter__(self) -> Iterator[D_co]:
        """Itself: it always goes on, and never restarts by being iterated."""

    def __next__(self) -> D_co:
        """The next item; RuntimeError unless `after` followed the one before."""

    def advance(self, max_steps: int) -> D_co | None:
        """The next item, or None after so many transitions: the next call goes on from there.

        Every environment is stepped at least once where the item is not ready.
        """

    def after(self, update: Update | None) -> None:
        """Close the item; None says that it was not learned from."""

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(undiscounted return, steps) of the episodes finished since the last call.

        Of the raw game where a wrapper clips rewards (`info["raw_reward"]`).
        """

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere, seeded anew; windows and items in progress are dropped."""

    def state_dict(self, *, episodes: bool = True) -> dict[str, Any]:
        """All that the items to come depend on, except the agent's weights and randomness.

        Environments in the middle of their episodes are part of it, unless `episodes` is False:
        then a collector that loads it goes on with the episodes that it has or begins.

        Raises:
            RuntimeError: an item is not closed.
            CannotSave: an environment can neither be saved nor repeated.
        """

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a collector was that was made with equal arguments.

        Raises:
            ValueError: the state is of another collector, or of other environments.
        """


class SteppingCollector(ABC, Generic[D]):
    """A collector that steps environments of its own process.

    Args:
        env: One environment, a list of them, or a Gymnasium `VectorEnv`. It is never closed here.
        agent: Acts; may be changed at any time.
        spec: How windows are cut.
        on_steps: Called with the number of transitions made, before the agent acts again.
        env_steps: Transitions made before, by another collector.
        env_seed: Environment i gets the seed `env_seed + i` at its first reset.
        truncation: "bootstrap": a truncated episode has a future; "terminal": it has none.
        check_finite: NaN or infinite observations and rewards raise ValueError.
        max_steps: A longer episode is truncated; None for no limit.
    """

    _saved: ClassVar[tuple[str, ...]] = ("env_steps", "iteration")  # attributes of plain values

    def __init__(
        self,
        env: Any,
        agent: Agent,
        spec: WindowSpec,
        *,
        on_steps: Callable[[int], None] | None = None,
        env_steps: int = 0,
        env_seed: int | None = None,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
        max_steps: int | None = None,
    ) -> None:
        self._stepper = make_stepper(
            env,
            agent,
            spec,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
            max_steps=max_steps,
        )
        self._stream = Stream(self._stepper)
        self.agent = agent
        self.env_steps = env_steps
        self.iteration = 0
        self._on_steps = on_steps
        self._counted = 0  # of the stepper's transitions
        self._open = False  # an item was yielded, and `after` did not follow yet

    def __iter__(self) -> Iterator[D]:
        return self

    def __next__(self) -> D:
        item = None
        while item is None:
            item = self.advance(_MANY_STEPS)
        return item

    def advance(self, max_steps: int) -> D | None:
        self._require_closed("the next item")
        left = max(1, whole_number("max_steps", max_steps) // self._stepper.count)
        while (item := self._item()) is None:
            if left == 0:
                return None
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
        return self._stream.pop_rewards_steps()

    @property
    def phase(self) -> Phase:
        return "training"

    @property
    def metrics(self) -> dict[str, float]:
        return {}

    def restart(self, env_seed: int | None) -> None:
        self._require_closed("a restart")
        self._stream.restart(env_seed)
        self._drop()

    def state_dict(self, *, episodes: bool = True) -> dict[str, Any]:
        self._require_closed("state_dict()")
        values = {name: copy.copy(getattr(self, name)) for name in self._saved}
        return {"stream": self._stream.state_dict() if episodes else None, "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._require_closed("load_state_dict()")
        try:
            stream, values = state["stream"], {name: state["values"][name] for name in self._saved}
        except (KeyError, TypeError) as error:
            raise ValueError(f"state must be of a {type(self).__name__}: {error!r}") from error
        if stream is not None:
            self._stream.load_state_dict(stream)
        for name, value in values.items():
            setattr(self, name, copy.copy(value))
        self._counted = self._stepper.transitions

    def _require_closed(self, what: str) -> None:
        if self._open:
            raise RuntimeError(
                f"{what} depends on the update from the item before: call after(update) first, or "
                "after(None) if there was none"
            )

    def _step(self, agent: Agent, steps: int = 1) -> Transitions | None:
        """Some steps in every environment, each counted before the agent acts again."""
        self._stepper.agent = agent
        try:
            return self._stream.advance(steps, self._count)
        except BaseException:
            if self._stepper.needs_reset:
                self._drop()
            raise

    def _count(self) -> None:
        made = self._stepper.transitions - self._counted
        self._counted += made
        self.env_steps += made
        if self._on_steps is not None:
            self._on_steps(made)

    @abstractmethod
    def _item(self) -> D | None:
        """The next item, if the steps made so far are enough."""

    @abstractmethod
    def _collect(self, most: int) -> int:
        """Steps in every environment, kept for the next item: how many, 1 … `most`."""

    @abstractmethod
    def _drop(self) -> None:
        """Forget the item in progress: its episodes were cut off."""

    def _settle(self, update: Update | None) -> None:
        """Take what an update says about the item."""
