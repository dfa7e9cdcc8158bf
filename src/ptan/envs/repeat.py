"""Episodes that can be repeated: from a seed of their own and the actions since the reset."""

import copy
import math
from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from ptan.common.checks import check_entries, whole_number
from ptan.common.types import Action, Actions, Env, Info, SavedState, State
from ptan.envs.wrappers import Reset, Step, Wrapper

__all__ = ["MadeAnew", "NotRepeated", "RepeatEpisodes"]


class NotRepeated(ValueError):  # noqa: N818
    """An episode went otherwise when it was repeated."""


class RepeatEpisodes(Wrapper):
    """Seeds every episode and remembers its actions, so that another object can go on within it.

    Episode k of environment i is reset with a seed made of (seed, i, k), in every auto-reset mode;
    `reset(seed=s)` replaces the seed and counts from 0 again. `load_state_dict` repeats the reset,
    with its options, and the actions, and compares a checksum of all observations, rewards and
    flags. The state of an episode of more than `budget` steps has no actions, and cannot be loaded
    (`ptan.envs.states.within_budget`).

    It must be the outermost wrapper: what is below it is repeated, what is above it is not saved.
    A reset after a lost life (`info["life_loss"]`, see `wrap_dqn`) belongs to the episode.
    """

    def __init__(self, env: Env, seed: int, index: int = 0, *, budget: int | None = None) -> None:
        super().__init__(env)
        self._seed = whole_number("seed", seed, 0)
        self._index = whole_number("index", index, 0)
        self._budget = math.inf if budget is None else budget
        self._episode = -1
        self.resume_from: SavedState | None = None  # what the next reset without a seed loads
        self.resets_at_steps = False  # whether it is in a vector environment of NEXT_STEP mode
        self._forget()

    def _forget(self) -> None:
        self._actions: list[Action] = []  # None for a reset after a lost life
        self._options: Info | None = None
        self._steps = self._checksum = 0
        self._life_lost = self._over = False

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:
        """Begin the next episode, or go on with a game after a lost life."""
        if seed is not None:
            seed = whole_number("seed", seed, 0)
        state, self.resume_from = self.resume_from, None
        if state is not None and seed is None:
            return self._resume(state)
        if self._life_lost and seed is None and not options:
            obs, info = self.env.reset()
            self._actions.append(None)
        else:
            if seed is not None:
                self._seed, self._episode = seed, -1
            self._episode += 1
            obs, info = self._begin(options)
        self._life_lost = self._over = False
        self._checksum = checksum(obs, self._checksum)
        return obs, info

    def _begin(self, options: Info | None = None) -> Reset:
        self._forget()
        self._options = copy.deepcopy(options)  # an environment may write into them
        words = np.random.SeedSequence((self._seed, self._index, max(self._episode, 0)))
        seed = int(words.generate_state(1)[0]) >> 1  # what fits any environment's int32
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Action) -> Step:
        """One step, which is remembered; after an end the first one of the next episode."""
        if self._over:  # a vector environment would reset at this step, but was loaded since
            obs, info = self.reset()
            return obs, 0.0, False, False, info
        kept = copy.deepcopy(action)  # an environment may write into its action
        obs, reward, terminated, truncated, info = result = self.env.step(action)
        self._actions.append(kept)
        self._steps += 1
        if self._steps > self._budget:
            self._actions.clear()
        self._checksum = checksum((obs, reward, terminated, truncated), self._checksum)
        lost = terminated and not truncated and isinstance(info, dict) and info.get("life_loss")
        self._life_lost, self._over = bool(lost), bool((terminated or truncated) and not lost)
        return result

    def state_dict(self) -> State:
        """Plain values and arrays, if actions and the options of the reset are."""
        resets = [i for i, action in enumerate(self._actions) if action is None]
        return {
            "seed": self._seed,
            "index": self._index,
            "episode": self._episode,
            "steps": self._steps,
            "checksum": self._checksum,
            "options": copy.deepcopy(self._options),
            "actions": _together([action for action in self._actions if action is not None]),
            "resets": np.array(resets, np.int64),  # after lost lives: their places among these
            "within_budget": self._steps <= self._budget,
        }

    def load_state_dict(self, state: SavedState) -> None:
        """Go on where the environment was whose state it is; NotRepeated where that fails."""
        self.resume_from = state
        self.reset()

    def _resume(self, state: SavedState) -> Reset:
        check_entries(state, self.state_dict())
        steps, episode = state["steps"], state["episode"]
        if not state["within_budget"]:
            raise ValueError(f"state must be of an episode within its budget, is of {steps} steps")
        self._seed, self._index, self._episode = state["seed"], state["index"], episode
        try:
            obs, info = self._begin(copy.deepcopy(state["options"]))
            if episode >= 0:  # otherwise it was not reset yet
                self._checksum = checksum(obs)
                actions = list(state["actions"])
                for i in state["resets"]:
                    actions.insert(i, None)
                for action in actions:
                    if action is None:
                        obs, info = self.reset()
                    else:
                        obs, _, _, _, info = self.step(copy.deepcopy(action))
                if (self._steps, self._checksum) != (steps, state["checksum"]):
                    raise ValueError("observations, rewards or flags are others")
                self._over |= self._life_lost and self.resets_at_steps
        except Exception as error:  # what the environment raised as well: it did not before
            self._forget()
            raise NotRepeated(
                f"{self.unwrapped} does not repeat the {steps} steps of its episode {episode} "
                f"({error}): it draws from something else than its seed, or was made otherwise"
            ) from error
        return obs, info


def _together(actions: list[Action]) -> Actions:
    """One array of NumPy's numbers or arrays of one dtype and shape; any others as they are."""
    arrays = all(isinstance(action, np.generic | np.ndarray) for action in actions)
    if arrays and len({(action.dtype, action.shape) for action in actions}) == 1:
        return np.array(actions)
    return list(actions)


def checksum(value: Any, start: int = 0) -> int:
    """A CRC-32 over a value as environments give them: nested, arrays, tensors, numbers, text."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        if not value.dtype.hasobject:
            return crc32(value.tobytes(), start)
        value = value.tolist()
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, tuple | list):
        for part in value:
            start = checksum(part, start)
        return crc32(str(len(value)).encode(), start)
    text = repr(value)
    known = text if " at 0x" not in text else type(value).__qualname__  # no address
    return crc32(known.encode(), start)


class MadeAnew(Wrapper):
    """Makes its environment anew at every reset with a seed, so that nothing before has an effect.

    For environments in which a reset leaves traces, such as the world of BipedalWalker.
    """

    def __init__(self, make_env: Callable[[], Env]) -> None:
        super().__init__(make_env())
        self._make_env = make_env
        self._used = False

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:
        """Reset the environment, with a seed a new one."""
        if seed is not None and self._used:
            self.env.close()
            self.env = self._make_env()
        self._used = True
        return self.env.reset(seed=seed, options=options)
