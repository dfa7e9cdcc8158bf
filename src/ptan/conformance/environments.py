"""Checks for environments, Gymnasium's own first, and for their wrappers."""

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env as check_contract
from gymnasium.utils.passive_env_checker import env_reset_passive_checker as check_reset
from gymnasium.utils.passive_env_checker import env_step_passive_checker as check_step
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import TransformObservation

from ptan.common.types import AnyEnv, Array, Env, VecEnv
from ptan.conformance.findings import different, guarded, leaves, report, same
from ptan.conformance.scripted import Episode, Place, ScriptedEnv, action_at

LENGTHS = (12, 5, 7, 3, 9, 12)
PLAN = [Episode(n, "terminated" if n > 5 else "truncated", (4,) * (n == 9)) for n in LENGTHS]
SEED = 70


def check_env(env: AnyEnv, *, steps: int = 300, seed: int = 0) -> list[str]:
    """Check an environment: Gymnasium's contract, finite numbers, seeding, and lost lives.

    If Gymnasium's own `check_env` finds nothing, it is played twice from one seed. Sources accept
    more: old-style environments, and arrays that the environment writes to again.

    Args:
        env: an environment, or a factory of one.
        steps: environment steps of each play; findings count them from 0, over all episodes.
        seed: for `reset(seed=)` and the action space.

    Raises:
        TypeError: a `VectorEnv`; see `check_vector_env`.
    """
    if isinstance(env, VectorEnv):
        raise TypeError("env must be a single environment; check_vector_env takes a VectorEnv")

    def checks() -> Iterator[str]:
        made = env() if isinstance(env, type) or not hasattr(env, "step") else env
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice, such as on the bounds of spaces
            check_contract(made, skip_render_check=True, skip_close_check=True)
        plays: list[list[tuple[object, ...]]] = [[], []]
        for seen in plays:
            yield from _play(made, steps, seed, seen)
        differ = (one[0] for one, two in zip(*plays, strict=False) if not same(one, two))
        for at in islice(differ, 1):
            yield f"{at}: two plays from one seed with equal actions differ"

    return report(guarded("the environment", checks()))


def _play(env: AnyEnv, steps: int, seed: int, seen: list[tuple[object, ...]]) -> Iterator[str]:
    """Play, and look at everything; `seen` gets where it was and all that came back but infos."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    number, over, after = 0, True, ""
    while number < steps:
        call: Callable[[], tuple[object, ...]]
        if over:
            at = f"the reset before step {number}"
            call = partial(check_reset, env, **({} if seen else {"seed": seed}))
        else:
            at, number = f"step {number}{after}", number + 1
            call = partial(check_step, env, space.sample())
        outcome: list[object] = []
        yield from guarded(at, _watch(call, at, outcome))
        if not outcome:
            return
        *values, info = outcome
        seen.append((at, *copy.deepcopy(values)))
        over, after = any(values[2:]), ""
        if len(values) == 4 and isinstance(info, dict) and info.get("life_loss"):
            if not over or info.get("lives") == 0:
                why = "with no lives left" if over else "without an end of the episode"
                yield f"{at}: life_loss is said {why}"
            elif not values[3]:  # the game must go on without a reset
                over, after = False, ", after a lost life without a reset"


def _watch(call: Callable[[], tuple[object, ...]], at: str, outcome: list[object]) -> Iterator[str]:
    """Call, keep the outcome, and tell of NaN, infinity, and what Gymnasium warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome += call()
    reward = outcome[1] if len(outcome) == 5 else 0.0
    arrays = leaves(outcome[0], "observation") | leaves(reward, "reward")
    bad = [n for n, a in arrays.items() if a.dtype.kind in "fc" and not np.isfinite(a).all()]
    yield from (f"{at}: the {name} holds NaN or infinity" for name in bad)
    for warning in () if bad else caught:
        text = re.sub(r"\x1b\[\d+m|WARN: ", "", str(warning.message))
        if np.asarray(reward).ndim == 0 or not text.startswith("The reward"):  # vectors are fine
            yield f"{at}: {text}"


def check_vector_env(
    vector_env: VecEnv, envs: Sequence[AnyEnv], *, steps: int = 200, seed: int = 0
) -> list[str]:
    """Check a vector environment against single ones, with equal seeds and actions.

    All observations must agree, final ones included (`info["final_obs"]` in SAME_STEP mode), and
    all rewards and ends.

    Args:
        vector_env: with array observations, in the auto-reset mode that its metadata tell.
        envs: one single environment per environment inside; the i-th is seeded with `seed + i`.
        steps: steps of the vector environment.
        seed: given to its first reset.

    Raises:
        ValueError: not as many `envs` as there are inside.
    """
    if len(envs) != vector_env.num_envs:
        raise ValueError(f"envs must be {vector_env.num_envs} environments, got {len(envs)}")
    return report(guarded("the vector environment", _compare(vector_env, envs, steps, seed)))


def _compare(vector_env: VecEnv, envs: Sequence[AnyEnv], steps: int, seed: int) -> Iterator[str]:
    """Play both until something differs: from there on nothing need agree."""
    mode = vector_env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    vector_env.action_space.seed(seed)
    over, found = np.ones(len(envs), np.bool_), list[str]()
    for number in range(steps):
        if number == 0 or (mode == AutoresetMode.DISABLED and over.any()):
            options = {"reset_mask": over} if number else None
            shown, _ = vector_env.reset(seed=None if number else seed, options=options)
            for i in np.flatnonzero(over).tolist():
                right = envs[i].reset(seed=None if number else seed + i)[0]
                what = f"the reset of environment {i} before step {number}: the observation"
                found += different(what, shown[i], right)
            over[:] = False
        actions = vector_env.action_space.sample()
        shown, rewards, terminated, truncated, info = vector_env.step(actions)
        for i, env in enumerate(envs):
            resets = bool(over[i])  # NEXT_STEP
            at = f"step {number} of environment {i}" + ", which resets it" * resets
            right = (env.reset()[0], 0.0, False, False) if resets else env.step(actions[i])[:4]
            over[i], observation = any(right[2:]), shown[i]
            what = "the final observation" if over[i] else "the observation"
            if over[i] and mode == AutoresetMode.SAME_STEP:
                found += different(f"{at}: the observation after the end", shown[i], env.reset()[0])
                over[i], observation = False, info.get("final_obs", [None] * len(envs))[i]
            told = (observation, rewards[i], bool(terminated[i]), bool(truncated[i]))
            names = (what, "the reward", "terminated", "truncated")
            for name, value, wanted in zip(names, told, right, strict=True):
                found += different(f"{at}: {name}", value, wanted)
        if found:
            break
    yield from found


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

    return _play_plan(wrap, shape, dtype, lambda place: 1 + 3 * place.step, look)


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

    return _play_plan(wrap, shape, dtype, lambda place: 1 + places.index(place[1:]), look)


def _play_plan(
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
