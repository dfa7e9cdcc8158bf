"""Agents for discrete actions against hand-computed choices and values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from plain import CHI2_999, chi_square, softmax
from ptan.actions import (
    ActionSelector,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    ProbabilityActionSelector,
    ValuePolicy,
)
from ptan.agent import (
    ActorCriticAgent,
    DQNAgent,
    PolicyAgent,
    float32_preprocessor,
)
from refusals import NAN, assert_tells, table

from .models import LOGITS, Table, TwoHeads, rows


def test_dqn_agent_of_the_textbook_gives_actions_and_no_states():
    agent = DQNAgent(dqn_model=lambda x: torch.eye(2), action_selector=ArgmaxActionSelector())
    actions, states = agent(torch.zeros(2, 5))
    assert actions.tolist() == [0, 1]
    assert actions.dtype == np.int64
    assert states == [None, None]


def test_dqn_agent_takes_its_arguments_in_the_published_order():
    net, selector = Table(), ArgmaxActionSelector()
    agent = DQNAgent(net, selector, "cpu", float32_preprocessor)
    assert agent.model is net
    assert agent.dqn_model is net
    assert agent.action_selector is selector
    assert agent.device == torch.device("cpu")
    assert agent.preprocessor is float32_preprocessor


def test_dqn_agent_takes_model_as_another_name():
    net = Table()
    assert DQNAgent(model=net, action_selector=ArgmaxActionSelector()).dqn_model is net


def test_dqn_agent_without_or_with_two_models_raises():
    with pytest.raises(TypeError, match="both dqn_model and model"):
        DQNAgent(Table(), ArgmaxActionSelector(), model=Table())
    with pytest.raises(TypeError, match="dqn_model must be callable, got None"):
        DQNAgent(action_selector=ArgmaxActionSelector())
    with pytest.raises(TypeError, match="action_selector must be callable, got None"):
        DQNAgent(Table())


def test_changed_epsilon_and_weights_take_effect_in_the_next_call():
    net, selector = Table(), EpsilonGreedyActionSelector(0.0, rng=0)
    agent = DQNAgent(net, selector)
    assert agent(LOGITS)[0].tolist() == [1, 0]
    with torch.no_grad():
        net.weight.fill_(-1.0)
    assert agent(LOGITS)[0].tolist() == [2, 1]
    selector.epsilon = 1.0
    assert len({tuple(agent(LOGITS)[0].tolist()) for _ in range(50)}) > 4


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 6)),
        elements=st.floats(-100, 100, width=32),
    )
)
def test_dqn_agent_is_greedy_on_any_batch(scores):
    agent = DQNAgent(Table(), ArgmaxActionSelector())
    expected = [row.index(max(row)) for row in scores.tolist()]
    assert agent(list(scores))[0].tolist() == expected
    assert agent(scores)[0].tolist() == expected


def test_a_users_selector_gets_plain_scores():
    class Worst(ActionSelector):
        def __call__(self, scores):
            return scores.argmin(axis=1)

    assert DQNAgent(Table(), Worst())(LOGITS)[0].tolist() == [2, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_scores_of_any_precision_reach_the_selector(dtype):
    seen = []
    agent = DQNAgent(lambda x: torch.eye(2, dtype=dtype), lambda s: seen.append(s) or s.argmax(1))
    assert agent(rows([0], [0]))[0].tolist() == [0, 1]
    assert seen[0].dtype == (np.float64 if dtype is torch.float64 else np.float32)


def test_models_may_return_arrays_or_parameters():
    for output in (np.eye(2), np.eye(2).tolist(), nn.Parameter(torch.eye(2))):
        agent = DQNAgent(lambda x, out=output: out, ArgmaxActionSelector())
        assert agent(rows([0], [0]))[0].tolist() == [0, 1]


def test_scores_without_a_batch_and_selectors_without_rows_raise():
    with pytest.raises(ValueError, match=r"3 rows for 1 observations, in shape \(3,\)"):
        DQNAgent(lambda x: x[0], ArgmaxActionSelector())(LOGITS[:1])
    with pytest.raises(ValueError, match="0 rows for 1"):
        DQNAgent(lambda x: torch.tensor(1.0), ArgmaxActionSelector())(LOGITS[:1])
    with pytest.raises(ValueError, match="the action selector returned 1 rows for 2"):
        DQNAgent(Table(), lambda scores: np.zeros(1, int))(LOGITS)
    with pytest.raises(ValueError, match=r"\(batch, actions\)"):
        DQNAgent(lambda x: x[:, 0], ArgmaxActionSelector())(LOGITS)


def test_nan_scores_raise():
    with pytest.raises(ValueError, match="NaN"):
        DQNAgent(Table(), EpsilonGreedyActionSelector(1.0))(rows([np.nan, 0.0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_softmax_is_applied_only_when_asked(dtype):
    seen = []
    selector = lambda p: seen.append(p) or p.argmax(axis=1)  # noqa: E731
    PolicyAgent(lambda x: x.to(dtype), selector, apply_softmax=True)(LOGITS)
    assert seen[0] == pytest.approx(softmax(LOGITS), rel=1e-5)
    probabilities = rows([0.25, 0.75], [1.0, 0.0])
    PolicyAgent(lambda x: x.to(dtype), selector)(probabilities)
    assert seen[1].tolist() == np.stack(probabilities).tolist()


def test_policy_agent_of_the_textbook_samples_from_the_first_output():
    net = TwoHeads()
    agent = PolicyAgent(lambda x: net(x)[0], apply_softmax=True, device=torch.device("cpu"))
    agent.action_selector = ProbabilityActionSelector(rng=0)
    drawn = np.concatenate([agent(LOGITS[:1] * 500)[0] for _ in range(20)])
    assert chi_square(drawn, softmax(LOGITS[0])) < CHI2_999[2]


def test_default_selectors_are_fresh_and_not_shared():
    for make in (PolicyAgent, ActorCriticAgent):
        first, second = make(Table()), make(Table())
        assert isinstance(first.action_selector, ProbabilityActionSelector)
        assert first.action_selector is not second.action_selector
        assert first.action_selector.rng is not second.action_selector.rng


def test_policy_agents_take_their_arguments_in_the_published_order():
    for make in (PolicyAgent, ActorCriticAgent):
        agent = make(Table(), ArgmaxActionSelector(), "cpu", True, float32_preprocessor)
        assert isinstance(agent.action_selector, ArgmaxActionSelector)
        assert agent.apply_softmax is True
        assert agent.preprocessor is float32_preprocessor


def test_a_model_that_forgot_its_softmax_is_found_out():
    with pytest.raises(ValueError, match="row 0 of the probabilities"):
        PolicyAgent(Table())(LOGITS)


def test_a_model_may_return_read_only_logits():
    logits = np.stack(LOGITS)
    logits.flags.writeable = False
    agent = PolicyAgent(lambda x: logits, ArgmaxActionSelector(), apply_softmax=True)
    assert agent(LOGITS)[0].tolist() == [1, 0]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_values_of_the_critic_become_the_agent_states(flat, batch):
    agent = ActorCriticAgent(TwoHeads(flat), ArgmaxActionSelector(), apply_softmax=True)
    actions, states = agent(LOGITS[:batch], [None] * batch)
    assert actions.tolist() == [1, 0][:batch]
    assert states == [0.0, -2.0][:batch]
    assert isinstance(states, list)
    assert all(type(state) is float for state in states)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1, 2), ()])
def test_values_that_are_not_one_per_observation_raise(shape):
    agent = ActorCriticAgent(lambda x: (x, torch.zeros(shape)), apply_softmax=True)
    with pytest.raises(ValueError, match="one value per observation") as caught:
        agent(LOGITS)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("apply_softmax", [True, False])
def test_a_policys_step_has_the_log_probabilities_of_its_actions(apply_softmax):
    probabilities = softmax(LOGITS).astype(np.float32)
    observations = LOGITS if apply_softmax else probabilities
    agent = PolicyAgent(Table(), apply_softmax=apply_softmax)
    for _ in range(5):
        actions, env_actions, states, columns = agent.step(observations)
        assert env_actions is actions
        assert states == [None, None]
        assert columns["log_probs"].dtype == np.float32
        assert np.exp(columns["log_probs"]) == pytest.approx(probabilities[[0, 1], actions])


def test_an_action_that_the_policy_ruled_out_has_the_log_probability_of_minus_infinity():
    agent = PolicyAgent(Table(), lambda p: p.argmin(axis=1))
    assert agent.step(rows([0.0, 1.0])).columns["log_probs"].tolist() == [-np.inf]


def test_actions_that_are_no_numbers_of_columns_have_no_log_probabilities():
    agent = PolicyAgent(Table(), lambda p: [[0.5, 0.5]] * len(p))
    assert agent.step(rows([0.0, 1.0])).columns == {}


@pytest.mark.parametrize("flat", [False, True])
def test_an_actor_critics_step_has_values_and_log_probabilities(flat):
    agent = ActorCriticAgent(TwoHeads(flat), ArgmaxActionSelector(), apply_softmax=True)
    actions, _, states, columns = agent.step(LOGITS)
    assert actions.tolist() == [1, 0]
    assert states == [0.0, -2.0]
    assert columns["values"].tolist() == [0.0, -2.0]
    assert columns["values"].dtype == np.float32
    expected = np.log([softmax(LOGITS[0])[1], softmax(LOGITS[1])[0]])
    assert columns["log_probs"] == pytest.approx(expected, rel=1e-5)


def test_a_critic_says_its_values_without_choosing_actions():
    def never(probabilities):
        raise AssertionError("asked for actions")

    agent = ActorCriticAgent(TwoHeads(), never)
    assert isinstance(agent, ValuePolicy)
    values = agent.values(np.stack(LOGITS), [None, None])
    assert values.tolist() == [0.0, -2.0]
    assert values.dtype == np.float32


TWO = [np.zeros(3, np.float32)] * 2  # observations
SCORES, ONES = torch.zeros(2, 3), torch.ones(2, 1)


def gives(output):
    return lambda states: output


def dqn(output, selector=None):
    return lambda: DQNAgent(gives(output), selector or ArgmaxActionSelector())(TWO)


def policy(output, **settings):
    return lambda: PolicyAgent(gives(output), **settings)(TWO)


def critic(output):
    return lambda: ActorCriticAgent(gives(output))(TWO)


@table(
    ("dqn-model", lambda: DQNAgent(3, ArgmaxActionSelector()), TypeError, "model", "got 3",
     "callable"),
    ("dqn-selector", lambda: DQNAgent(gives(0), 3), TypeError, "action_selector", "got 3",
     "callable"),
    ("dqn-none", dqn(None), ValueError, "the model", "returned 0 rows", "one row per observation"),
    ("dqn-one-number", dqn(SCORES, lambda scores: 0), ValueError, "the action selector",
     r"shape \(\)", "one row per observation"),
    ("dqn-no-actions", dqn(SCORES, lambda scores: None), ValueError, "the action selector",
     "returned 0 rows", "one row per observation"),
    ("policy-model", lambda: PolicyAgent(None), TypeError, "model", "got None", "callable"),
    ("policy-selector", lambda: PolicyAgent(gives(0), 3), TypeError, "action_selector", "got 3",
     "callable"),
    ("policy-negative", policy(torch.tensor([[0.5, 0.5], [-1.0, 2.0]])), ValueError,
     "row 1 of the probabilities", "-1.0", "must not be negative"),
    ("policy-nan-logits", policy(torch.tensor([[0.0, 1.0], [NAN, 1.0]]), apply_softmax=True),
     ValueError, "row 1 of the probabilities", "nan", "must sum to 1"),
    ("policy-actions", policy(ONES, action_selector=lambda p: [0, 0, 0]), ValueError,
     "the action selector", "returned 3 rows", "one row per observation"),
    ("critic-one-output", critic(torch.full((2, 2), 0.5)), TypeError, "the model", r"got tensor",
     r"pair \(policy, values\)"),
    ("critic-three-outputs", critic((ONES, ONES, ONES)), TypeError, "the model", r"got \(tensor",
     r"pair \(policy, values\)"),
    ("critic-none", critic(None), TypeError, "the model", "got None", r"pair \(policy, values\)"),
)  # fmt: skip
def test_agents_refuse(case):
    assert_tells(case)
