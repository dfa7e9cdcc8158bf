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
ASYNC = tuple(f"async_{mode}" for mode in SYNC)


@pytest.mark.parametrize("source", [ExperienceSource, ExperienceSourceFirstLast])
def test_list_sources_give_no_findings(source):
    assert check_source(source) == []


@pytest.mark.parametrize("source", [ExperienceSource, ExperienceSourceFirstLast])
def test_list_sources_give_no_findings_over_async_environments(source):
    assert check_source(source, forms=ASYNC, steps_counts=(3,), steps_deltas=(1,)) == []


def test_the_vector_source_gives_no_findings():
    assert check_source(VectorExperienceSourceFirstLast, forms=SYNC) == []
    assert (
        check_source(VectorExperienceSourceFirstLast, forms=ASYNC, steps_counts=(3,), gamma=1.0)
        == []
    )


def test_the_vector_source_gives_no_findings_when_it_yields_lists():
    def make(env, agent, gamma, steps_count):
        return VectorExperienceSourceFirstLast(env, agent, gamma, steps_count, unnest_data=False)

    assert check_source(make, forms=SYNC, steps_counts=(3,)) == []


@pytest.mark.parametrize("name", ["PlainSource", "BareRows", "StepTuples", "GameStatistics"])
def test_right_sources_of_others_give_no_findings(name):
    assert check_source(getattr(planted, name), forms=("single",)) == []


def test_a_right_vector_source_of_others_gives_no_findings():
    assert check_source(planted.SameStepVector, forms=("same_step",)) == []


def test_the_uniform_buffer_gives_no_findings():
    assert check_buffer(ExperienceReplayBuffer) == []


@pytest.mark.parametrize("buffer", [PrioReplayBufferNaive, PrioritizedReplayBuffer])
@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_prioritized_buffers_give_no_findings(buffer, alpha):
    assert check_prioritized(buffer, alpha=alpha) == []


@pytest.mark.parametrize("make", [planted.ListBuffer, planted.BatchBuffer])
def test_right_buffers_of_others_give_no_findings(make):
    assert check_buffer(make) == []


def test_a_right_prioritized_buffer_of_others_gives_no_findings():
    assert check_prioritized(planted.PriorityList) == []


@pytest.mark.parametrize(
    ("wrap", "settings"),
    [
        (planted.Stack, {}),
        (lambda env: FrameStackObservation(env, 4), {}),
        (lambda env: FrameStackObservation(env, 4, padding_type="zero"), {}),
        (lambda env: FrameStack1D(env, 3), {}),
        (lambda env: BufferWrapper(env, 3), {"shape": (2, 5, 5), "dtype": np.uint8}),
    ],
)
def test_frame_stacks_give_no_findings(wrap, settings):
    assert check_frame_stack(wrap, **settings) == []


@pytest.mark.parametrize(
    ("wrap", "settings"),
    [
        (ImageToPyTorch, {"shape": (5, 5, 3), "dtype": np.uint8}),
        (lambda env: TimeLimit(env, 6), {}),
        (lambda env: env, {}),
    ],
)
def test_wrappers_give_no_findings(wrap, settings):
    assert check_wrapper(wrap, **settings) == []


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Blackjack-v1", "FrozenLake-v1"])
def test_gymnasium_environments_give_no_findings(name):
    assert check_env(lambda: gymnasium.make(name)) == []


@pytest.mark.parametrize("make", [planted.Walk, planted.LivesWalk, planted.FixedWalk])
def test_right_environments_give_no_findings(make):
    assert check_env(make) == []
    assert check_env(make()) == []


@pytest.mark.parametrize("cls", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_environments_give_no_findings(cls, mode):
    vector_env = cls([planted.Walk] * 2, autoreset_mode=mode)
    assert check_vector_env(vector_env, [planted.Walk(), planted.Walk()]) == []
    vector_env.close()


@pytest.mark.atari
def test_wrapped_atari_gives_no_findings():
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    env = ptan.common.wrappers.wrap_dqn(gymnasium.make("BreakoutNoFrameskip-v4"))
    assert check_env(env) == []
