"""Rows: one piece of experience each."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from ptan.common.types import Action, Observation, State


def values_equal(a: object, b: object) -> bool:
    """Equality of two field values: arrays by content, nested dicts and tuples by part."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(values_equal(v, b[k]) for k, v in a.items())
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(values_equal, a, b))
    if getattr(a, "shape", ()) != getattr(b, "shape", ()):
        return False
    same = a == b
    return bool(same.all() if hasattr(same, "all") else same)  # arrays, and tensors too


@dataclass(frozen=True, eq=False, repr=False)
class Row:
    """A frozen dataclass that behaves as a named tuple of its class's `_fields`.

    Unpacking, indexing and `len` cover `_fields` alone. Fields that a subclass adds appear in repr,
    equality, `_replace` and `_asdict`. The keyword-only fields below appear in none of these.

    terminated   True if the environment ended the episode at this row's last step, None: not said
    truncated    True if the episode was cut off there (it still has a future to bootstrap from)
    steps        how many environment steps the reward spans
    discount     gamma**steps, 0 after termination; None where gamma is not known
    final_state  the true observation after those steps, also at an episode's end
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _: KW_ONLY
    terminated: bool | None = field(default=None, repr=False, compare=False)
    truncated: bool = field(default=False, repr=False, compare=False)
    steps: int = field(default=1, repr=False, compare=False)
    discount: float | None = field(default=None, repr=False, compare=False)
    final_state: Observation = field(default=None, repr=False, compare=False)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__slots__" in cls.__dict__:
            raise TypeError(f"{cls.__name__} must be a dataclass without slots, like other rows")
        # `@dataclass` on a user's subclass would write its own, which fail on array fields.
        for name in ("__eq__", "__hash__", "__repr__"):
            if name not in cls.__dict__:
                setattr(cls, name, getattr(Row, name))

    def __post_init__(self) -> None:
        """NumPy scalars become the equal Python scalars."""
        values = self.__dict__
        for name in self._fields:
            if isinstance(values[name], np.generic):
                values[name] = values[name].item()

    def __iter__(self) -> Iterator[Any]:
        values = self.__dict__
        return iter([values[name] for name in self._fields])

    def __len__(self) -> int:
        return len(self._fields)

    def __getitem__(self, index: int | slice) -> Any:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Row):
            return type(self) is type(other) and values_equal(self._asdict(), other._asdict())
        if isinstance(other, tuple):
            return values_equal(tuple(self), other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({parts})"

    @classmethod
    @cache
    def field_names(cls) -> tuple[str, ...]:
        """Names of the tuple fields and of those a subclass added, in order."""
        keyword_only = {f.name for f in fields(Row)}
        return tuple(f.name for f in fields(cls) if f.name not in keyword_only)

    @classmethod
    def from_values(cls, values: State) -> Self:
        """A row of all these fields: ten times faster than the constructor."""
        row = object.__new__(cls)
        object.__setattr__(row, "__dict__", values)
        return row

    def _asdict(self) -> State:
        return {name: self.__dict__[name] for name in self.field_names()}

    def _replace(self, **changes: object) -> Self:
        unknown = changes.keys() - self.__dict__.keys()
        if unknown:
            raise ValueError(f"{type(self).__name__} has no field {sorted(unknown)[0]!r}")
        row = self.from_values({**self.__dict__, **changes})
        row.__post_init__()
        return row


@dataclass(frozen=True, eq=False, repr=False)
class Experience(Row):
    """One environment step.

    state   observation the agent acted on
    action  what it did
    reward  what the step gave
    done    True if the episode ended with this step, by termination or truncation
    """

    _fields: ClassVar[tuple[str, ...]] = ("state", "action", "reward", "done")
    state: Observation
    action: Action
    reward: Any
    done: bool

    @property
    def done_trunc(self) -> bool:
        """The same flag as `done`: the episode ended here, for whatever reason."""
        return self.done


@dataclass(frozen=True, eq=False, repr=False)
class ExperienceFirstLast(Row):
    """A window of up to n steps, for n-step targets (Sutton & Barto 2018, eq. 7.1).

    state       observation at the window's first step
    action      what the agent did there
    reward      sum over the window of gamma**i * reward_i
    last_state  observation after the window, None if the episode ended within it
    """

    _fields: ClassVar[tuple[str, ...]] = ("state", "action", "reward", "last_state")
    state: Observation
    action: Action
    reward: Any
    last_state: Observation
