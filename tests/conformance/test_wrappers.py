"""Wrong wrappers are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_frame_stack, check_wrapper

from . import planted


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
