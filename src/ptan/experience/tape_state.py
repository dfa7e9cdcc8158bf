"""A tape, and rows cut from it, as values that can be saved."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ptan.experience.tape import Cut, Tape
from ptan.experience.transitions import Transitions

_COLUMNS = ("actions", "rewards", "discounts", "steps", "flags", "lengths")


def tape_state(tape: Tape, rows: Transitions | None) -> dict[str, Any]:
    """The steps of a tape that windows in progress still need, and the observations of some rows.

    Args:
        tape: the tape, all of whose steps were cut.
        rows: rows cut from it that somebody still wants.
    """
    first = max(0, tape.t - tape.cut.n)
    slots = _places(tape, first, tape.t)
    refs = np.empty(0, np.int32) if rows is None else rows.refs[rows.refs >= 0]
    numbers = np.unique(np.concatenate([_places(tape, first, tape.t + 1), refs]))
    return {
        "t": tape.t,
        "ring": tape.ring,
        "layout": tape.layout,
        "reward_leaf": tape.reward_leaf,
        "action_leaf": tape.action_leaf,
        "progress": tape._progress.copy(),
        "returns": tape._returns.copy(),
        "numbers": numbers,
        "frames": [frames[numbers] for frames in tape.frames],
        "slots": slots,
        "flags": tape.flags[slots],
        "raw": tape.raw[slots],
        "rewards": tape.rewards[slots],
        "actions": None if tape.action_leaf is None else tape.actions[slots],
    }


def restored_tape(state: Mapping[str, Any] | None, count: int, cut: Cut) -> Tape | None:
    """A new tape that goes on where the one of the state was; None for None.

    Raises:
        ValueError: tapes have another length now.
    """
    if state is None:
        return None
    tape = Tape(state["layout"], count, cut)
    if state["ring"] != tape.ring:
        raise ValueError(
            f"state has a tape of {state['ring']} steps, and this version makes one of {tape.ring}"
        )
    tape.set_reward(state["reward_leaf"])
    tape.t = tape._cut_to = state["t"]
    tape._progress[:] = state["progress"]
    tape._returns[:] = state["returns"]
    for frames, values in zip(tape.frames, state["frames"], strict=True):
        frames[state["numbers"]] = values
    slots = state["slots"]
    for name in ("flags", "raw", "rewards"):
        getattr(tape, name)[slots] = state[name]
    if state["action_leaf"] is not None:
        tape.set_action(state["action_leaf"])
        tape.actions[slots] = state["actions"]
    return tape


def _places(tape: Tape, begin: int, end: int) -> Any:
    """Where the steps [begin, end) of all environments lie."""
    steps = np.arange(begin, end) % tape.ring * tape.count
    return (steps[:, None] + np.arange(tape.count)).ravel()


def rows_state(rows: Transitions | None) -> dict[str, Any] | None:
    """Rows without their observations, which stay with the tape."""
    if rows is None:
        return None
    columns = {name: getattr(rows, name).copy() for name in _COLUMNS}
    return {"refs": rows.refs.copy(), **columns}


def restored_rows(state: Mapping[str, Any] | None, tape: Tape | None) -> Transitions | None:
    """The rows whose `rows_state` it is, over the tape that was saved with them."""
    if state is None or tape is None:
        return None
    schema = tape._schema = tape._make_schema()
    columns: dict[str, Any] = {name: state[name] for name in (*_COLUMNS, "refs")}
    return Transitions(schema=schema, extras={}, frames=tape.frames, **columns)
