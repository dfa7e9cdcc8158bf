"""Stepping environments and writing what happens to a tape.

* `ListStepper`: separate environments, stepped one after the other
* `VectorStepper`: a Gymnasium `VectorEnv` in any auto-reset mode
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from torch import Tensor

from ptan.experience._kernels import EPISODE_OVER, NO_TRANSITION, RAW_REWARD
from ptan.experience.answers import (
    autoreset_mode,
    bad_info,
    entry,
    flag_of,
    flags_of,
    reset_parts,
    step_parts,
    vector_reset_parts,
    vector_step_parts,
)
from ptan.experience.columns import INT_REWARD, TERMINATED, TRUNCATED
from ptan.experience.layout import Leaf, layout_of
from ptan.experience.tape import Cut, Tape


class Stepper(ABC):
    """Some environments, the agent that acts in them, and the tape of their steps.

    Args:
        agent: called as `agent(observations, agent_states)`.
        count: number of environments.
        cut: how windows are cut.
        seed: seed of environment i is `seed + i`, at the first reset only.
        terminal: True treats a truncation as a termination.
        check_finite: True raises on NaN and infinite observations and rewards.
    """

    def __init__(
        self,
        agent: Any,
        count: int,
        cut: Cut,
        *,
        seed: int | None,
        terminal: bool,
        check_finite: bool,
    ) -> None:
        self.agent = agent
        self.count = count
        self.cut = cut
        self.seed = seed
        self.terminal = terminal
        self.check_finite = check_finite
        self.observations: Any = None
        self.agent_states: list[Any] = []
        self.given_states: list[Any] = []  # what the agent returned in the last step
        self.tape: Tape | None = None
        self.torn = False  # an exception left some environments stepped and others not

    def begin(self) -> Tape:
        """Reset everything: environments, agent states and the tape."""
        self.torn = True
        self.observations = self.reset()
        layout = layout_of(self.one_observation(0))
        if self.tape is None or self.tape.layout != layout:
            self.tape = Tape(layout, self.count, self.cut)
        self.tape.rewind()
        self.put_observations(self.tape, 0)
        if self.check_finite:
            self.tape.check_reset()
        self.agent_states = [self.initial_state() for _ in range(self.count)]
        self.torn = False
        return self.tape

    def act(self) -> Any:
        """One call of the agent; returns an action per environment.

        Raises:
            TypeError, ValueError: it returned something else than an action and a state for each.
        """
        result = self.agent(self.observations, self.agent_states)
        try:
            actions, states = result
            number = len(actions)
            if states is None:
                states = [None] * number
            if number == len(states) == self.count:
                self.given_states = states
                return actions.numpy(force=True) if isinstance(actions, Tensor) else actions
        except (TypeError, ValueError):
            raise TypeError(
                f"agent must return (actions, agent states), a batch of each, got {result!r}"
            ) from None
        raise ValueError(
            f"agent must return one action and one state per observation ({self.count}), "
            f"got {number} actions and {len(states)} states"
        )

    def initial_state(self) -> Any:
        """The agent's state at the start of an episode; None for agents that know none."""
        make = getattr(self.agent, "initial_state", None)
        return None if make is None else make()

    def advance(self, steps: int) -> None:
        """Take some steps in every environment."""
        for _ in range(steps):
            self.step()

    def end_flags(self, terminated: bool, truncated: bool, over: bool) -> int:
        """The tape's flags for a step that ended an episode or a life."""
        if self.terminal and truncated:
            terminated = True
        return TERMINATED * terminated | TRUNCATED * truncated | EPISODE_OVER * over

    @abstractmethod
    def reset(self) -> Any:
        """Reset the environments and return their observations, as the agent gets them."""

    @abstractmethod
    def one_observation(self, env: int) -> Any:
        """The current observation of one environment."""

    @abstractmethod
    def put_observations(self, tape: Tape, index: int) -> None:
        """Write all current observations to the tape."""

    @abstractmethod
    def step(self) -> None:
        """One step in every environment."""


