"""Stepping a Gymnasium `VectorEnv` in any auto-reset mode."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from ptan.experience.answers import bad_info, entry, flags_of, wrong
from ptan.experience.flags import INT_REWARD, NO_TRANSITION, RAW_REWARD
from ptan.experience.layout import Array
from ptan.experience.observations import one_of, some_of
from ptan.experience.stepper import Stepper
from ptan.experience.windows import WindowSpec


class VectorStepper(Stepper):
    """A Gymnasium vector environment.

    NEXT_STEP: the step after an end is a reset and no transition. SAME_STEP: the observation is
    already the next episode's, the final one is in `info`. DISABLED: resetting is up to us.
    """

    envs: VectorEnv[Any, Any, Any]
    _values = (*Stepper._values, "_resetting", "_leftover", "_held", "_lives")

    def __init__(
        self, env: VectorEnv[Any, Any, Any], agent: Any, spec: WindowSpec, **options: Any
    ) -> None:
        super().__init__(agent, env.num_envs, spec, **options)
        self.envs = env
        self.mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if not isinstance(self.mode, AutoresetMode):
            modes = list(AutoresetMode)
            raise ValueError(f"env's autoreset_mode must be one of {modes}, got {self.mode!r}")
        self.kind = f"a vector of {self.count} in mode {self.mode.value}"
        kind = type(env.unwrapped)
        # This environment goes on after a lost life; in others the auto-reset follows any end.
        self._plays_on = kind.__name__ == "AtariVectorEnv"
        self._resets_single = (
            self._plays_on
            or self.mode == AutoresetMode.DISABLED
            or issubclass(kind, (SyncVectorEnv, AsyncVectorEnv))
        )
        self._resetting: list[int] = []  # environments whose next step is a reset
        self._leftover: list[int] = []  # those that must first end an episode nobody learns from
        self._held: dict[int, Any] = {}  # agent states over a reset step within a game
        self._lives: Any = None

    def space(self, what: str) -> Any:
        return getattr(self.envs, f"single_{what}_space", None)

    def reseed(self, env_seed: int | None) -> None:
        self.seed = env_seed

    # Resets.

    def reset(self) -> Any:
        observations, info = self._answer(**({} if self.seed is None else {"seed": self.seed}))
        self.seed = None  # only now: a reset that failed is tried again, seeded
        if np.any(info.get("life_loss", False)):
            observations, info = self._answer()
        self._resetting, self._leftover, self._held = [], [], {}
        self._lives = info.get("lives")
        return observations

    def _answer(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        try:
            result = self.envs.reset(**options)
        except Exception as error:
            error.add_note("reset of env")
            raise
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            return result
        raise wrong("reset of env", "return (observations, info)", result)

    def _reset_some(self, envs: Array | list[int], *, whole: bool) -> None:
        """Reset some environments alone; `whole`: to new games, also where a life was lost."""
        mask = np.zeros(self.count, np.bool_)
        mask[envs] = True
        self.observations, info = self._answer(options={"reset_mask": mask})
        if not whole:
            return
        # A reset that was still to come after a lost life comes no more.
        self._resetting = [e for e in self._resetting if not mask[e]]
        self._held = {e: state for e, state in self._held.items() if not mask[e]}
        if paused := [e for e in envs if entry(info, "life_loss", e)]:
            self._reset_some(paused, whole=False)

    def begin_anew(self, envs: Array) -> None:
        if self._resets_single:
            self._reset_some(envs, whole=True)
        elif len(envs) == self.count:
            self.observations = self.reset()
        else:
            self._leftover += envs.tolist()
        self.put_observations(self.tape.t % self.tape.ring * self.count)

    # Observations.

    def observations_of(self, envs: Array) -> Any:
        return some_of(self.observations, envs, self.space("observation"))

    def one_observation(self, env: int) -> Any:
        return one_of(self.observations, env, self.space("observation"))

    def put_observations(self, index: int) -> None:
        tape, batch = self.tape, self.observations
        try:
            if tape.put_batch(index, batch):
                return
            singles = [self.one_observation(e) for e in range(self.count)]
        except (TypeError, KeyError, IndexError):
            raise ValueError(
                f"observations at step {tape.t} must hold one like the first per environment "
                f"({self.count}), got {batch!r}"
            ) from None
        for e, observation in enumerate(singles):
            tape.put(index + e, observation, "observation", e)

    # Steps.

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self._step()

    def _step(self) -> None:
        actions = self.act()
        tape = self.tape
        base = tape.t % tape.ring * self.count
        self.needs_reset = True  # until the step is on the tape
        if actions.__class__ is not np.ndarray:
            actions = self._batched(actions)
        try:
            result = self.envs.step(actions)
        except Exception as error:
            error.add_note(f"step {tape.t} of env")
            raise
        try:
            self.observations, rewards, terminated, truncated, info = result
        except (TypeError, ValueError):
            parts = "return (observations, rewards, terminated, truncated, info)"
            raise wrong(f"step of env at step {tape.t}", parts, result) from None
        self.agent_states = self._decision[2]
        self._put_rewards(base, np.asarray(rewards), info)
        terminated = flags_of(terminated, "terminated", self.count, tape.t)
        truncated = flags_of(truncated, "truncated", self.count, tape.t)
        skipped = 0
        unusual = self._resetting or self._leftover or self._players is not None
        if unusual or (terminated | truncated).any():
            skipped = self._put_ends(base, terminated, truncated, info)
        if self.max_steps is not None and (capped := self.cap(base)):
            if self._resets_single:
                self._reset_some(capped, whole=True)
            else:
                self._leftover += capped
        self.put_observations((tape.t + 1) % tape.ring * self.count)
        if self._lives is not None:
            self._lives = info.get("lives")
        tape.t += 1
        self.transitions += self.count - skipped
        self.needs_reset = False

    def _put_rewards(self, base: int, rewards: Array, info: dict[str, Any]) -> None:
        tape, count = self.tape, self.count
        part = slice(base, base + count)
        if rewards.shape[:1] != (count,):
            raise ValueError(
                f"rewards at step {tape.t} must hold one per environment ({count}), got {rewards!r}"
            )
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
        self, base: int, terminated: Array, truncated: Array, info: dict[str, Any]
    ) -> int:
        """What happens to environments that ended, were reset or wait; how many made no transition.

        That is their flags, final observations and agent states.
        """
        tape = self.tape
        states = self.agent_states = list(self.agent_states)
        waits = self.mode == AutoresetMode.NEXT_STEP  # the reset comes in a step of its own
        was_resetting, self._resetting = self._resetting, []
        idle = {*was_resetting, *self._leftover, *np.flatnonzero(self.waiting).tolist()}
        for e in idle:
            tape.flag_view[base + e] = NO_TRANSITION
        for e in was_resetting:
            states[e] = self._held.pop(e) if e in self._held else self._decider.initial_state()
        has_lives = self._plays_on or "life_loss" in info or "final_info" in info
        for e in np.flatnonzero(terminated | truncated).tolist():
            if e in was_resetting:
                continue
            cut_off = bool(truncated[e])
            life_loss = has_lives and not cut_off and self._lost_life(e, info)
            plays_on = life_loss and self._plays_on
            if e not in idle:
                flags = self.end_flags(bool(terminated[e]), cut_off, not life_loss)
                tape.flag_view[base + e] |= flags
                self._put_final(base, e, info, plays_on)
            if not plays_on:
                self._resetting.append(e)
            if not life_loss:
                self._leftover = [other for other in self._leftover if other != e]
                if not waits:
                    states[e] = self._decider.initial_state()
            elif waits and not plays_on:
                self._held[e] = states[e]
        if self._resetting and self.mode == AutoresetMode.DISABLED:
            self._reset_some(self._resetting, whole=False)
        if not waits:
            self._resetting = []
        return len(idle)

    def _put_final(self, base: int, env: int, info: dict[str, Any], plays_on: bool) -> None:
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

    def _lost_life(self, env: int, info: dict[str, Any]) -> bool:
        """True if the episode ended by a lost life and the game goes on."""
        lost = entry(info.get("final_info", info), "life_loss", env)
        if lost is None and self._plays_on and self._lives is not None:
            # After a game over in SAME_STEP mode, `lives` is the next game's: more than before.
            lost = 0 < info["lives"][env] < self._lives[env]
        return bool(lost)

    def _batched(self, actions: Any) -> Any:
        """A list of actions as the vector environment takes them."""
        space = self.space("action")
        if isinstance(space, (spaces.Dict, spaces.Tuple)):
            out: Any = create_empty_array(space, self.count)
            return concatenate(space, actions, out)
        return np.asarray(actions)
