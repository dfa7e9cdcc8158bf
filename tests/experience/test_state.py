"""Sources that stop between two items: the oracle is the twin that was never stopped."""

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
from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    ExperienceSourceRollouts,
)
from ptan.experience.make_stepper import make_stepper
from ptan.experience.windows import WindowSpec

from .envs import KINDS, MODES, Episode, ScriptedEnv

STEPS = 7  # the time limit: many ends, most of them truncations


class Agent:
    """Draws its actions, and counts the steps of each episode in its agent states.

    `makes_values`: its states are values, as rollouts want them.
    """

    makes_values = False

    def __init__(self, state: Any = None) -> None:
        self.rng = np.random.default_rng(5)
        if state is not None:
            self.rng.bit_generator.state = state
        self.seen: list[Any] = []

    def initial_state(self) -> Any:
        return {"steps": 0, "hidden": torch.zeros(2)}

    def __call__(self, observations: Any, states: Any) -> Any:
        self.seen.append(copy.deepcopy((observations, states)))
        actions = self.rng.integers(2, size=len(states))
        if self.makes_values:
            return actions, self.rng.random(len(states)).tolist()
        return actions, [{"steps": s["steps"] + 1, "hidden": s["hidden"] + 0.5} for s in states]


class ValueAgent(Agent):
    makes_values = True


def cart_pole() -> Any:
    return RepeatEpisodes(gymnasium.make("CartPole-v1", max_episode_steps=STEPS), 0)


def make_env(kind: str, count: int) -> Any:
    if kind == "one":
        return cart_pole()
    if kind == "list":
        return [cart_pole() for _ in range(count)]
    return SyncVectorEnv([cart_pole] * count, autoreset_mode=MODES[kind])


def check_twin(make: Any, cut: int, after: int, by: str = "rows", kind: Any = Agent) -> None:
    """`make(agent)` gives equal sources; the resumed one goes on like the one never stopped."""
    agent = kind()
    uncut = make(agent)
    stream = iter(uncut)
    feed(uncut, stream, cut, by)
    state = uncut.state_dict()
    again = kind(agent.rng.bit_generator.state)
    resumed = make(again)
    fresh = iter(resumed)  # an iterator made before the state is loaded goes on, too
    resumed.load_state_dict(copy.deepcopy(state))
    assert repr(resumed.state_dict()) == repr(state)
    agent.seen.clear()
    for part in (after, 1, after):
        assert feed(resumed, fresh, part, by) == feed(uncut, stream, part, by)
        assert repr(again.seen) == repr(agent.seen)
        assert resumed.pop_rewards_steps() == uncut.pop_rewards_steps()


def feed(source: Any, stream: Any, count: int, by: str) -> str:
    """`count` items: as objects, or the columns that a buffer took over the same stream."""
    if by == "rows":
        return repr([next(stream) for _ in range(count)])
    buffer = ExperienceReplayBuffer(None, max(1, count))
    buffer.experience_source_iter = stream
    buffer.populate(count)
    return repr(list(buffer))


np.set_printoptions(threshold=10**9, floatmode="unique")


SOURCES = {
    "first-last": lambda env, agent, n, d: ExperienceSourceFirstLast(env, agent, 0.9, n, d, **SEED),
    "steps": lambda env, agent, n, d: ExperienceSource(env, agent, n, d, **SEED),
    "rollouts": lambda env, agent, n, d: ExperienceSourceRollouts(env, agent, 0.9, n, **SEED),
}
SEED: dict[str, Any] = {"env_seed": 3}


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["one", "list", "next_step", "same_step", "disabled"]),
    source=st.sampled_from(sorted(SOURCES)),
    count=st.integers(1, 4),
    n=st.integers(1, 9),
    delta=st.integers(1, 3),
    cut=st.integers(0, 40),
    by=st.sampled_from(["rows", "columns"]),
)
def test_a_resumed_source_goes_on_to_the_bit(
    kind: str, source: str, count: int, n: int, delta: int, cut: int, by: str
) -> None:
    def make(agent: Agent) -> Any:
        return SOURCES[source](make_env(kind, count), agent, n, delta)

    if source == "rollouts":
        check_twin(make, cut // 5, 4, kind=ValueAgent)
    else:
        check_twin(make, cut, 15, by)


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
@pytest.mark.parametrize("cut", [3, 4, 8, 9])
def test_lost_lives_and_observations_of_every_kind_go_on(kind: str, cut: int) -> None:
    script = [Episode(5, lost=(2, 4)), Episode(4, "truncated"), Episode(3)] * 9

    def make(agent: Agent) -> Any:
        envs = [
            KnownEnv(script, e, kind, reuse=kind == "vector", raw=e == 1, resume=True, noise=True)
            for e in range(2)
        ]
        return ExperienceSourceFirstLast(envs, agent, 0.5, 2)

    check_twin(make, cut, 8)


def test_finished_episodes_are_handed_over() -> None:
    source = ExperienceSourceFirstLast(cart_pole(), Agent(), 0.9)
    stream = iter(source)
    for _ in range(3 * STEPS + 1):
        next(stream)
    other = ExperienceSourceFirstLast(cart_pole(), Agent(), 0.9)
    other.load_state_dict(source.state_dict())
    episodes = other.pop_rewards_steps()
    assert episodes == [(float(STEPS), STEPS)] * 3 == source.pop_rewards_steps()


def test_the_iterator_that_a_used_source_has_goes_on_and_later_ones_start_afresh() -> None:
    def make() -> Any:
        return ExperienceSourceFirstLast(cart_pole(), Agent(), 0.9, 3, env_seed=1)

    source, other = make(), make()
    stream, used = iter(source), iter(other)
    for _ in range(10):
        next(stream), next(used), next(used)
    other.agent.rng.bit_generator.state = source.agent.rng.bit_generator.state
    other.load_state_dict(source.state_dict())
    assert repr([next(used) for _ in range(20)]) == repr([next(stream) for _ in range(20)])
    newer = iter(other)
    next(newer)
    with pytest.raises(RuntimeError, match="out of date"):
        next(used)


def arguments(**changed: Any) -> dict[str, Any]:
    usual = {"env": make_env("next_step", 2), "gamma": 0.9, "steps_count": 2, "steps_delta": 1}
    return {**usual, **changed}


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"gamma": 0.8}, "gamma"),
        ({"steps_count": 3}, "n_step"),
        ({"steps_delta": 2}, "delta"),
        ({"truncation": "terminal"}, "truncation"),
        ({"env": make_env("next_step", 3)}, "environments"),
        ({"env": make_env("list", 2)}, "environments"),
        ({"env": make_env("same_step", 2)}, "environments"),
    ],
)
def test_a_state_of_another_source_is_refused(changed: dict[str, Any], name: str) -> None:
    source = ExperienceSourceFirstLast(agent=Agent(), **arguments())
    next(iter(source))
    other = ExperienceSourceFirstLast(agent=Agent(), **arguments(**changed))
    next(iter(other))
    before = repr(other.state_dict())
    with pytest.raises(ValueError, match=name):
        other.load_state_dict(source.state_dict())
    assert repr(other.state_dict()) == before


