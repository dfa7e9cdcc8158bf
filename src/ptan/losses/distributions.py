"""Log-probabilities and entropies of the policies that the losses are made of, one per row.

Discrete policies are logits (B, actions), not normalised. Gaussians have independent parts: mean
(B, *action), and log_std of the same shape, or (*action) where it does not depend on the state.
All functions return (B,), summed over the parts of an action, in float32 at least; what they raise
is what losses raise.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ptan.losses._checks import ShapeError, discrete_actions, of_actions, shaped

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def categorical_log_probs(logits: Tensor, actions: Tensor) -> Tensor:
    """Log-probabilities of discrete actions (B,) int64: log softmax(logits)[action]."""
    logits = shaped("logits", logits, ("batch", "actions"))
    return of_actions(logits.log_softmax(1), discrete_actions(actions, len(logits)))


def categorical_entropies(logits: Tensor) -> Tensor:
    """Entropies −Σ_a π(a|s) log π(a|s) of discrete policies, in nats.

    An action ruled out by a logit of −inf counts nothing.
    """
    log_probs = shaped("logits", logits, ("batch", "actions")).log_softmax(1)
    # 0 · −inf is NaN, also in the gradient.
    finite = log_probs.masked_fill(log_probs == -math.inf, 0.0)
    return -(log_probs.exp() * finite).sum(1)


def gaussian_log_probs(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """Log-densities of actions (B, *action) under a Gaussian."""
    mean, log_std = _gaussian(mean, log_std)
    distance = (shaped("actions", actions, tuple(mean.shape)) - mean) * (-log_std).exp()
    return _sum_parts(-0.5 * distance.square() - log_std - _LOG_SQRT_2PI)


def gaussian_entropies(mean: Tensor, log_std: Tensor) -> Tensor:
    """Differential entropies of Gaussians, in nats; only the shape of the mean counts."""
    _, log_std = _gaussian(mean, log_std)
    return _sum_parts(log_std + (0.5 + _LOG_SQRT_2PI))


def tanh_gaussian(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Actions of a squashed Gaussian policy (Haarnoja et al. 2018, appendix C).

        a = tanh(mean + exp(log_std) · noise)
        log π(a|s) = log N(...) − Σ log(1 − a²)

    Both are functions of mean and log_std that gradients flow through (reparameterised).

    Args:
        mean: (B, *action), before the tanh.
        log_std: The same shape, or (*action).
        noise: (B, *action) standard normal, drawn by the caller with a generator of its own.

    Returns:
        (B, *action) actions in [−1, 1], and (B,) log-densities.
    """
    mean, log_std = _gaussian(mean, log_std)
    noise = shaped("noise", noise, tuple(mean.shape))
    before = mean + log_std.exp() * noise
    log_density = -0.5 * noise.square() - log_std - _LOG_SQRT_2PI
    # log(1 − tanh²(u)), without the 0 that far-out u would give: 2 · (log 2 − u − log(1 + e^−2u)).
    log_slope = 2.0 * (math.log(2.0) - before - softplus(-2.0 * before))
    return torch.tanh(before), _sum_parts(log_density - log_slope)


def _gaussian(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Both in full precision and of the shape of the mean."""
    shape = tuple(mean.shape)
    if len(shape) < 2:
        raise ShapeError(f"mean must have shape (batch, *action), got {shape}")
    log_std = shaped("log_std", log_std, shape, shape[1:])
    return shaped("mean", mean, shape), log_std.expand(shape)


def _sum_parts(per_part: Tensor) -> Tensor:
    return per_part.flatten(1).sum(1)
