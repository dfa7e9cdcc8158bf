"""Checks for wrappers, frame stacks among them: nothing crosses an episode's end."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import TransformObservation

from ptan.conformance.findings import Findings
from ptan.conformance.oracles import same
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at, decode

Wrap = Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]]

PLAN = (
    Episode(12),
    Episode(5, "truncated"),
    Episode(7),
    Episode(3, "truncated"),
    Episode(9, lost=(4,)),
    Episode(12),
)
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
    """
    findings = Findings()
    played = _play(wrap, shape, dtype, lambda place: 1 + 3 * place.step, findings)
    for episode in played:
        for (at, shown), (_, right) in zip(episode, played[0], strict=False):
            if not same(shown, right):
                text = "the observation is not that of this step in an equal episode: something "
                text += "of another episode is in it, or the true final observation is not"
                findings.add(f"{at}: {text}")
                break
    return findings.lines()


def check_frame_stack(
    wrap: Wrap, *, shape: Sequence[int] = (4,), dtype: npt.DTypeLike = np.float32
) -> list[str]:
    """Check a frame stack: the newest observations of this episode, and of no other.

        for finding in check_frame_stack(lambda env: FrameStackObservation(env, 4)):
            print(finding)

    Besides seeds and ends, what stands in the stack: every observation in it belongs to the episode
    (before its first ones may stand that one again, or the lowest value of the space), the newest
    is in it, and a lost life, which ends no episode, leaves it alone.

    Args:
        wrap, shape, dtype: as for `check_wrapper`; values may be moved but not changed.
    """
    findings = Findings()
    places = [Place(0, n, k) for n, e in enumerate(PLAN, 1) for k in range(e.length + 1)]
    names = {
        number: f"step {place.step} of episode {place.episode}"
        for number, place in enumerate(places, 1)
    }
    played = _play(wrap, shape, dtype, lambda place: 1 + places.index(place), findings)
    for number, episode in enumerate(played, 1):
        first = 1 + places.index(Place(0, number, 0))
        for step, (at, shown) in enumerate(episode):
            depth = max(1, np.size(shown) // int(np.prod(shape)))
            right = list(range(first + max(0, step - depth + 1), first + step + 1))
            found = [value for value in np.unique(shown).tolist() if value != 0]
            if found != right:
                held = ", ".join(names.get(value, f"a value {value}") for value in found)
                wanted = ", ".join(names[value] for value in right)
                findings.add(f"{at}: the stack holds {held}; right is {wanted}")
    return findings.lines()


def _play(
    wrap: Wrap,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    code: Callable[[Place], int],
    findings: Findings,
) -> list[list[tuple[str, Any]]]:
    """(where, observation) of every reset and step, by episode, up to an exception.

    The observations to wrap are filled with a number that follows from the place.
    """
    inner = ScriptedEnv(PLAN)
    played: list[list[tuple[str, Any]]] = []

    def show(observation: Any) -> Any:
        place = decode(observation)
        assert place is not None
        return np.full(shape, code(place), dtype)

    def run() -> None:
        box = gymnasium.spaces.Box(0, 255, tuple(shape), np.dtype(dtype).type)
        env = wrap(TransformObservation(inner, show, box))
        for number in range(1, len(PLAN) + 1):
            at, over = f"episode {number}, reset", False
            played.append([(at, np.array(env.reset(seed=SEED if number == 1 else None)[0]))])
            if number == 1 and inner.log[0].kwargs != {"seed": SEED}:
                text = f"reset(seed={SEED}): the seed does not reach the wrapped environment"
                findings.add(f"{at}, {text}")
            if inner.episode != number:
                text = f"the wrapped environment is in its episode {inner.episode}: it must be "
                findings.add(f"{at}: {text}reset once, and not by a lost life")
            while not over:
                shown, _, *flags, info = env.step(action_at(inner.place))
                at = f"episode {number}, step {len(played[-1]) - 1}"
                played[-1].append((at, np.array(shown)))
                right = [inner.log[-1].terminated, inner.log[-1].truncated]
                if any(right) and flags != right:
                    ends = f"the wrapped environment says (terminated, truncated) = {tuple(right)}"
                    findings.add(f"{at}: {ends}, the wrapper {tuple(flags)}")
                life_lost = info.get("life_loss") and inner.running
                over = not inner.running or (any(flags) and not life_lost)

    findings.attempt("playing the wrapped environment", run)
    return played
