"""Stepping a Gymnasium `VectorEnv` in any auto-reset mode."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from ptan.actions.policy import Agent
from ptan.common.types import Actions, Array, Info, Observation, Observations, VecEnv
from ptan.envs.atari_settings import is_atari_vector
from ptan.experience.answers import bad_info, entry, flags_of, wrong
from ptan.experience.flags import EPISODE_OVER, INT_REWARD, NO_TRANSITION, RAW_REWARD
from ptan.experience.layout import space_of
from ptan.experience.stepper import Stepper
from ptan.experience.tape import Tape
from ptan.experience.windows import WindowSpec


class VectorStepper(Stepper):
    """A Gymnasium vector environment.

    NEXT_STEP: the step after an end is a reset and no transition. SAME_STEP: the observation is
    already the next episode's, the final one is in `info`. DISABLED: resetting is up to us.
    """

    envs: VecEnv
    _values = (*Stepper._values, "_resetting", "_leftover", "_lives")

    def __init__(self, env: VecEnv, agent: Agent, spec: WindowSpec, **options: Any) -> None:
        super().__init__(agent, env.num_envs, spec, **options)
        self.envs = env
        self.observation_space = getattr(env, "single_observation_space", None)
        self.action_space = getattr(env, "single_action_space", None)
        self.mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if not isinstance(self.mode, AutoresetMode):
            modes = list(AutoresetMode)
            raise ValueError(f"env's autoreset_mode must be one of {modes}, got {self.mode!r}")
        self.kind = f"a vector of {self.count} in mode {self.mode.value}"
        # This environment goes on after a lost life; in others the auto-reset follows any end.
        self._plays_on = is_atari_vector(env)
        self._resets_single = (
            self._plays_on
            or self.mode == AutoresetMode.DISABLED
            or isinstance(env.unwrapped, (SyncVectorEnv, AsyncVectorEnv))
        )
        self._resetting: list[int] = []  # environments whose next step is a reset
        self._leftover: list[int] = []  # those that first end an episode without learning
        self._lives: Array | None = None

    # Resets.

    def _reset_all(self, seed: int | None) -> Observations:
        observations, info = self._answer(**({} if seed is None else {"seed": seed}))
        if np.any(info.get("life_loss", False)):
            observations, info = self._answer()
        self._resetting, self._leftover = [], []
        self._lives = info.get("lives")
        return observations

    def _answer(self, **options: Any) -> tuple[Observations, Info]:
        try:
            result = self.envs.reset(**options)
        except BaseException as error:
            error.add_note("reset of env")
            raise
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            return result
        raise wrong("reset of env", "return (observations, info)", result)

    def _reset_some(self, envs: Array | list[int]) -> Info:
        """Reset some environments alone; what they say."""
        mask = np.zeros(self.count, np.bool_)
        mask[envs] = True
        self.observations, info = self._answer(options={"reset_mask": mask})
        return info

    def _begin_some(self, envs: list[int]) -> None:
        """New games in some environments: as soon as they can, where they cannot reset alone."""
        if not self._resets_single:
            self._leftover += envs
            return
        info = self._reset_some(envs)
        # A reset that was still to come after a lost life comes no more.
        self._resetting = [e for e in self._resetting if e not in envs]
        if paused := [e for e in envs if entry(info, "life_loss", e)]:
            self._reset_some(paused)

    def _begin_anew(self, envs: Array) -> None:
        if len(envs) == self.count and not self._resets_single:
            self.observations = self._reset_all(None)
        else:
            self._begin_some(envs.tolist())
        self._put_observations(self.tape.t % self.tape.ring * self.count)

    # Observations.

    def _observations_of(self, envs: Array) -> Observations:
        def take(part: Any) -> Any:
            return tuple(part[e] for e in envs) if isinstance(part, tuple) else part[envs]

        return _map_batch(take, self.observations, self.observation_space)

    def one_observation(self, env: int) -> Observation:
        return _map_batch(lambda part: part[env], self.observations, self.observation_space)

    def _put_observations(self, index: int) -> None:
        tape, batch = self.tape, self.observations
        try:
            if tape.put_batch(index, batch):
                return
            singles = [self.one_observation(e) for e in range(self.count)]
        except (TypeError, KeyError, IndexError):
            right = f"hold one like the first per environment ({self.count})"
            raise ValueError(f"observations at step {tape.t} must {right}, got {batch!r}") from None
        tape.put_listed(index, singles)

    # Steps.

    def _step(self, tape: Tape, actions: Actions) -> int:
        base = tape.t % tape.ring * self.count
        if actions.__class__ is not np.ndarray:
            actions = self._batched(actions)
        try:
            result = self.envs.step(actions)
        except BaseException as error:
            error.add_note(f"step {tape.t} of env")
            raise
        try:
            self.observations, rewards, terminated, truncated, info = result
        except (TypeError, ValueError):
            parts = "return (observations, rewards, terminated, truncated, info)"
            raise wrong(f"step of env at step {tape.t}", parts, result) from None
        before, self.agent_states = self.agent_states, self._decision[2]
        self._put_rewards(base, np.asarray(rewards), info)
        terminated = flags_of(terminated, "terminated", self.count, tape.t)
        truncated = flags_of(truncated, "truncated", self.count, tape.t)
        skipped = 0
        unusual = self._resetting or self._leftover or self._players is not None
        if unusual or (terminated | truncated).any():
            skipped = self._put_ends(base, terminated, truncated, info, before)
        if self.max_steps is not None and (capped := self._cap(base)):
            self._begin_some(capped)
        self._put_observations((tape.t + 1) % tape.ring * self.count)
        if self._lives is not None:
            self._lives = info.get("lives")
        return self.count - skipped

    def _batched(self, actions: list[Any]) -> Actions:
        """A list of actions as the vector environment takes them."""
        space = self.action_space
        if isinstance(space, (spaces.Dict, spaces.Tuple)):
            out: Any = create_empty_array(space, self.count)
            return concatenate(space, actions, out)
        return np.asarray(actions)

    def _put_rewards(self, base: int, rewards: Array, info: Info) -> None:
        tape, count = self.tape, self.count
        part = slice(base, base + count)
        if rewards.shape[:1] != (count,):
            right = f"hold one per environment ({count})"
            raise ValueError(f"rewards at step {tape.t} must {right}, got {rewards!r}")
        plain = rewards.ndim == 1 and rewards.dtype.kind in "biuf"
        if plain and not tape.reward_leaf.shape:
            tape.rewards[part, 0] = rewards
            tape.flags[part] = INT_REWARD if rewards.dtype.kind in "biu" else 0
        else:
            for e in range(count):
                tape.flags[base + e] = tape.put_reward(base + e, rewards[e], e)
        try:
            raw = info.get("raw_reward")
            if raw is not None:
                given = info.get("_raw_reward", True)
                tape.raw[part] = np.where(given, raw, 0.0)
                tape.flags[part] |= np.where(given, RAW_REWARD, 0).astype(np.uint8)
        except (AttributeError, TypeError, ValueError):
            raise bad_info(info, f"at step {tape.t}") from None

    def _put_ends(
        self, base: int, terminated: Array, truncated: Array, info: Info, before: list[Any]
    ) -> int:
        """Flags, final observations and agent states where environments ended, were reset or wait.

        `before` are the agent states before the step. Returns how many made no transition.
        """
        tape = self.tape
        states = self.agent_states = list(self.agent_states)
        waits = self.mode == AutoresetMode.NEXT_STEP  # the reset comes in a step of its own
        were_resetting, self._resetting = self._resetting, []
        idle = {*were_resetting, *self._leftover, *np.flatnonzero(self.waiting).tolist()}
        for e in idle:
            tape.flag_view[base + e] = NO_TRANSITION
        for e in were_resetting:
            over = tape.flags[tape.newest][e] & (EPISODE_OVER | NO_TRANSITION)
            states[e] = self._initial_state() if over else before[e]  # which a lost life leaves
        for e in np.flatnonzero(terminated | truncated).tolist():
            if e in were_resetting:
                continue
            cut_off = bool(truncated[e])
            life_loss = not cut_off and self._lost_life(e, info)
            plays_on = life_loss and self._plays_on
            if e not in idle:
                flags = self._end_flags(bool(terminated[e]), cut_off, not life_loss)
                tape.flag_view[base + e] |= flags
                self._put_final(base, e, info, plays_on)
            if not plays_on:
                self._resetting.append(e)
            if not life_loss:
                self._leftover = [other for other in self._leftover if other != e]
                if not waits:
                    states[e] = self._initial_state()
        if self._resetting and self.mode == AutoresetMode.DISABLED:
            self._reset_some(self._resetting)
        if not waits:
            self._resetting = []
        return len(idle)

    def _put_final(self, base: int, env: int, info: Info, plays_on: bool) -> None:
        """The true final observation, and the raw reward, of an environment that ended."""
        tape = self.tape
        if self.mode == AutoresetMode.SAME_STEP and not plays_on:
            # `observations` holds the next episode's already.
            final = entry(info, "final_obs", env)
            raw = entry(info.get("final_info", {}), "raw_reward", env)
            if raw is not None:
                tape.raw[base + env] = raw
                tape.flags[base + env] |= RAW_REWARD
        else:
            final = self.one_observation(env)
        tape.put_final(base + env, final, env)

    def _lost_life(self, env: int, info: Info) -> bool:
        """True if the episode ended by a lost life and the game goes on."""
        lost = entry(info.get("final_info", info), "life_loss", env)
        if lost is None and self._plays_on and self._lives is not None:
            # After a game over in SAME_STEP mode, `lives` is the next game's: more than before.
            lost = 0 < info["lives"][env] < self._lives[env]
        return bool(lost)


def _map_batch(take: Callable[[Any], Any], batch: Observations, space: object) -> Any:
    """A function of every array of a batch, nested as the space."""
    if isinstance(batch, dict):
        return {key: _map_batch(take, part, space_of(space, key)) for key, part in batch.items()}
    # A tuple is a batch of objects, such as text, unless the space is one of parts.
    if isinstance(batch, tuple) and (space is None or isinstance(space, spaces.Tuple)):
        return tuple(_map_batch(take, part, space_of(space, i)) for i, part in enumerate(batch))
    return take(batch)