@pytest.mark.parametrize("part", ["stepper", "rows", "episodes", "shown"])
def test_a_state_with_a_missing_part_is_refused(part: str) -> None:
    source = ExperienceSourceFirstLast(cart_pole(), Agent(), 0.9)
    next(iter(source))
    state = source.state_dict()
    before = repr(state)
    del state[part]
    with pytest.raises(ValueError, match="must have the entries"):
        source.load_state_dict(state)
    assert repr(source.state_dict()) == before


def test_what_cannot_be_saved_is_named_with_the_number_of_its_environment() -> None:
    envs = [*make_env("list", 2), gymnasium.make("CartPole-v1")]
    source = ExperienceSourceFirstLast(envs, Agent(), 0.9)
    with pytest.raises(
        CannotSave, match=r"environment 2 cannot be saved: .*CartPole.* has no state_dict"
    ):
        source.state_dict()


def test_an_agent_state_that_is_no_plain_data_is_named() -> None:
    def agent(observations: Any, states: Any) -> Any:
        return [0] * len(observations), [object()] * len(observations)

    source = ExperienceSourceFirstLast(cart_pole(), agent, 0.9)
    next(iter(source))
    with pytest.raises(CannotSave, match=r"agent_states\[0\] is a object"):
        source.state_dict()


def test_an_episode_that_cannot_be_repeated_is_refused() -> None:
    rng = np.random.default_rng(8)  # no reset seeds it

    class Noisy(gymnasium.ObservationWrapper[Any, Any, Any]):
        def observation(self, observation: Any) -> Any:
            return (observation + rng.random()).astype(np.float32)

    def make() -> Any:
        env = RepeatEpisodes(Noisy(gymnasium.make("CartPole-v1")), 0)
        return ExperienceSourceFirstLast([cart_pole(), env], Agent(), 0.9, env_seed=1)

    source, other = make(), make()
    next(iter(source))
    with pytest.raises(NotRepeated, match=r"does not repeat the . steps of its episode 0"):
        other.load_state_dict(source.state_dict())
    assert len([row for row, _ in zip(other, range(9), strict=False)]) == 9  # it begins afresh


@pytest.mark.parametrize("vectorized", [False, True])
def test_all_episodes_are_new_after_one_that_cannot_be_repeated(vectorized: bool) -> None:
    class Other(gymnasium.ObservationWrapper[Any, Any, Any]):
        def observation(self, observation: Any) -> Any:
            return observation + np.float32(1)

    def make(wrap: Any) -> Any:
        envs = [
            RepeatEpisodes(wrap(gymnasium.make("CartPole-v1", max_episode_steps=STEPS)), 0),
            RepeatEpisodes(gymnasium.make("CartPole-v1", max_episode_steps=STEPS), 0, 1),
        ]
        env = SyncVectorEnv([lambda env=env: env for env in envs]) if vectorized else envs
        return envs, make_stepper(env, Agent(), WindowSpec(n_step=1, gamma=0.9))

    _, stepper = make(lambda env: env)
    stepper.begin()
    stepper.advance(3)
    envs, other = make(Other)
    other.begin()
    other.advance(1)
    with pytest.raises(NotRepeated):
        other.load_state_dict(stepper.state_dict())
    assert other.needs_reset
    other.begin()
    assert [env.state_dict()["steps"] for env in envs] == [0, 0]
