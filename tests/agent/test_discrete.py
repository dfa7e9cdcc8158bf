"""Agents for discrete actions against hand-computed choices and values."""

import numpy as np
import pytest
import torch
from torch import nn

from plain import CHI2_999, chi_square, softmax
from ptan.actions import (
    ActionSelector,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    ProbabilityActionSelector,
    ValuePolicy,
)
from ptan.agent import ActorCriticAgent, DQNAgent, PolicyAgent, float32_preprocessor
from refusals import NAN, assert_tells, table

from .models import LOGITS, Table, TwoHeads, rows


def test_dqn_agent_of_the_textbook_gives_actions_and_no_states():
    agent = DQNAgent(dqn_model=lambda x: torch.eye(2), action_selector=ArgmaxActionSelector())
    actions, states = agent(torch.zeros(2, 5))
    assert actions.tolist() == [0, 1]
    assert actions.dtype == np.int64
    assert states == [None, None]


def test_agents_take_their_arguments_in_the_published_order_and_names():
    net, selector = Table(), ArgmaxActionSelector()
    agent = DQNAgent(net, selector, "cpu", float32_preprocessor)
    assert agent.model is agent.dqn_model is net
    assert DQNAgent(model=net, action_selector=selector).dqn_model is net
    for make in (PolicyAgent, ActorCriticAgent):
        policy = make(net, selector, "cpu", True, float32_preprocessor)
        assert policy.apply_softmax is True
        for one in (agent, policy):
            assert one.action_selector is selector
            assert one.device == torch.device("cpu")
            assert one.preprocessor is float32_preprocessor


def test_changed_epsilon_and_weights_take_effect_in_the_next_call():
    net, selector = Table(), EpsilonGreedyActionSelector(0.0, rng=0)
    agent = DQNAgent(net, selector)
    assert agent(LOGITS)[0].tolist() == [1, 0]
    with torch.no_grad():
        net.weight.fill_(-1.0)
    assert agent(LOGITS)[0].tolist() == [2, 1]
    selector.epsilon = 1.0
    assert len({tuple(agent(LOGITS)[0].tolist()) for _ in range(50)}) > 4


def test_a_users_selector_gets_plain_scores_and_environments_may_get_other_actions():
    class Worst(ActionSelector):
        def __call__(self, scores):
            return scores.argmin(axis=1)

    agent = DQNAgent(Table(), Worst(), env_actions=lambda actions: actions + 5)
    step = agent.step(LOGITS)
    assert step.actions.tolist() == [2, 1]
    assert step.env_actions.tolist() == agent(LOGITS)[0].tolist() == [7, 6]


def test_models_may_return_arrays_or_parameters():
    for output in (np.eye(2), np.eye(2).tolist(), nn.Parameter(torch.eye(2))):
        agent = DQNAgent(lambda x, out=output: out, ArgmaxActionSelector())
        assert agent(rows([0], [0]))[0].tolist() == [0, 1]
    logits = np.stack(LOGITS)
    logits.flags.writeable = False
    agent = PolicyAgent(lambda x: logits, ArgmaxActionSelector(), apply_softmax=True)
    assert agent(LOGITS)[0].tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_outputs_of_any_precision_reach_the_selector_softmax_only_when_asked(dtype):
    seen = []
    model, selector = lambda x: x.to(dtype), lambda p: seen.append(p) or p.argmax(axis=1)
    PolicyAgent(model, selector, apply_softmax=True)(LOGITS)
    assert seen[0] == pytest.approx(softmax(LOGITS), rel=1e-5)
    for make in (PolicyAgent, DQNAgent):
        assert make(model, selector)(LOGITS)[0].tolist() == [1, 0]
        assert seen[-1].tolist() == np.stack(LOGITS).tolist()
        assert seen[-1].dtype == (np.float64 if dtype is torch.float64 else np.float32)


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


def test_actions_that_are_ruled_out_or_no_numbers_of_columns():
    agent = PolicyAgent(Table(), lambda p: p.argmin(axis=1))
    assert agent.step(rows([0.0, 1.0])).columns["log_probs"].tolist() == [-np.inf]
    agent = PolicyAgent(Table(), lambda p: [[0.5, 0.5]] * len(p))
    assert agent.step(rows([0.0, 1.0])).columns == {}


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_values_of_the_critic_become_agent_states_and_a_column(flat, batch):
    agent = ActorCriticAgent(TwoHeads(flat), ArgmaxActionSelector(), apply_softmax=True)
    actions, _, states, columns = agent.step(LOGITS[:batch], [None] * batch)
    assert actions.tolist() == [1, 0][:batch]
    assert states == [0.0, -2.0][:batch]
    assert isinstance(states, list)
    assert all(type(state) is float for state in states)
    assert columns["values"].tolist() == states
    assert columns["values"].dtype == np.float32
    expected = np.log([softmax(LOGITS[0])[1], softmax(LOGITS[1])[0]][:batch])
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
ARGMAX, SCORES, ONES = ArgmaxActionSelector(), torch.zeros(2, 3), torch.ones(2, 1)
A_ROW = "one row per observation"


