"""Block 2, agents: from observations to actions, a batch at a time; and the target network."""

import numpy as np
import torch
from torch import nn

from ptan.actions import ArgmaxActionSelector, ProbabilityActionSelector
from ptan.agent import BaseAgent, DQNAgent, PolicyAgent, TargetNet

observations = [np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)]

net = nn.Linear(2, 3)
with torch.no_grad():
    net.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    net.bias.zero_()
print("network:", net(torch.tensor(np.stack(observations))).tolist())
print("DQNAgent:", DQNAgent(net, ArgmaxActionSelector())(observations))
selector = ProbabilityActionSelector(rng=1)
print("PolicyAgent:", PolicyAgent(net, selector, apply_softmax=True)(observations))


class AlternatingAgent(BaseAgent):
    """An agent of your own: its state, one per environment, counts the steps of the episode."""

    def initial_state(self):
        """The state at the start of an episode."""
        return 0

    def __call__(self, observations, agent_states=None):
        """Actions 0, 1, 0, 1 … and the new states."""
        if agent_states is None:
            agent_states = [self.initial_state()] * len(observations)
        return [state % 2 for state in agent_states], [state + 1 for state in agent_states]


agent = AlternatingAgent()
actions, states = agent(observations)
print("own agent:", actions, states)
print("next step:", agent(observations, states))

target = TargetNet(net)
with torch.no_grad():
    net.bias += 1.0
print("target, net has moved on:", target.target_model.bias.tolist())
target.alpha_sync(0.9)
print("target after alpha_sync(0.9):", target.target_model.bias.tolist())
target.sync()
print("target after sync():", target.target_model.bias.tolist())
