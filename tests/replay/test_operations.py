"""Random operations: a buffer is a list of the newest rows."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.experience import ExperienceFirstLast

from .fakes import BUFFERS, GAMMA, RowKitchen, make_buffer
from .oracles import PlainBuffer, Recipe, assert_holds, assert_sample
from .twins import OPERATIONS, Recorded, Twins

SEQUENCES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), max_size=10)


def _play(kitchen: Any, buffer_kind: str, capacity: int, operations: Any) -> None:
    twins = Twins(kitchen, buffer_kind, capacity)
    for operation, n in operations:
        twins.do(operation, n)
    twins.sample(5)


@pytest.mark.parametrize("kind", RowKitchen.KINDS)
@given(
    capacity=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    operations=SEQUENCES,
    buffer_kind=st.sampled_from(BUFFERS),
    with_discount=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_buffer_is_a_list_of_the_newest_rows(
    kind: str, capacity: int, seed: int, operations: Any, buffer_kind: str, with_discount: bool
) -> None:
    kitchen = RowKitchen(kind, seed, with_discount=with_discount)
    _play(kitchen, buffer_kind, capacity, operations)


@pytest.fixture(scope="module")
def cartpole() -> list[Recipe]:
    """One-step rows of CartPole with short episodes, cut by hand."""
    env = gymnasium.make("CartPole-v1", max_episode_steps=12)
    rng = np.random.default_rng(0)
    recipes: list[Recipe] = []
    state, _ = env.reset(seed=3)
    while len(recipes) < 300:
        action = int(rng.integers(2))
        after, reward, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated
        fields = {"terminated": terminated, "truncated": truncated, "final_state": after}
        row = {"state": state, "action": action, "reward": reward}
        row |= {"last_state": None if ended else after, "discount": GAMMA * (not terminated)}
        recipes.append(Recipe(ExperienceFirstLast, row | fields))
        state = env.reset()[0] if ended else after
    return recipes


@given(
    capacity=st.integers(1, 8),
    start=st.integers(0, 299),
    operations=SEQUENCES,
    buffer_kind=st.sampled_from(BUFFERS),
)
@settings(max_examples=500, deadline=None)
def test_a_buffer_of_cartpole_rows_is_a_list_of_the_newest_rows(
    cartpole: list[Recipe], capacity: int, start: int, operations: Any, buffer_kind: str
) -> None:
    _play(Recorded(cartpole, start), buffer_kind, capacity, operations)


@pytest.mark.parametrize("buffer_kind", BUFFERS)
@pytest.mark.parametrize("kind", RowKitchen.KINDS)
def test_a_thousand_operations_on_one_buffer(kind: str, buffer_kind: str) -> None:
    rng = np.random.default_rng(9)
    twins = Twins(RowKitchen(kind, 2), buffer_kind, 23)
    for _ in range(100):
        twins.do(str(rng.choice(OPERATIONS)), int(rng.integers(12)))


@pytest.mark.parametrize("buffer_kind", BUFFERS)
def test_a_buffer_grows_through_many_rows_to_its_capacity(buffer_kind: str) -> None:
    kitchen = RowKitchen("stack", 5)
    # Frames of noise: nothing is shared, so the frame store has to grow several times.
    kitchen.pool = np.random.default_rng(0).integers(0, 255, (4000, 16, 16), dtype=np.uint8)
    buffer = make_buffer(buffer_kind, None, 700, GAMMA)
    recipes = [kitchen.recipe() for _ in range(1600)]
    for lot in range(0, 1600, 100):
        buffer.extend(recipe.make() for recipe in recipes[lot : lot + 100])
    plain = PlainBuffer(700)
    plain.extend(recipe.make() for recipe in recipes)
    assert_holds(buffer, plain, GAMMA)
    assert_sample(buffer, plain, 500, GAMMA)
