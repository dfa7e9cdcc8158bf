"""Wrong environments and wrappers are found, and the finding says what is wrong."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ptan.conformance import check_env, check_frame_stack, check_vector_env, check_wrapper

from .planted import FixedWalk, LivesWalk, Stack, Walk, changed

UNSEEDED = np.random.default_rng()


def walk(shown):
    return changed(Walk, shown=lambda self, right: shown(self, right.shown()))


def reused(self, position):
    self.shared = getattr(self, "shared", np.zeros(2, np.float32))
    self.shared[:] = position
    return self.shared


def life_ends_game(self, right, action):
    if self.steps == 4:
        raise RuntimeError("the game is over")
    return right.step(action)


def flags(self, right, action):
    observation, reward, _, truncated, info = right.step(action)
    return observation, reward, "no", truncated, info


class Seedless(Walk):
    def reset(self):
        return super().reset()


class LateSeed(gymnasium.Wrapper):
    """Forgets the seed; the walk of a fixed start hides it."""

    def reset(self, *, seed=None, options=None):
        return self.env.reset(options=options)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (walk(lambda self, at: at * np.float32(np.nan if self.steps == 4 else 1)),
         "step 3: the observation holds NaN or infinity"),
        (walk(lambda self, at: at.astype(np.float64 if self.steps == 3 else np.float32)),
         "step 2: The obs returned by the `step()` method was expecting"),
        (changed(Walk, step=flags), "step 0: Expects `terminated` signal to be a boolean"),
        (walk(lambda self, at: at + UNSEEDED.random(2).astype(np.float32)),
         "observations are not equivalent for the same seed and action"),
        (walk(lambda self, at: at + np.float32(self.steps > 5 and UNSEEDED.random())),
         "step 5: two plays from one seed with equal actions differ"),
        (walk(reused), "share an object, therefore, modifying one will modify the other"),
        (changed(LivesWalk, step=life_ends_game),
         "step 4, after a lost life without a reset raised RuntimeErr"),
        (Seedless, "The `reset` method does not provide a `seed`"),
        (lambda: LateSeed(FixedWalk()), "does not call `super().reset(seed"),
        (lambda: 1 / 0, "the environment raised ZeroDivisionError"),
    ],
)  # fmt: skip
def test_wrong_environments(make, words):
    found = check_env(make)
    assert any(words in line for line in found), found


def test_a_vector_environment_that_says_the_wrong_mode():
    vector_env = SyncVectorEnv([Walk] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    vector_env.metadata = {**vector_env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
    found = check_vector_env(vector_env, [Walk(), Walk()])
    assert "step 9 of environment 0: the final observation is" in found[0]


def test_vector_environments_are_for_the_other_check():
    vector_env = SyncVectorEnv([Walk])
    with pytest.raises(TypeError, match="check_vector_env"):
        check_env(vector_env)
    with pytest.raises(ValueError, match="envs must be 1 environments, got 2"):
        check_vector_env(vector_env, [Walk(), Walk()])


# Wrappers

ACROSS_EPISODES = changed(
    Stack,
    begin=lambda self, right, first: self.frames.extend([first] * (1 if self.frames else self.k)),
)
WITHOUT_SEED = changed(
    Stack, reset=lambda self, right, seed=None, options=None: right.reset(options=options)
)
STALE_AT_TRUNCATION = changed(
    Stack, add=lambda self, right, new, truncated, info: truncated or self.frames.append(new)
)
CLEARED_BY_LIFE_LOSS = changed(
    Stack,
    add=lambda self, right, new, truncated, info: (
        self.begin(new) if info.get("life_loss") else self.frames.append(new)
    ),
)


def one_end(self, right, action):
    """Folds both ends into one."""
    observation, reward, terminated, truncated, info = right.step(action)
    return observation, reward, terminated or truncated, False, info


@pytest.mark.parametrize(
    ("check", "wrap", "words"),
    [
        (
            check_frame_stack,
            ACROSS_EPISODES,
            "episode 2, reset: the stack holds step 11 of episode 1",
        ),
        (check_frame_stack, WITHOUT_SEED, "the seed does not reach the wrapped environment"),
        (
            check_frame_stack,
            STALE_AT_TRUNCATION,
            "step 4: the stack holds step 2 of episode 2, step 3 of",
        ),
        (
            check_frame_stack,
            CLEARED_BY_LIFE_LOSS,
            "holds step 4 of episode 5; right is step 2 of episode",
        ),
        (
            check_wrapper,
            ACROSS_EPISODES,
            "episode 2, reset: the observation is not that of this step",
        ),
        (check_wrapper, STALE_AT_TRUNCATION, "episode 2, step 4: the observation is not that of"),
        (check_wrapper, WITHOUT_SEED, "reset(seed=70): the seed does not reach"),
        (
            check_wrapper,
            changed(gymnasium.Wrapper, step=one_end),
            "= (False, True), the wrapper (True, False)",
        ),
    ],
)
def test_wrong_wrappers(check, wrap, words):
    found = check(wrap)
    assert any(words in line for line in found), found
