"""Checks for wrappers, frame stacks among them: nothing crosses an episode's end."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.oracles import same
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at

Env = gymnasium.Env[Any, Any]
Wrap = Callable[[Env], Env]

LONG = Episode(12)
ENDINGS = (LONG, Episode(5, "truncated"), Episode(7), Episode(3, "truncated"), LONG)
LIVES = (Episode(9, lost=(4,)), Episode(3))
SEED = 70


class _CodedEnv(ScriptedEnv):
    """Observations of any shape, filled with a number that follows from the place."""

    def __init__(
        self, plan: Sequence[Episode], space: spaces.Space[Any], code: Callable[[Place], int]
    ) -> None:
        super().__init__(plan)
        self.observation_space, self._code = space, code

    def observe(self) -> Any:
        space = self.observation_space
        return np.full(space.shape or (), self._code(self.place), space.dtype)


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
    findings, space = Findings(), _box(shape, dtype)
    inner = _CodedEnv(ENDINGS, space, lambda _: 1)
    findings.attempt(f"reset(seed={SEED})", lambda: wrap(inner).reset(seed=SEED))
    if not any(event.kwargs == {"seed": SEED} for event in inner.log):
        text = f"reset(seed={SEED}): the seed does not reach the wrapped environment"
        findings.add("seed", text)
    played = _play(wrap, _CodedEnv(ENDINGS, space, lambda place: 1 + 3 * place.step), findings)
    for script, episode in zip(ENDINGS, played, strict=False):
        for (at, shown), (_, right) in zip(episode, played[0], strict=False):
            if not same(shown, right):
                if script.end == "truncated" and at == episode[-1][0]:
                    text = "the observation at a truncation is not the true final one: without the "
                    findings.add("final", f"{at}: {text}end it is another")
                else:
                    text = "the observation differs from that of an equal episode: something of "
                    findings.add("crosses", f"{at}: {text}the one before is left in it")
                break
    _play(wrap, _CodedEnv(LIVES, space, lambda place: 1 + place.step), findings)
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
    for plan in (ENDINGS, LIVES):
        places = [Place(0, n, k) for n, e in enumerate(plan, 1) for k in range(e.length + 1)]
        codes = {place: number for number, place in enumerate(places, 1)}
        env = _CodedEnv(plan, _box(shape, dtype), codes.__getitem__)
        for number, episode in enumerate(_play(wrap, env, findings), 1):
            for step, (at, shown) in enumerate(episode):
                depth = max(1, np.size(shown) // int(np.prod(shape)))
                newest = range(max(0, step - depth + 1), step + 1)
                right = {codes[Place(0, number, k)] for k in newest}
                found = {float(value) for value in np.unique(shown)} - {0.0}
                if found != right:
                    words = _stack_words(found, number, step, dict(enumerate(places, 1)))
                    findings.add(
                        words[:40], f"{at}: {words}, right are those of steps {list(newest)}"
                    )
    return findings.lines() or check_wrapper(wrap, shape=shape, dtype=dtype)


def _stack_words(found: set[float], episode: int, step: int, places: dict[int, Place]) -> str:
    """What is wrong with the values in a stack."""
    if not found <= places.keys():
        return "the stack holds values that no observation has"
    held = sorted(places[int(number)] for number in found)
    for place in held:
        if place.episode != episode:
            return (
                f"the stack holds an observation of episode {place.episode}, that of step "
                f"{place.step}; a stack must not span two episodes"
            )
    if step not in [place.step for place in held]:
        return "the newest observation is not in the stack"
    return f"the stack holds the observations of steps {[place.step for place in held]}"


def _box(shape: Sequence[int], dtype: npt.DTypeLike) -> spaces.Box:
    return spaces.Box(0, 255, tuple(shape), np.dtype(dtype).type)


def _play(wrap: Wrap, inner: ScriptedEnv, findings: Findings) -> list[list[tuple[str, Any]]]:
    """(where, observation) of every reset and step, by episode, up to an exception."""
    played: list[list[tuple[str, Any]]] = []

    def run() -> None:
        env = wrap(inner)
        for number in range(1, len(inner.plan) + 1):
            at, over = f"episode {number}, reset", False
            played.append([(at, np.array(env.reset()[0]))])
            if inner.episode != number:
                text = f"the wrapped environment is in its episode {inner.episode}: it must be "
                findings.add("reset", f"{at}: {text}reset once, and not by a lost life")
            while not over:
                shown, _, *flags, info = env.step(action_at(inner.place))
                at = f"episode {number}, step {len(played[-1]) - 1}"
                played[-1].append((at, np.array(shown)))
                right = [inner.log[-1].terminated, inner.log[-1].truncated]
                if any(right) and flags != right:
                    ends = f"the wrapped environment says (terminated, truncated) = {tuple(right)}"
                    findings.add("flags", f"{at}: {ends}, the wrapper {tuple(flags)}")
                life_lost = info.get("life_loss") and inner.running
                over = not inner.running or (any(flags) and not life_lost)

    if findings.attempt("playing the wrapped environment", run) is FAILED:
        return []
    return played
