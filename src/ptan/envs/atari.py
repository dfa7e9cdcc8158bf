"""DQN's preprocessing of one Atari game."""

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from ptan.common.types import Action, Env, Info
from ptan.envs.atari_settings import AtariSettings, need_extra
from ptan.envs.wrappers import Reset, Step, Wrapper

__all__ = ["wrap_dqn"]


def wrap_dqn(
    env: Env,
    stack_frames: int = 4,
    episodic_life: bool = True,
    reward_clipping: bool = True,
    noop_max: int = 0,
    *,
    frame_skip: int = 4,
    screen_size: int = 84,
    clip_reward: bool | None = None,
    point_ends: bool = False,
) -> Env:
    """Preprocess an Atari game as DQN does (Mnih et al. 2015, methods).

    At reset FIRE is held for one game frame where the game has it, then come the no-ops. Each step
    holds its action for `frame_skip` frames and shows the maximum of the last two, gray and
    resized. Observations (stack_frames, screen_size, screen_size) uint8 begin with the first frame
    repeated. Clipped rewards are -1, 0 or 1, the game's own is in `info["raw_reward"]`.

    A lost life, and with `point_ends` a reward, ends the learning window, not the game: the step
    says `terminated` with `info["life_loss"] = True`, and further steps go on with the game. A
    `reset()` right after it returns the same observation again; a second one, or one with a seed or
    options, starts a new game. Games that wait for FIRE after a lost life wait for the agent's.

    Args:
        env: `…NoFrameskip-v4`, or `ALE/…-v5` made with `frameskip=1`.
        stack_frames: see `AtariSettings`, as for the others.
        clip_reward: another name of `reward_clipping`.

    Raises ValueError unless it is an Atari game with a screen, discrete actions and a frame skip of
    1, and ImportError if OpenCV is missing.
    """
    clip = reward_clipping if clip_reward is None else clip_reward
    AtariSettings(stack_frames, episodic_life, clip, noop_max, frame_skip, screen_size)
    game = _checked(env)
    try:
        import cv2  # noqa: F401
    except ImportError as missing:
        raise need_extra(missing) from missing
    if "FIRE" in game.get_action_meanings()[1:2]:
        env = _FireReset(env)
    env = AtariPreprocessing(env, noop_max=noop_max, frame_skip=frame_skip, screen_size=screen_size)
    env = _TrueLastScreen(env)
    if clip:
        env = _ClipReward(env)
    env = FrameStackObservation(env, stack_frames)
    return _LifeLoss(env, episodic_life, point_ends) if episodic_life or point_ends else env


def _checked(env: Env) -> Any:
    """The game itself, if it can be preprocessed."""
    game: Any = getattr(env, "unwrapped", None)
    if not hasattr(game, "ale"):
        wrong = f"be an Atari game, got {env}"
    elif (skip := game._frameskip) != 1:
        wrong = f"not skip frames itself (…NoFrameskip-v4, or frameskip=1), got frameskip={skip}"
    elif not isinstance(actions := env.action_space, Discrete):
        wrong = f"have discrete actions (continuous=False), got {actions}"
    elif len((screen := env.observation_space).shape or ()) < 2:
        wrong = f"show the screen (obs_type='rgb' or 'grayscale'), not the RAM: got {screen}"
    else:
        return game
    raise ValueError(f"env must {wrong}")


class _FireReset(Wrapper):
    """Presses FIRE once after reset, for games that wait for it."""

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:
        _, info = self.env.reset(seed=seed, options=options)
        obs, _, _, _, after = self.env.step(1)
        return obs, {**info, **after}


class _TrueLastScreen(Wrapper):
    """Shows the true screen where a time limit cuts the game inside a frame skip.

    `AtariPreprocessing` leaves its loop before it looks at the screen, and a target that bootstraps
    from a truncation needs the last one. (After a termination it is not used.)
    """

    def step(self, action: Action) -> Step:
        obs, reward, terminated, truncated, info = self.env.step(action)
        if truncated:
            import cv2

            screen = self.unwrapped.ale.getScreenGrayscale()  # type: ignore[attr-defined]
            obs = np.asarray(cv2.resize(screen, obs.shape, interpolation=cv2.INTER_AREA))
        return obs, reward, terminated, truncated, info


class _ClipReward(Wrapper):
    """Replaces rewards by their sign and keeps the game's own in `info["raw_reward"]`."""

    def step(self, action: Action) -> Step:
        obs, reward, terminated, truncated, info = self.env.step(action)
        raw = float(reward)
        return obs, float(np.sign(raw)), terminated, truncated, {**info, "raw_reward": raw}


class _LifeLoss(Wrapper):
    """Terminates at lost lives or points, and lets the game go on (see `wrap_dqn`)."""

    def __init__(self, env: Env, life_ends: bool, point_ends: bool) -> None:
        super().__init__(env)
        self._life_ends, self._point_ends = life_ends, point_ends
        self._lives = 0
        # What a reset right after a life loss returns instead of starting a new game.
        self._paused: Reset | None = None

    def step(self, action: Action) -> Step:
        obs, reward, terminated, truncated, info = self.env.step(action)
        lives = info["lives"]
        lost = self._life_ends and 0 < lives < self._lives
        lost = lost or (self._point_ends and bool(reward))
        self._lives, self._paused = lives, None
        if lost and not terminated and not truncated:
            terminated, info = True, {**info, "life_loss": True}
            self._paused = obs, info
        return obs, reward, terminated, truncated, info

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> Reset:
        paused, self._paused = self._paused, None
        if paused is not None and seed is None and not options:
            return paused[0], dict(paused[1])
        obs, info = self.env.reset(seed=seed, options=options)
        self._lives = info["lives"]
        return obs, info
