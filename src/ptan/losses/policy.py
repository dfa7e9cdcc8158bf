"""Losses of policies learnt from what they did themselves: REINFORCE, A2C, PPO."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ptan.common.checks import check_above_zero
from ptan.common.types import Observations
from ptan.experience import Batch
from ptan.losses._checks import alike, check_batch, one_value_per_row, shaped
from ptan.losses.distributions import categorical_entropies, categorical_log_probs
from ptan.losses.value import value_loss

ActorCritic: TypeAlias = Callable[[Observations], tuple[Tensor, Tensor]]
"""States (B, *obs) to logits (B, actions) and values (B,) or (B, 1)."""


class A2CLoss(NamedTuple):
    """The parts of the advantage actor-critic loss; the caller weighs and adds them.

    policy       scalar with gradient
    value        scalar with gradient
    entropy      scalar with gradient: minus the mean entropy, so that adding it rewards entropy
    advantages   (B,) target − V(s), without gradient
    targets      (B,) r + discount · V(s'), without gradient
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    advantages: Tensor
    targets: Tensor


def policy_gradient_loss(
    log_probs: Tensor, returns: Tensor, baselines: Tensor | float = 0.0
) -> Tensor:
    """The loss whose gradient is the policy gradient (Williams 1992; Sutton & Barto 2018, 13.3–4).

        −mean of (G − b) · log π(a|s)

    REINFORCE without baselines; with them, G − b is the advantage.

    Args:
        log_probs: log π(a|s) of the actions taken.
        returns: G, or advantages; no gradient.
        baselines: b, such as V(s), or one number for all; no gradient.
    """
    log_probs, returns = alike(log_probs=log_probs, returns=returns)
    if isinstance(baselines, Tensor):
        baselines = shaped("baselines", baselines, tuple(log_probs.shape), ()).detach()
    return -((returns.detach() - baselines) * log_probs).mean()


def entropy_loss(entropies: Tensor) -> Tensor:
    """Minus the mean entropy: adding β times this rewards exploration (Mnih et al. 2016, sec. 4).

    Args:
        entropies: Of the policy in each state, as `categorical_entropies` and
            `gaussian_entropies` give them.
    """
    (entropies,) = alike(entropies=entropies)
    return -entropies.mean()


def a2c_loss(batch: Batch[Tensor], net: ActorCritic) -> A2CLoss:
    """The losses of the advantage actor-critic with n-step returns (Mnih et al. 2016, alg. S3).

        y = r + discount · V(s')
        policy = −mean of (y − V(s)) · log π(a|s)
        value = mean of (y − V(s))²
        entropy = −mean of H(π(·|s))

    The loss to minimise is policy + critic_beta · value + entropy_beta · entropy.

    Args:
        batch: With actions (B,) int64. Its weights are not used.
        net: States to logits (B, actions) and values (B,) or (B, 1). The values of `last_states`
            get no gradient.
    """
    n_rows = check_batch(batch)
    # The pass with gradients comes last: a noisy net draws new noise into its buffers each time.
    with torch.no_grad():
        next_values = one_value_per_row("values of last_states", net(batch.last_states)[1], n_rows)
        targets = batch.rewards + batch.discounts * next_values
    logits, output = net(batch.states)
    values = one_value_per_row("values of states", output, n_rows)
    advantages = targets - values.detach()
    return A2CLoss(
        policy=policy_gradient_loss(categorical_log_probs(logits, batch.actions), advantages),
        value=value_loss(values, targets),
        entropy=entropy_loss(categorical_entropies(logits)),
        advantages=advantages,
        targets=targets,
    )


def ppo_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, *, clip: float = 0.2
) -> Tensor:
    """The clipped surrogate objective, negated (Schulman et al. 2017, eq. 7).

        ρ = π(a|s) / π_old(a|s)
        −mean of min(ρ · A, clamp(ρ, 1 − clip, 1 + clip) · A)

    Args:
        log_probs: log π(a|s) of the actions taken.
        old_log_probs: The same when the data was collected; no gradient.
        advantages: A; no gradient. Normalising them is up to the caller.
        clip: How far the ratio may move from 1 before an improvement earns no gradient; above 0.
    """
    check_above_zero("clip", clip)
    log_probs, old, gains = alike(
        log_probs=log_probs, old_log_probs=old_log_probs, advantages=advantages
    )
    ratios, gains = (log_probs - old.detach()).exp(), gains.detach()
    return -torch.minimum(ratios * gains, ratios.clamp(1.0 - clip, 1.0 + clip) * gains).mean()
