"""Steppers that stop between two steps: the oracle is the twin that was never stopped."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.envs.repeat import NotRepeated, RepeatEpisodes
from ptan.envs.states import CannotSave
from ptan.experience import Experience
from ptan.experience.coding import decode
from ptan.experience.make_stepper import make_stepper
from ptan.experience.windows import WindowSpec

from .envs import KINDS, MODES, Episode, ScriptedEnv

STEPS = 7  # the time limit: many ends, most of them truncations
SPEC = WindowSpec(gamma=0.9)
np.set_printoptions(threshold=10**9, floatmode="unique")


class Agent:
    """Draws its actions, and counts the steps of each episode in its agent states."""

    def __init__(self, state: Any = None) -> None:
        self.rng = np.random.default_rng(5)
        if state is not None:
            self.rng.bit_generator.state = state
        self.seen: list[Any] = []

    def initial_state(self) -> Any:
        return {"steps": 0, "hidden": torch.zeros(2)}

    def __call__(self, observations: Any, states: Any) -> Any:
        self.seen.append(copy.deepcopy((observations, states)))
        new = [{"steps": s["steps"] + 1, "hidden": s["hidden"] + 0.5} for s in states]
        return self.rng.integers(2, size=len(new)), new


def cart_pole(wrap: Any = lambda env: env, index: int = 0) -> Any:
    return RepeatEpisodes(wrap(gymnasium.make("CartPole-v1", max_episode_steps=STEPS)), 0, index)


def make_env(kind: str, count: int) -> Any:
    if kind == "one":
        return cart_pole()
    if kind == "list":
        return [cart_pole() for _ in range(count)]
    return SyncVectorEnv([cart_pole] * count, autoreset_mode=MODES[kind])


def feed(stepper: Any, steps: int) -> str:
    """What some steps complete."""
    found: list[Any] = []
    for _ in range(steps):
        if stepper.needs_reset:
            stepper.begin()
        stepper.step_and_cut(1, lambda *made: found.append((made[0] and decode(made[0]), made[1])))
    return repr(found)


def check_twin(make: Any, cut: int, after: int) -> None:
    """`make(agent)` gives equal steppers; the resumed one goes on like the one never stopped."""
    agent = Agent()
    uncut = make(agent)
    feed(uncut, cut)
    state = uncut.state_dict()
    again = Agent(agent.rng.bit_generator.state)
    resumed = make(again)
    if cut % 2:
        feed(resumed, 3)
        again.rng.bit_generator.state = agent.rng.bit_generator.state
    resumed.load_state_dict(copy.deepcopy(state))
    assert repr(resumed.state_dict()) == repr(state)
    agent.seen.clear()
    again.seen.clear()
    for part in (after, 1, after):
        assert feed(resumed, part) == feed(uncut, part)
        assert repr(again.seen) == repr(agent.seen)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["one", "list", "next_step", "same_step", "disabled"]),
    count=st.integers(1, 4),
    n=st.integers(1, 9),
    delta=st.integers(1, 3),
    joined=st.booleans(),
    cut=st.integers(0, 40),
)
def test_a_resumed_stepper_goes_on_to_the_bit(
    kind: str, count: int, n: int, delta: int, joined: bool, cut: int
) -> None:
    spec = WindowSpec(n, delta, 0.9)
    if not joined:
        spec = WindowSpec(n, delta, row_class=Experience, joined=False)
    check_twin(lambda agent: make_stepper(make_env(kind, count), agent, spec, env_seed=3), cut, 8)


class KnownEnv(ScriptedEnv):
    """A scripted environment that says itself where it is."""

    def state_dict(self) -> dict[str, Any]:
        names = ("episode", "at", "running", "lost_life")
        known = {name: getattr(self, name) for name in names}
        return {**known, "rng": self.np_random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        known = dict(state)
        self.np_random.bit_generator.state = known.pop("rng")
        vars(self).update(known)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [2, 3, 4, 8])
def test_lost_lives_and_observations_of_every_kind_go_on(kind: str, cut: int) -> None:
    script = [Episode(5, lost=(2, 4)), Episode(4, "truncated"), Episode(3)] * 9

    def make(agent: Agent) -> Any:
        envs = [
            KnownEnv(script, e, kind, reuse=kind == "vector", raw=e == 1, resume=True, noise=True)
            for e in range(2)
        ]
        return make_stepper(envs, agent, WindowSpec(2, gamma=0.5), env_seed=1)

    check_twin(make, cut, 8)


def arguments(**changed: Any) -> dict[str, Any]:
    return {"env": make_env("next_step", 2), "agent": Agent(), "spec": SPEC, **changed}


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"spec": WindowSpec(gamma=0.8)}, "gamma"),
        ({"spec": WindowSpec(3, gamma=0.9)}, "n_step"),
        ({"spec": WindowSpec(1, 2, 0.9)}, "delta"),
        ({"truncation": "terminal"}, "truncation"),
        ({"env": make_env("next_step", 3)}, "environments"),
        ({"env": make_env("list", 2)}, "environments"),
        ({"env": make_env("same_step", 2)}, "environments"),
    ],
)
def test_a_state_of_another_stepper_is_refused(changed: dict[str, Any], name: str) -> None:
    stepper, other = make_stepper(**arguments()), make_stepper(**arguments(**changed))
    feed(stepper, 1)
    feed(other, 2)
    before = repr(other.state_dict())
    with pytest.raises(ValueError, match=name):
        other.load_state_dict(stepper.state_dict())
    assert repr(other.state_dict()) == before


@pytest.mark.parametrize("part", ["made", "environments", "values", "tape"])
def test_a_state_with_a_missing_part_is_refused(part: str) -> None:
    stepper = make_stepper(cart_pole(), Agent(), SPEC)
    feed(stepper, 1)
    state = stepper.state_dict()
    before = repr(state)
    del state[part]
    with pytest.raises(ValueError, match="state"):
        stepper.load_state_dict(state)
    assert repr(stepper.state_dict()) == before


def test_what_cannot_be_saved_is_named_with_the_number_of_its_environment() -> None:
    envs = [*make_env("list", 2), gymnasium.make("CartPole-v1")]
    text = r"environment 2 cannot be saved: .*CartPole.* has no state_dict"
    with pytest.raises(CannotSave, match=text):
        make_stepper(envs, Agent(), SPEC).state_dict()


def test_an_agent_state_that_is_no_plain_data_is_named() -> None:
    def agent(observations: Any, states: Any) -> Any:
        return [0] * len(observations), [object()] * len(observations)

    stepper = make_stepper(cart_pole(), agent, SPEC)
    feed(stepper, 1)
    with pytest.raises(CannotSave, match=r"agent_states\[0\] is a object"):
        stepper.state_dict()


@pytest.mark.parametrize("vectorized", [False, True])
def test_all_episodes_are_new_after_one_that_cannot_be_repeated(vectorized: bool) -> None:
    class Other(gymnasium.ObservationWrapper[Any, Any, Any]):
        def observation(self, observation: Any) -> Any:
            return observation + np.float32(1)

    def make(wrap: Any) -> Any:
        envs = [cart_pole(wrap), cart_pole(index=1)]
        env = SyncVectorEnv([lambda env=env: env for env in envs]) if vectorized else envs
        return envs, make_stepper(env, Agent(), SPEC)

    _, stepper = make(lambda env: env)
    feed(stepper, 3)
    envs, other = make(Other)
    feed(other, 1)
    with pytest.raises(NotRepeated, match=r"does not repeat the . steps of its episode 0"):
        other.load_state_dict(stepper.state_dict())
    assert other.needs_reset
    other.begin()
    assert [env.state_dict()["steps"] for env in envs] == [0, 0]
    feed(other, 9)
