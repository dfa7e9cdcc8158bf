"""The tape: observations of every kind, long runs, and many rows at once, not a step more."""

from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from hypothesis import given
from hypothesis import strategies as st

from ptan.experience import ExperienceReplayBuffer, ExperienceSource, ExperienceSourceFirstLast

from .envs import MODES, BigEnv, CountingAgent, Episode, PolicyOfPlace, decode, drive, make_envs
from .oracles import check_experience, check_first_last, expected_windows, games_by_item, games_of
from .strategies import GAMMAS, PROPERTY, TRUNCATIONS, plans

DRIVERS = ["list", *sorted(MODES)]
every_driver = pytest.mark.parametrize("driver", DRIVERS)
LENGTH = 4


class Given(gymnasium.Env):
    """Episodes of four steps whose observation after t steps is `make(t)`."""

    action_space = spaces.Discrete(2)

    def __init__(self, make: Any, space: Any = None) -> None:
        self.make, self.t = make, 0
        if space is not None:
            self.observation_space = space

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.t = 0
        return self.make(0), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return self.make(self.t), 1.0, self.t == LENGTH, False, {}


def act(observations: Any, states: Any) -> Any:
    return [1] * len(states), states


def box(*shape: int, dtype: Any = np.float32) -> Any:
    return spaces.Box(-100, 100, shape, dtype)


def rows_of(env: Any, count: int = 6, **settings: Any) -> list[Any]:
    return list(islice(ExperienceSourceFirstLast(env, act, 0.9, **settings), count))


class Tensors:
    """Hands out one tensor for all observations."""

    def __init__(self, wrap: Any = lambda buf: buf, dtype: Any = torch.float32) -> None:
        self.buf, self.wrap = torch.zeros(3, dtype=dtype), wrap

    def __call__(self, t: int) -> Any:
        return self.wrap(self.buf.fill_(t))


WRAPS = {
    "alone": lambda buf: buf,
    "dict": lambda buf: {"a": buf, "b": np.zeros(1)},
    "tuple": lambda buf: (np.zeros(1), buf),
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8])
def test_a_tensor_that_is_used_again_is_copied_and_stored_as_an_array(count, wrap, dtype):
    envs = [Given(Tensors(WRAPS[wrap], dtype)) for _ in range(count)]
    rows = rows_of(envs, 4 * count)

    def number(observation):
        part = {"alone": lambda o: o, "dict": lambda o: o["a"], "tuple": lambda o: o[1]}[wrap]
        assert type(part(observation)) is np.ndarray
        return part(observation).tolist()

    assert [number(row.state) for row in rows[::count]] == [[t] * 3 for t in range(4)]
    assert [number(row.final_state) for row in rows[::count]] == [[t] * 3 for t in range(1, 5)]


def test_tensors_are_checked_for_finiteness():
    env = Given(lambda t: torch.full((2,), float("nan") if t == 2 else float(t)))
    with pytest.raises(ValueError, match=r"observation of environment 0 at step 1 must be finite"):
        rows_of(env)


class TensorVector(VectorEnv):
    """Two environments whose observations, rewards and flags are tensors that are used again."""

    num_envs, metadata = 2, {"autoreset_mode": AutoresetMode.NEXT_STEP}
    single_observation_space, single_action_space = box(3), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.buf, self.t = torch.zeros(2, 3), 0
        return self.buf, {}

    def step(self, actions):
        self.t += 1
        no = torch.zeros(2, dtype=torch.bool)
        return self.buf.fill_(self.t), torch.ones(2), no, no, {}


def test_a_vector_of_tensors_is_understood():
    rows = rows_of(TensorVector())
    assert [row.state.tolist() for row in rows[::2]] == [[t] * 3 for t in range(3)]
    assert [row.reward for row in rows] == [1.0] * 6


