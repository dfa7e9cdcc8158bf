"""What the loss of a batch should be, computed row by row in NumPy."""

import numpy as np
import torch

from plain import softmax
from ptan.algorithms import DQN
from ptan.experience import Batch


def expected_errors(algorithm: DQN, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Loss and priority per row, with the noise as it is.

    Of values the squared TD error and its absolute value; of distributions the cross-entropy and
    the divergence.
    """
    config, net, target = algorithm.config, algorithm.net, algorithm.target.target_model
    states, last = torch.from_numpy(batch.states), torch.from_numpy(batch.last_states)
    with torch.no_grad():
        q_last = (net if config.double else target).qvals(last).double().numpy()
        best = q_last.argmax(axis=1)
        now, after = net(states).double().numpy(), target(last).double().numpy()
    losses, priorities = [], []
    for i, action in enumerate(batch.actions):
        reward, discount = float(batch.rewards[i]), float(batch.discounts[i])
        if not config.distributional:
            priorities.append(abs(reward + discount * after[i, best[i]] - now[i, action]))
            losses.append(priorities[-1] ** 2)
            continue
        goal = project(softmax(after[i, best[i]]), reward, discount, config)
        probs = softmax(now[i, action])
        losses.append(-(goal * np.log(probs)).sum())
        priorities.append(sum(m * np.log(m / p) for m, p in zip(goal, probs, strict=True) if m))
    return np.array(losses), np.array(priorities)


def project(probs: np.ndarray, reward: float, discount: float, config) -> np.ndarray:
    """Each atom's mass to where it lands, shared by the two atoms around it."""
    spacing = (config.v_max - config.v_min) / (config.n_atoms - 1)
    result = np.zeros(config.n_atoms)
    for i, mass in enumerate(probs):
        value = reward + discount * (config.v_min + i * spacing)
        place = (min(max(value, config.v_min), config.v_max) - config.v_min) / spacing
        for j in range(config.n_atoms):
            result[j] += mass * max(0.0, 1.0 - abs(place - j))
    return result
