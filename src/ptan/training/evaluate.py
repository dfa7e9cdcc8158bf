"""Evaluation: what an agent achieves in environments of its own."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from ptan.common.checks import whole_number
from ptan.experience import ExperienceSourceFirstLast
from ptan.experience.answers import autoreset_mode, entry

__all__ = ["Played", "evaluate", "evaluate_parallel", "play_parallel"]


_TRACED = 100  # steps


class Played(NamedTuple):
    """An episode of an evaluation.

    total   its undiscounted return
    trace   checksum of its last 100 actions and rewards. Where there is no chance, episodes whose
            traces are equal have become one and the same, however they began
    """

    total: float
    trace: int


def evaluate(env: Any, agent: Any, episodes: int = 10, seed: int | None = None) -> list[float]:
    """Play whole episodes, one after the other.

    Args:
        env: One environment that training does not use. Not a vector of them: of episodes played
            side by side the short ones end first, and the mean would be of those; see
            `evaluate_parallel`. Not closed here.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many.
        seed: Of the environment, at its first reset; None resets without one.

    Returns:
        The undiscounted return of each; of the raw game where a wrapper clips rewards.

    Raises:
        TypeError: several environments.
        ValueError, TypeError: episodes is no whole number of at least 1.
    """
    n_episodes = whole_number("episodes", episodes)
    if isinstance(env, VectorEnv | list | tuple):
        raise TypeError(f"env must be one environment, got {env!r}")
    source = ExperienceSourceFirstLast(env, agent, gamma=1.0, env_seed=seed)
    finished = (total for _ in source for total in source.pop_total_rewards())
    return list(islice(finished, n_episodes))


def evaluate_parallel(
    envs: Any, agent: Any, episodes: int = 20, seed: int | None = None
) -> list[float]:
    """Play whole episodes in several environments side by side, with one agent call per step.

    Args:
        envs: As for `play_parallel`, like all that follow.
        agent: Whose actions are played.
        episodes: How many in all.
        seed: Environment i gets this + i at its first reset; None resets without one.

    Returns:
        The undiscounted return of each, those of the first environment first.

    Raises:
        TypeError, ValueError: see `play_parallel`.
    """
    return [episode.total for episode in play_parallel(envs, agent, episodes, seed)]


def play_parallel(
    envs: Any, agent: Any, episodes: int = 20, seed: int | None = None
) -> list[Played]:
    """Play whole episodes in several environments side by side, with one agent call per step.

    Which episodes count is settled beforehand: of N environments each plays its own share, the
    first `episodes / N` from its reset on. Taking whichever episodes end first would favour short
    ones, which are bad ones in some games and good ones in others. So environments that have done
    their share wait for the others, and as many environments as episodes are fastest.

    Args:
        envs: A list of environments, or a `VectorEnv` in any auto-reset mode, that training does
            not use. Not closed here.
        agent: Whose actions are played, such as `algorithm.greedy_agent()`.
        episodes: How many in all; where they do not divide evenly, the first environments play
            one more.
        seed: Environment i gets this + i at its first reset; None resets without one.

    Returns:
        Each episode, those of the first environment first; returns of the raw game where a wrapper
        clips rewards. A lost life (`info["life_loss"]`) ends no episode.

    Raises:
        TypeError: `envs` is neither a list of environments nor a `VectorEnv`.
        ValueError, TypeError: no environment; episodes is no whole number of at least 1.
    """
    n_episodes = whole_number("episodes", episodes)
    if isinstance(envs, VectorEnv):
        game: _Games = _VectorGames(envs)
        count = envs.num_envs
    elif isinstance(envs, list | tuple) and not any(isinstance(e, VectorEnv) for e in envs):
        if not envs:
            raise ValueError("envs must hold at least one environment, got an empty list")
        game, count = _ListedGames(envs), len(envs)
    else:
        raise TypeError(f"envs must be a list of environments or a VectorEnv, got {envs!r}")
    shares = [n_episodes // count + (i < n_episodes % count) for i in range(count)]
    return [episode for env in _play(game, agent, shares, seed) for episode in env]


class _Games(Protocol):
    """Environments that are stepped together."""

    def reset(self, playing: Sequence[int], seed: int | None) -> None:
        """Start the episodes of those that play."""

    def observations(self, playing: Sequence[int]) -> Any:
        """Their observations, as the agent gets them."""

    def step(self, playing: Sequence[int], actions: Any) -> list[tuple[float, bool]]:
        """Step; (raw reward, whether the episode is over) of each that plays."""


def _play(games: _Games, agent: Any, shares: Sequence[int], seed: int | None) -> list[list[Played]]:
    """Each environment's share of episodes."""
    initial_state = getattr(agent, "initial_state", lambda: None)
    played: list[list[Played]] = [[] for _ in shares]
    totals = [0.0] * len(shares)
    newest = [deque[str](maxlen=_TRACED) for _ in shares]
    states = [initial_state() for _ in shares]
    playing = [i for i, share in enumerate(shares) if share]
    games.reset(playing, seed)
    while playing:
        actions, new_states = agent(games.observations(playing), [states[i] for i in playing])
        results = games.step(playing, actions)
        for k, (i, (reward, over)) in enumerate(zip(playing, results, strict=True)):
            states[i] = None if new_states is None else new_states[k]
            totals[i] += reward
            newest[i].append(f"{actions[k]} {reward}")
            if over:
                played[i].append(Played(totals[i], crc32("\n".join(newest[i]).encode())))
                totals[i], states[i] = 0.0, initial_state()
                newest[i].clear()
        playing = [i for i in playing if len(played[i]) < shares[i]]
    return played


