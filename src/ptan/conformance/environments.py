"""Checks for single environments: the Gymnasium contract as experience sources need it."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from ptan.conformance.findings import FAILED, Findings, describe_error


def check_env(
    env: Any | Callable[[], Any],
    *,
    steps: int = 300,
    seed: int = 0,
    action: Callable[[], Any] | None = None,
) -> list[str]:
    """Check an environment: what it returns, its seeding, and what it does at a lost life.

        for finding in check_env(lambda: MyWrapper(gymnasium.make("CartPole-v1"))):
            print(finding)

    It is played twice from the same seed with the same actions. Old-style Gym environments
    (4-tuple steps, a bare observation at reset) are understood. Observations that share one array
    are told as a note: sources copy them, code of your own must too.

    Args:
        env: an environment, or a factory of one.
        steps: environment steps of each play.
        seed: for `reset(seed=)` and the action space.
        action: called for every action; None samples a copy of the action space.

    Returns:
        Findings in plain words, none if nothing is wrong. Steps count from 0, over all episodes.

    Raises:
        TypeError: a `VectorEnv`; see `check_vector_env`.
    """
    findings = Findings()
    if isinstance(env, type) or not hasattr(env, "step"):
        env = findings.attempt("make", "making the environment", env)
        if env is FAILED:
            return findings.lines()
    if isinstance(env, VectorEnv):
        raise TypeError("env must be a single environment; check_vector_env takes a VectorEnv")
    seeded = _takes_seed(env, findings)
    first = _Play(env, findings, seed if seeded else None, action).run(steps)
    if seeded and action is None and not findings.lines():
        _check_seed_arrives(env, seed, findings)
        again = _Play(env, Findings(), seed, action).run(steps)
        _compare_plays(first, again, findings)
    return findings.lines()


def _takes_seed(env: Any, findings: Findings) -> bool:
    """Whether `reset` takes a seed."""
    try:
        parameters = inspect.signature(env.reset).parameters.values()
    except (TypeError, ValueError):
        return True
    if any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    findings.add("no seed", "reset() takes no seed: no run can be repeated")
    return False


@dataclass
class _Seen:
    """What one step, or a reset (reward None), gave."""

    observation: Any
    reward: Any = None
    flags: tuple[bool, bool] = (False, False)


class _Play:
    """One play of some steps, looking at everything that comes back."""

    def __init__(
        self, env: Any, findings: Findings, seed: int | None, action: Callable[[], Any] | None
    ) -> None:
        self.env = env
        self.findings = findings
        self.seed = seed
        self.seen: list[_Seen] = []
        self._at = "reset"
        if action is None:
            space = copy.deepcopy(env.action_space)
            space.seed(0 if seed is None else seed)
            action = space.sample
        self._action = action

    def run(self, steps: int) -> list[_Seen]:
        """Play, and return all that was seen up to the first exception."""
        running = False
        for number in range(steps):
            if not running:
                self._at = f"the reset before step {number}"
                running = self._reset()
                if not running:
                    break
            self._at = f"step {number}"
            outcome = self._step()
            if outcome is None:
                break
            running = outcome
        return self.seen

    def _reset(self, *, again: bool = False) -> bool:
        seed, self.seed = self.seed, None
        settings = {} if seed is None else {"seed": seed}
        result = self._call(lambda: self.env.reset(**settings))
        if result is FAILED:
            return False
        info: Any = {}
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            result, info = result
        elif isinstance(result, tuple) and not _is_tuple_space(self.env):
            self._say("reset", f"reset() must return (observation, info), got {_short(result)}")
            return False
        if info.get("life_loss"):
            return self._resumed(result, again)
        self._look(result, _Seen(copy.deepcopy(result)))
        return True

    def _resumed(self, observation: Any, again: bool) -> bool:
        """A reset that goes on with the game, as after a lost life: the next one must not."""
        if again or not self.seen:
            self._say("resume", "reset() goes on with the game for ever: no new one begins")
            return False
        if not same(observation, self.seen[-1].observation):
            self._say(
                "resume", "reset() goes on after a lost life, but not at the observation of the end"
            )
        return self._reset(again=True)

    def _step(self) -> bool | None:
        """Whether the episode goes on; None if nothing more can be said."""
        action = self._action()
        before = self._last_given
        kept = copy.deepcopy(before)
        result = self._call(lambda: self.env.step(action))
        if result is FAILED:
            return None
        if not isinstance(result, (tuple, list)) or len(result) not in (4, 5):
            self._say(
                "step",
                "step() must return (observation, reward, terminated, truncated, info), got "
                f"{_short(result)}",
            )
            return None
        if not same(before, kept):
            self.findings.add(
                "reuse",
                f"note: {self._at} wrote into the observation returned before it; copy what you "
                "keep",
            )
        if len(result) == 4:
            observation, reward, terminated, info = result
            truncated = bool(terminated and info and info.get("TimeLimit.truncated"))
            terminated = terminated and not truncated
        else:
            observation, reward, terminated, truncated, info = result
        self._flag("terminated", terminated)
        self._flag("truncated", truncated)
        self._check_reward(reward)
        if not isinstance(info, dict):
            self._say("info", f"info must be a dict, got {_short(info)}")
            info = {}
        flags = (bool(terminated), bool(truncated))
        self._look(observation, _Seen(copy.deepcopy(observation), copy.deepcopy(reward), flags))
        return not any(flags) or self._life_lost(info, flags)

    def _life_lost(self, info: dict[str, Any], flags: tuple[bool, bool]) -> bool:
        """Whether only a life was lost, and the game goes on without a reset."""
        if not info.get("life_loss"):
            return False
        if info.get("lives") == 0:
            self._say("life_loss", "life_loss is said with no lives left: the game is over")
            return False
        if not flags[0]:
            self._say("life_loss", "life_loss is said without terminated")
        return not flags[1]

    def _call(self, call: Callable[[], Any]) -> Any:
        after = ", after a lost life without a reset" if self._after_lost_life else ""
        try:
            return call()
        except Exception as error:
            self._say("exception", f"raised {describe_error(error)}{after}")
            return FAILED

    @property
    def _after_lost_life(self) -> bool:
        return bool(self.seen) and any(self.seen[-1].flags) and "reset" not in self._at

    def _look(self, observation: Any, seen: _Seen) -> None:
        """Space, shape, dtype and finiteness of an observation."""
        self._last_given = observation
        for name, leaf in leaves(observation):
            if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
                self._say("finite", f"the observation{name} holds NaN or infinity")
        if self.seen:
            forms = [
                [(name, leaf.shape, leaf.dtype) for name, leaf in leaves(value)]
                for value in (self.seen[0].observation, observation)
            ]
            if forms[0] != forms[1]:
                self._say(
                    "form", f"the observation is {_forms(forms[1])}, at first {_forms(forms[0])}"
                )
        space = getattr(self.env, "observation_space", None)
        if space is None:
            self.findings.add("space", "the environment has no observation_space")
        elif not _inside(space, observation):
            self._say("inside", f"the observation is not in observation_space, {space}")
        self.seen.append(seen)

    def _check_reward(self, reward: Any) -> None:
        try:
            numbers = np.asarray(reward, np.float64)
        except (TypeError, ValueError):
            self._say("reward", f"the reward must be a number or an array, got {_short(reward)}")
            return
        if not np.isfinite(numbers).all():
            self._say("reward finite", f"the reward is {reward}")

    def _flag(self, name: str, value: Any) -> None:
        array = np.asarray(value)
        if array.shape != () or not (array.dtype == np.bool_ or array.tolist() in (0, 1)):
            self._say(name, f"{name} must be a bool, got {_short(value)}")

    def _say(self, kind: str, text: str) -> None:
        self.findings.add(kind, f"{self._at}: {text}")


def _check_seed_arrives(env: Any, seed: int, findings: Findings) -> None:
    """A seed given to the outermost wrapper reaches the environment inside."""
    inner = getattr(env, "unwrapped", None)
    if inner is None or inner is env:
        return
    with spied_resets(inner) as seeds:
        env.reset(seed=seed)
    if seeds and all(value is None for value in seeds):
        findings.add(
            "seed lost",
            f"reset(seed={seed}): the seed does not reach the environment inside the wrappers, "
            f"{type(inner).__name__} was reset with seed=None",
        )


@contextmanager
def spied_resets(inner: gymnasium.Env[Any, Any]) -> Iterator[list[Any]]:
    """The seeds that an environment is reset with, from now on."""
    seeds: list[Any] = []
    reset = inner.reset

    @functools.wraps(reset)
    def spy(*args: Any, **settings: Any) -> Any:
        seeds.append(settings.get("seed"))
        return reset(*args, **settings)

    own = inner.__dict__.get("reset", FAILED)
    inner.__dict__["reset"] = spy
    try:
        yield seeds
    finally:
        del inner.__dict__["reset"]
        if own is not FAILED:
            inner.__dict__["reset"] = own


def _compare_plays(first: list[_Seen], again: list[_Seen], findings: Findings) -> None:
    """Two plays from one seed are equal."""
    for number, (one, two) in enumerate(zip(first, again, strict=False)):
        for name in ("observation", "reward", "flags"):
            if not same(getattr(one, name), getattr(two, name)):
                what = "reset" if one.reward is None else "step"
                findings.add(
                    "repeat",
                    f"two plays from the same seed with the same actions differ: the {name} of the "
                    f"{what} that is call {number}",
                )
                return
    if len(first) != len(again):
        findings.add("repeat", "two plays from the same seed have episodes of different lengths")


def leaves(value: Any, name: str = "") -> list[tuple[str, np.ndarray[Any, Any]]]:
    """The arrays of an observation with their names, nested ones included."""
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{name}[{key!r}]")]
    if isinstance(value, tuple):
        return [leaf for i, part in enumerate(value) for leaf in leaves(part, f"{name}[{i}]")]
    return [(name, np.asarray(value))]


def same(one: Any, two: Any) -> bool:
    """Whether two observations or rewards are equal, NaN equal to itself."""
    pairs = leaves(one), leaves(two)
    if [name for name, _ in pairs[0]] != [name for name, _ in pairs[1]]:
        return False
    return all(
        a.shape == b.shape and (np.array_equal(a, b) or _equal_nan(a, b))
        for (_, a), (_, b) in zip(*pairs, strict=True)
    )


def _equal_nan(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> bool:
    return one.dtype.kind == "f" and bool(np.array_equal(one, two, equal_nan=True))


def _inside(space: Any, observation: Any) -> bool:
    try:
        return bool(space.contains(observation))
    except (TypeError, ValueError):
        return False


def _is_tuple_space(env: Any) -> bool:
    return isinstance(getattr(env, "observation_space", None), gymnasium.spaces.Tuple)


def _forms(parts: list[Any]) -> str:
    return ", ".join(f"{name or 'an array'} {shape} {dtype}" for name, shape, dtype in parts)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."
