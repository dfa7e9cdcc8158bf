"""Advantages over stretches of time: generalized advantage estimation."""

from typing import NamedTuple

import torch
from torch import Tensor

from ptan.common.checks import unit_interval
from ptan.losses._checks import alike


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
    discounts: Tensor,
    truncated: Tensor,
    lam: float,
) -> Advantages:
    """Generalized advantage estimation (Schulman et al. 2016, eq. 16), across episode ends.

        δ_t = r_t + discount_t · V(s'_t) − V(s_t)
        Â_t = δ_t + λ · discount_t · (1 − truncated_t) · Â_{t+1}

    s'_t is the state that step t led to. A truncated episode still has a future: its last step
    bootstraps from the value of its true final observation. But the step after it belongs to
    another episode, so that the sum of later δ is cut there. The last step of the arrays always
    bootstraps unless it terminated: beyond it nothing is known.

    With lam = 1 and all values 0 these are the discounted returns of whole episodes.

    Args:
        rewards: (T, ...), time first, usually (T, environments), of single steps.
        values: V(s_t), same shape.
        next_values: V(s'_t), same shape. At a truncation the value of the final observation, not
            of the one after the reset; not used where the discount is 0.
        discounts: Same shape: γ, and 0 where the environment ended the episode with step t.
        truncated: Same shape, bool: the episode was cut off after step t.
        lam: λ in [0, 1]; 0 gives δ, 1 gives returns minus values.
    """
    unit_interval("lam", lam)
    rewards, values, next_values, discounts, truncated = alike(
        rewards=rewards,
        values=values,
        next_values=next_values,
        discounts=discounts,
        truncated=truncated,
    )
    if rewards.ndim == 0:
        raise ValueError("rewards must have a time axis, got a single number")
    bootstraps = next_values.masked_fill(discounts == 0.0, 0.0)
    errors = rewards + discounts * bootstraps - values
    advantages = _sums_of_later(errors, (lam * discounts).masked_fill(truncated.bool(), 0.0))
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
