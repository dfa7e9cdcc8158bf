"""Stepping separate environments, one after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ptan.experience.answers import bad_info, flag_of, reset_parts, step_parts
from ptan.experience.flags import NO_TRANSITION, RAW_REWARD
from ptan.experience.layout import Array
from ptan.experience.stepper import Stepper
from ptan.experience.tape import Tape
from ptan.experience.windows import WindowSpec


class ListStepper(Stepper):
    """A list of environments; old-style ones (4-tuple steps, bare resets) are understood."""

    envs: list[Any]

    def __init__(self, envs: Sequence[Any], agent: Any, spec: WindowSpec, **options: Any) -> None:
        super().__init__(agent, len(envs), spec, **options)
        self.kind = f"a list of {self.count}"
        self.envs = list(envs)
        self._numbered = list(enumerate(self.envs))
        self._distinct = len({id(env) for env in envs}) == len(envs)

    def space(self, what: str) -> Any:
        return getattr(self.envs[0], f"{what}_space", None)

    def reseed(self, env_seed: int | None) -> None:
        self.seed = [None if env_seed is None else env_seed + e for e in range(self.count)]

    def reset(self) -> list[Any]:
        return [self._reset(e) for e in range(self.count)]

    def _reset(self, env: int) -> Any:
        seed = self.seed[env]
        observation, info = self._answer(env, **({} if seed is None else {"seed": seed}))
        self.seed[env] = None  # only now: a reset that failed is tried again, seeded
        if info.get("life_loss"):  # the wrapper went on with the game after a life was lost
            observation, _ = self._answer(env)
        return observation

    def _answer(self, env: int, **options: Any) -> tuple[Any, dict[str, Any]]:
        one = self.envs[env]
        try:
            result = one.reset(**options)
        except Exception as error:
            error.add_note(f"environment {env}, reset")
            raise
        return reset_parts(one, env, result)

    def begin_anew(self, envs: Array) -> None:
        """Nothing to do: an environment is reset when its episode ends, and waits after that."""

    def observations_of(self, envs: Array) -> list[Any]:
        return [self.observations[e] for e in envs]

    def one_observation(self, env: int) -> Any:
        return self.observations[env]

    def put_observations(self, index: int) -> None:
        for e, observation in enumerate(self.observations):
            self.tape.put(index + e, observation, "observation", e)

    def advance(self, steps: int) -> None:
        tape = self.tape
        stepping, first = False, tape.t
        try:
            for _ in range(steps):
                actions = self.act()
                stepping = True  # until all have stepped
                self._step(tape, actions)
                tape.t += 1
                stepping = False
        except BaseException:
            self.needs_reset = stepping
            raise
        finally:
            players = self.count if self._players is None else len(self._players)
            self.transitions += (tape.t - first) * players

    def _step(self, tape: Tape, actions: Any) -> None:
        """Step every environment; the hottest loop of the library, so the usual step goes first."""
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
            except Exception as error:
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
            if (
                terminated is not False
                or truncated is not False
                or info
                or info.__class__ is not dict
            ):
                observation = self._look(base, e, observation, terminated, truncated, info)
            observations[e] = observation
            if not at_once:
                tape.put(following + e, observation, "observation", e)
        self.observations = observations
        if self.max_steps is not None:
            for e in self.cap(base):
                observations[e] = self._reset(e)
                tape.put(following + e, observations[e], "observation", e)
        if at_once:
            tape.put_listed(following, observations)

    def _look(
        self, base: int, env: int, observation: Any, terminated: Any, truncated: Any, info: Any
    ) -> Any:
        """What is unusual about a step: info, or an end; returns the observation to go on from."""
        tape = self.tape
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
            flags |= self.end_flags(terminated, truncated, over)
            tape.put_final(base + env, observation, env)
            if over:
                observation = self._reset(env)
                self._begin_state(env)
        tape.flag_view[base + env] |= flags
        return observation
