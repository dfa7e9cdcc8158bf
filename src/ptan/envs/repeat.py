"""Episodes that can be repeated: from a seed of their own and the actions since the reset."""

import copy
import math
import struct
from collections.abc import Callable
from typing import Any
from zlib import crc32

import gymnasium
import numpy as np

from ptan.common.checks import whole_number
from ptan.envs.recording import action_columns, action_rows, checksum
from ptan.envs.states import load_env, save_env, saves

__all__ = ["MadeAnew", "NotRepeated", "RepeatEpisodes"]

AnyEnv = gymnasium.Env[Any, Any]
Make = Callable[[], AnyEnv]

_AS_GIVEN = (int, float, bool, np.int64, np.int32)  # actions that nothing can write into
_SCALARS = (float, int, np.float64, np.float32)  # rewards that make one float
_pack_end = struct.Struct("<d??").pack


class NotRepeated(ValueError):  # noqa: N818
    """An episode went otherwise when it was repeated."""


class RepeatEpisodes(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Seeds every episode and remembers its actions, so that another object can go on within it.

    Episode k of environment i is reset with a seed made of (seed, i, k), in every auto-reset mode.
    `load_state_dict` resets with that seed, repeats the actions, and compares a checksum of all
    observations, rewards and flags. An environment below that has `state_dict()` and
    `load_state_dict(state)` itself is asked instead (see `ptan.envs.states`).

    It must be the outermost wrapper: what is below it is repeated, what is above it is not saved.
    A reset after a lost life (`info["life_loss"]`, see `wrap_dqn`) belongs to the episode.

    Args:
        env: the environment.
        seed: at least 0; `reset(seed=s)` replaces it and counts episodes from 0 again.
        index: number of the environment among those of one seed.
        budget: most steps that are worth repeating. The state of a longer episode is marked
            (`ptan.envs.states.within_budget`) and cannot be loaded; None for no limit.
    """

    def __init__(
        self, env: AnyEnv, seed: int, index: int = 0, *, budget: int | None = None
    ) -> None:
        super().__init__(env)
        self._seed = whole_number("seed", seed, 0)
        self._index = whole_number("index", index, 0)
        self._budget = math.inf if budget is None else whole_number("budget", budget, 0)
        self.resume_from: dict[str, Any] | None = None
        """A state to go on from at the next reset: how vector environments load theirs."""
        self._episode = -1
        self._forget({})

    def _forget(self, options: dict[str, Any]) -> None:
        self._options = options
        self._actions: list[Any] = []
        self._steps = 0
        self._resets: list[int] = []  # steps of the episode after which a lost life was reset
        self._checksum = 0
        self._observation: Any = None
        self._life_lost = self._over = self._reset_next = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode, or go on with a game after a lost life."""
        if self.resume_from is not None:
            state, self.resume_from = self.resume_from, None
            return self._repeat(state)
        if self._life_lost and seed is None and not options:
            self._life_lost = False
            self._resets.append(self._steps)
            obs, info = self.env.reset()
        else:
            if seed is not None:
                self._seed, self._episode = int(seed), -1
            self._episode += 1
            obs, info = self._begin(options or {})
        self._observation = obs
        self._checksum = checksum(obs, self._checksum)
        return obs, info

    def _begin(self, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self._forget(options)
        words = np.random.SeedSequence((self._seed, self._index, max(self._episode, 0)))
        seed = int(words.generate_state(1)[0]) >> 1  # what fits any environment's int32
        return self.env.reset(seed=seed, options=options) if options else self.env.reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step, which is remembered."""
        if self._reset_next:
            obs, info = self.reset()
            return obs, 0.0, False, False, info
        # Before the step: an environment may write into its action.
        kept = action if action.__class__ in _AS_GIVEN else copy.deepcopy(action)
        obs, reward, terminated, truncated, info = result = self.env.step(action)
        self._steps += 1
        if self._steps <= self._budget:
            self._actions.append(kept)
        else:
            self._actions.clear()
        self._observation = obs
        if reward.__class__ in _SCALARS:
            value = crc32(_pack_end(reward, terminated, truncated), self._checksum)
        else:
            value = checksum((reward, terminated, truncated), self._checksum)
        self._checksum = checksum(obs, value)
        if terminated or truncated:
            lost = not truncated and isinstance(info, dict) and info.get("life_loss", False)
            self._life_lost, self._over = bool(lost), not lost
        elif self._life_lost or self._over:
            self._life_lost = self._over = False
        return result

    def state_dict(self) -> dict[str, Any]:
        """Seed, episode number, actions and checksum: plain values and arrays.

        `within_budget` is False if the episode is longer than the budget: then without actions.
        """
        state = {
            "seed": self._seed,
            "index": self._index,
            "episode": self._episode,
            "steps": self._steps,
            "over": self._over,
            "life_lost": self._life_lost,
            "options": copy.deepcopy(self._options),
            "within_budget": True,
        }
        if self._episode >= 0 and saves(self.env):
            return {
                **state,
                "own": save_env(self.env),
                "observation": copy.deepcopy(self._observation),
            }
        return {
            **state,
            "within_budget": self._steps <= self._budget,
            "actions": action_columns(self._actions),
            "resets": np.array(self._resets, np.int64),
            "checksum": self._checksum,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the environment was whose state it is.

        Args:
            state: from `state_dict`, of an environment made in the same way; it is not changed.

        Raises:
            NotRepeated: observations, rewards or flags differ from those of that environment.
            ValueError: it is no such state, or one whose episode passed its budget.
        """
        self.resume_from = state
        try:
            self.reset()
        finally:
            self.resume_from = None

    def _repeat(self, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        try:
            seed, index = (whole_number(name, state[name], 0) for name in ("seed", "index"))
            episode, steps = whole_number("episode", state["episode"], -1), state["steps"]
            options, own = dict(state["options"]), state.get("own")
            actions = list(action_rows(state["actions"])) if own is None else []
            resets = set(np.asarray(state.get("resets", ())).tolist())
            flags = [bool(state[name]) for name in ("over", "life_lost", "within_budget")]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state must be one of RepeatEpisodes, got {error!r}") from error
        if not flags[2]:
            raise ValueError(
                f"state must be of an episode within its budget of steps, got one of {steps} steps"
            )
        self._seed, self._index, self._episode = seed, index, episode
        try:
            obs, info = self._begin(options)
            if own is None and episode >= 0:
                self._checksum = checksum(obs, 0)
                obs, info = self._play(actions, resets) or (obs, info)
                if (self._steps, self._checksum) != (steps, state["checksum"]):
                    raise ValueError("observations, rewards or flags are others")
        except Exception as error:  # what the environment raised as well: it did not before
            self._forget({})
            raise NotRepeated(
                f"{self.unwrapped} does not repeat the {steps} steps of its episode {episode}: "
                f"{error}. Either it draws from something else than its seed, or it was made "
                "otherwise"
            ) from error
        if own is not None:
            load_env(self.env, own)
            obs, self._steps = copy.deepcopy(state["observation"]), steps
            self._over, self._life_lost = flags[:2]
        self._reset_next = bool(state.get("reset_next", False))
        self._observation = obs
        return obs, info

    def _play(self, actions: list[Any], resets: set[int]) -> tuple[Any, dict[str, Any]] | None:
        """Steps, with resets after those that lost a life; what the last one returned."""
        last = None
        for action in actions:
            if self._steps in resets and self._life_lost:
                self.reset()
            obs, _, _, _, info = self.step(action)
            last = obs, info
        return self.reset() if self._steps in resets and self._life_lost else last


class MadeAnew(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Makes its environment anew at every reset with a seed: nothing before it has an effect.

    For environments in which a reset leaves traces (BipedalWalker keeps its world), so that two
    runs can be equal from a common point on.

    Args:
        make_env: makes the environment.
    """

    def __init__(self, make_env: Make) -> None:
        super().__init__(make_env())
        self._make_env = make_env
        self._used = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, with a seed a new one."""
        if seed is not None and self._used:
            self.env.close()
            self.env = self._make_env()
        self._used = True
        return self.env.reset(seed=seed, options=options)
