"""What the stepping of environments is in the middle of, as state trees."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ptan.common.types import Array, SavedState, State
from ptan.envs.states import CannotSave
from ptan.experience.layout import Layout, Leaf, layout_words, layout_written
from ptan.experience.tape import Tape
from ptan.experience.windows import WindowCutter, WindowSpec

_STEPS = ("flags", "raw", "rewards", "actions")


def plain(value: Any, name: str) -> Any:
    """A copy of a value as a state tree; arrays of objects become lists.

    Raises:
        CannotSave: something in it is no plain data; the text says where.
    """
    if value is None or type(value) in (bool, int, float, str) or isinstance(value, np.generic):
        return value
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        if not value.dtype.hasobject:
            return value.copy()
        value = list(value)
    if type(value) is dict:
        return {key: plain(part, f"{name}[{key!r}]") for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(part, f"{name}[{i}]") for i, part in enumerate(value))
    raise CannotSave(
        f"{name} is a {type(value).__name__}: only numbers, text, arrays, tensors and containers "
        "of them can be saved"
    )


def column_of(values: Array | Sequence[object]) -> Array:
    """The array that `plain` copied."""
    if isinstance(values, np.ndarray):
        return values.copy()
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = plain(value, "state")
    return column


def tape_state(tape: Tape, windows: WindowCutter) -> State:
    """The steps of a tape that windows in progress still need; all steps were cut."""
    first, action = max(0, tape.t - windows.spec.n_step), tape.action_leaf
    steps, observations = tape.slots(first, tape.t), tape.slots(first, tape.t + 1)
    return {
        "t": tape.t,
        "layout": layout_words(tape.layout),
        "reward": layout_words(tape.reward_leaf),
        "action": None if action is None else layout_words(action),
        "progress": windows.progress.copy(),
        "returns": windows.returns.copy(),
        "frames": [plain(frames[observations], "observations") for frames in tape.frames],
        "steps": {name: plain(getattr(tape, name)[steps], name) for name in _STEPS},
    }


def restored_tape(
    state: SavedState, make: Callable[[Layout], Tape], spec: WindowSpec
) -> tuple[Tape, WindowCutter]:
    """A new tape that goes on where the one of the state was, and what cuts it."""
    tape = make(layout_written(state["layout"]))
    tape.t = state["t"]
    first = max(0, tape.t - spec.n_step)
    for leaf, use in ((state["reward"], tape.set_reward), (state["action"], tape.set_action)):
        if leaf is not None:
            written = layout_written(leaf)
            assert isinstance(written, Leaf)
            use(written)
    for frames, values in zip(tape.frames, state["frames"], strict=True):
        frames[tape.slots(first, tape.t + 1)] = column_of(values)
    for name in _STEPS:
        getattr(tape, name)[tape.slots(first, tape.t)] = column_of(state["steps"][name])
    windows = WindowCutter(tape, spec)
    windows.progress[:], windows.returns[:] = state["progress"], state["returns"]
    return tape, windows
