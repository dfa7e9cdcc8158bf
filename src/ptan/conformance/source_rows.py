"""Comparing one row of a source with the window of the script that it stands for."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ptan.conformance.scripts import Place, action_at, decode
from ptan.conformance.windows import Script, Window

Note = Callable[[str, str], None]
"""Called with the kind of a finding and its text."""


def number_of(value: Any) -> float:
    """A number, a scalar array or a tensor as a float; NaN if it is none of these."""
    try:
        return float(np.asarray(value, np.float64).reshape(()))
    except (TypeError, ValueError):
        return math.nan


def close(found: Any, right: float) -> bool:
    """Whether a number is right within the rounding of float32."""
    return math.isclose(number_of(found), right, rel_tol=1e-5, abs_tol=1e-6)


def words_for(state: Any, start: Place, script: Script) -> str:
    """What an observation is, seen from a row's start."""
    if state is None:
        return "None"
    place = decode(state)
    if place is None or not script.knows(place):
        return f"no observation that the environment gave, {state!r}"
    if place.env != start.env:
        return f"an observation of environment {place.env}"
    if place.episode == start.episode:
        return f"the observation of step {place.step}"
    if place.step == 0:
        return "the reset observation"
    return f"the observation of step {place.step} of episode {place.episode}"


def check_first_last(row: Any, window: Window, script: Script, note: Note) -> None:
    """A row that joins a window: state, action, reward and last_state, and what else it says."""
    _check_action(row, window.start, note)
    reward = script.reward(window.start, window.steps)
    if not close(row.reward, reward):
        note("reward", _reward_words(row.reward, reward, window, script))
    _check_last_state(row, window, script, note)
    _check_flags(row, window, note)
    _check_final_state(row, window, script, note)
    steps = getattr(row, "steps", None)
    if steps is not None and number_of(steps) != window.steps:
        note("steps", f"the row says that it spans {steps} steps, it spans {window.steps}")
    discount = getattr(row, "discount", None)
    right = window.discount(script.gamma)
    if discount is not None and not close(discount, right):
        note(
            "discount",
            f"the row's discount is {number_of(discount):.6g}, right is {right:.6g}: gamma to the "
            f"{window.steps} steps it spans, 0 after termination",
        )


def check_steps(rows: Sequence[Any], window: Window, script: Script, note: Note) -> None:
    """A tuple of single steps: state, action, reward and done of each."""
    if len(rows) != window.steps:
        note("length", f"{len(rows)} steps stand in the tuple, right are {window.steps}")
    one_step = Script(script.plans, 1, 1, script.gamma)
    for offset, row in enumerate(rows[: window.steps]):
        start = window.start._replace(step=window.start.step + offset)
        step = one_step.window(start)
        if decode(row.state) != start:
            note(
                "state",
                f"the state of step {start.step} is {words_for(row.state, start, script)}",
            )
            continue
        _check_action(row, start, note)
        right = script.reward(start, 1)
        if not close(row.reward, right):
            note("reward", f"the reward of step {start.step} is {row.reward}, right is {right:.6g}")
        if bool(row.done) != step.ended:
            note(
                "done",
                f"step {start.step} says done={bool(row.done)}, but the episode "
                f"{_end_words(step) if step.ended else 'goes on'}",
            )
        _check_flags(row, step, note)
        _check_final_state(row, step, script, note)
        discount = getattr(row, "discount", None)
        if discount is not None and not close(discount, step.discount(script.gamma)):
            note("discount", f"the discount of step {start.step} is {discount}")


def _end_words(window: Window) -> str:
    last = window.after.step - 1
    if window.life_lost:
        return f"lost a life at {last}"
    return f"{'was truncated' if not window.terminated else 'terminated'} at {last}"


def _check_action(row: Any, start: Place, note: Note) -> None:
    right = action_at(start)
    if number_of(row.action) != right:
        note("action", f"the row's action is {row.action}, the agent chose {right}")


def _reward_words(found: Any, right: float, window: Window, script: Script) -> str:
    text = f"the row's reward is {number_of(found):.6g}, right is {right:.6g}"
    start, steps = window.start, window.steps
    others = [k for k in range(1, script.n + 3) if k != steps]
    for other in others:
        stop = start.step + other
        if stop <= script.episode(start).length and close(found, script.reward(start, other)):
            return f"{text}: it sums {other} steps instead of {steps}"
    for other in others:
        if window.ended and close(found, script.reward(start, other, leak=True)):
            return f"{text}: it takes in rewards of the next episode"
    return text


def _check_last_state(row: Any, window: Window, script: Script, note: Note) -> None:
    found, after = row.last_state, window.after
    words = words_for(found, window.start, script)
    if not window.ended:
        if decode(found) != after:
            note(
                "last_state",
                f"the row's last state is {words}, right is the observation of step {after.step}, "
                f"{window.steps} steps on",
            )
        return
    if found is None:
        return
    if decode(found) != after:
        note(f"end {window.terminated}", f"{_the_end(window)}, but the row's last state is {words}")
    elif window.terminated and not _says_terminated(row):
        note(
            "bootstrap",
            f"{_the_end(window)}, but the row has a last state and does not say terminated: a "
            "target would bootstrap past the end",
        )


def _the_end(window: Window) -> str:
    return f"the episode {_end_words(window)}"


def _says_terminated(row: Any) -> bool:
    discount = getattr(row, "discount", None)
    return bool(getattr(row, "terminated", False)) or (discount is not None and close(discount, 0))


def _check_flags(row: Any, window: Window, note: Note) -> None:
    terminated = getattr(row, "terminated", None)
    if terminated is not None and bool(terminated) != window.terminated:
        why = _the_end(window) if window.ended else "the episode goes on"
        note(f"terminated {window.life_lost}", f"the row says terminated={terminated}, but {why}")
    truncated = getattr(row, "truncated", None)
    right = window.truncated
    if truncated is None or window.terminated or bool(truncated) == right:
        return
    if right:
        note(
            "truncated",
            f"{_the_end(window)}, but the row does not say truncated: a target would not bootstrap",
        )
    else:
        note("truncated", f"the row says truncated={truncated}, but the episode goes on")


def _check_final_state(row: Any, window: Window, script: Script, note: Note) -> None:
    if not hasattr(row, "final_state"):
        return
    if row.final_state is None:
        if window.truncated and not window.terminated and getattr(row, "truncated", False):
            note(
                "no final_state",
                f"{_the_end(window)}, but the row has no final state to bootstrap from",
            )
    elif decode(row.final_state) != window.after:
        words = words_for(row.final_state, window.start, script)
        why = f"{_the_end(window)}, but" if window.ended else "the episode goes on, but"
        note(
            f"final_state {window.ended}",
            f"{why} the row's final state is {words}, right is the observation of step "
            f"{window.after.step}",
        )
