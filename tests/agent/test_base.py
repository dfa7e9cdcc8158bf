"""What all agents keep: shapes, gradients, modes, agent states, pickling."""

import copy
import itertools
import pickle

import gymnasium
import numpy as np
import pytest
import torch

from ptan.actions import (
    EpsilonGreedyActionSelector,
    OrnsteinUhlenbeckProcess,
    Policy,
    PolicyStep,
    ProbabilityActionSelector,
)
from ptan.agent import (
    ActorCriticAgent,
    AgentStates,
    BaseAgent,
    DDPGAgent,
    DQNAgent,
    PolicyAgent,
    SACAgent,
    States,
)
from ptan.experience import ExperienceSourceFirstLast

from .models import LOGITS, Pair, Table, TwoHeads


def test_a_users_agent_needs_no_super_init_and_steps_as_it_is_called():
    class Constant(BaseAgent):
        def __init__(self, action):
            self.action = action

        def __call__(self, states: States, agent_states: AgentStates = None):
            return [self.action] * len(states), agent_states

    agent = Constant(3)
    assert agent([1, 2]) == ([3, 3], None)
    assert agent.step([1, 2], [7, 7]) == PolicyStep([3, 3], [3, 3], [7, 7], {})
    assert agent.initial_state() is None
    with pytest.raises(TypeError, match="abstract"):
        BaseAgent()


def test_where_only_the_call_is_overridden_sources_ask_that():
    class Right(PolicyAgent):
        def __call__(self, observations, agent_states=None):
            actions, states = super().__call__(observations, agent_states)
            return np.full_like(actions, 1), states

    class AtRest:
        def __call__(self, observations, agent_states=None):
            return np.ones(len(observations), int), agent_states

    class Mixed(AtRest, ActorCriticAgent):
        pass

    class Whole(Right):
        def step(self, observations, agent_states=None):
            return PolicyStep([0], [0], [None], {})

    env = gymnasium.make("CartPole-v1")
    for make, action in ((Right, 1), (Mixed, 1), (Whole, 0)):
        agent = make(lambda x: torch.ones(len(x), 2), apply_softmax=True)
        source = ExperienceSourceFirstLast(env, agent, gamma=1.0, env_seed=0)
        assert {row.action for row in itertools.islice(source, 20)} == {action}
    env.close()


AGENTS = {
    "dqn": lambda model: DQNAgent(model, EpsilonGreedyActionSelector(0.5, rng=0)),
    "policy": lambda model: PolicyAgent(
        model, ProbabilityActionSelector(rng=0), apply_softmax=True
    ),
    "actor-critic": lambda model: ActorCriticAgent(
        TwoHeads(model=model), ProbabilityActionSelector(rng=0), apply_softmax=True
    ),
    "ddpg": lambda model: DDPGAgent(model, noise=OrnsteinUhlenbeckProcess(rng=0)),
    "sac": lambda model: SACAgent(Pair(model=model), rng=0),
}
all_agents = pytest.mark.parametrize("kind", AGENTS)


@all_agents
@pytest.mark.parametrize("training", [True, False])
def test_models_run_without_gradients_and_in_the_mode_they_are_in(kind, training):
    net = Table().train(training)
    seen = []

    def model(x):
        seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled(), net.training))
        if len(seen) > 1:
            raise RuntimeError("broken")
        return net(x)

    agent = AGENTS[kind](model)
    agent(LOGITS)
    assert torch.is_grad_enabled()
    with pytest.raises(RuntimeError, match="broken"):
        agent(LOGITS)
    assert torch.is_grad_enabled()
    assert set(seen) == {(False, False, training)}
    assert net.training is training
    assert net.weight.requires_grad


@all_agents
def test_a_model_that_returns_another_number_of_rows_raises(kind):
    with pytest.raises(ValueError, match="the model returned 3 rows for 2 observations"):
        AGENTS[kind](lambda x: torch.zeros(3, 3))(LOGITS)


@all_agents
def test_lists_arrays_and_tensors_act_alike_and_so_do_copies_called_or_stepped(kind):
    agent = AGENTS[kind](Table())
    others = [copy.deepcopy(agent) for _ in range(3)] + [pickle.loads(pickle.dumps(agent))]
    batches = [np.stack(LOGITS), torch.tensor(np.stack(LOGITS)), LOGITS, LOGITS]
    assert isinstance(agent, Policy)
    for _ in range(3):
        actions, states = agent(LOGITS)
        assert len(actions) == len(states) == 2
        for twin, observations in zip(others, batches, strict=True):
            step = twin.step(observations)
            assert step.env_actions.tolist() == actions.tolist()
            assert np.array_equal(np.array(step.states), np.array(states))


@pytest.mark.parametrize("kind", ["dqn", "policy", "sac"])
def test_stateless_agents_hand_the_agent_states_back(kind):
    agent = AGENTS[kind](Table())
    assert agent(LOGITS)[1] == [None, None]
    assert agent(LOGITS[:1])[1] == [None]
    states = ["a", "b"]
    assert agent(LOGITS, states)[1] is states
    assert agent.initial_state() is None
