"""Environment wrappers: DQN's Atari preprocessing and small image wrappers.

* `wrap_dqn`: one Atari game, preprocessed
* `make_atari_vec`: many of them in one C++ vector environment, preprocessed the same way
* `AtariSettings`: the settings of both, with `evaluation()`
* `ImageToPyTorch`, `BufferWrapper`: channels first, frames stacked along the first axis
"""

from collections import deque
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.core import ActType, ObsType
from gymnasium.spaces import Box
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from numpy.typing import NDArray

from ptan.common.checks import whole_number
from ptan.envs.atari_settings import AtariSettings, alias_of_clipping, need_extra
from ptan.envs.atari_vector import make_atari_vec

__all__ = [
    "AtariSettings",
    "BufferWrapper",
    "ImageToPyTorch",
    "make_atari_vec",
    "wrap_dqn",
]

Image = NDArray[Any]
AnyEnv = gymnasium.Env[Any, Any]


def wrap_dqn(
    env: AnyEnv,
    stack_frames: int = 4,
    episodic_life: bool = True,
    reward_clipping: bool = True,
    noop_max: int = 0,
    *,
    frame_skip: int = 4,
    screen_size: int = 84,
    clip_reward: bool | None = None,
    point_ends: bool = False,
) -> AnyEnv:
    """Preprocess an Atari game as DQN does (Mnih et al. 2015, methods).

    At reset FIRE is held for one game frame where the game has it, then come the no-ops; the
    observation is the one after both. Each step holds its action for `frame_skip` frames and shows
    the maximum of the last two, gray and resized. The stack begins with the first frame repeated.

    A lost life ends the learning window, not the game: the step says `terminated` with
    `info["life_loss"] = True`. Whoever goes on stepping goes on with the game. Whoever calls
    `reset()` first gets the same observation again, with `info["life_loss"] = True`; no frame of
    the game passes. A second `reset()`, or one with a seed or options, starts a new game. Games
    that wait for FIRE after a lost life (Breakout) wait for the agent's FIRE.

    With `point_ends` every reward ends the learning window in this way, `info["life_loss"]`
    included: in games that are played point by point, such as Pong, what comes after a point has
    nothing to do with what came before it.

    Clipped rewards are -1, 0 or 1, the game's own is in `info["raw_reward"]`.

    Args:
        env: `…NoFrameskip-v4`, or `ALE/…-v5` made with `frameskip=1`.
        stack_frames: number of newest frames in one observation.
        episodic_life: whether a lost life terminates (see above).
        reward_clipping: whether rewards are replaced by their sign.
        noop_max: most no-ops after reset (1 … noop_max are drawn); 0 for none.
        frame_skip: game frames per step.
        screen_size: height and width of a frame in pixels.
        clip_reward: another name of `reward_clipping`.
        point_ends: whether any reward but 0 terminates (see above).

    Returns:
        An environment with observations (stack_frames, screen_size, screen_size) uint8.

    Raises:
        ValueError: the environment is no Atari game, or skips frames itself; a bad number.
        ImportError: OpenCV is missing.
    """
    settings = AtariSettings(
        stack_frames,
        episodic_life,
        alias_of_clipping(reward_clipping, clip_reward),
        noop_max,
        frame_skip,
        screen_size,
        point_ends,
    )
    _check_atari(env)
    if "FIRE" in env.unwrapped.get_action_meanings()[1:2]:  # type: ignore[attr-defined]
        env = _FireReset(env)
    env = AtariPreprocessing(
        env, noop_max=noop_max, frame_skip=frame_skip, screen_size=settings.screen_size
    )
    env = _TrueLastScreen(env, screen_size)
    if settings.reward_clipping:
        env = _ClipReward(env)
    env = FrameStackObservation(env, stack_frames)
    return _LifeLoss(env, episodic_life, point_ends) if episodic_life or point_ends else env


def _check_atari(env: AnyEnv) -> None:
    game = getattr(env, "unwrapped", None)
    frame_skip = getattr(game, "_frameskip", None)
    if not hasattr(game, "ale") or frame_skip is None:
        raise ValueError(f"env must be an Atari game, got {env}")
    if frame_skip != 1:
        raise ValueError(
            f"env must not skip frames itself (…NoFrameskip-v4, or frameskip=1), "
            f"got frameskip={frame_skip} from {env}"
        )
    try:
        import cv2  # noqa: F401
    except ImportError as missing:
        raise need_extra(missing) from missing


class _FireReset(gymnasium.Wrapper[ObsType, int, ObsType, int]):
    """Presses FIRE once after reset, for games that wait for it."""

    FIRE = 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        _, info = self.env.reset(seed=seed, options=options)
        obs, _, terminated, truncated, after = self.env.step(self.FIRE)
        if terminated or truncated:
            return self.env.reset(options=options)
        return obs, {**info, **after}


