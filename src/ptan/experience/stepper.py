"""What steppers of all kinds share: the agent, the tape, episodes that begin and wait."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import VectorEnv

from ptan.actions.policy import PolicyStep
from ptan.envs.states import load_envs, save_envs
from ptan.experience.answers import NO_COLUMNS, Decider, Decision, spread
from ptan.experience.flags import EPISODE_OVER, NO_TRANSITION, TERMINATED, TRUNCATED
from ptan.experience.layout import Array, Layout, layout_of
from ptan.experience.state import plain, restored_tape, tape_state
from ptan.experience.tape import Tape
from ptan.experience.transitions import Transitions
from ptan.experience.windows import WindowCutter, WindowSpec


class Stepper(ABC):
    """Some environments, the agent that acts in them, and the tape of their newest steps.

    kind          what is stepped, in words: states of one kind fit each other
    count         number of environments N
    envs          a list of them, or one vector environment
    seed          what their next reset gets
    observations  the current ones, as the agent gets them
    agent_states  the agent's states that go with them
    waiting       (N,) bool: environments that do not play; see `wait`
    transitions   made so far; reset steps and steps of environments that wait are none
    needs_reset   True before the first step, and after an exception left environments half stepped
    tape, windows the newest steps, and what is cut from them; there after the first `begin`

    Args:
        agent, spec, …: see `make_stepper`.
        seed: environment i gets `seed + i` at its first reset.
        terminal: True treats a truncation as a termination.
    """

    kind: str
    envs: list[Any] | VectorEnv[Any, Any, Any]
    tape: Tape
    windows: WindowCutter
    # Part of the state, under these names.
    _values: ClassVar[tuple[str, ...]] = (
        *("observations", "agent_states", "seed", "waiting"),
        *("transitions", "needs_reset", "_lengths"),
    )

    def __init__(
        self,
        agent: Any,
        count: int,
        spec: WindowSpec,
        *,
        seed: int | None = None,
        terminal: bool = False,
        check_finite: bool = True,
        max_steps: int | None = None,
    ) -> None:
        self.agent = agent
        self.count = count
        self.spec = spec
        self.terminal = terminal
        self.check_finite = check_finite
        self.max_steps = max_steps
        self.observations: Any = None
        self.agent_states: list[Any] = []
        self.waiting = np.zeros(count, np.bool_)
        self.transitions = 0
        self.needs_reset = True
        self._begun = False
        self._players: Array | None = None  # where some environments wait: those that play
        self._lengths = np.zeros(count, np.int64)  # of the episodes under way, under `max_steps`
        self._decision: Decision = (None, None, [], NO_COLUMNS)
        self.reseed(seed)

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        return self._decider.agent

    @agent.setter
    def agent(self, agent: Any) -> None:
        self._decider = Decider(agent)

    @property
    def last(self) -> PolicyStep:
        """The agent's decision in the last step; what it holds for waiting environments is void."""
        return PolicyStep(*self._decision)

    @property
    def over(self) -> Array:
        """(N,) bool: environments whose episode ended with the last step."""
        ended: Array = self.tape.flags[self.tape.newest] & EPISODE_OVER != 0
        return ended

    # Beginnings.

    def begin(self) -> None:
        """Begin new episodes everywhere: reset environments, agent states, tape and windows."""
        self.needs_reset = True
        self.waiting[:], self._players = False, None
        self._lengths[:] = 0
        self.observations = self.reset()
        self.tape = self._new_tape(layout_of(self.one_observation(0), self.space("observation")))
        self.windows = WindowCutter(self.tape, self.spec)
        self._begun = True
        self.put_observations(0)
        if self.check_finite and (flaw := self.windows.first_flaw(-1)):
            raise ValueError(flaw)
        self.agent_states = [self._decider.initial_state() for _ in range(self.count)]
        self.needs_reset = False

    def restart(self, env_seed: int | None) -> None:
        """Begin new episodes everywhere with new seeds; windows in progress are dropped."""
        self.reseed(env_seed)
        self.begin()

    def _new_tape(self, layout: Layout) -> Tape:
        dtype = getattr(self.space("action"), "dtype", None)
        return Tape(layout, self.count, self.spec.n_step, self.space("observation"), dtype)

    # Fixed shares of episodes.

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
        self.waiting[:], self._players = False, None
        if len(waited):
            self.begin_anew(waited)
            for e in waited.tolist():
                self._begin_state(e)

    def _begin_state(self, env: int) -> None:
        if self.agent_states is self._decision[2]:
            self.agent_states = list(self.agent_states)  # the agent may keep its own
        self.agent_states[env] = self._decider.initial_state()

    # Steps.

    def act(self) -> Any:
        """Ask the agent, note its decision and actions; returns those that environments take."""
        players = self._players
        if players is None:
            decision = self._decider.decide(self.observations, self.agent_states, self.count)
        elif len(players):
            states = [self.agent_states[e] for e in players]
            decision = self._decider.decide(self.observations_of(players), states, len(players))
            decision = spread(decision, players, self.agent_states)
        else:
            raise RuntimeError("all environments wait: call play_all() to go on")
        self._decision = decision
        self.tape.put_actions(decision[0])
        return decision[1]

    def end_flags(self, terminated: bool, truncated: bool, over: bool) -> int:
        """The tape's flags for a step that ended an episode or a life."""
        if self.terminal and truncated:
            terminated = True
        return TERMINATED * terminated | TRUNCATED * truncated | EPISODE_OVER * over

    def cap(self, base: int) -> list[int]:
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
            flags[e] |= self.end_flags(False, True, True)
            self._begin_state(e)
        return capped

    def cut(self) -> tuple[Transitions | None, Array, str | None]:
        """What the new steps complete (see `WindowCutter.cut`), and what is not finite in them.

        They are forgotten from the first value on that is not.
        """
        flaw = self.windows.first_flaw() if self.check_finite else None
        self.needs_reset |= flaw is not None
        return *self.windows.cut(), flaw

    # State.

    def state_dict(self) -> dict[str, Any]:
        """Everything that the steps to come depend on, except the agent's weights and randomness.

        Raises:
            CannotSave: an environment, named by its number, or an agent state cannot be saved.
        """
        return {
            "made": self._made(),
            "environments": save_envs(self.envs),
            "values": {name: plain(getattr(self, name), name) for name in self._values},
            "tape": tape_state(self.tape, self.windows) if self._begun else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the stepper was whose state it is; the state is not changed.

        Raises:
            ValueError: it is of another stepper: nothing is changed. Or it is of other
                environments, or an episode cannot be repeated: the environments must be reset.
        """
        try:
            for name, value in self._made().items():
                if (saved := state["made"][name]) != value:
                    raise ValueError(
                        f"state must be of a source with {name}={value!r}, got {saved!r}"
                    )
            values = {name: plain(state["values"][name], name) for name in self._values}
            restored = None
            if state["tape"] is not None:
                restored = restored_tape(state["tape"], self._new_tape, self.spec)
            environments = state["environments"]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        self.needs_reset = True  # if that fails
        load_envs(self.envs, environments)
        for name, value in values.items():
            setattr(self, name, value)
        self._begun = restored is not None
        if restored is not None:
            self.tape, self.windows = restored
        self._players = np.flatnonzero(~self.waiting) if self.waiting.any() else None

    def _made(self) -> dict[str, Any]:
        """The arguments that must be equal for a state to fit."""
        spec = {**vars(self.spec), "row_class": self.spec.row_class.__name__}
        truncation = "terminal" if self.terminal else "bootstrap"
        limits = {"truncation": truncation, "max_steps": self.max_steps}
        return {"environments": self.kind, **spec, **limits}

    # What lists and vector environments do in ways of their own.

    @abstractmethod
    def advance(self, steps: int) -> None:
        """Take some steps in every environment that plays; RuntimeError where all wait."""

    @abstractmethod
    def space(self, what: str) -> Any:
        """The "observation" or "action" space of one environment; None where there is none."""

    @abstractmethod
    def reseed(self, env_seed: int | None) -> None:
        """Seed the next reset of every environment."""

    @abstractmethod
    def reset(self) -> Any:
        """Reset the environments and return their observations, as the agent gets them."""

    @abstractmethod
    def begin_anew(self, envs: Array) -> None:
        """Begin new episodes in environments that waited."""

    @abstractmethod
    def observations_of(self, envs: Array) -> Any:
        """The current observations of some environments, as the agent gets them."""

    @abstractmethod
    def one_observation(self, env: int) -> Any:
        """The current observation of one environment."""

    @abstractmethod
    def put_observations(self, index: int) -> None:
        """Write all current observations to the tape."""
