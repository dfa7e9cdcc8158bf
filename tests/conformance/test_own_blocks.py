"""The library's own blocks give no findings, nor do right ones of others."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit

import ptan
from ptan.common.wrappers import BufferWrapper, ImageToPyTorch
from ptan.common.wrappers_simple import FrameStack1D
from ptan.conformance import (
    check_buffer,
    check_env,
    check_frame_stack,
    check_prioritized,
    check_source,
    check_vector_env,
    check_wrapper,
)
from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSource,
    ExperienceSourceFirstLast,
    PrioReplayBufferNaive,
    PrioritizedReplayBuffer,
    VectorExperienceSourceFirstLast,
)

from . import planted

SYNC = ("next_step", "same_step", "disabled")
ASYNC = {"forms": tuple(f"async_{mode}" for mode in SYNC), "steps_counts": (3,)}
SINGLE, ALPHA = {"forms": ("single",)}, {"alpha": 1.0}


def lists(env, agent, gamma, steps_count):
    return VectorExperienceSourceFirstLast(env, agent, gamma, steps_count, unnest_data=False)


def made(name):
    return lambda: gymnasium.make(name)


@pytest.mark.parametrize(
    ("check", "thing", "settings"),
    [
        (check_source, ExperienceSource, {}),
        (check_source, ExperienceSource, {**ASYNC, "steps_deltas": (1,)}),
        (check_source, ExperienceSourceFirstLast, {}),
        (check_source, ExperienceSourceFirstLast, {**ASYNC, "steps_deltas": (1,)}),
        (check_source, VectorExperienceSourceFirstLast, {"forms": SYNC}),
        (check_source, VectorExperienceSourceFirstLast, {**ASYNC, "gamma": 1.0}),
        (check_source, lists, {"forms": SYNC, "steps_counts": (3,)}),
        (check_source, planted.PlainSource, SINGLE),
        (check_source, planted.BareRows, SINGLE),
        (check_source, planted.StepTuples, SINGLE),
        (check_source, planted.GameStatistics, SINGLE),
        (check_source, planted.SameStepVector, {"forms": ("same_step",)}),
        (check_buffer, ExperienceReplayBuffer, {}),
        (check_buffer, planted.ListBuffer, {}),
        (check_buffer, planted.BatchBuffer, {}),
        (check_prioritized, PrioReplayBufferNaive, {}),
        (check_prioritized, PrioReplayBufferNaive, ALPHA),
        (check_prioritized, PrioritizedReplayBuffer, {}),
        (check_prioritized, PrioritizedReplayBuffer, ALPHA),
        (check_prioritized, planted.PriorityList, {}),
        (check_frame_stack, planted.Stack, {}),
        (check_frame_stack, lambda env: FrameStackObservation(env, 4), {}),
        (check_frame_stack, lambda env: FrameStackObservation(env, 4, padding_type="zero"), {}),
        (check_frame_stack, lambda env: FrameStack1D(env, 3), {}),
        (check_frame_stack, lambda e: BufferWrapper(e, 3), {"shape": (2, 5, 5), "dtype": np.uint8}),
        (check_wrapper, ImageToPyTorch, {"shape": (5, 5, 3), "dtype": np.uint8}),
        (check_wrapper, lambda env: TimeLimit(env, 6), {}),
        (check_wrapper, lambda env: env, {}),
        *((check_env, made(f"{n}-v1"), {}) for n in ("CartPole", "Pendulum", "Blackjack")),
        (check_env, planted.Walk, {}),
        (check_env, planted.LivesWalk, {}),
        (check_env, planted.FixedWalk(), {}),
    ],
)
def test_right_things_give_no_findings(check, thing, settings):
    assert check(thing, **settings) == []


@pytest.mark.parametrize("cls", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_environments_give_no_findings(cls, mode):
    vector_env = cls([planted.Walk] * 2, autoreset_mode=mode)
    assert check_vector_env(vector_env, [planted.Walk(), planted.Walk()]) == []
    vector_env.close()


@pytest.mark.atari
def test_wrapped_atari_gives_no_findings():
    gymnasium.register_envs(pytest.importorskip("ale_py"))
    env = ptan.common.wrappers.wrap_dqn(gymnasium.make("BreakoutNoFrameskip-v4"))
    assert check_env(env) == []
