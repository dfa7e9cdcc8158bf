"""The columns of a saved row table: taken out of its state, and checked against one another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ptan.experience.flags import (
    ENDED,
    EPISODE_OVER,
    INT_REWARD,
    KEEPS_LAST,
    NO_FINAL,
    NO_TRANSITION,
    RAW_REWARD,
    TERMINATED,
    TRUNCATED,
)
from ptan.experience.layout import Array, Leaf
from ptan.experience.rows import Experience
from ptan.experience.transitions import Schema, Transitions
from ptan.replay.saving import array, entries, shown

_MOST_WHOLE = 2.0**64  # an int reward is one that NumPy has a type for
COLUMNS = ("actions", "rewards", "discounts", "steps", "flags")


def columns_from_state(
    parts: Mapping[str, Any], schema: Schema, used: int, where: str
) -> Transitions:
    """The columns of all slots ever written, each of the shape and dtype that the schema asks for.

    Args:
        parts: the state of the table.
        schema: what its rows look like.
        used: slots ever written.
        where: what the texts call the table.

    Raises:
        TypeError, ValueError: a column is missing, unknown, or of another shape or dtype.
    """
    saved = entries(parts["columns"], COLUMNS, f"{where}['columns']")
    extras = entries(parts["extras"], schema.extras, f"{where}['extras']")
    axes = (
        (used, *_width(saved["steps"], f"{where}['columns']['steps']"))
        if schema.windows
        else (used,)
    )

    def column(name: str, leaf: Leaf) -> Array:
        return array(saved[name], leaf.dtype, (*axes, *leaf.shape), f"{where}['columns'][{name!r}]")

    reward = Leaf(schema.reward.shape, _reward_dtype(saved["rewards"], schema.reward, where))
    lengths = (used,) if schema.windows else (0,)
    return Transitions(
        schema=schema,
        actions=column("actions", schema.action),
        rewards=column("rewards", reward),
        discounts=column("discounts", Leaf((), np.dtype(np.float64))),
        steps=column("steps", Leaf((), np.dtype(np.int32))),
        flags=column("flags", Leaf((), np.dtype(np.uint8))),
        lengths=array(parts["lengths"], np.dtype(np.int32), lengths, f"{where}['lengths']"),
        extras={
            name: array(
                extras[name], leaf.dtype, (*axes, *leaf.shape), f"{where}['extras'][{name!r}]"
            )
            for name, leaf in schema.extras.items()
        },
        refs=np.empty((used, 0, 2), np.int32),
        frames=[],
    )


def _width(steps: Any, where: str) -> tuple[int]:
    """The axis of steps: how many fit into a window."""
    if not isinstance(steps, np.ndarray) or steps.ndim != 2 or steps.shape[1] < 1:
        raise ValueError(f"{where} must have an axis of rows and one of steps, got {shown(steps)}")
    return (steps.shape[1],)


def _reward_dtype(rewards: Any, first: Leaf, where: str) -> np.dtype[Any]:
    """The dtype that the reward column must have: that of the first one, or a wider one."""
    if first.scalar or not isinstance(rewards, np.ndarray):
        return first.dtype
    if rewards.dtype.kind not in "biuf":
        raise ValueError(
            f"{where}['columns']['rewards'] must be real numbers, got {shown(rewards)}"
        )
    return np.result_type(first.dtype, rewards.dtype)


def steps_there(columns: Transitions, present: Array, width: int, where: str) -> Array:
    """Which steps of which slots there are: (used, L) bool.

    Args:
        columns: the columns of all slots that were ever written.
        present: (used,) bool, true where a row lies.
        width: L, steps in the longest row.
        where: what the texts call the table.

    Raises:
        ValueError: a row has no steps, or more than fit.
    """
    if not columns.schema.windows:
        return present[:, None]
    lengths = columns.lengths
    if ((lengths < 1) | (lengths > width))[present].any():
        raise ValueError(f"{where}['lengths'] must be in [1, {width}] where rows are")
    there: Array = present[:, None] & (np.arange(width) < lengths[:, None])
    return there


def check_columns(columns: Transitions, present: Array, there: Array, where: str) -> None:
    """Raise unless every column fits the others.

    Raises:
        ValueError: ends that cannot be, discounts or steps that no row has, or something beyond
            the end of a window.
    """
    schema = columns.schema
    by_step = there if schema.windows else present
    ends, steps, discounts = (
        column[by_step] for column in (columns.flags, columns.steps, columns.discounts)
    )
    if not _possible_ends(schema)[ends].all():
        raise ValueError(f"{where}['flags'] must be flags of how steps end, got others")
    if (steps < 1).any():
        raise ValueError(f"{where}['steps'] must be at least 1 where rows are")
    known = discounts[~np.isnan(discounts)]
    if ((known < 0.0) | (known > 1.0)).any() or (discounts[ends & TERMINATED != 0] != 0.0).any():
        raise ValueError(
            f"{where}['discounts'] must be in [0, 1] or NaN, and 0 where a row terminated"
        )
    whole = columns.rewards[by_step][ends & INT_REWARD != 0]
    if not ((np.abs(whole) <= _MOST_WHOLE) & (np.trunc(whole) == whole)).all():
        raise ValueError(f"{where}['rewards'] must be whole numbers where the flags say so")
    if schema.windows:
        _check_padding(columns, present[:, None] & ~there, where)


def repeats_state(columns: Transitions, there: Array) -> Array:
    """Steps whose observation after is the one before: they terminated, or name none."""
    ends = columns.flags.reshape(there.shape)
    repeats: Array = there & (ends & (TERMINATED | NO_FINAL) != 0)
    return repeats


def _check_padding(columns: Transitions, beyond: Array, where: str) -> None:
    named = {name: getattr(columns, name) for name in COLUMNS}
    for name, column in {**named, **columns.extras}.items():
        if column[beyond].any():
            raise ValueError(f"{where}[{name!r}] must be 0 beyond the end of a window")


def _possible_ends(schema: Schema) -> Array:
    """For every byte whether a step of such rows may end so."""
    single_step = issubclass(schema.row_class, Experience)
    possible = np.zeros(256, np.bool_)
    for end in range(256):
        if end & (EPISODE_OVER | RAW_REWARD | NO_TRANSITION):
            continue
        keeps_last = not single_step and end & ENDED == TRUNCATED
        unknown_final = single_step and not end & ENDED
        possible[end] = (
            (keeps_last or not end & KEEPS_LAST)
            and (unknown_final or not end & NO_FINAL)
            and (schema.reward.scalar or not end & INT_REWARD)
        )
    return possible
