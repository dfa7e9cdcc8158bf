"""What the stepping of environments is in the middle of, as state trees.

A state tree is made of nested dicts, lists and tuples of None, bools, numbers, text, arrays and
tensors.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ptan.envs.states import CannotSave
from ptan.experience.layout import Array, Layout, Leaf
from ptan.experience.tape import Tape
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowCutter, WindowSpec

_COLUMNS = ("actions", "rewards", "discounts", "steps", "flags", "lengths")
_PLAIN = (type(None), bool, int, float, str, np.generic)


def plain(value: Any, name: str) -> Any:
    """A copy of a value as a state tree.

    Raises:
        CannotSave: something in it is no plain data; the text says where.
    """
    if type(value) in _PLAIN or isinstance(value, np.generic):
        return value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.copy()
    if isinstance(value, Tensor):
        return value.detach().clone()
    if type(value) is dict:
        return {key: plain(part, f"{name}[{key!r}]") for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(part, f"{name}[{i}]") for i, part in enumerate(value))
    raise CannotSave(
        f"{name} is a {type(value).__name__}: only numbers, text, arrays, tensors and containers "
        "of them can be saved"
    )


# Tapes, and rows cut from them.


def tape_state(tape: Tape, windows: WindowCutter) -> dict[str, Any]:
    """The steps of a tape that windows in progress still need; all steps were cut."""
    first = max(0, tape.t - windows.spec.n_step)
    slots = tape.slots(first, tape.t)
    return {
        "t": tape.t,
        "layout": _layout_state(tape.layout),
        "reward": _layout_state(tape.reward_leaf),
        "action": None if tape.action_leaf is None else _layout_state(tape.action_leaf),
        "progress": windows.progress.copy(),
        "returns": windows.returns.copy(),
        "frames": [_values(frames[tape.slots(first, tape.t + 1)]) for frames in tape.frames],
        "flags": tape.flags[slots],
        "raw": tape.raw[slots],
        "rewards": tape.rewards[slots],
        "actions": None if tape.action_leaf is None else _values(tape.actions[slots]),
    }


def restored_tape(
    state: Mapping[str, Any], make: Callable[[Layout], Tape], spec: WindowSpec
) -> tuple[Tape, WindowCutter]:
    """A new tape that goes on where the one of the state was, and what cuts it."""
    tape = make(_layout(state["layout"]))
    windows = WindowCutter(tape, spec)
    first, tape.t = max(0, state["t"] - spec.n_step), state["t"]
    slots = tape.slots(first, tape.t)
    reward = _layout(state["reward"])
    assert isinstance(reward, Leaf)
    tape.set_reward(reward)
    windows.rewind()
    windows.progress[:] = state["progress"]
    windows.returns[:] = state["returns"]
    for frames, values in zip(tape.frames, state["frames"], strict=True):
        _fill(frames, tape.slots(first, tape.t + 1), values)
    for name in ("flags", "raw", "rewards"):
        getattr(tape, name)[slots] = state[name]
    if state["action"] is not None:
        action = _layout(state["action"])
        assert isinstance(action, Leaf)
        tape.set_action(action)
        _fill(tape.actions, slots, state["actions"])
    return tape, windows


def rows_state(rows: Transitions) -> dict[str, Any]:
    """Rows with the observations that they refer to."""
    used, refs = np.unique(rows.refs, return_inverse=True)
    refs = refs.reshape(rows.refs.shape).astype(np.int32) - (used[0] < 0)
    return {
        "refs": refs,
        "frames": [_values(frames[used[used >= 0]]) for frames in rows.frames],
        **{name: _values(getattr(rows, name)) for name in _COLUMNS},
    }


def restored_rows(state: Mapping[str, Any], windows: WindowCutter) -> Transitions:
    """The rows of a state, of the kind that is cut from a tape."""
    frames = [_column(values) for values in state["frames"]]
    columns: dict[str, Any] = {name: _column(state[name]) for name in _COLUMNS}
    return Transitions(
        schema=windows.schema, extras={}, refs=state["refs"].copy(), frames=frames, **columns
    )


def _values(column: Array) -> Any:
    """A column as a state tree: a list where it holds objects."""
    return plain(list(column), "an object") if column.dtype.hasobject else column.copy()


def _column(values: Any) -> Array:
    if isinstance(values, np.ndarray):
        return values.copy()
    column = np.empty(len(values), object)
    _fill(column, np.arange(len(values)), values)
    return column


def _fill(column: Array, slots: Array, values: Any) -> None:
    if isinstance(values, np.ndarray):
        column[slots] = values
        return
    for slot, value in zip(slots, plain(values, "state"), strict=True):
        column[slot] = value


def _layout_state(layout: Layout) -> dict[str, Any]:
    if isinstance(layout, dict):
        return {"dict": [[key, _layout_state(part)] for key, part in layout.items()]}
    if isinstance(layout, tuple):
        return {"tuple": [_layout_state(part) for part in layout]}
    return {"shape": list(layout.shape), "dtype": layout.dtype.str, "scalar": layout.scalar}


def _layout(state: Mapping[str, Any]) -> Layout:
    if "dict" in state:
        return {key: _layout(part) for key, part in state["dict"]}
    if "tuple" in state:
        return tuple(_layout(part) for part in state["tuple"])
    return Leaf(tuple(state["shape"]), np.dtype(state["dtype"]), state["scalar"])
