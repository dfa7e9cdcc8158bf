"""Whether environments can be saved in the middle of an episode, found out by playing them."""

import copy
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

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
        steps: how many are played in every environment, at least 8; those that go on from saved
            states take as many again.
    """
    script = _Script(seed, whole_number("steps", steps, 8))
    with ExitStack() as stack:

        def made(repeating: bool) -> Any:
            envs = make_env()
            if not isinstance(envs, VectorEnv):
                envs = list(envs) if isinstance(envs, list | tuple) else [envs]
                if repeating:
                    numbered = enumerate(envs)
                    envs = [e if saves(e) else RepeatEpisodes(e, seed, i) for i, e in numbered]
            stack.callback(_close, envs)
            return envs

        try:
            count = _probe_states(partial(made, True), script)
        except (CannotSave, NotRepeated) as error:
            return _probe_restart(partial(made, False), script, str(error))
    return Probe(True, "reset", f"{count} of {count} saved episodes went on equally")


def _probe_states(make_envs: Callable[[], Any], script: "_Script") -> int:
    """How many states were saved and loaded."""
    envs = make_envs()
    script.reset(envs)
    save_envs(envs)  # raises at once where nothing can be saved
    seen, states = script.play(envs, save_at=[int(share * script.steps) for share in _RESTORED])
    for step, state in states.items():
        others = make_envs()
        load_envs(others, state)
        if script.play(others, first=step)[0] != seen[step:]:
            name = envs[0] if isinstance(envs, list) else envs
            raise NotRepeated(f"{name} goes on otherwise after a repeated episode")
    return len(states)


def _probe_restart(make_envs: Callable[[], Any], script: "_Script", reason: str) -> Probe:
    """What two runs of environments that do not repeat have in common."""
    first, second = make_envs(), make_envs()
    one, other, again = (script.reset(envs).play(envs)[0] for envs in (first, second, first))
    if one != other:
        words = "two of them, reset with one seed, go different ways"
        return Probe(False, "never", f"{reason}; {words}")
    if one != again:
        return Probe(False, "remake", f"{reason}; a seeded reset leaves traces of before")
    return Probe(False, "reset", f"{reason}; a seeded reset leaves no traces of before")


class _Script:
    """Actions and ends of episodes, drawn for every step beforehand."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps = seed, steps
        self._actions: list[list[Any]] = []

    def reset(self, envs: Any) -> Self:
        """Seed and reset environments."""
        for i, env in enumerate(envs if isinstance(envs, list) else [envs]):
            env.reset(seed=self.seed + i)
        return self

    def play(
        self, envs: Any, first: int = 0, save_at: Collection[int] = ()
    ) -> tuple[list[int], dict[int, dict[str, Any]]]:
        """Checksums of the steps from `first` on, and states before some of them."""
        vector = isinstance(envs, VectorEnv)
        spaces = [envs.action_space] if vector else [env.action_space for env in envs]
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
                stepped = zip(envs, actions, cuts[t], strict=True)
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


def _close(envs: Any) -> None:
    for env in envs if isinstance(envs, list) else [envs]:
        env.close()
