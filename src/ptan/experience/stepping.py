"""Stepping environments and writing what happens to a tape.

* `Stepper`: what all kinds share
* `ListStepper`: separate environments, stepped one after the other
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ptan.experience.answers import (
    bad_info,
    flag_of,
    reset_parts,
    step_parts,
)
from ptan.experience.flags import EPISODE_OVER, RAW_REWARD, TERMINATED, TRUNCATED
from ptan.experience.layout import layout_of
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

    def progress(self) -> dict[str, Any]:
        """What the next step depends on, beside the environments and the tape."""
        return {
            "observations": self.observations,
            "agent_states": self.agent_states,
            "given_states": self.given_states,
            "seed": self.seed,
            "torn": self.torn,
        }

    def go_on(self, progress: dict[str, Any], tape: Tape | None) -> None:
        """Go on where another stepper was, whose `progress` and tape these are."""
        self.tape = tape
        self.observations = progress["observations"]
        self.agent_states = progress["agent_states"]
        self.given_states = progress["given_states"]
        self.seed = progress["seed"]
        self.torn = progress["torn"]

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
    def kind(self) -> str:
        """What is stepped, in words: steppers of one kind can go on for one another."""

    @abstractmethod
    def environments(self) -> tuple[list[Any], list[str]]:
        """What is stepped, and what errors call each."""

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
        self._set_at_once(tape)
        return tape

    def _set_at_once(self, tape: Tape | None) -> None:
        # Only different environments keep an observation untouched until all have stepped.
        self._at_once = tape is not None and tape.small and self._distinct

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), "unseeded": sorted(self._unseeded)}

    def go_on(self, progress: dict[str, Any], tape: Tape | None) -> None:
        super().go_on(progress, tape)
        self._unseeded = set(progress["unseeded"])
        self._set_at_once(tape)

    def kind(self) -> str:
        return f"a list of {self.count}"

    def environments(self) -> tuple[list[Any], list[str]]:
        return self.envs, [f"environment {e}: " for e in range(self.count)]

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
        self.advance(1)

    def advance(self, steps: int) -> None:
        tape = self.tape
        assert tape is not None
        stepping = False
        try:
            for _ in range(steps):
                actions = self.act()
                tape.put_actions(actions)
                stepping = True
                self._step(tape, actions)
                tape.t += 1
                stepping = False
        except BaseException:
            self.torn = stepping
            raise

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
