"""Advantages over stretches of time: generalized advantage estimation."""

from typing import NamedTuple

import torch
from torch import Tensor

from ptan.losses._checks import check_same_shape, full_precision, unit_interval


class Advantages(NamedTuple):
    """What `generalized_advantages` returns, both of the shape of the rewards, without gradient.

    advantages   Â
    returns      Â + V(s): λ-returns, the targets of the value loss
    """

    advantages: Tensor
    returns: Tensor


@torch.no_grad()
def generalized_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
) -> Advantages:
    """Generalized advantage estimation (Schulman et al. 2016, eq. 16), across episode ends.

        δ_t = r_t + γ · (1 − terminated_t) · V(s'_t) − V(s_t)
        Â_t = δ_t + γλ · (1 − terminated_t) · (1 − truncated_t) · Â_{t+1}

    s'_t is the state that step t led to. A truncated episode still has a future: its last step
    bootstraps from the value of its true final observation. But the step after it belongs to
    another episode, so that the sum of later δ is cut there. The last step of the arrays always
    bootstraps unless it terminated: beyond it nothing is known.

    With lam = 1 and all values 0 these are the discounted returns of whole episodes.

    Args:
        rewards: (T, ...), time first, usually (T, environments), of single steps.
        values: V(s_t), same shape.
        next_values: V(s'_t), same shape. At a truncation the value of the final observation, not
            of the one after the reset; not used where terminated.
        terminated: Same shape, bool: the environment ended the episode with step t.
        truncated: Same shape, bool: the episode was cut off after step t.
        gamma: Discount per step, in [0, 1].
        lam: λ in [0, 1]; 0 gives δ, 1 gives returns minus values.

    Returns:
        `Advantages`.

    Raises:
        ShapeError: the shapes differ, also where they would broadcast.
        ValueError: gamma or lam outside [0, 1], or no time axis.
    """
    unit_interval("gamma", gamma)
    unit_interval("lam", lam)
    check_same_shape(
        rewards=rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
        truncated=truncated,
    )
    if rewards.ndim == 0:
        raise ValueError("rewards must have a time axis, got a single number")
    values, terminated = full_precision(values), terminated.bool()
    bootstraps = full_precision(next_values).masked_fill(terminated, 0.0)
    errors = full_precision(rewards) + gamma * bootstraps - values
    goes_on = ~(terminated | truncated.bool())
    advantages = _sums_of_later(errors, goes_on.to(errors.dtype) * (gamma * lam))
    return Advantages(advantages, advantages + values)


def _sums_of_later(terms: Tensor, factors: Tensor) -> Tensor:
    """S_t = terms_t + factors_t · S_{t+1}, along the first axis.

    In log₂ T rounds instead of T: after a round each entry covers twice as many steps, because two
    neighbouring stretches join to (first sum + product of the first's factors · second sum).
    """
    covered = 1
    while covered < len(terms):
        joined = terms[:-covered] + factors[:-covered] * terms[covered:]
        factors = torch.cat([factors[:-covered] * factors[covered:], factors[-covered:]])
        terms = torch.cat([joined, terms[-covered:]])
        covered *= 2
    return terms