class _ListedGames:
    """Separate environments; those that have done their share are not stepped any more."""

    def __init__(self, envs: Sequence[Any]) -> None:
        self._envs = envs
        self._observations: list[Any] = [None] * len(envs)

    def reset(self, playing: Sequence[int], seed: int | None) -> None:
        for i in playing:
            options = {} if seed is None else {"seed": seed + i}
            self._observations[i] = self._envs[i].reset(**options)[0]

    def observations(self, playing: Sequence[int]) -> list[Any]:
        return [self._observations[i] for i in playing]

    def step(self, playing: Sequence[int], actions: Any) -> list[tuple[float, bool]]:
        results = []
        for i, action in zip(playing, actions, strict=True):
            observation, reward, terminated, truncated, info = self._envs[i].step(action)
            over = bool(truncated or (terminated and not info.get("life_loss")))
            if over:
                observation = self._envs[i].reset()[0]
            self._observations[i] = observation
            results.append((float(np.sum(info.get("raw_reward", reward))), over))
        return results


class _VectorGames:
    """A vector environment; all of it is stepped until the last share is done."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self._env = env
        self._mode = autoreset_mode(env)
        self._observations: Any = None
        self._resetting = np.zeros(env.num_envs, np.bool_)  # whose next step is a reset
        self._actions: list[Any] = []

    def reset(self, playing: Sequence[int], seed: int | None) -> None:  # noqa: ARG002
        self._observations = (self._env.reset() if seed is None else self._env.reset(seed=seed))[0]

    def observations(self, playing: Sequence[int]) -> Any:
        if len(playing) == self._env.num_envs:
            return self._observations
        return _part(self._observations, list(playing))

    def step(self, playing: Sequence[int], actions: Any) -> list[tuple[float, bool]]:
        observations, rewards, terminated, truncated, info = self._env.step(
            self._all_actions(playing, actions)
        )
        ended = np.asarray(terminated) | np.asarray(truncated)
        final = info.get("final_info", {})
        results = []
        for i in playing:
            if self._resetting[i]:
                results.append((0.0, False))
                continue
            raw = entry(final, "raw_reward", i) if ended[i] else None
            raw = entry(info, "raw_reward", i) if raw is None else raw
            lost_life = entry(final or info, "life_loss", i) and not truncated[i]
            reward = rewards[i] if raw is None else raw
            results.append((float(np.sum(reward)), bool(ended[i] and not lost_life)))
        if self._mode == AutoresetMode.NEXT_STEP:
            life_loss = np.array([bool(entry(info, "life_loss", i)) for i in range(len(ended))])
            self._resetting = ended & ~self._resetting & ~(life_loss & ~np.asarray(truncated))
        elif self._mode == AutoresetMode.DISABLED and ended.any():
            observations = self._env.reset(options={"reset_mask": ended})[0]
        self._observations = observations
        return results

    def _all_actions(self, playing: Sequence[int], actions: Any) -> Any:
        """Actions for every environment: those that wait repeat their last one."""
        if not self._actions:
            self._actions = [actions[0]] * self._env.num_envs
        for i, action in zip(playing, actions, strict=True):
            self._actions[i] = action
        space = self._env.single_action_space
        if isinstance(space, spaces.Dict | spaces.Tuple):
            out: Any = create_empty_array(space, self._env.num_envs)
            return concatenate(space, self._actions, out)
        return np.asarray(self._actions)


def _part(batched: Any, chosen: list[int]) -> Any:
    """The observations of some environments."""
    if isinstance(batched, dict):
        return {key: _part(part, chosen) for key, part in batched.items()}
    if isinstance(batched, tuple):
        return tuple(_part(part, chosen) for part in batched)
    return batched[chosen]
