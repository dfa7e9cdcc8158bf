"""Whether environments can be saved in the middle of an episode, found out by playing them."""

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from ptan.common.checks import whole_number
from ptan.envs.recording import checksum
from ptan.envs.repeat import NotRepeated, RepeatEpisodes
from ptan.envs.states import CannotSave, load_envs, save_envs, saves

__all__ = ["Probe", "probe_repeats"]

_RESTORED = (1 / 3, 5 / 8, 7 / 8)  # shares of the steps after which a state is loaded
_LENGTH = 20  # mean number of steps after which the probe itself ends an episode


@dataclass(frozen=True)
class Probe:
    """What was found.

    repeats  whether `save_envs` and `load_envs` carry environments over in mid-episode
    restart  what makes two runs equal from a common point on: "reset", a seeded reset of used
             environments; "remake", a seeded reset of environments made anew, such as those in
             `ptan.envs.repeat.MadeAnew`; "never", neither
    reason   why, in words
    """

    repeats: bool
    restart: Literal["reset", "remake", "never"]
    reason: str


def probe_repeats(make_env: Callable[[], Any], seed: int = 0, *, steps: int = 320) -> Probe:
    """Play random actions, go on from saved states in other environments, and compare.

    Episodes are cut short, because what one leaves behind for the next shows only after many.

    Args:
        make_env: makes one environment, a list of them, or a vector environment. Separate ones
            without a state of their own are wrapped in `RepeatEpisodes`.
        seed: of actions and environments.
        steps: how many are played in every environment, at least 8; those that go on take twice as
            many together.
    """
    script = _Script(seed, whole_number("steps", steps, 8))

    def made() -> Any:
        envs = make_env()
        if isinstance(envs, VectorEnv):
            return envs
        envs = envs if isinstance(envs, list | tuple) else [envs]
        return [e if saves(e) else RepeatEpisodes(e, seed, i) for i, e in enumerate(envs)]

    envs = made()
    try:
        _reset(envs, seed)
        seen, states = script.play(envs, save_at=[int(share * steps) for share in _RESTORED])
        for step, state in states.items():
            others = made()
            try:
                load_envs(others, state)
                went_on, _ = script.play(others, first=step)
            finally:
                _close(others)
            if went_on != seen[step:]:
                raise NotRepeated(f"{_name(envs)} goes on otherwise after a repeated episode")
    except (CannotSave, NotRepeated) as error:
        return _probe_restart(make_env, script, str(error))
    finally:
        _close(envs)
    return Probe(True, "reset", f"{len(states)} of {len(states)} saved episodes went on equally")


def _probe_restart(make_env: Callable[[], Any], script: "_Script", reason: str) -> Probe:
    """What two runs of environments that do not repeat have in common."""
    first, second = make_env(), make_env()
    try:
        _reset(first, script.seed)
        seen, _ = script.play(first)
        _reset(second, script.seed)
        if script.play(second)[0] != seen:
            words = "two of them, reset with one seed, go different ways"
            return Probe(False, "never", f"{reason}; {words}")
        _reset(first, script.seed)
        if script.play(first)[0] != seen:
            return Probe(False, "remake", f"{reason}; a seeded reset leaves traces of before")
        return Probe(False, "reset", f"{reason}; a seeded reset leaves no traces of before")
    finally:
        _close(first)
        _close(second)


class _Script:
    """Actions and ends of episodes, drawn for every step beforehand."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps = seed, steps
        self._actions: list[list[Any]] = []

    def play(
        self, envs: Any, first: int = 0, save_at: Collection[int] = ()
    ) -> tuple[list[int], dict[int, dict[str, Any]]]:
        """Checksums of the steps from `first` on, and states before some of them."""
        vector = isinstance(envs, VectorEnv)
        spaces = [envs.action_space] if vector else [env.action_space for env in _listed(envs)]
        if not self._actions:
            self._actions = [_drawn(s, self.seed + i, self.steps) for i, s in enumerate(spaces)]
        count = envs.num_envs if vector else len(spaces)
        cuts = np.random.default_rng(self.seed).random((self.steps, count)) < 1 / _LENGTH
        seen, states = [], {}
        for t in range(first, self.steps):
            if t in save_at:
                states[t] = save_envs(envs)
            actions = [copy.deepcopy(drawn[t]) for drawn in self._actions]
            if vector:
                seen.append(_step_vector(envs, actions[0], cuts[t]))
            else:
                stepped = zip(_listed(envs), actions, cuts[t], strict=True)
                seen.append(checksum([_step(*one) for one in stepped]))
        return seen, states


def _drawn(space: Any, seed: int, steps: int) -> list[Any]:
    space = copy.deepcopy(space)
    space.seed(seed)
    return [space.sample() for _ in range(steps)]


def _step(env: Any, action: Any, cut: bool) -> int:
    obs, reward, terminated, truncated, _ = env.step(action)
    seen = checksum((obs, reward, terminated, truncated))
    return checksum(env.reset()[0], seen) if terminated or truncated or cut else seen


def _step_vector(envs: Any, actions: Any, cuts: Any) -> int:
    obs, rewards, terminated, truncated, _ = envs.step(actions)
    seen = checksum((obs, rewards, terminated, truncated))
    if envs.metadata.get("autoreset_mode") == AutoresetMode.DISABLED:
        mask = cuts | terminated | truncated
        if mask.any():
            seen = checksum(envs.reset(options={"reset_mask": mask})[0], seen)
    return seen


def _listed(envs: Any) -> Any:
    return envs if isinstance(envs, list | tuple) else [envs]


def _reset(envs: Any, seed: int) -> None:
    for i, env in enumerate(_listed(envs)):
        env.reset(seed=seed + i)


def _close(envs: Any) -> None:
    for env in _listed(envs):
        env.close()


def _name(envs: Any) -> str:
    return str(_listed(envs)[0])