@pytest.mark.parametrize(
    ("reset", "step", "space"),
    [
        (np.float64, np.float32, np.float32),
        (np.float32, np.float64, np.float32),
        (np.float32, np.float64, np.float64),
        (np.int64, np.float32, np.float32),
        (np.int64, np.int32, np.int32),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("driver", ["single", *DRIVERS])
def test_where_reset_and_step_disagree_the_space_has_the_dtype(driver, nested, reset, step, space):
    def make(t):
        value = np.full(2, t, step if t else reset)
        return {"a": value} if nested else value

    one = spaces.Dict(a=box(2, dtype=space)) if nested else box(2, dtype=space)
    env = drive(driver, [Given(make, one) for _ in range(1 if driver == "single" else 3)])
    for row in rows_of(env, 30, steps_count=2):
        for value in (row.state, row.final_state):
            assert (value["a"] if nested else value).dtype == space


def test_a_dtype_that_environment_and_space_agree_about_not_stays_as_given():
    rows = rows_of(Given(lambda t: np.full(2, t, np.float64), box(2)))
    assert {row.state.dtype for row in rows} == {np.dtype(np.float64)}


@pytest.mark.parametrize(
    ("make", "space"),
    [
        (lambda t: np.zeros(2, np.float32 if t else np.float64), None),
        (lambda t: np.zeros(2, complex if t else np.float32), box(2)),
    ],
)
def test_otherwise_the_message_names_both_dtypes(make, space):
    first, second = make(0).dtype, make(1).dtype
    with pytest.raises(ValueError, match=rf"environment 0 at step 0 .*{first}.*got .*{second}"):
        rows_of(Given(make, space))


def test_numbers_that_disagree_follow_the_space_too():
    rows = rows_of(Given(lambda t: t / 2 if t else 0, box()))
    assert [row.state for row in rows[:4]] == [0.0, 0.5, 1.0, 1.5]
    assert {type(row.state) for row in rows} == {float}


def graph(t: int) -> Any:
    return spaces.GraphInstance(np.full((t + 1, 1), t, np.float32), None, None)


SHAPELESS = {
    "varying": (lambda t: np.full(t + 1, t), None),
    "text": (lambda t: "x" * t, spaces.Text(10, min_length=0)),
    "text without a space": (lambda t: "x" * t, None),
    "sequence": (lambda t: (np.zeros(2),) * t, spaces.Sequence(box(2))),
    "graph": (graph, spaces.Graph(box(1), None)),
    "graph without a space": (graph, None),
    "ragged": (lambda t: [[0] * t, [1, 2]], None),
    "part": (
        lambda t: {"a": "x" * t, "b": np.full(2, t, "f4")},
        spaces.Dict(a=spaces.Text(9), b=box(2)),
    ),
}


@pytest.mark.parametrize("kind", SHAPELESS)
@pytest.mark.parametrize("driver", ["single", *DRIVERS])
def test_what_has_no_shape_passes_through_as_it_is(kind, driver):
    make, space = SHAPELESS[kind]
    if space is None and driver in MODES:
        pytest.skip("Gymnasium's vector environments want a space")
    env = drive(driver, [Given(make, space) for _ in range(1 if driver == "single" else 2)])
    for cls, settings in ((ExperienceSourceFirstLast, {"gamma": 0.9}), (ExperienceSource, {})):
        source = cls(env, act, steps_count=1, **settings)
        items = list(islice(source, 8))
        rows = items if cls is ExperienceSourceFirstLast else [item[0] for item in items]
        seen = [row.state for row in rows[:: 1 if driver == "single" else 2][:4]]
        assert repr(seen) == repr([make(t) for t in range(4)])
        assert repr(rows[0].final_state) == repr(make(1))
    buffer = ExperienceReplayBuffer(ExperienceSourceFirstLast(env, act, 0.9), 9)
    buffer.populate(9)
    assert len(buffer.sample(4)) == 4


def test_objects_that_are_used_again_are_copied():
    class Growing:
        def __init__(self):
            self.buf = np.zeros(9)

        def __call__(self, t):
            self.buf[:] = t
            return self.buf[: t + 1]

    rows = rows_of(Given(Growing()), 4)
    assert [row.state.tolist() for row in rows] == [[t] * (t + 1) for t in range(4)]


def test_a_shape_that_the_space_contradicts_is_an_error():
    env = Given(lambda t: np.zeros(t + 1, np.float32), box(1))
    with pytest.raises(ValueError, match=r"at step 0 .*shape \(1,\).*got .*\(2,\)"):
        rows_of(env)


LONG = [
    [Episode(700, "truncated"), Episode(1), Episode(255), Episode(256, "both"), Episode(257)],
    [Episode(3), Episode(901), Episode(64, "truncated")],
]
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def checked_steps(envs, driver, n, delta, count):
    """The windows of the log; no environment went further than the row of this number needs."""
    windows = expected_windows(envs, n, delta, next_step=driver == "next_step")
    for env in envs:
        resets = sum(event.kind != "step" for event in env.log)
        steps = env.steps_taken() + (resets - 1 if driver == "next_step" else 0)
        assert steps == windows[count - 1].tick + 1
    return windows


@PROPERTY
@given(
    plans(), st.sampled_from(DRIVERS), st.integers(1, 6), st.integers(1, 4), sizes, GAMMAS,
    TRUNCATIONS,
)  # fmt: skip
def test_rows_and_statistics_in_chunks(plan, driver, n, delta, chunks, gamma, truncation):
    envs = make_envs(plan)
    source = ExperienceSourceFirstLast(
        drive(driver, envs), CountingAgent(), gamma, n, delta, truncation=truncation
    )
    buffer = ExperienceReplayBuffer(source, 1000)
    taken, popped, next_step = 0, [], driver == "next_step"
    for size in chunks:
        buffer.populate(size)
        taken += size
        windows = checked_steps(envs, driver, n, delta, taken)
        popped += source.pop_rewards_steps()
        games = games_by_item(games_of(envs, next_step=next_step), windows, taken)
        assert [steps for _, steps in popped] == [game[1] for item in games for game in item]
        totals = [game[0] for item in games for game in item]
        assert [total for total, _ in popped] == pytest.approx(totals)
    rows = [*buffer, *islice(buffer.experience_source_iter, 9)]  # where the buffer stopped
    assert len(rows) == taken + 9
    windows = expected_windows(envs, n, delta, next_step=next_step)
    for row, window in zip(rows, windows, strict=False):
        if row.terminated:
            # A buffer keeps no observation that nothing will ever bootstrap from.
            row = row._replace(final_state=window.segment.observations[row.steps + window.start])
        check_first_last(row, window, gamma, truncation)


@PROPERTY
@given(plans(lives=True), st.integers(1, 6), st.integers(1, 4), sizes)
def test_tuples_in_chunks(plan, n, delta, chunks):
    envs = make_envs(plan)
    source = ExperienceSource(envs, PolicyOfPlace(), n, delta)
    buffer = ExperienceReplayBuffer(source, 1000, gamma=0.9)
    for size in chunks:
        buffer.populate(size)
    rows, windows = list(buffer), checked_steps(envs, "list", n, delta, sum(chunks))
    assert len(rows) == sum(chunks)
    for row, window in zip(rows, windows, strict=False):
        segment = window.segment
        assert len(row) == window.steps
        for step, item in enumerate(row, window.start):
            assert decode(item.state) == decode(segment.observations[step])
            assert (item.action, item.reward) == (segment.actions[step], segment.rewards[step])
            assert item.done is any(segment.flags[step])
            assert (item.terminated, item.truncated) == segment.flags[step]


@every_driver
@pytest.mark.parametrize(("n", "delta"), [(1, 1), (5, 1), (4, 3), (300, 7)])
def test_thousands_of_rows_one_by_one_and_at_once(driver, n, delta):
    def source(envs):
        return ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.99, n, delta)

    envs = make_envs(LONG)
    rows = list(islice(source(envs), 2500))
    for row, window in zip(rows, checked_steps(envs, driver, n, delta, 2500), strict=False):
        check_first_last(row, window, 0.99)
    buffer = ExperienceReplayBuffer(source(make_envs(LONG)), 5000)
    for count in (1700, 1, 799):
        buffer.populate(count)
    assert list(buffer) == rows


@every_driver
def test_observations_of_more_than_a_megabyte(driver):
    envs = make_envs([[Episode(5, "truncated"), Episode(2)], [Episode(3)]], BigEnv)
    source = ExperienceSourceFirstLast(drive(driver, envs), PolicyOfPlace(), 0.9, 3)
    rows = list(islice(source, 16))
    for row, window in zip(rows, checked_steps(envs, driver, 3, 1, 16), strict=False):
        check_first_last(row, window, 0.9)


def test_windows_longer_than_any_episode():
    envs = make_envs([[Episode(5), Episode(2, "truncated")]] * 2)
    source = ExperienceSource(envs, PolicyOfPlace(), 1000, 13)
    for row, window in zip(islice(source, 100), expected_windows(envs, 1000, 13), strict=False):
        check_experience(row, window)
