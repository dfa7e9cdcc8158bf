"""Wrong sources are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_source

from . import planted


def findings_of(make, forms=("single",), **settings):
    return check_source(make, forms=forms, **settings)


def assert_found(findings, *parts):
    """One finding has all these parts."""
    assert any(all(part in line for part in parts) for line in findings), findings


def test_done_taken_from_the_first_step_of_the_window():
    found = findings_of(planted.DoneOfFirstStep, steps_counts=(3,))
    assert_found(
        found,
        "step 2 of environment 0 (episode 1): the episode terminated at 4",
        "a target would bootstrap past the end",
    )


def test_rewards_that_leak_into_the_next_episode():
    found = findings_of(planted.LeakyRewards, steps_counts=(3,))
    assert_found(found, "it sums 3 steps instead of 2, and the episode terminated at 4")


def test_lost_last_starts_of_an_episode():
    found = findings_of(planted.LostTails, steps_counts=(3,))
    assert_found(
        found,
        "step 3 of environment 0 (episode 1): a row must start here (the episode terminated at 4",
    )


def test_shortened_windows_with_the_discount_of_full_ones():
    found = findings_of(planted.FullDiscount, steps_counts=(3,))
    assert_found(found, "discount is 0.729, right is 0.81: gamma to the 2 steps it spans")


def test_truncations_stored_as_terminations():
    found = findings_of(planted.TruncatedIsTerminated, steps_counts=(1,))
    assert_found(found, "the row says terminated=True, but the episode was truncated at 2")
    assert_found(found, "says truncated=False, but the episode was truncated at 2: a target would")


def test_next_observation_equal_to_the_observation_at_truncation():
    found = findings_of(planted.StaleFinalState, steps_counts=(1,))
    assert_found(
        found,
        "the episode was truncated at 2, but the row's final state is the observation of step 2",
        "right is the observation of step 3",
    )


def test_reset_after_a_lost_life():
    found = findings_of(planted.ResetAfterLifeLoss)
    assert_found(
        found, "step 3 of environment 0 (episode 7): a row must start here (a life was lost before"
    )
    assert findings_of(planted.ResetAfterLifeLoss, life_loss=False) == []


def test_statistics_that_count_lives():
    found = findings_of(planted.LifeStatistics)
    assert_found(found, "tells a game that no environment played (a lost life ends none)")


def test_rows_that_change_after_they_were_delivered():
    found = findings_of(planted.SharedObservations)
    assert_found(found, "rows change after they were delivered")


def test_seeds_given_at_every_reset():
    found = findings_of(planted.SeedAgain, steps_counts=(1,))
    assert_found(found, "a later reset was seeded again, with 70: episodes repeat themselves")


def test_dropped_seeds():
    def make(env, agent, gamma, env_seed):
        return planted.PlainSource(env, agent, gamma, 1)

    found = findings_of(make, steps_counts=(1,))
    assert_found(found, "environment 0: its first reset was seeded with None, right is 70")


def test_step_tuples_without_done():
    found = findings_of(planted.StepTuplesWithoutDone)
    assert_found(
        found,
        "step 4 of environment 0 (episode 1): the row says done=False, but the episode terminated",
    )


def test_phantom_transitions_in_next_step_mode():
    found = findings_of(planted.NaiveVector, ("next_step",), steps_counts=(1,))
    assert_found(
        found,
        "starts at the final observation of an episode",
        "a phantom transition from there to the reset observation",
        "SyncVectorEnv, NEXT_STEP",
    )


def test_reset_observations_as_next_states_in_same_step_mode():
    found = findings_of(planted.NaiveVector, ("same_step",), steps_counts=(1,))
    assert_found(
        found,
        "step 3 of environment 1 (episode 1): the episode was truncated at 3, but the row's last "
        "state is the reset observation",
    )


def test_stepping_past_the_end_in_disabled_mode():
    found = findings_of(planted.NaiveVector, ("disabled",), steps_counts=(1,))
    assert_found(found, "the source raised AssertionError", "SyncVectorEnv, DISABLED")


def test_a_vector_source_that_is_off_by_one():
    found = findings_of(planted.OffByOneVector, ("same_step",), steps_counts=(2,), life_loss=False)
    assert_found(found, "it sums 3 steps instead of 2")
    assert_found(found, "the row's last state is the observation of step 3", "right is", "step 2")


def test_a_source_that_gives_nothing_or_breaks():
    assert_found(findings_of(lambda env, agent: [], steps_counts=(1,)), "gave no rows")
    assert_found(findings_of(lambda env, agent: [1], steps_counts=(1,)), "neither a row nor")
    assert_found(
        findings_of(lambda env, agent: 1 / 0, steps_counts=(1,)), "raised ZeroDivisionError"
    )


def test_agent_states_that_are_not_begun_anew():
    class OneState(planted.PlainSource):
        def __init__(self, env, agent, gamma, steps_count):
            states = [agent.initial_state()]

            def act(observations):
                nonlocal states
                actions, states = agent(observations, states)
                return actions, states

            super().__init__(env, act, gamma, steps_count)

    # The scripted agent's state follows the game, so only a new episode shows the old one.
    assert_found(findings_of(OneState), "(episode 2): the agent's state is", "initial state")


def swapped(rows):
    for row in rows:
        yield from (next(rows), row)


def doubled(rows):
    for row in rows:
        yield from (row, row)


def other_actions(rows):
    return (row._replace(action=row.action + 1) for row in rows)


def foreign_states(rows):
    return (row._replace(state=row.state + 1) for row in rows)


def false_steps(rows):
    return (row._replace(steps=row.steps + 1) for row in rows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            swapped,
            "step 0 of environment 0 (episode 1): a row must start here (the episode goes on",
        ),
        (doubled, "but the next one starts at step 0 of episode 1"),
        (other_actions, "the row's action is 3, the agent chose 2"),
        (foreign_states, "which no environment gave"),
        (false_steps, "the row's steps is 3, right is 2"),
    ],
)
def test_right_rows_that_were_spoiled(change, words):
    def make(env, agent, gamma, steps_count):
        return change(iter(planted.PlainSource(env, agent, gamma, steps_count)))

    assert_found(findings_of(make, steps_counts=(2,)), words)


def test_actions_given_to_another_environment():
    class Crossed:
        def __init__(self, env, agent, gamma):
            self.source = planted.NaiveVector(env, self.act, gamma)
            self.agent = agent

        def act(self, observations):
            actions, states = self.agent(observations)
            return actions[::-1], states

        def __iter__(self):
            return iter(self.source)

    found = findings_of(Crossed, ("next_step",), steps_counts=(1,))
    assert_found(found, "of environment 0", "was given action", "the agent chose")


def test_like_findings_are_counted():
    (line, *_) = findings_of(planted.TruncatedIsTerminated, steps_counts=(3,))
    assert "more like it)" in line


def test_impossible_requests_raise():
    with pytest.raises(ValueError, match=r"forms must be among .* got 'pair'"):
        check_source(planted.PlainSource, forms=("pair",))
    with pytest.raises(ValueError, match="steps_counts must hold one number"):
        check_source(lambda env, agent: [], steps_counts=(1, 2))