class _TrueLastScreen(gymnasium.Wrapper[Image, ActType, Image, ActType]):
    """Shows the true screen where a time limit cuts the game inside a frame skip.

    `AtariPreprocessing` leaves its loop before it looks at the screen, so the observation is an
    older one. A target that bootstraps from a truncation needs the last. (After a termination it
    is not used, and stays as Gymnasium and `AtariVectorEnv` agree on.)
    """

    def __init__(self, env: gymnasium.Env[Image, ActType], screen_size: int) -> None:
        super().__init__(env)
        self._size = (screen_size, screen_size)

    def step(self, action: ActType) -> tuple[Image, SupportsFloat, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        if truncated:
            import cv2

            screen = self.unwrapped.ale.getScreenGrayscale()  # type: ignore[attr-defined]
            obs = np.asarray(cv2.resize(screen, self._size, interpolation=cv2.INTER_AREA))
        return obs, reward, terminated, truncated, info


class _ClipReward(gymnasium.Wrapper[ObsType, ActType, ObsType, ActType]):
    """Replaces rewards by their sign and keeps the game's own in `info["raw_reward"]`."""

    def step(self, action: ActType) -> tuple[ObsType, SupportsFloat, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        raw = float(reward)
        clipped = float(np.sign(raw))
        return obs, clipped, terminated, truncated, {**info, "raw_reward": raw}


class _LifeLoss(gymnasium.Wrapper[ObsType, ActType, ObsType, ActType]):
    """Terminates at lost lives or points, and lets the game go on (see `wrap_dqn`)."""

    def __init__(
        self, env: gymnasium.Env[ObsType, ActType], life_ends: bool, point_ends: bool
    ) -> None:
        super().__init__(env)
        self._life_ends, self._point_ends = life_ends, point_ends
        self._lives = 0
        # What a reset right after a life loss returns instead of starting a new game.
        self._paused: tuple[ObsType, dict[str, Any]] | None = None

    def step(self, action: ActType) -> tuple[ObsType, SupportsFloat, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        lives = info["lives"]
        lost = self._life_ends and 0 < lives < self._lives
        lost = lost or (self._point_ends and bool(reward))
        lost = lost and not terminated and not truncated
        self._lives, self._paused = lives, None
        if lost:
            terminated, info = True, {**info, "life_loss": True}
            self._paused = obs, info
        return obs, reward, terminated, truncated, info

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        paused, self._paused = self._paused, None
        if paused is not None and seed is None and not options:
            obs, info = paused
            return obs, dict(info)
        obs, info = self.env.reset(seed=seed, options=options)
        self._lives = info["lives"]
        return obs, info


class ImageToPyTorch(gymnasium.ObservationWrapper[Image, ActType, Image]):
    """Moves the channels of images to the front: (height, width, C) to (C, height, width).

    Args:
        env: environment with image observations in a `Box` of three axes.

    Raises:
        ValueError: other observations.
    """

    def __init__(self, env: gymnasium.Env[Image, ActType]) -> None:
        super().__init__(env)
        space = _box_of(env)
        if len(space.shape) != 3:
            raise ValueError(f"observations must be (height, width, C), got {space.shape}")
        self.observation_space = Box(
            np.moveaxis(space.low, 2, 0), np.moveaxis(space.high, 2, 0), dtype=_dtype_of(space)
        )

    def observation(self, observation: Image) -> Image:
        """The image with its channels first."""
        return np.ascontiguousarray(np.moveaxis(observation, 2, 0))


class BufferWrapper(gymnasium.ObservationWrapper[Image, ActType, Image]):
    """Joins the last `n_steps` observations along their first axis, oldest first.

    Images (C, height, width) become (n_steps · C, height, width). After a reset the places before
    the first observation hold the lowest value of the observation space (0 where it has no bound).

    Args:
        env: environment with `Box` observations.
        n_steps: number of observations to join, at least 1.

    Raises:
        ValueError: n_steps below 1, or other observations.
    """

    def __init__(self, env: gymnasium.Env[Image, ActType], n_steps: int) -> None:
        super().__init__(env)
        space = _box_of(env)
        whole_number("n_steps", n_steps)
        if not space.shape:
            raise ValueError("observations must have an axis to stack along, got a scalar")
        self.observation_space = Box(
            np.concatenate([space.low] * n_steps),
            np.concatenate([space.high] * n_steps),
            dtype=_dtype_of(space),
        )
        self._padding = np.where(np.isfinite(space.low), space.low, 0).astype(space.dtype)
        self._n_steps = n_steps
        self.buffer: deque[Image] = deque(maxlen=n_steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Image, dict[str, Any]]:
        """Reset the environment and begin a new stack."""
        obs, info = self.env.reset(seed=seed, options=options)
        self.buffer.extend([self._padding] * self._n_steps)
        return self.observation(obs), info

    def observation(self, observation: Image) -> Image:
        """The newest observation joined to those before it."""
        self.buffer.append(np.array(observation))
        return np.concatenate(self.buffer)


def _box_of(env: AnyEnv) -> Box:
    if not isinstance(env.observation_space, Box):
        raise ValueError(f"observations must be in a Box, got {env.observation_space}")
    return env.observation_space


def _dtype_of(space: Box) -> Any:
    return space.dtype
