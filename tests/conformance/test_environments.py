"""Wrong environments are found, and the finding says what is wrong."""

import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.conformance import check_env, check_vector_env

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
        (lambda: 1 / 0, "the environment raised ZeroDivisionError"),
    ],
)
def test_wrong_environments(make, words):
    found = check_env(make)
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
