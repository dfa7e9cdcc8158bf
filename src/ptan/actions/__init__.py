"""Choose actions: from scores, from probabilities, and noise for continuous actions.

* `ArgmaxActionSelector`, `EpsilonGreedyActionSelector`, `EpsilonTracker`: value-based methods
* `ProbabilityActionSelector`: policies over discrete actions
* `GaussianNoise`, `OrnsteinUhlenbeckProcess`, `ActionBounds`: continuous actions
* `ActionSelector`: the base class of a selector of your own; `as_generator` gives it its randomness
* `PolicyStep`, and the protocols `Agent`, `Policy`, `ValuePolicy`: what stepping asks of an agent

    selector = EpsilonGreedyActionSelector(epsilon=1.0, rng=0)
    tracker = EpsilonTracker(selector, eps_start=1.0, eps_final=0.02, eps_frames=10_000)
    actions = selector(scores)  # (B, A) float -> (B,) int64

Everything takes and returns NumPy arrays whose first axis is the batch. `rng` is a generator, a
seed for one, or None for a generator of its own. Numbers outside their range raise ValueError,
other kinds of value TypeError.
"""

from ptan.actions.continuous import ActionBounds, GaussianNoise, OrnsteinUhlenbeckProcess
from ptan.actions.discrete import (
    ActionSelector,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    ProbabilityActionSelector,
    Selector,
)
from ptan.actions.policy import Agent, Policy, PolicyStep, ValuePolicy
from ptan.actions.tracker import EpsilonTracker
from ptan.common.generators import as_generator

__all__ = [
    "ActionBounds",
    "ActionSelector",
    "Agent",
    "ArgmaxActionSelector",
    "EpsilonGreedyActionSelector",
    "EpsilonTracker",
    "GaussianNoise",
    "OrnsteinUhlenbeckProcess",
    "Policy",
    "PolicyStep",
    "ProbabilityActionSelector",
    "Selector",
    "ValuePolicy",
    "as_generator",
]
