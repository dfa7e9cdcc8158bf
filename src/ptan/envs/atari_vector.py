"""Many Atari games in one C++ vector environment, preprocessed as `wrap_dqn` does."""

from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.vector import VectorWrapper
from numpy.typing import ArrayLike, NDArray

from ptan.common.checks import whole_number
from ptan.common.types import Info, VecEnv
from ptan.envs.atari_settings import AtariSettings, need_extra

__all__ = ["make_atari_vec"]

Frames: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]


def make_atari_vec(
    game: str,
    num_envs: int,
    stack_frames: int = 4,
    episodic_life: bool = True,
    reward_clipping: bool = True,
    noop_max: int = 0,
    *,
    frame_skip: int = 4,
    screen_size: int = 84,
    clip_reward: bool | None = None,
    max_num_frames_per_episode: int = 108_000,
    num_threads: int = 0,
    point_ends: bool = False,
) -> VecEnv:
    """Make a vector of Atari games, preprocessed in C++ as `wrap_dqn` preprocesses one.

    Observations (num_envs, stack_frames, screen_size, screen_size) uint8, float64 rewards, ends,
    `info["life_loss"]` and `info["raw_reward"]` equal those of `wrap_dqn` for equal actions, with
    two exceptions: the number of no-ops comes from another generator, and where the time limit cuts
    a game, the newest frame is up to four game frames old (ALE does not look at the screen there).
    `reset(seed=s)` seeds environment i with s + i. A game that is over is reset by the next step
    (Gymnasium's NEXT_STEP).

    Args:
        game: ROM name (`"pong"`, `"space_invaders"`) or the id of `wrap_dqn`'s environment
            (`"PongNoFrameskip-v4"`, `"ALE/Pong-v5"` with its sticky actions).
        num_envs: number of games, at least 1.
        stack_frames: see `AtariSettings`, as for the others.
        clip_reward: another name of `reward_clipping`.
        max_num_frames_per_episode: game frames after FIRE until a game is truncated.
        num_threads: threads that run the games; 0 lets ALE choose.

    Raises ValueError for an unknown game and ImportError if ALE is missing.
    """
    clip = reward_clipping if clip_reward is None else clip_reward
    settings = AtariSettings(
        stack_frames, episodic_life, clip, noop_max, frame_skip, screen_size, point_ends
    )
    whole_number("num_envs", num_envs)
    rom, sticky = _find_game(game)
    from ale_py.vector_env import AtariVectorEnv

    env = AtariVectorEnv(
        rom,
        num_envs,
        num_threads=num_threads,
        repeat_action_probability=sticky,
        max_num_frames_per_episode=max_num_frames_per_episode,
        img_height=screen_size,
        img_width=screen_size,
        stack_num=stack_frames,
        frameskip=frame_skip,
        maxpool=frame_skip > 1,
        noop_max=noop_max,
        episodic_life=False,
        life_loss_info=True,
        reward_clipping=False,
        use_fire_reset=True,
    )
    env.reward_clipping = env.episodic_life = False  # read by `warn_if_clipped`
    return AtariVector(env, settings, max_num_frames_per_episode / frame_skip)


def _find_game(game: str) -> tuple[str, float]:
    """ROM name and probability of repeating the last action for a ROM name or environment id."""
    try:
        import ale_py
        from ale_py import roms
    except ImportError as missing:
        raise need_extra(missing) from missing
    if game in roms.get_all_rom_ids():
        return game, 0.0
    gymnasium.register_envs(ale_py)
    spec = gymnasium.registry.get(game)
    if spec is None or not (spec.kwargs.get("frameskip") == 1 or spec.namespace == "ALE"):
        ids = "a ROM name like 'pong', a …NoFrameskip-v4 or an ALE/…-v5 id"
        raise ValueError(f"game must be {ids}, got {game!r}")
    return spec.kwargs["game"], spec.kwargs["repeat_action_probability"]


class AtariVector(VectorWrapper):
    """Adds to `AtariVectorEnv` what `wrap_dqn` does and ALE does not: see `make_atari_vec`."""

    def __init__(self, env: VecEnv, settings: AtariSettings, longest: float) -> None:
        super().__init__(env)
        self._settings, self._longest = settings, longest  # steps until the time limit
        self._lives: NDArray[np.int32] = np.zeros(env.num_envs, np.int32)
        self._age: NDArray[np.int64] = np.zeros(env.num_envs, np.int64)  # steps since the reset
        self._game_over: Flags = np.zeros(env.num_envs, np.bool_)

    def reset(self, *, seed: Any = None, options: Info | None = None) -> tuple[Frames, Info]:
        """Start new games; `seed` is an int (environment i gets seed + i) or one int per game."""
        if seed is not None:
            seed = np.array(seed) if np.ndim(seed) else int(seed)
        obs, info = self.env.reset(seed=seed, options=options)
        chosen = (options or {}).get("reset_mask", slice(None))
        self._age[chosen] = 0
        self._game_over[chosen] = False
        self._lives = info["lives"].copy()
        self._fill_young_stacks(obs)
        return obs, info

    def step(self, actions: ArrayLike) -> tuple[Frames, NDArray[np.float64], Flags, Flags, Info]:
        """Step all games; see `make_atari_vec` for what is in `info`."""
        obs, raw, terminated, truncated, info = self.env.step(np.asarray(actions))
        lives, settings = info["lives"], self._settings
        self._age += 1
        self._age[self._game_over] = 0
        self._fill_young_stacks(obs)
        # ALE resets a game that the time limit cuts, but calls it terminated if it loses a life.
        cut = terminated & (self._lives > 1) & (self._age >= self._longest)
        terminated, truncated = terminated & ~cut, truncated | cut
        life_loss = terminated & (lives > 0) & (lives < self._lives)
        self._game_over = (terminated | truncated) & ~life_loss
        self._lives = lives.copy()
        plays_on = life_loss & settings.episodic_life
        if settings.point_ends:
            plays_on |= (raw != 0) & ~self._game_over
        if settings.episodic_life or settings.point_ends:
            info["life_loss"] = plays_on
        terminated = terminated & ~life_loss | plays_on
        rewards = raw.astype(np.float64)
        if settings.reward_clipping:
            info["raw_reward"] = rewards
            rewards = np.sign(rewards)
        return obs, rewards, terminated, truncated, info

    def _fill_young_stacks(self, stacks: Frames) -> None:
        """Repeat the first frame of a game where ALE leaves the places before it black."""
        last = self._settings.stack_frames - 1
        for i in np.flatnonzero(self._age < last):
            first = last - self._age[i]
            stacks[i, :first] = stacks[i, first]