def dqn(output, selector=ARGMAX):
    return lambda: DQNAgent(lambda states: output, selector)(TWO)


def policy(output, **settings):
    return lambda: PolicyAgent(lambda states: output, **settings)(TWO)


def critic(output):
    return lambda: ActorCriticAgent(lambda states: output)(TWO)


def values(shape):
    return critic((ONES, torch.zeros(shape)))


@table(
    ("dqn-model", lambda: DQNAgent(3, ARGMAX), TypeError, "model", "got 3", "callable"),
    ("dqn-no-model", lambda: DQNAgent(action_selector=ARGMAX), TypeError, "dqn_model", "got None",
     "callable"),
    ("dqn-two-models", lambda: DQNAgent(len, ARGMAX, model=len), TypeError, "dqn_model", "model",
     "mean the same"),
    ("dqn-selector", dqn(0, 3), TypeError, "action_selector", "got 3", "callable"),
    ("dqn-no-selector", lambda: DQNAgent(len), TypeError, "action_selector", "None", "callable"),
    ("dqn-none", dqn(None), ValueError, "the model", "returned 0 rows", A_ROW),
    ("dqn-number", dqn(torch.tensor(1.0)), ValueError, "the model", "0 rows for 2", A_ROW),
    ("dqn-no-batch", dqn(torch.zeros(3)), ValueError, "the model",
     r"3 rows for 2 observations, in shape \(3,\)", A_ROW),
    ("dqn-no-actions", dqn(torch.zeros(2)), ValueError, "scores", r"\(2,\)", "batch, actions"),
    ("dqn-nan", dqn(torch.tensor([[0.0, 0.0], [NAN, 0.0]])), ValueError, "scores", "row 1", "NaN"),
    ("dqn-one-number", dqn(SCORES, lambda scores: 0), ValueError, "the action selector",
     r"shape \(\)", A_ROW),
    ("dqn-one-action", dqn(SCORES, lambda scores: np.zeros(1, int)), ValueError,
     "the action selector", "returned 1 rows for 2", A_ROW),
    ("dqn-none-chosen", dqn(SCORES, lambda scores: None), ValueError, "the action selector",
     "returned 0 rows", A_ROW),
    ("policy-model", lambda: PolicyAgent(None), TypeError, "model", "got None", "callable"),
    ("policy-selector", policy(0, action_selector=3), TypeError, "action_selector", "got 3",
     "callable"),
    ("policy-logits", policy(2 * SCORES + 1), ValueError, "row 0 of the probabilities",
     "a sum of 3", "must sum to 1"),
    ("policy-negative", policy(torch.tensor([[0.5, 0.5], [-1.0, 2.0]])), ValueError,
     "row 1 of the probabilities", "-1.0", "must not be negative"),
    ("policy-nan-logits", policy(torch.tensor([[0.0, 1.0], [NAN, 1.0]]), apply_softmax=True),
     ValueError, "row 1 of the probabilities", "nan", "must sum to 1"),
    ("policy-actions", policy(ONES, action_selector=lambda p: [0, 0, 0]), ValueError,
     "the action selector", "returned 3 rows", A_ROW),
    ("critic-one-output", critic(torch.full((2, 2), 0.5)), TypeError, "the model", r"got tensor",
     r"pair \(policy, values\)"),
    ("critic-three-outputs", critic((ONES, ONES, ONES)), TypeError, "the model", r"got \(tensor",
     r"pair \(policy, values\)"),
    ("critic-none", critic(None), TypeError, "the model", "got None", r"pair \(policy, values\)"),
    *(
        (f"values-{len(shape)}-{sum(shape)}", values(shape), ValueError, "the model",
         str(shape).replace("(", r"\(").replace(")", r"\)"), "one value per observation")
        for shape in ((3,), (2, 2), (1, 2), ())
    ),
)  # fmt: skip
def test_agents_refuse(case):
    assert_tells(case)
