"""Stepping environments: what lists and vector environments have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ptan.actions.policy import Agent, PolicyStep
from ptan.common.checks import checked_seed
from ptan.common.types import (
    Actions,
    Array,
    Envs,
    Observation,
    Observations,
    SavedState,
    Space,
    State,
)
from ptan.envs.states import load_envs, save_envs
from ptan.experience.answers import NO_COLUMNS, checked_step, decider, spread
from ptan.experience.flags import EPISODE_OVER, NO_TRANSITION, TERMINATED, TRUNCATED
from ptan.experience.layout import Layout, layout_of
from ptan.experience.state import plain, restored_tape, tape_state
from ptan.experience.tape import Tape
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowCutter, WindowSpec

EndedEpisode: TypeAlias = tuple[float, int, int]
"""Return, steps, and how many of the rows cut with it come before its end."""

_ARRAY = np.ndarray


class Stepper(ABC):
    """Some environments, the agent that acts in them, and the tape of their newest steps.

    kind          what is stepped, in words: states of one kind fit each other
    count         number of environments N
    envs          a list of them, or one vector environment
    observation_space, action_space  of one environment; None where there is none
    seed          environment i gets `seed + i` at the next `begin`
    observations  the current ones, as the agent gets them
    agent_states  the agent's states that go with them
    waiting       (N,) bool: environments that do not play; see `wait`
    transitions   made so far; reset steps and steps of environments that wait are none
    needs_reset   True before the first step, and after an exception left environments half stepped
    tape, windows the newest steps, and what is cut from them; there after the first `begin`
    """

    kind: str
    envs: Envs
    observation_space: Space | None
    action_space: Space | None
    tape: Tape
    windows: WindowCutter
    # Part of the state.
    _values: ClassVar[tuple[str, ...]] = (
        *("observations", "agent_states", "seed", "waiting"),
        *("transitions", "needs_reset", "_lengths"),
    )

    def __init__(
        self,
        agent: Agent,
        count: int,
        spec: WindowSpec,
        *,
        seed: int | None = None,
        terminal: bool = False,
        check_finite: bool = True,
        max_steps: int | None = None,
    ) -> None:
        self.agent, self.count, self.spec = agent, count, spec
        self.seed = checked_seed(seed)
        self.terminal, self.check_finite, self.max_steps = terminal, check_finite, max_steps
        self.observations: Observations = None
        self.agent_states: list[Any] = []
        self.waiting = np.zeros(count, np.bool_)
        self.transitions = 0
        self.needs_reset = True
        self._begun = False
        self._players: Array | None = None  # where some environments wait: those that play
        self._lengths = np.zeros(count, np.int64)  # of the episodes under way, under `max_steps`
        self._decision = PolicyStep([], [], [], NO_COLUMNS)

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        return self._agent

    @agent.setter
    def agent(self, agent: Agent) -> None:
        self._decide = decider(agent)
        self._agent = agent

    @property
    def last(self) -> PolicyStep:
        """The agent's decision in the last step; what it holds for waiting environments is void."""
        return self._decision

    @property
    def over(self) -> Array:
        """(N,) bool: environments whose episode ended with the last step."""
        ended: Array = self.tape.flags[self.tape.newest] & EPISODE_OVER != 0
        return ended

    def begin(self) -> None:
        """Begin new episodes everywhere: reset environments, agent states, tape and windows."""
        self.needs_reset = True
        self.waiting[:], self._players = False, None
        self._lengths[:] = 0
        self.observations = self._reset_all(self.seed)
        self.seed = None  # only now: where a reset failed, all are tried again, seeded
        self.tape = self._new_tape(layout_of(self.one_observation(0), self.observation_space))
        self.windows = WindowCutter(self.tape, self.spec)
        self._begun = True
        self._put_observations(0)
        if self.check_finite and (flaw := self.windows.first_flaw(-1)):
            raise ValueError(flaw)
        self.agent_states = [self._initial_state() for _ in range(self.count)]
        self.needs_reset = False

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere with new seeds; windows in progress are dropped."""
        self.seed = checked_seed(env_seed)
        self.begin()

    def _new_tape(self, layout: Layout) -> Tape:
        spaces = self.observation_space, self.action_space
        return Tape(layout, self.count, self.spec.n_step, *spaces)

    def _initial_state(self) -> Any:
        """The agent's state at the start of an episode; None for agents that know none."""
        make = getattr(self._agent, "initial_state", None)
        return None if make is None else make()

    def _begin_state(self, env: int) -> None:
        if self.agent_states is self._decision[2]:
            self.agent_states = list(self.agent_states)  # the agent may keep its own
        self.agent_states[env] = self._initial_state()

    def wait(self, env: int) -> None:
        """Let an environment wait whose episode ended, else ValueError: it steps no more."""
        tape = self.tape
        flags = tape.flags[tape.newest][env] if tape.t else EPISODE_OVER
        if not flags & (EPISODE_OVER | NO_TRANSITION):
            raise ValueError(f"env must have ended its episode, and {env} is in the middle of one")
        self.waiting[env] = True
        self._players = np.flatnonzero(~self.waiting)

    def play_all(self) -> None:
        """Let the environments that wait begin new episodes, too."""
        waited = np.flatnonzero(self.waiting)
        if len(waited):
            self._begin_anew(waited)
            for e in waited.tolist():
                self._begin_state(e)
        self.waiting[:], self._players = False, None

    def advance(self, steps: int) -> None:
        """Take some steps in every environment that plays; RuntimeError where all wait."""
        tape = self.tape
        for _ in range(steps):
            actions = self._act()
            self.needs_reset = True  # until all have stepped
            self.transitions += self._step(tape, actions)
            tape.t += 1
            self.needs_reset = False

    def _act(self) -> Actions:
        """Ask the agent, note its decision and actions; returns those that environments take."""
        if self._players is not None:
            step = self._act_of_players(self._players)
        else:
            step = self._decide(self.observations, self.agent_states)
            if step.__class__ is not PolicyStep:
                checked_step(step, self.count)
            actions, env_actions, states, _ = step
            # The usual decision is known at a glance.
            usual = actions.__class__ is _ARRAY and env_actions is actions
            if not (
                usual and states.__class__ is list and len(actions) == len(states) == self.count
            ):
                step = checked_step(step, self.count)
        self._decision = step
        self.tape.put_actions(step[0])
        return step[1]

    def _act_of_players(self, players: Array) -> PolicyStep:
        """A decision of some environments, spread over all."""
        if not len(players):
            raise RuntimeError("all environments wait: call play_all() to go on")
        states = [self.agent_states[e] for e in players]
        step = checked_step(self._decide(self._observations_of(players), states), len(players))
        return spread(step, players, self.agent_states)

    def _end_flags(self, terminated: bool, truncated: bool, over: bool) -> int:
        """The tape's flags for a step that ended an episode or a life."""
        if self.terminal and truncated:
            terminated = True
        return TERMINATED * terminated | TRUNCATED * truncated | EPISODE_OVER * over

    def _cap(self, base: int) -> list[int]:
        """Truncate episodes that the step at `base` made `max_steps` long; their environments."""
        tape = self.tape
        flags = tape.flags[base : base + self.count]
        self._lengths += flags & NO_TRANSITION == 0
        self._lengths[flags & EPISODE_OVER != 0] = 0
        capped: list[int] = np.flatnonzero(self._lengths == self.max_steps).tolist()
        for e in capped:
            self._lengths[e] = 0
            if not flags[e] & TERMINATED:  # else it lost a life and has its final observation
                tape.put_final(base + e, self.one_observation(e), e)
            flags[e] |= self._end_flags(False, True, True)
            self._begin_state(e)
        return capped

    def cut(self) -> tuple[Transitions | None, Array, str | None]:
        """What the new steps complete, see `WindowCutter.cut`, up to a value that is not finite."""
        flaw = self.windows.first_flaw() if self.check_finite else None
        self.needs_reset |= flaw is not None
        return *self.windows.cut(), flaw

    def step_and_cut(
        self,
        steps: int,
        keep: Callable[[Transitions | None, list[EndedEpisode]], None],
        on_steps: Callable[[int], None] | None = None,
    ) -> None:
        """Take some steps; `keep` gets what they complete, also before an exception.

        After each step `on_steps` gets the number of transitions made.
        """
        interrupted = False
        try:
            if on_steps is None:
                self.advance(steps)
            else:
                for _ in range(steps):
                    before = self.transitions
                    self.advance(1)
                    on_steps(self.transitions - before)
        except BaseException as error:
            interrupted = not isinstance(error, Exception)
            raise
        finally:
            rows, episodes, flaw = self.cut()
            keep(rows, [(total, int(length), int(n)) for total, length, n in episodes.tolist()])
            if flaw is not None and not interrupted:
                raise ValueError(flaw)

    def state_dict(self) -> State:
        """Everything that the steps to come depend on, except the agent's weights and randomness.

        CannotSave if an environment, named by its number, or an agent state cannot be saved.
        """
        return {
            "made": self._made(),
            "environments": save_envs(self.envs),
            "values": {name: plain(getattr(self, name), name) for name in self._values},
            "tape": tape_state(self.tape, self.windows) if self._begun else None,
        }

    def load_state_dict(self, state: SavedState) -> None:
        """Go on where the stepper was whose state it is.

        ValueError if it is of another stepper, and nothing is changed; or of other environments, or
        an episode cannot be repeated: then the environments must be reset.
        """
        try:
            for name, value in self._made().items():
                if (got := state["made"][name]) != value:
                    raise ValueError(
                        f"state must be of a source with {name}={value!r}, got {got!r}"
                    )
            values = {name: plain(state["values"][name], name) for name in self._values}
            environments, tape = state["environments"], state["tape"]
            restored = tape and restored_tape(tape, self._new_tape, self.spec)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self.needs_reset = True  # if that fails
        load_envs(self.envs, environments)
        for name, value in values.items():
            setattr(self, name, value)
        self._begun = bool(restored)
        if restored:
            self.tape, self.windows = restored
        self._players = np.flatnonzero(~self.waiting) if self.waiting.any() else None

    def _made(self) -> State:
        """The arguments that must be equal for a state to fit."""
        spec = {**vars(self.spec), "row_class": self.spec.row_class.__name__}
        truncation = "terminal" if self.terminal else "bootstrap"
        limits = {"truncation": truncation, "max_steps": self.max_steps}
        return {"environments": self.kind, **spec, **limits}

    # What lists and vector environments do in ways of their own.

    def _begin_anew(self, envs: Array) -> None:  # noqa: B027 - lists have nothing to do
        """Begin new episodes in environments that waited, unless they did when they ended."""

    @abstractmethod
    def _reset_all(self, seed: int | None) -> Observations:
        """Reset all environments; their observations, as the agent gets them."""

    @abstractmethod
    def _step(self, tape: Tape, actions: Actions) -> int:
        """Step all environments that play; how many made a transition."""

    @abstractmethod
    def one_observation(self, env: int) -> Observation:
        """The current observation of one environment."""

    @abstractmethod
    def _observations_of(self, envs: Array) -> Observations:
        """The current observations of some environments, as the agent gets them."""

    @abstractmethod
    def _put_observations(self, index: int) -> None:
        """Write all current observations to the tape."""
