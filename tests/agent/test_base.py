"""What all agents keep: shapes, gradients, modes, agent states, pickling."""

import copy
import itertools
import pickle

import gymnasium
import numpy as np
import pytest
import torch

from ptan.actions import (
    ArgmaxActionSelector,
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


def test_a_users_agent_needs_no_super_init():
    class Constant(BaseAgent):
        def __init__(self, action):
            self.action = action

        def __call__(self, states: States, agent_states: AgentStates = None):
            return [self.action] * len(states), agent_states

    agent = Constant(3)
    assert agent([1, 2]) == ([3, 3], None)
    assert agent.initial_state() is None


def test_an_agent_must_say_how_it_acts():
    with pytest.raises(TypeError, match="abstract"):
        BaseAgent()


def test_the_step_of_a_users_agent_is_what_it_does_when_called():
    class Constant(BaseAgent):
        def __call__(self, states, agent_states=None):
            return [3] * len(states), [7] * len(states)

    assert Constant().step([1, 2]) == PolicyStep([3, 3], [3, 3], [7, 7], {})


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
    "dqn": lambda model: DQNAgent(model, ArgmaxActionSelector()),
    "policy": lambda model: PolicyAgent(model, apply_softmax=True),
    "actor-critic": lambda model: ActorCriticAgent(
        lambda x: (model(x), model(x)[:, 0]), apply_softmax=True
    ),
    "ddpg": DDPGAgent,
    "sac": lambda model: SACAgent(lambda x: (model(x), model(x))),
}


@pytest.mark.parametrize("kind", AGENTS)
@pytest.mark.parametrize("training", [True, False])
def test_models_run_without_gradients_and_in_the_mode_they_are_in(kind, training):
    net = Table().train(training)
    seen = []

    def model(x):
        seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled(), net.training))
        return net(x)

    AGENTS[kind](model)(LOGITS)
    assert set(seen) == {(False, False, training)}
    assert torch.is_grad_enabled()
    assert net.training is training
    assert net.weight.requires_grad


@pytest.mark.parametrize("kind", AGENTS)
def test_gradients_are_back_on_after_a_model_failed(kind):
    def broken(x):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        AGENTS[kind](broken)(LOGITS)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("kind", AGENTS)
def test_a_model_that_returns_another_number_of_rows_raises(kind):
    with pytest.raises(ValueError, match="the model returned 3 rows for 2 observations"):
        AGENTS[kind](lambda x: torch.zeros(3, 3))(LOGITS)


@pytest.mark.parametrize("kind", AGENTS)
def test_lists_arrays_and_tensors_of_observations_act_alike(kind):
    batches = [LOGITS, np.stack(LOGITS), torch.tensor(np.stack(LOGITS))]
    for observations in batches:
        actions, states = AGENTS[kind](Table())(observations)
        assert len(actions) == 2
        assert len(states) == 2


@pytest.mark.parametrize("kind", AGENTS)
def test_a_step_chooses_and_draws_as_a_call_does(kind):
    agent = AGENTS[kind](Table())
    twin = copy.deepcopy(agent)
    for _ in range(3):
        actions, states = agent(LOGITS)
        step = twin.step(LOGITS)
        assert isinstance(twin, Policy)
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


@pytest.mark.parametrize(
    "agent",
    [
        DQNAgent(Table(), EpsilonGreedyActionSelector(0.5, rng=0)),
        PolicyAgent(Table(), ProbabilityActionSelector(rng=0), apply_softmax=True),
        ActorCriticAgent(TwoHeads(), ProbabilityActionSelector(rng=0), apply_softmax=True),
        DDPGAgent(Table(), noise=OrnsteinUhlenbeckProcess(rng=0)),
        SACAgent(Pair(), rng=0),
    ],
)
def test_agents_pickle_and_go_on_alike(agent):
    twin = pickle.loads(pickle.dumps(agent))
    for _ in range(5):
        actions, _ = agent(LOGITS)
        assert actions.tolist() == twin(LOGITS)[0].tolist()
