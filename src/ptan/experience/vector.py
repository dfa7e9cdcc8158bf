"""Stepping a Gymnasium `VectorEnv` in any auto-reset mode, and writing what happens to a tape."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from ptan.experience.answers import (
    autoreset_mode,
    bad_info,
    entry,
    flags_of,
    vector_reset_parts,
    vector_step_parts,
)
from ptan.experience.flags import INT_REWARD, NO_TRANSITION, RAW_REWARD
from ptan.experience.layout import Leaf
from ptan.experience.stepping import Stepper
from ptan.experience.tape import Cut, Tape


class VectorStepper(Stepper):
    """A Gymnasium vector environment.

    NEXT_STEP: the step after an end is a reset and no transition. SAME_STEP: the observation is
    already the next episode's, the final one is in `info`. DISABLED: resetting is up to us.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], agent: Any, cut: Cut, **options: Any) -> None:
        super().__init__(agent, env.num_envs, cut, **options)
        self.env = env
        self.mode = autoreset_mode(env)
        # This environment goes on after a lost life; in others the auto-reset follows any end.
        self._plays_on = type(env.unwrapped).__name__ == "AtariVectorEnv"
        self._resetting: list[int] = []  # environments whose next step is a reset
        self._held: dict[int, Any] = {}  # agent states over a reset step within a game
        self._lives: Any = None

    def reset(self) -> Any:
        observations, info = vector_reset_parts(
            self.env.reset() if self.seed is None else self.env.reset(seed=self.seed)
        )
        self.seed = None  # only now: a reset that failed is tried again, seeded
        if np.any(info.get("life_loss", False)):
            observations, info = vector_reset_parts(self.env.reset())
        self._resetting = []
        self._held = {}
        self._lives = info.get("lives")
        return observations

    def progress(self) -> dict[str, Any]:
        waiting = {"resetting": self._resetting, "held": self._held, "lives": self._lives}
        return {**super().progress(), **waiting}

    def go_on(self, progress: dict[str, Any], tape: Tape | None) -> None:
        super().go_on(progress, tape)
        self._resetting = progress["resetting"]
        self._held = progress["held"]
        self._lives = progress["lives"]

    def kind(self) -> str:
        return f"a vector of {self.count} in mode {self.mode.value}"

    def environments(self) -> tuple[list[Any], list[str]]:
        return [self.env], [""]

    def one_observation(self, env: int) -> Any:
        return _one(self.observations, env)

    def put_observations(self, tape: Tape, index: int) -> None:
        if type(tape.layout) is Leaf:
            tape.put_block(index, [self.observations])
        else:
            tape.put_block(index, _block_parts(tape.layout, self.observations))

    def step(self) -> None:
        tape = self.tape
        assert tape is not None
        actions = self.act()
        tape.put_actions(actions)
        base = tape.t % tape.ring * self.count
        self.torn = True
        if actions.__class__ is not np.ndarray:
            actions = self._batched(actions)
        self.observations, rewards, terminated, truncated, info = vector_step_parts(
            self.env.step(actions), tape.t
        )
        self.agent_states = self.given_states
        self._put_rewards(tape, base, np.asarray(rewards), info)
        done = flags_of(terminated, "terminated", self.count, tape.t)
        done = done | flags_of(truncated, "truncated", self.count, tape.t)
        if self._resetting or done.any():
            self._put_ends(tape, base, terminated, truncated, info)
        self.put_observations(tape, (tape.t + 1) % tape.ring * self.count)
        if self._lives is not None:
            self._lives = info.get("lives")
        tape.t += 1
        self.torn = False

    def _put_rewards(self, tape: Tape, base: int, rewards: Any, info: dict[str, Any]) -> None:
        part = slice(base, base + self.count)
        if rewards.shape != (self.count,) or tape.reward_leaf.shape:
            if rewards.shape[:1] != (self.count,):
                raise ValueError(
                    f"rewards must hold one per environment ({self.count}), got {rewards!r} "
                    f"at step {tape.t}"
                )
            flags = 0
            for e in range(self.count):
                flags = tape.put_reward(base + e, rewards[e], e)
        else:
            if rewards.dtype.kind not in "biuf":
                raise TypeError(f"rewards must be numbers, got {rewards!r} at step {tape.t}")
            tape.rewards[part, 0] = rewards
            flags = INT_REWARD if rewards.dtype.kind in "biu" else 0
        tape.flags[part] = flags
        try:
            raw = info.get("raw_reward")
            if raw is not None:
                given = info.get("_raw_reward", True)
                tape.raw[part] = np.where(given, raw, 0.0)
                tape.flags[part] |= np.where(given, RAW_REWARD, 0).astype(np.uint8)
        except (AttributeError, TypeError, ValueError):
            raise bad_info(info, f" at step {tape.t}") from None

    def _put_ends(
        self, tape: Tape, base: int, terminated: Any, truncated: Any, info: dict[str, Any]
    ) -> None:
        """Flags, final observations and agent states of environments that ended or were reset."""
        states = self.agent_states = list(self.agent_states)
        waits = self.mode == AutoresetMode.NEXT_STEP  # the reset comes in a step of its own
        was_resetting, self._resetting = self._resetting, []
        for e in was_resetting:
            tape.flag_view[base + e] = NO_TRANSITION
            states[e] = self._held.pop(e) if e in self._held else self.initial_state()
        has_lives = self._plays_on or "life_loss" in info or "final_info" in info
        for e in np.flatnonzero(terminated | truncated).tolist():
            if e in was_resetting:
                continue
            cut_off = bool(truncated[e])
            life_loss = has_lives and not cut_off and self._lost_life(e, info)
            plays_on = life_loss and self._plays_on
            flags = self.end_flags(bool(terminated[e]), cut_off, not life_loss)
            tape.flag_view[base + e] |= flags
            self._put_final(tape, base, e, info, plays_on)
            if not plays_on:
                self._resetting.append(e)
            if not life_loss and not waits:
                states[e] = self.initial_state()
            elif life_loss and waits and not plays_on:
                self._held[e] = states[e]
        if self._resetting and self.mode == AutoresetMode.DISABLED:
            mask = np.zeros(self.count, np.bool_)
            mask[self._resetting] = True
            self.observations, _ = self.env.reset(options={"reset_mask": mask})
        if not waits:
            self._resetting = []

    def _put_final(
        self, tape: Tape, base: int, env: int, info: dict[str, Any], plays_on: bool
    ) -> None:
        """The true final observation, and the raw reward, of an environment that ended."""
        final = _one(self.observations, env)
        if self.mode == AutoresetMode.SAME_STEP and not plays_on:
            # `observations` holds the next episode's already.
            final = entry(info, "final_obs", env)
            raw = entry(info.get("final_info", {}), "raw_reward", env)
            if raw is not None:
                tape.raw[base + env] = raw
                tape.flags[base + env] |= RAW_REWARD
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
        space = self.env.single_action_space
        if isinstance(space, (spaces.Dict, spaces.Tuple)):
            out: Any = create_empty_array(space, self.count)
            return concatenate(space, actions, out)
        return np.asarray(actions)


def _one(batched: Any, env: int) -> Any:
    """One environment's part of batched observations."""
    if isinstance(batched, dict):
        return {key: _one(part, env) for key, part in batched.items()}
    if isinstance(batched, tuple):
        return tuple(_one(part, env) for part in batched)
    return batched[env]


def _block_parts(layout: Any, batched: Any) -> list[Any]:
    """The batched leaves of nested observations, in the order of the layout."""
    if isinstance(layout, Leaf):
        return [batched]
    keys = layout if isinstance(layout, dict) else range(len(layout))
    return [part for key in keys for part in _block_parts(layout[key], batched[key])]
