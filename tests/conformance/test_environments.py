"""Wrong environments and wrappers are found, and the finding says what is wrong."""

import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.conformance import check_env, check_frame_stack, check_vector_env, check_wrapper

from . import planted


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (planted.NanWalk, "step 3: the observation holds NaN or infinity"),
        (planted.GrowingWalk, "step 2: The obs returned by the `step()` method was expecting"),
        (planted.FlaggedWalk, "step 0: Expects `terminated` signal to be a boolean"),
        (planted.UnseededWalk, "observations are not equivalent for the same seed and action"),
        (planted.UnseededLate, "step 5: two plays from one seed with equal actions differ"),
        (planted.ReusingWalk, "share an object, therefore, modifying one will modify the other"),
        (planted.LivesThatEndGames, "step 4, after a lost life without a reset raised RuntimeErr"),
        (planted.SeedlessWalk, "The `reset` method does not provide a `seed`"),
        (lambda: planted.LateSeedWrapper(planted.FixedWalk()), "does not call `super().reset(seed"),
        (lambda: 1 / 0, "making the environment raised ZeroDivisionError"),
    ],
)
def test_wrong_environments(make, words):
    found = check_env(make)
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (planted.StackAcrossEpisodes, "episode 2, reset: the stack holds step 11 of episode 1"),
        (planted.StackWithoutSeed, "the seed does not reach the wrapped environment"),
        (planted.StackStaleAtTruncation, "step 4: the stack holds step 2 of episode 2, step 3 of"),
        (planted.StackClearedByLifeLoss, "holds step 4 of episode 5; right is step 2 of episode"),
    ],
)
def test_wrong_frame_stacks(wrap, words):
    found = check_frame_stack(wrap)
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (planted.StackAcrossEpisodes, "episode 2, reset: the observation is not that of this step"),
        (planted.StackStaleAtTruncation, "episode 2, step 4: the observation is not that of"),
        (planted.StackWithoutSeed, "reset(seed=70): the seed does not reach"),
        (planted.TruncationAsTermination, "= (False, True), the wrapper (True, False)"),
    ],
)
def test_wrong_wrappers(wrap, words):
    found = check_wrapper(wrap)
    assert any(words in line for line in found), found


def test_a_vector_environment_that_says_the_wrong_mode():
    vector_env = SyncVectorEnv([planted.Walk] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    vector_env.metadata = {**vector_env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
    found = check_vector_env(vector_env, [planted.Walk(), planted.Walk()])
    assert "step 9 of environment 0: the final observation is" in found[0]


def test_vector_environments_are_for_the_other_check():
    vector_env = SyncVectorEnv([planted.Walk])
    with pytest.raises(TypeError, match="check_vector_env"):
        check_env(vector_env)
    with pytest.raises(ValueError, match="envs must be 1 environments, got 2"):
        check_vector_env(vector_env, [planted.Walk(), planted.Walk()])
