"""Environments that stop, and go on elsewhere: the oracle is the twin that was never stopped."""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.common.env_state import CannotSave, environment_state, set_environment_state

LEAVES = (type(None), bool, int, float, str, np.ndarray, torch.Tensor)
GAMES = (
    "CartPole-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Acrobot-v1",
    "Pendulum-v1",
    "FrozenLake-v1",
    "CliffWalking-v1",
    "Blackjack-v1",
)


def is_tree(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) in (str, int) and is_tree(part) for key, part in value.items())
    if type(value) in (list, tuple):
        return all(map(is_tree, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return type(value) in LEAVES or isinstance(value, np.number | np.bool_)


def same(a: Any, b: Any) -> bool:
    """Equal to the bit; times of the clock aside."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a if key != "t")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) and a.dtype == object:
        return same(a.tolist(), b.tolist())
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and repr(a) == repr(b)


def play(env: Any, actions: list[Any]) -> list[Any]:
    seen = []
    for action in actions:
        seen.append(env.step(action))
        if not isinstance(env, gymnasium.vector.VectorEnv) and (seen[-1][2] or seen[-1][3]):
            seen.append(env.reset())
    return seen


def actions_for(env: Any, count: int, seed: int) -> list[Any]:
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


def check_twin(make: Any, before: int = 40, after: int = 60, seed: int = 3) -> None:
    """A fresh environment that takes the state over goes on as the one it was taken of."""
    uncut, resumed = make(), make()
    uncut.reset(seed=seed)
    play(uncut, actions_for(uncut, before, seed))
    tree = environment_state(uncut)
    assert is_tree(tree)
    set_environment_state(resumed, tree)
    assert same(environment_state(resumed), tree)
    draws = [uncut.action_space.sample() for _ in range(after)]
    assert same([resumed.action_space.sample() for _ in range(after)], draws)
    assert same(play(resumed, draws), play(uncut, draws))


def short(name: str) -> gymnasium.Env[Any, Any]:
    env = gymnasium.make(name, max_episode_steps=9)
    return gymnasium.wrappers.RecordEpisodeStatistics(env)


@pytest.mark.parametrize("name", GAMES)
def test_a_resumed_environment_goes_on_to_the_bit(name: str) -> None:
    check_twin(lambda: short(name))


def test_an_environment_of_many_tables_resumes() -> None:
    check_twin(lambda: short("Taxi-v4"), 20, 20)


@settings(max_examples=10, deadline=None)
@given(before=st.integers(0, 30), seed=st.integers(0, 99))
def test_the_cut_may_be_anywhere(before: int, seed: int) -> None:
    check_twin(lambda: short("CartPole-v1"), before, 20, seed)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("before", [8, 9, 10, 31])  # at, and around, ends by the time limit
def test_vector_environments_resume(mode: AutoresetMode, before: int) -> None:
    def make() -> Any:
        return SyncVectorEnv([lambda: short("CartPole-v1")] * 3, autoreset_mode=mode)

    check_twin(make, before)


def test_gymnasiums_own_cartpole_vector_resumes() -> None:
    check_twin(lambda: gymnasium.make_vec("CartPole-v1", num_envs=3, max_episode_steps=9))


@pytest.mark.atari
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PongNoFrameskip-v4", {}),
        ("BreakoutNoFrameskip-v4", {}),  # lives, and FIRE at reset
        ("ALE/Breakout-v5", {"frameskip": 1}),  # sticky actions: the emulator draws
    ],
)
def test_atari_resumes_frame_by_frame(name: str, options: dict[str, Any]) -> None:
    ale_py = pytest.importorskip("ale_py")
    from ptan.common.wrappers import wrap_dqn

    gymnasium.register_envs(ale_py)
    # 150 actions lose lives and games of Breakout, on both sides of the cut.
    check_twin(lambda: wrap_dqn(gymnasium.make(name, **options), noop_max=5), 70, 150)


class Place(NamedTuple):
    x: int
    y: int


class Phase(Enum):
    DAY = 1
    NIGHT = 2


@dataclass(frozen=True)
class Weather:
    wind: float
    phase: Phase


class World(gymnasium.Env[Any, Any]):
    """Holds one of everything that counts as plain data."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.map = np.arange(12.0).reshape(3, 4)
        self.row = self.map[1]  # shares memory
        self.turned = self.map.T
        self.again = self.map
        self.fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
        self.names = np.array(["a", "bc"])
        self.letter = np.str_("z")
        self.things: list[Any] = [None, 1 << 200, float("nan"), b"raw", 2 + 3j, range(3), slice(4)]
        self.ring: deque[Any] = deque([1, 2], maxlen=2)
        self.known = {Place(1, 2): {3, 4}, (5, "six"): frozenset({7})}
        self.weather = Weather(0.5, Phase.DAY)
        self.objects = np.array([None, "text"], object)
        self.tensor = torch.arange(3)
        self.draw = lambda: self.rng.random()
        self.act = self.by_day
        self.push = self.ring.append
        self.rng = np.random.default_rng(1)
        self.same_rng = self.rng
        self.old_rng = np.random.RandomState(2)
        self.things.append(self.things)  # a cycle

    def by_day(self) -> float:
        return float(self.weather.wind)

    def reset(self, **kwargs: Any) -> Any:
        super().reset(**kwargs)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(2, np.float32), self.act(), False, False, {}


def used_world() -> World:
    world = World()
    world.map += 1
    world.ring.append(9)
    world.known[Place(0, 0)] = set()
    world.weather = Weather(0.25, Phase.NIGHT)
    world.rng.random(5)
    world.rng.spawn(2)
    world.old_rng.normal(size=3)
    world.tensor = torch.tensor([7])
    return world


def test_plain_data_of_every_kind_comes_back() -> None:
    world, other = used_world(), World()
    generator = other.rng
    tree = environment_state(world)
    assert is_tree(tree)
    set_environment_state(other, tree)
    assert other.act() == 0.25
    assert other.act.__self__ is other
    other.push(5)
    world.push(5)
    assert (other.weather, other.ring, other.ring.maxlen) == (world.weather, world.ring, 2)
    assert other.known == world.known
    assert other.things[1:6] == world.things[1:6]
    assert other.things[-1] is other.things
    assert same(other.names, world.names)
    assert same(other.letter, world.letter)
    assert other.fortran.flags.f_contiguous
    assert same(other.fortran, world.fortran)
    assert other.objects.tolist() == [None, "text"]
    assert other.tensor.tolist() == [7]
    assert other.rng is generator
    assert other.draw() == world.draw()
    assert other.rng.spawn(1)[0].random() == world.rng.spawn(1)[0].random()
    assert other.old_rng.normal() == world.old_rng.normal()


def test_what_was_one_object_stays_one_object() -> None:
    other = World()
    set_environment_state(other, environment_state(used_world()))
    assert other.again is other.map
    assert other.same_rng is other.rng
    other.map[1, 2] = 99.0
    assert other.row[2] == other.turned[2, 1] == 99.0


def test_a_state_is_a_copy() -> None:
    world, other = used_world(), World()
    tree = environment_state(world)
    expected = world.map.copy()
    world.map[:] = 0
    set_environment_state(other, tree)
    other.map[:] = 1
    set_environment_state(world, tree)
    assert np.array_equal(world.map, expected)


class Counter(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says itself how it is saved; what it holds is no plain data."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.handle = object()
        self.count = 0

    def step(self, action: Any) -> Any:
        self.count += 1
        return self.env.step(action)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["count"] > 1000:
            raise ValueError("too many")
        self.count = state["count"]


def test_a_wrapper_may_speak_for_itself_and_not_for_what_it_wraps() -> None:
    uncut, resumed = (Counter(gymnasium.make("CartPole-v1")) for _ in range(2))
    uncut.reset(seed=1)
    play(uncut, [1] * 5)
    set_environment_state(resumed, environment_state(uncut))
    assert resumed.count == 5
    assert same(play(resumed, [0] * 20), play(uncut, [0] * 20))


def test_a_wrapper_that_refuses_leaves_all_as_it_was() -> None:
    uncut, resumed = (Counter(gymnasium.make("CartPole-v1")) for _ in range(2))
    uncut.reset(seed=1)
    resumed.reset(seed=2)
    before = environment_state(resumed)
    uncut.count = 2000
    with pytest.raises(ValueError, match="too many"):
        set_environment_state(resumed, environment_state(uncut))
    assert same(environment_state(resumed), before)


class Engine:
    pass


@pytest.mark.parametrize("spoil", ["attribute", "list", "closure", "iterator", "subclass"])
def test_what_is_no_plain_data_is_named(spoil: str) -> None:
    env = gymnasium.make("CartPole-v1")
    inner: Any = env.unwrapped
    engine = Engine()
    inner.extra = {
        "attribute": engine,
        "list": [1, {"deep": engine}],
        "closure": lambda: engine,
        "iterator": iter([1, 2]),
        "subclass": np.ma.masked_array([1.0]),
    }[spoil]
    with pytest.raises(CannotSave, match=r"CartPoleEnv\.extra.* is a .*which can't be saved"):
        environment_state(env)


def test_other_processes_are_out_of_reach() -> None:
    envs = gymnasium.make_vec("CartPole-v1", num_envs=1, vectorization_mode="async")
    try:
        with pytest.raises(CannotSave, match=r"AsyncVectorEnv.*other processes"):
            environment_state(envs)
    finally:
        envs.close()


@pytest.mark.parametrize(
    "other",
    [
        lambda: gymnasium.make("Acrobot-v1"),
        lambda: gymnasium.make("CartPole-v1", max_episode_steps=7),
        lambda: gymnasium.make("CartPole-v1", sutton_barto_reward=True),
        lambda: gymnasium.make("CartPole-v1").unwrapped,
        lambda: gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"),
    ],
)
def test_a_state_of_another_environment_is_refused(other: Any) -> None:
    env, wrong = gymnasium.make("CartPole-v1"), other()
    env.reset(seed=1)
    wrong.reset(seed=2)
    before = environment_state(wrong)
    with pytest.raises(ValueError, match="state is of"):
        set_environment_state(wrong, environment_state(env))
    assert same(environment_state(wrong), before)


@pytest.mark.parametrize("tree", [{}, {"nodes": [], "roots": [{"node": 3}]}, None, {"nodes": 1}])
def test_nonsense_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError, match="state"):
        set_environment_state(gymnasium.make("CartPole-v1"), tree)
