"""Checks for wrappers, frame stacks among them: nothing crosses an episode's end."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ptan.conformance.environments import same, spied_resets
from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.scripts import Episode, Place, ScriptedEnv, action_at

Env = gymnasium.Env[Any, Any]
Wrap = Callable[[Env], Env]

LONG = Episode(12)
ENDINGS = (LONG, Episode(5, "truncated"), Episode(7), Episode(3, "truncated"), LONG)
LIVES = (Episode(9, lost=(4,)), Episode(3))
SEED = 70


def check_wrapper(
    wrap: Wrap, *, shape: Sequence[int] = (4,), dtype: npt.DTypeLike = np.float32
) -> list[str]:
    """Check a wrapper over a scripted environment: seeds, ends, and no memory across episodes.

        for finding in check_wrapper(lambda env: MyWrapper(env, size=3)):
            print(finding)

    The scripted episodes begin alike and end after different numbers of steps, so what the wrapper
    shows at a step must be the same in each, at the last step too. Leave out wrappers that draw at
    random or keep running means over episodes on purpose.

    Args:
        wrap: puts the wrapper round a given environment; it may skip frames.
        shape: of the observations to wrap, a `Box` of 0 to 255.
        dtype: of these.

    Returns:
        Findings in plain words, none if nothing is wrong. Steps count from 0, episodes from 1.
    """
    findings = Findings()
    _check_seed(wrap, shape, dtype, findings)
    played = _play(wrap, ENDINGS, shape, dtype, lambda place: 1 + 3 * place.step, findings)
    if played is FAILED:
        return findings.lines()
    longest = played[0]
    for number, (script, episode) in enumerate(zip(ENDINGS, played, strict=False), start=1):
        for step, (shown, right) in enumerate(zip(episode, longest, strict=False)):
            if same(shown, right):
                continue
            if step == len(episode) - 1 and script.end == "truncated":
                text = "the observation at a truncation is not the true final one: without the "
                findings.add("final", f"episode {number}, step {step - 1}: {text}end it is another")
            else:
                text = "the observation differs from that of an equal episode: something of the "
                when = "reset" if step == 0 else f"step {step - 1}"
                findings.add("crosses", f"episode {number}, {when}: {text}one before is left in it")
            break
    _play(wrap, LIVES, shape, dtype, lambda place: 1 + place.step, findings)
    return findings.lines()


def check_frame_stack(
    wrap: Wrap, *, shape: Sequence[int] = (4,), dtype: npt.DTypeLike = np.float32
) -> list[str]:
    """Check a frame stack: the newest observations of this episode, and of no other.

        for finding in check_frame_stack(lambda env: FrameStackObservation(env, 4)):
            print(finding)

    All that `check_wrapper` looks for, and what stands in the stack: every observation in it
    belongs to the episode (before its first ones may stand that one again, or the lowest value of
    the space), the newest is in it, and a lost life, which ends no episode, leaves it alone.

    Args:
        wrap: puts the stack round a given environment; values may be moved but not changed.
        shape: of one observation, a `Box` of 0 to 255.
        dtype: of it.

    Returns:
        Findings in plain words, none if nothing is wrong. Steps count from 0, episodes from 1.
    """
    findings = Findings()
    size = int(np.prod(shape))
    for plan in (ENDINGS, LIVES):
        codes: dict[int, Place] = {}

        def code(place: Place, codes: dict[int, Place] = codes) -> int:
            known = [number for number, other in codes.items() if other == place]
            number = known[0] if known else len(codes) + 1
            codes[number] = place
            return number

        played = _play(wrap, plan, shape, dtype, code, findings)
        if played is not FAILED:
            for number, episode in enumerate(played, start=1):
                for step, shown in enumerate(episode):
                    _check_stack(np.asarray(shown), Place(0, number, step), codes, size, findings)
    return findings.lines() or check_wrapper(wrap, shape=shape, dtype=dtype)


def _check_stack(
    shown: Any, place: Place, codes: dict[int, Place], size: int, findings: Findings
) -> None:
    """The values in one stack belong to the newest steps of the episode."""
    when = "reset" if place.step == 0 else f"step {place.step - 1}"
    at = f"episode {place.episode}, {when}"
    values = sorted({float(value) for value in np.unique(shown)} - {0.0})
    depth = max(1, shown.size // size)
    found = [codes.get(int(value)) for value in values]
    if None in found or any(value % 1 for value in values):
        findings.add("value", f"{at}: the stack holds values that no observation has")
        return
    places = [known for known in found if known is not None]
    foreign = [known for known in places if known.episode != place.episode]
    if foreign:
        words = "the final one" if place.step == 0 else f"that of step {foreign[-1].step}"
        findings.add(
            "spans",
            f"{at}: the stack holds an observation of episode {foreign[-1].episode}, {words}; "
            "a stack must not span two episodes",
        )
    steps = {known.step for known in places if known.episode == place.episode}
    wanted = set(range(max(0, place.step - depth + 1), place.step + 1))
    if place.step not in steps:
        findings.add("newest", f"{at}: the newest observation is not in the stack")
    elif steps != wanted and not foreign:
        findings.add(
            "depth",
            f"{at}: the stack of {depth} holds the observations of steps {sorted(steps)} of the "
            f"episode, right are {sorted(wanted)}",
        )


def _check_seed(wrap: Wrap, shape: Sequence[int], dtype: npt.DTypeLike, findings: Findings) -> None:
    inner = _inner(ENDINGS, shape, dtype, lambda _: 1)

    def reset() -> None:
        env = wrap(inner)
        with spied_resets(inner) as seeds:
            env.reset(seed=SEED)
        if SEED not in seeds:
            findings.add(
                "seed",
                f"reset(seed={SEED}): the seed does not reach the wrapped environment, which was "
                f"reset with {seeds[0] if seeds else 'nothing'}",
            )

    findings.attempt("seed", f"reset(seed={SEED})", reset)


def _inner(
    plan: Sequence[Episode],
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    code: Callable[[Place], int],
) -> ScriptedEnv:
    return ScriptedEnv(
        plan,
        encode=lambda place: np.full(shape, code(place), dtype),
        observation_space=spaces.Box(0, 255, tuple(shape), np.dtype(dtype).type),
    )


def _play(
    wrap: Wrap,
    plan: Sequence[Episode],
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    code: Callable[[Place], int],
    findings: Findings,
) -> Any:
    """Observations of every episode of a plan, reset included; FAILED after an exception."""
    inner = _inner(plan, shape, dtype, code)
    played: list[list[Any]] = []

    def run() -> None:
        env = wrap(inner)
        for number in range(1, len(plan) + 1):
            played.append([np.array(env.reset()[0])])
            _check_begin(inner, number, findings)
            going = True
            while going:
                shown, _, terminated, truncated, info = env.step(action_at(inner.place))
                played[-1].append(np.array(shown))
                _check_end(inner, (bool(terminated), bool(truncated)), number, findings)
                life_lost = bool(info.get("life_loss")) and not inner.over
                going = not (terminated or truncated or inner.over) or life_lost

    outcome = findings.attempt("exception", "playing the wrapped environment", run)
    return FAILED if outcome is FAILED else played


def _check_begin(inner: ScriptedEnv, number: int, findings: Findings) -> None:
    place = inner.place
    if place.episode != number:
        findings.add(
            "reset",
            f"episode {number}, reset: the wrapped environment is in its episode {place.episode}, "
            "it must be reset exactly once, and not by a lost life",
        )


def _check_end(
    inner: ScriptedEnv, flags: tuple[bool, bool], number: int, findings: Findings
) -> None:
    """The wrapper tells the ends of the environment inside as they are."""
    at = f"episode {number}, step {inner.place.step - 1}"
    if not any(inner.flags) or flags == inner.flags:
        return
    words = "terminated" if inner.flags[0] else "truncated"
    findings.add(
        "flags",
        f"{at}: the wrapped environment was {words}, but the wrapper says "
        f"terminated={flags[0]}, truncated={flags[1]}",
    )
