"""Wrong sources are found, and the finding says what is wrong."""

import pytest

from ptan.conformance import check_source

from .planted import GameStatistics, PlainSource, SameStepVector, StepTuples, changed


def source(**methods):
    return changed(PlainSource, **methods)


def spoiled(**fields):
    """The right source, with fields of its rows changed by these functions."""

    def row(self, right, *window):
        row = right.row(*window)
        return row._replace(**{name: change(row) for name, change in fields.items()})

    return source(row=row)


def done_of_first_step(self, right, steps, after, terminated, truncated):
    """Ends the window's episode only if its first step did."""
    row = right.row(steps, after, len(steps) == 1 and (terminated or truncated), False)
    return row._replace(discount=None)


def leaky_rewards(self, right, steps, after, terminated, truncated):
    """Goes on filling windows after an episode's end."""
    if len(steps) > self.n:
        steps.pop(0)
    return [self.row(steps, after, terminated, truncated)] if len(steps) == self.n else []


def lost_tails(self, right, *window):
    """Forgets the last n - 1 starts of an episode."""
    return [row for row in right.rows(*window) if row.steps == self.n]


def swapped(self, right):
    rows = right.__iter__()
    for row in rows:
        yield from (next(rows), row)


def seed_again(env, agent, gamma, env_seed):
    """Seeds every reset with the same seed."""
    reset = env.reset
    env.reset = lambda: reset(seed=env_seed)
    return PlainSource(env, agent, gamma, 1)


def one_agent_state(env, agent, gamma, steps_count):
    """Does not begin agent states anew; the scripted agent's follow the game, so it shows late."""
    states = [agent.initial_state()]

    def act(observations):
        nonlocal states
        actions, states = agent(observations, states)
        return actions, states

    return PlainSource(env, act, gamma, steps_count)


LATE_DISCOUNT = spoiled(discount=lambda row: row.discount and 0.9**3)
LOST_TAIL = "no row starts here (2 step"
TRUNCATED_IS_TERMINATED = source(
    row=lambda self, right, steps, after, terminated, truncated: right.row(
        steps, after, terminated or truncated, False
    )
)
STALE_FINAL_STATE = source(
    rows=lambda self, right, steps, after, terminated, truncated: right.rows(
        steps, steps[-1][0] if truncated else after, terminated, truncated
    )
)
RESET_AFTER_LIFE_LOSS = source(
    following=lambda self, right, *ends_and_info: right.following(*ends_and_info[:3], {})
)
LIFE_STATISTICS = changed(
    GameStatistics, over=lambda self, right, *ends_and_info: any(ends_and_info[:2])
)
STEPS_WITHOUT_DONE = changed(
    StepTuples,
    row=lambda self, right, *window: tuple(s._replace(done=False) for s in right.row(*window)),
)


@pytest.mark.parametrize(
    ("make", "n", "where", "what"),
    [
        (source(row=done_of_first_step), 3, "step 2 of environment 0 (episode 1)", "last_state is"),
        (source(rows=leaky_rewards), 3, "step 3 of environment 0 (episode 1)", "reward is"),
        (source(rows=lost_tails), 3, "step 3 of environment 0 (episode 1)", LOST_TAIL),
        (LATE_DISCOUNT, 3, "(episode 2)", "discount is 0.729"),
        (TRUNCATED_IS_TERMINATED, 1, "the episode was truncated at 2", "terminated is True"),
        (STALE_FINAL_STATE, 1, "was truncated at 2", "final_state is step 2 of env"),
        (RESET_AFTER_LIFE_LOSS, 1, "of environment 0 (episode 7)", "after a life was lost at 2"),
        (LIFE_STATISTICS, 1, "pop_rewards_steps()", "of what is no game is [("),
        (source(kept=lambda self, right, o: o), 1, "form=single", "rows change after they were de"),
        (seed_again, 1, "environment 0", "resets are seeded with [70, 70"),
        (lambda env, agent, gamma, env_seed: PlainSource(env, agent, gamma, 1), 1,
         "environment 0", "resets are seeded with [None, None"),
        (STEPS_WITHOUT_DONE, 1, "step 4", "done is False, right is True (1 steps, the"),
        (one_agent_state, 1, "(episode 2)", "the agent's state is 5, right is 0, its init"),
        (source(__iter__=swapped), 2, "step 0", "the next one does at step 1 of environment 0 (ep"),
        (source(__iter__=lambda self, right: (row for row in right.__iter__() for _ in "12")), 2,
         "step 1", "the next one does at step 0 of environment 0 (episode 1)"),
        (spoiled(action=lambda row: row.action + 1), 2,
         "step 0 of environment 0 (episode 1)", "action is 3, right is 2"),
        (spoiled(state=lambda row: row.state + 0.5), 2,
         "a row's state is", "which no environment gave"),
        (spoiled(steps=lambda row: row.steps + 1), 2,
         "step 0", "steps is 3, right is 2 (2 steps, the episode goes on)"),
        (lambda env, agent: [], 1, "form=single", "gave no rows"),
        (lambda env, agent: [1], 1, "a row's state is None: 1", "form=single"),
        (lambda env, agent: 1 / 0, 1, "the source raised", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_wrong_sources(make, n, where, what):
    found = check_source(make, forms=("single",), steps_counts=(n,))
    assert any(where in line and what in line for line in found), found


NAIVE = changed(SameStepVector, after=lambda self, right, i, shown, ended, info: shown[i])


def crossed_actions(env, agent, gamma, steps_count):
    """Gives each environment the action of another."""
    return NAIVE(env, lambda shown: (agent(shown)[0][::-1], None), gamma, steps_count)


def off_by_one(env, agent, gamma, steps_count):
    return SameStepVector(env, agent, gamma, steps_count + 1)


@pytest.mark.parametrize(
    ("make", "form", "n", "where", "what"),
    [
        (NAIVE, "next_step", 1,
         "a row starts at the final observation of an episode: a phantom transition",
         "(episode 2) [form=next_step"),
        (NAIVE, "same_step", 1,
         "step 3 of environment 1 (episode 1): the row's final_state is step 0 of",
         "right is step 4 of environment 1 (episode 1) (1 steps, the episode was truncated at 3)"),
        (NAIVE, "disabled", 1, "form=disabled", "raised AssertionError"),
        (crossed_actions, "next_step", 1, "of environment 0", "was given is"),
        (off_by_one, "same_step", 2, "steps is 3, right is 2", "(2 steps, the episode go"),
        (off_by_one, "same_step", 2, "last_state is step 3 of", "right is step 2 of"),
    ],
)  # fmt: skip
def test_wrong_vector_sources(make, form, n, where, what):
    found = check_source(make, forms=(form,), steps_counts=(n,), life_loss=False)
    assert any(where in line and what in line for line in found), found


def test_without_lost_lives_a_source_that_knows_none_is_right():
    assert check_source(RESET_AFTER_LIFE_LOSS, forms=("single",), life_loss=False) == []


def test_like_findings_are_counted():
    line, *_ = check_source(TRUNCATED_IS_TERMINATED, forms=("single",), steps_counts=(3,))
    assert "more like it)" in line


def test_an_unknown_form_raises():
    with pytest.raises(ValueError, match=r"forms must be among .* got 'pair'"):
        check_source(PlainSource, forms=("pair",))
