"""From observations to actions: agents around a model, and the target network.

    agent(observations, agent_states=None) -> (actions, new_agent_states)

* `DQNAgent`, `PolicyAgent`, `ActorCriticAgent`: discrete actions, through a selector
* `DDPGAgent`, `SACAgent`: continuous actions
* `BaseAgent`: the base class of an agent of your own
* `default_states_preprocessor`, `float32_preprocessor`: observations to tensors
* `TargetNet`: the slowly following copy of a network

An agent takes a batch and returns a batch, so that one call of the model serves all environments.
It keeps nothing between calls: what an environment's next step needs (noise, values, the hidden
state of a recurrent model) travels in the agent states, one per environment. `agent.step(...)`
takes the same and returns a `ptan.actions.PolicyStep`: the actions to learn from, those that the
environments take, and columns such as log-probabilities and values.

A model may be any callable; it runs without gradients, and is never switched between train and
eval. It lives on `device`, to which the tensors that the `preprocessor` makes of observations are
moved, however nested; with None it gets the observations themselves. A model or selector that does
not return one row per observation raises ValueError.
"""

from ptan.actions.policy import AgentStates
from ptan.agent.base import BaseAgent, States
from ptan.agent.continuous import DDPGAgent, SACAgent
from ptan.agent.discrete import ActorCriticAgent, DQNAgent, PolicyAgent
from ptan.agent.preprocessing import default_states_preprocessor, float32_preprocessor
from ptan.agent.target import TargetNet

__all__ = [
    "ActorCriticAgent",
    "AgentStates",
    "BaseAgent",
    "DDPGAgent",
    "DQNAgent",
    "PolicyAgent",
    "SACAgent",
    "States",
    "TargetNet",
    "default_states_preprocessor",
    "float32_preprocessor",
]
