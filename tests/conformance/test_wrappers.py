"""Wrong wrappers are found, and the finding says what is wrong."""

import gymnasium
import pytest

from ptan.conformance import check_frame_stack, check_wrapper

from .planted import Stack, changed

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
