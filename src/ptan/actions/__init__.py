"""Choose actions: from scores, from probabilities, and noise for continuous actions.

* `ArgmaxActionSelector`, `EpsilonGreedyActionSelector`, `EpsilonTracker`: value-based methods
* `ProbabilityActionSelector`: policies over discrete actions
* `GaussianNoise`, `OrnsteinUhlenbeckProcess`, `ActionBounds`: continuous actions
* `ActionSelector`: the base class of a selector of your own; `as_generator` gives it its randomness

    selector = EpsilonGreedyActionSelector(epsilon=1.0, rng=0)
    tracker = EpsilonTracker(selector, eps_start=1.0, eps_final=0.02, eps_frames=10_000)
    actions = selector(scores)  # (B, A) float -> (B,) int64

Everything takes and returns NumPy arrays whose first axis is the batch. A selector runs once per
environment step, so these functions are counted in microseconds: few NumPy calls, one random draw
per row.
"""

from ptan.actions.continuous import ActionBounds, GaussianNoise, OrnsteinUhlenbeckProcess
from ptan.actions.discrete import (
    ActionSelector,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    EpsilonTracker,
    ProbabilityActionSelector,
    Selector,
)
from ptan.common.generators import as_generator

__all__ = [
    "ActionBounds",
    "ActionSelector",
    "ArgmaxActionSelector",
    "EpsilonGreedyActionSelector",
    "EpsilonTracker",
    "GaussianNoise",
    "OrnsteinUhlenbeckProcess",
    "ProbabilityActionSelector",
    "Selector",
    "as_generator",
]