class ListStepper(Stepper):
    """Separate environments; old-style ones (4-tuple steps, bare resets) are understood."""

    def __init__(self, envs: Sequence[Any], agent: Any, cut: Cut, **options: Any) -> None:
        super().__init__(agent, len(envs), cut, **options)
        self.envs = list(envs)
        self._unseeded = set(range(len(envs)))
        self._at_once = False
        self._distinct = len({id(env) for env in envs}) == len(envs)

    def begin(self) -> Tape:
        tape = super().begin()
        # Only different environments keep an observation untouched until all have stepped.
        self._at_once = tape.small and self._distinct
        return tape

    def reset(self) -> list[Any]:
        return [self._reset(e) for e in range(self.count)]

    def _reset(self, env: int) -> Any:
        one = self.envs[env]
        if self.seed is not None and env in self._unseeded:
            observation, info = reset_parts(one, env, one.reset(seed=self.seed + env))
            self._unseeded.discard(env)  # only now: a reset that failed is tried again, seeded
        else:
            observation, info = reset_parts(one, env, one.reset())
        if info.get("life_loss"):  # the wrapper went on with the game after a life was lost
            observation, info = reset_parts(one, env, one.reset())
        return observation

    def one_observation(self, env: int) -> Any:
        return self.observations[env]

    def put_observations(self, tape: Tape, index: int) -> None:
        for e, observation in enumerate(self.observations):
            tape.put(index + e, observation, "observation", e)

    def step(self) -> None:
        tape = self.tape
        assert tape is not None
        actions = self.act()
        tape.put_actions(actions)
        try:
            self._step(tape, actions)
        except BaseException:
            self.torn = True
            raise
        tape.t += 1

    def _step(self, tape: Tape, actions: Any) -> None:
        """Step every environment; the hottest loop of the library, so the usual step goes first."""
        t, count = tape.t, self.count
        base = t % tape.ring * count
        following = (t + 1) % tape.ring * count
        scalar_rewards = not tape.reward_leaf.shape
        at_once = self._at_once
        observations: list[Any] = []
        self.agent_states = self.given_states
        if count > 1:
            tape.flags[base : base + count] = 0
        else:
            tape.flag_view[base] = 0
        for e, env in enumerate(self.envs):
            result = env.step(actions[e])
            if result.__class__ is not tuple or len(result) != 5:
                result = step_parts(result, e, t)
            observation, reward, terminated, truncated, info = result
            if reward.__class__ is float and scalar_rewards:
                tape.reward_view[base + e] = reward
            else:
                tape.flag_view[base + e] = tape.put_reward(base + e, reward, e)
                scalar_rewards = not tape.reward_leaf.shape
            if info or terminated is not False or truncated is not False:
                observation = self._look(tape, base, e, observation, terminated, truncated, info)
            observations.append(observation)
            if not at_once:
                tape.put(following + e, observation, "observation", e)
        if at_once:
            tape.put_listed(following, observations)
        self.observations = observations

    def _look(
        self,
        tape: Tape,
        base: int,
        env: int,
        observation: Any,
        terminated: Any,
        truncated: Any,
        info: Any,
    ) -> Any:
        """What is unusual about a step: info, or an end; returns the observation to go on from."""
        if terminated.__class__ is not bool:
            terminated = flag_of(terminated, "terminated", env, tape.t)
        if truncated.__class__ is not bool:
            truncated = flag_of(truncated, "truncated", env, tape.t)
        flags = 0
        if info:
            try:
                raw = info.get("raw_reward")
                if raw is not None:
                    tape.raw_view[base + env] = float(raw)
                    flags = RAW_REWARD
            except (AttributeError, TypeError, ValueError):
                raise bad_info(info, f" of environment {env} at step {tape.t}") from None
        if terminated or truncated:
            over = truncated or not (info and info.get("life_loss"))
            flags |= self.end_flags(terminated, truncated, over)
            tape.put_final(base + env, observation, env)
            if over:
                observation = self._reset(env)
                if self.agent_states is self.given_states:
                    self.agent_states = list(self.given_states)  # the agent may keep its own
                self.agent_states[env] = self.initial_state()
        tape.flag_view[base + env] |= flags
        return observation


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
