"""Replay of real Atari frame stacks, to the byte, from wrapped envs and from AtariVectorEnv."""

import itertools
from typing import Any

import ale_py
import gymnasium
import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv

from ptan.common.wrappers import make_atari_vec, wrap_dqn
from ptan.experience import (
    ExperienceFirstLast,
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    VectorExperienceSourceFirstLast,
)

from .fakes import GAMMA, RandomAgent, make_buffer
from .oracles import PlainBuffer, Recipe, assert_holds, assert_rows, assert_sample
from .twins import OPERATIONS, Recorded, Twins

pytestmark = pytest.mark.atari
gymnasium.register_envs(ale_py)

FRAME = 84 * 84


def _wrapped(game: str, limit: int | None = None) -> gymnasium.Env:
    env = wrap_dqn(gymnasium.make(f"{game}NoFrameskip-v4"))
    return env if limit is None else gymnasium.wrappers.TimeLimit(env, limit)


def _listed() -> Any:
    envs = [_wrapped("Breakout", 60), _wrapped("Pong", 45), _wrapped("Breakout"), _wrapped("Pong")]
    return ExperienceSourceFirstLast(envs, RandomAgent(4), GAMMA, 3, env_seed=1)


def _vector() -> Any:
    env = make_atari_vec("breakout", 4, num_threads=1, max_num_frames_per_episode=400)
    return VectorExperienceSourceFirstLast(env, RandomAgent(4), GAMMA, 2, env_seed=1)


def _plain_vector() -> Any:
    env = AtariVectorEnv(
        "breakout",
        4,
        num_threads=1,
        reward_clipping=False,
        life_loss_info=True,
        autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP,
        max_num_frames_per_episode=400,
    )
    # It cannot be asked for its settings; a source warns unless they are stated.
    env.reward_clipping = env.episodic_life = False
    return VectorExperienceSourceFirstLast(env, RandomAgent(4), GAMMA, 3, env_seed=1)


def _steps() -> Any:
    envs = [_wrapped("Pong", 40), _wrapped("Pong", 70)]
    return ExperienceSource(envs, RandomAgent(4), 4, 2, env_seed=1)


SOURCES = {
    "listed": _listed,
    "vector": _vector,
    "vector_same_step": _plain_vector,
    "steps": _steps,
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("buffer_kind", ["uniform", "prioritized"])
def test_atari_rows_come_back_to_the_byte(name: str, buffer_kind: str) -> None:
    plain = PlainBuffer(300)
    plain.extend(itertools.islice(SOURCES[name](), 700))
    state = plain.rows[0][0].state if name == "steps" else plain.rows[0].state
    assert (state.shape, state.dtype) == ((4, 84, 84), np.uint8)
    buffer = make_buffer(buffer_kind, SOURCES[name](), 300)
    for chunk in (1, 250, 3, 46, 1, 1, 398):
        buffer.populate(chunk)
    assert_holds(buffer, plain)
    assert_sample(buffer, plain, 64)


@pytest.mark.parametrize("name", ["listed", "vector"])
def test_hand_fed_and_populated_buffers_store_about_one_frame_per_row(name: str) -> None:
    rows = list(itertools.islice(SOURCES[name](), 1500))
    by_hand = ExperienceReplayBuffer(None, 1000)
    for row in rows:
        by_hand.add(row)
    populated = ExperienceReplayBuffer(SOURCES[name](), 1000)
    populated.populate(1500)
    for buffer in (by_hand, populated):
        assert_rows(buffer, rows[500:])
        # A frame per row, a few per episode start, and the tables; one-row stacks would be 8.
        assert buffer.nbytes / 1000 < 1.3 * FRAME


@pytest.fixture(scope="module")
def recorded() -> list[Recipe]:
    """Rows of two interleaved games as recipes."""
    recipes = []
    for row in itertools.islice(_listed(), 200):
        names = ("state", "action", "reward", "last_state", "terminated", "truncated", "steps")
        fields = {name: getattr(row, name) for name in (*names, "discount", "final_state")}
        recipes.append(Recipe(ExperienceFirstLast, fields))
    return recipes


@pytest.mark.parametrize("buffer_kind", ["uniform", "naive", "prioritized"])
@pytest.mark.parametrize("capacity", [1, 3, 8])
def test_random_operations_on_atari_rows(
    recorded: list[Recipe], capacity: int, buffer_kind: str
) -> None:
    rng = np.random.default_rng(capacity)
    for start in range(0, 200, 20):
        twins = Twins(Recorded(recorded, start), buffer_kind, capacity)
        for _ in range(12):
            twins.do(str(rng.choice(OPERATIONS)), int(rng.integers(12)))
