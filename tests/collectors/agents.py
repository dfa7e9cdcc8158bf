"""Agents with a critic, for what on-policy collectors gather."""

import numpy as np
from tests.experience.envs import PolicyOfPlace, decode, unbatch, value_of

from ptan.actions.policy import PolicyStep


class CriticOfPlace(PolicyOfPlace):
    """Says the value of a place beside its action, and a log-probability; counts steps as state.

    Its state is how often it acted since the episode began; ``strict`` agents check it.
    """

    def __init__(self, *, strict=True):
        super().__init__()
        self.asked = 0
        self.strict = strict

    def initial_state(self):
        return 0

    def step(self, observations, agent_states):
        actions, _ = self(observations, agent_states)
        places = [decode(observation) for observation in unbatch(observations)]
        if self.strict:
            assert [int(state) for state in agent_states] == [place.step for place in places]
        columns = {
            "values": np.array([value_of(place) for place in places], np.float32),
            "log_probs": np.array([log_prob_of(place) for place in places], np.float32),
        }
        return PolicyStep(actions, actions, [state + 1 for state in agent_states], columns)

    def values(self, observations, agent_states):
        places = [decode(observation) for observation in unbatch(observations)]
        assert len(agent_states) == len(places)
        self.asked += 1
        return np.array([value_of(place) for place in places], np.float32)


def log_prob_of(place) -> float:
    """The scripted log-probability of what is done there."""
    return -0.5 - place.step / 16
