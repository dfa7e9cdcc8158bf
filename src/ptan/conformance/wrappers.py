"""Checks for wrappers, frame stacks among them: nothing crosses an episode's end."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.wrappers import TransformObservation

from ptan.common.types import Array, Env
from ptan.conformance.findings import guarded, report, same
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at

LENGTHS = (12, 5, 7, 3, 9, 12)
PLAN = [Episode(n, "terminated" if n > 5 else "truncated", (4,) * (n == 9)) for n in LENGTHS]
SEED = 70


def check_wrapper(
    wrap: Callable[[Env], Env], *, shape: Sequence[int] = (4,), dtype: npt.DTypeLike = np.float32
) -> list[str]:
    """Check a wrapper over a scripted environment: seeds, ends, and no memory across episodes.

    All episodes begin alike, so what the wrapper shows at a step must be the same in each, at the
    last step too. It may not draw at random or keep running means over episodes.

    Args:
        wrap: puts the wrapper round a given environment; it may skip frames.
        shape, dtype: of the observations to wrap, a `Box` of 0 to 255.
    """
    first: list[Array] = []

    def look(episode: int, step: int, shown: Array) -> str:
        if episode == 1:
            first.append(shown)
        if step >= len(first) or same(shown, first[step]):
            return ""
        text = "the observation is not that of this step in an equal episode: something of "
        return text + "another episode is in it, or the true final observation is not"

    return _play(wrap, shape, dtype, lambda place: 1 + 3 * place.step, look)


def check_frame_stack(
    wrap: Callable[[Env], Env], *, shape: Sequence[int] = (4,), dtype: npt.DTypeLike = np.float32
) -> list[str]:
    """Check a frame stack: the newest observations of this episode, and of no other.

    Before the first ones the first may stand again, or zeros; a lost life ends no episode.

    Args:
        wrap, shape, dtype: as for `check_wrapper`; values may be moved but not changed.
    """
    places = [(n, step) for n, script in enumerate(PLAN, 1) for step in range(script.length + 1)]

    def words(values: list[int]) -> str:
        names = {i: f"step {step} of episode {n}" for i, (n, step) in enumerate(places, 1)}
        return ", ".join(names.get(value, f"a value {value}") for value in values)

    def look(episode: int, step: int, shown: Array) -> str:
        newest = 1 + places.index((episode, step))
        depth = max(1, np.size(shown) // int(np.prod(shape)))
        right = list(range(newest - min(step, depth - 1), newest + 1))
        found = [value for value in np.unique(shown).tolist() if value != 0]
        return "" if found == right else f"the stack holds {words(found)}; right is {words(right)}"

    return _play(wrap, shape, dtype, lambda place: 1 + places.index(place[1:]), look)


def _play(
    wrap: Callable[[Env], Env],
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    code: Callable[[Place], int],
    look: Callable[[int, int, Array], str],
) -> list[str]:
    """Findings over the plan: those of `look(episode, step, shown)`, and on seeds and ends.

    Observations are filled with the `code` of their place.
    """
    inner = ScriptedEnv(PLAN)
    box = Box(0, 255, tuple(shape), np.dtype(dtype).type)

    def play() -> Iterator[str]:
        fill = TransformObservation(inner, lambda _: np.full(shape, code(inner.place), dtype), box)
        env = wrap(fill)
        for episode in range(1, len(PLAN) + 1):
            at, step, over = f"episode {episode}, reset", 0, False
            shown, _ = env.reset(seed=SEED if episode == 1 else None)
            if inner.log[0].kwargs != {"seed": SEED}:
                yield f"{at}, reset(seed={SEED}): the seed does not reach the wrapped environment"
            if inner.episode != episode:
                text = f"the wrapped environment is in its episode {inner.episode}"
                yield f"{at}: {text}: it must be reset once, and not by a lost life"
            while True:
                if text := look(episode, step, np.array(shown)):
                    yield f"{at}: {text}"
                if over:
                    break
                shown, _, *flags, info = env.step(action_at(inner.place))
                at, step = f"episode {episode}, step {step}", step + 1
                right = [inner.log[-1].terminated, inner.log[-1].truncated]
                if any(right) and flags != right:
                    ends = f"the wrapped environment says (terminated, truncated) = {tuple(right)}"
                    yield f"{at}: {ends}, the wrapper {tuple(flags)}"
                life_lost = info.get("life_loss") and inner.running
                over = not inner.running or (any(flags) and not life_lost)

    return report(guarded("playing the wrapped environment", play()))
