"""Stepping separate environments, one after the other."""

from typing import Any

import numpy as np

from ptan.actions.policy import Agent
from ptan.common.types import Actions, AnyEnv, Array, Info, Observation
from ptan.experience.answers import bad_info, flag_of, reset_parts, step_parts
from ptan.experience.flags import NO_TRANSITION, RAW_REWARD
from ptan.experience.stepper import Stepper
from ptan.experience.tape import Tape
from ptan.experience.windows import WindowSpec


class ListStepper(Stepper):
    """A list of environments; old-style ones (4-tuple steps, bare resets) are understood."""

    envs: list[AnyEnv]

    def __init__(self, envs: list[AnyEnv], agent: Agent, spec: WindowSpec, **options: Any) -> None:
        super().__init__(agent, len(envs), spec, **options)
        self.kind = f"a list of {self.count}"
        self.envs = envs
        self.observation_space = getattr(envs[0], "observation_space", None)
        self.action_space = getattr(envs[0], "action_space", None)
        self._numbered = list(enumerate(self.envs))
        self._distinct = len(set(map(id, envs))) == len(envs)

    def _reset_all(self, seed: int | None) -> list[Observation]:
        seeds = [{} if seed is None else {"seed": seed + e} for e in range(self.count)]
        return [self._reset(e, **options) for e, options in enumerate(seeds)]

    def _reset(self, env: int, **options: int) -> Observation:
        observation, info = self._answer(env, **options)
        if info.get("life_loss"):  # the wrapper went on with the game after a life was lost
            observation, _ = self._answer(env)
        return observation

    def _answer(self, env: int, **options: int) -> tuple[Observation, Info]:
        one = self.envs[env]
        try:
            result = one.reset(**options)
        except BaseException as error:
            error.add_note(f"environment {env}, reset")
            raise
        return reset_parts(one, env, result)

    def one_observation(self, env: int) -> Observation:
        return self.observations[env]

    def _observations_of(self, envs: Array) -> list[Observation]:
        return [self.observations[e] for e in envs]

    def _put_observations(self, index: int) -> None:
        self.tape.put_listed(index, self.observations)

    def _step(self, tape: Tape, actions: Actions) -> int:
        """The hottest loop of the library, so the usual step goes first."""
        t, count = tape.t, self.count
        base = t % tape.ring * count
        following = (t + 1) % tape.ring * count
        scalar_rewards = not tape.reward_leaf.shape
        # Only different environments keep an observation untouched until all have stepped.
        at_once = tape.small and self._distinct
        numbered = self._numbered
        if self._players is not None:
            tape.flags[base : base + count] = np.where(self.waiting, NO_TRANSITION, 0)
            numbered = [numbered[e] for e in self._players]
            at_once = True
        elif count > 1:
            tape.flags[base : base + count] = 0
        else:
            tape.flag_view[base] = 0
        observations = self.observations[:]
        self.agent_states = self._decision[2]
        for e, env in numbered:
            try:
                result = env.step(actions[e])
            except BaseException as error:
                error.add_note(f"environment {e}, step {t}")
                raise
            if result.__class__ is not tuple or len(result) != 5:
                result = step_parts(result, e, t)
            observation, reward, terminated, truncated, info = result
            if reward.__class__ is float and scalar_rewards:
                tape.reward_view[base + e] = reward
            else:
                tape.flag_view[base + e] = tape.put_reward(base + e, reward, e)
                scalar_rewards = not tape.reward_leaf.shape
            going_on = terminated is False and truncated is False
            if not going_on or info or info.__class__ is not dict:
                observation = self._look(base, e, observation, terminated, truncated, info)
            observations[e] = observation
            if not at_once:
                tape.put(following + e, observation, "observation", e)
        self.observations = observations
        if self.max_steps is not None:
            for e in self._cap(base):
                observations[e] = self._reset(e)
                tape.put(following + e, observations[e], "observation", e)
        if at_once:
            tape.put_listed(following, observations)
        return len(numbered)

    def _look(self, base: int, env: int, observation: Observation, *answer: Any) -> Observation:
        """What is unusual about a step: info, or an end; returns the observation to go on from."""
        tape, (terminated, truncated, info) = self.tape, answer
        if terminated.__class__ is not bool:
            terminated = flag_of(terminated, "terminated", env, tape.t)
        if truncated.__class__ is not bool:
            truncated = flag_of(truncated, "truncated", env, tape.t)
        flags = 0
        try:
            raw = info.get("raw_reward")
            life_loss = info.get("life_loss")
            if raw is not None:
                tape.raw_view[base + env] = float(raw)
                flags = RAW_REWARD
        except (AttributeError, TypeError, ValueError):
            raise bad_info(info, f"of environment {env} at step {tape.t}") from None
        if terminated or truncated:
            over = truncated or not life_loss
            flags |= self._end_flags(terminated, truncated, over)
            tape.put_final(base + env, observation, env)
            if over:
                observation = self._reset(env)
                self._begin_state(env)
        tape.flag_view[base + env] |= flags
        return observation
