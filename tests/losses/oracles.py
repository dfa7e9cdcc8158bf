"""The same losses written again, row by row, in float64 and from the rows alone."""

from fractions import Fraction
from typing import Any

import numpy as np

from plain import softmax

from .fakes import GAMMA


def future_of(row: Any) -> tuple[Any, float]:
    """What a row leads to and how much that counts: (state, discount)."""
    if row.terminated:
        return row.state, 0.0
    return row.final_state, GAMMA**row.steps


def dqn(rows, q, target_q, weights=None, double=False):
    """Value, priorities and the gradient with respect to the table `q`."""
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights)
    gradient, total, priorities = np.zeros(q.shape), 0.0, []
    for weight, row in zip(weights, rows, strict=True):
        after, discount = future_of(row)
        best = int(np.argmax(q[after])) if double else int(np.argmax(target_q[after]))
        error = row.reward + discount * target_q[after][best] - q[row.state][row.action]
        total += weight * error**2 / len(rows)
        gradient[row.state, row.action] -= 2 * weight * error / len(rows)
        priorities.append(abs(error))
    return total, np.array(priorities), gradient


def project(next_probs, reward, discount, done, v_min, v_max):
    """One row of the categorical projection in exact fractions."""
    n_atoms = len(next_probs)
    low, high = Fraction(v_min), Fraction(v_max)
    spacing = (high - low) / (n_atoms - 1)
    atoms = [low + i * spacing for i in range(n_atoms)]
    discount = Fraction(0) if done else Fraction(discount)
    projected = [Fraction(0)] * n_atoms
    for atom, mass in zip(atoms, next_probs, strict=True):
        place = min(max(Fraction(reward) + discount * atom, low), high)
        for i, other in enumerate(atoms):
            projected[i] += Fraction(mass) * max(Fraction(0), 1 - abs(place - other) / spacing)
    return [float(mass) for mass in projected]


def categorical(rows, logits, target_logits, supports, weights=None, double=False):
    """Value, priorities and the gradient with respect to the table `logits`."""
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights)
    gradient, total, priorities = np.zeros(logits.shape), 0.0, []
    for weight, row in zip(weights, rows, strict=True):
        after, discount = future_of(row)
        chooser = logits if double else target_logits
        best = int(np.argmax(softmax(chooser[after]) @ supports))
        next_probs = softmax(target_logits[after][best])
        ends = float(supports[0]), float(supports[-1])
        goal = np.array(project(next_probs, row.reward, discount, row.terminated, *ends))
        probs = softmax(logits[row.state][row.action])
        error = -(goal * np.log(probs)).sum()
        total += weight * error / len(rows)
        gradient[row.state, row.action] += weight * (probs - goal) / len(rows)
        priorities.append(sum(m * np.log(m / p) for m, p in zip(goal, probs, strict=True) if m))
    return total, np.array(priorities), gradient


def advantages(rewards, values, next_values, terminated, truncated, gamma, lam):
    """Generalized advantages of one environment, each as the sum that defines it."""
    n_steps = len(rewards)
    result = np.zeros(n_steps)
    for start in range(n_steps):
        factor = 1.0
        for t in range(start, n_steps):
            bootstrap = 0.0 if terminated[t] else gamma * next_values[t]
            result[start] += factor * (rewards[t] + bootstrap - values[t])
            if terminated[t] or truncated[t]:
                break
            factor *= gamma * lam
    return result
