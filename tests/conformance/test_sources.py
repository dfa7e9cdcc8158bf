"""Wrong sources are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_source

from . import planted


def findings_of(make, forms=("single",), **settings):
    return check_source(make, forms=forms, **settings)


def assert_found(findings, *parts):
    """One finding has all these parts."""
    assert any(all(part in line for part in parts) for line in findings), findings


@pytest.mark.parametrize(
    ("make", "n", "where", "what"),
    [
        (planted.DoneOfFirstStep, 3, "step 2 of environment 0 (episode 1)", "last_state is"),
        (planted.LeakyRewards, 3, "step 3 of environment 0 (episode 1)", "reward is"),
        (planted.LostTails, 3, "step 3 of environment 0 (episode 1)", "no row starts here (2 step"),
        (
            planted.spoiled(discount=lambda row: row.discount and 0.9**3),
            3,
            "(episode 2)",
            "discount is 0.729",
        ),
        (planted.TruncatedIsTerminated, 1, "the episode was truncated at 2", "terminated is True"),
        (planted.StaleFinalState, 1, "was truncated at 2", "final_state is the observation of st"),
        (
            planted.ResetAfterLifeLoss,
            1,
            "step 3 of environment 0 (episode 7)",
            "after a life was lost at 2",
        ),
        (planted.LifeStatistics, 1, "pop_rewards_steps()", "of what is no game is [("),
        (planted.SharedObservations, 1, "form=single", "rows change after they were deliver"),
        (planted.SeedAgain, 1, "environment 0", "resets are seeded with [70, 70"),
        (planted.SeedDropped, 1, "environment 0", "resets are seeded with [None, None"),
        (planted.StepTuplesWithoutDone, 1, "step 4", "done is False, right is True (1 steps, the"),
        (planted.OneAgentState, 1, "(episode 2)", "the agent's state is 5, right is 0, its init"),
        (planted.Swapped, 2, "step 0", "the next one does at step 1 of environment 0 (episode 1)"),
        (planted.Doubled, 2, "step 1", "the next one does at step 0 of environment 0 (episode 1)"),
        (
            planted.spoiled(action=lambda row: row.action + 1),
            2,
            "step 0 of environment 0 (episode 1)",
            "action is 3, right is 2",
        ),
        (
            planted.spoiled(state=lambda row: row.state + 0.5),
            2,
            "a row's state is",
            "which no environment gave",
        ),
        (
            planted.spoiled(steps=lambda row: row.steps + 1),
            2,
            "step 0",
            "steps is 3, right is 2 (2 steps, the episode goes on)",
        ),
        (lambda env, agent: [], 1, "form=single", "gave no rows"),
        (lambda env, agent: [1], 1, "a row's state is None: 1", "form=single"),
        (lambda env, agent: 1 / 0, 1, "the source raised", "ZeroDivisionError"),
    ],
)
def test_wrong_sources(make, n, where, what):
    assert_found(findings_of(make, steps_counts=(n,)), where, what)


@pytest.mark.parametrize(
    ("make", "form", "where", "what"),
    [
        (
            planted.NaiveVector,
            "next_step",
            "a row starts at the final observation of an episode: a phantom transition",
            "from there to the reset observation [form=next_step",
        ),
        (
            planted.NaiveVector,
            "same_step",
            "step 3 of environment 1 (episode 1): the row's last_state is the reset observation",
            "right is the observation of step 4 (1 steps, the episode was truncated at 3)",
        ),
        (planted.NaiveVector, "disabled", "form=disabled", "raised AssertionError"),
        (planted.CrossedActions, "next_step", "of environment 0", "was given is"),
        (planted.OffByOneVector, "same_step", "steps is 3, right is 2", "(2 steps, the episode go"),
        (planted.OffByOneVector, "same_step", "last_state is the observation of step 3", "step 2"),
    ],
)
def test_wrong_vector_sources(make, form, where, what):
    n = 2 if make is planted.OffByOneVector else 1
    assert_found(findings_of(make, (form,), steps_counts=(n,), life_loss=False), where, what)


def test_without_lost_lives_a_source_that_knows_none_is_right():
    assert findings_of(planted.ResetAfterLifeLoss, life_loss=False) == []


def test_like_findings_are_counted():
    (line, *_) = findings_of(planted.TruncatedIsTerminated, steps_counts=(3,))
    assert "more like it)" in line


def test_impossible_requests_raise():
    with pytest.raises(ValueError, match=r"forms must be among .* got 'pair'"):
        check_source(planted.PlainSource, forms=("pair",))
    with pytest.raises(ValueError, match="steps_counts must hold one number"):
        check_source(lambda env, agent: [], steps_counts=(1, 2))
