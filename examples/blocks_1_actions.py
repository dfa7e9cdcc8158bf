"""Block 1, action selectors: from scores or probabilities to actions."""

import numpy as np

from ptan.actions import (
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    EpsilonTracker,
    ProbabilityActionSelector,
)

scores = np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.0]])  # two observations, three actions
print("argmax:", ArgmaxActionSelector()(scores))

greedy = EpsilonGreedyActionSelector(epsilon=0.0, rng=1)
print("ε = 0.0:", greedy(scores))
greedy.epsilon = 1.0
print("ε = 1.0:", greedy(scores))
greedy.epsilon = 0.5
print("ε = 0.5:", greedy(scores))

tracker = EpsilonTracker(greedy, eps_start=1.0, eps_final=0.1, eps_frames=100)
for step in (0, 50, 100, 150):
    tracker.frame(step)
    print(f"ε after {step:3} steps: {greedy.epsilon:.2f}")

probabilities = np.array([[0.1, 0.8, 0.1], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
draw = ProbabilityActionSelector(rng=1)
for _ in range(5):
    print("drawn:", draw(probabilities))
