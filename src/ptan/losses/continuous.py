"""Losses of actor-critic methods that learn continuous actions from replay: SAC and DDPG.

A critic is called as `critic(states, actions)` and gives (B,) or (B, 1). A stochastic policy is
called with states and gives (actions, log-densities), as `tanh_gaussian` makes them: the caller
owns the noise, and the scaling of actions to the environment's units. Targets run without
gradients; each is a module or a `TargetNet`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ptan.common.types import Observations
from ptan.experience import Batch
from ptan.losses._checks import (
    ShapeError,
    as_priorities,
    check_batch,
    one_value_per_row,
    shaped,
    weighted_mean,
)

Critic: TypeAlias = Callable[[Observations, Tensor], Tensor]
"""States (B, *obs) and actions (B, *action) to values (B,) or (B, 1)."""

StochasticPolicy: TypeAlias = Callable[[Observations], tuple[Tensor, Tensor]]
"""States (B, *obs) to sampled actions (B, *action) and their log-densities (B,)."""

DeterministicPolicy: TypeAlias = Callable[[Observations], Tensor]
"""States (B, *obs) to actions (B, *action)."""


class CriticLoss(NamedTuple):
    """What a loss of one or more critics returns.

    values       a scalar with gradient per critic, weighted by `batch.weights`
    priorities   (B,) mean over the critics of |y − Q|, unweighted, at least 1e-8, no gradient
    q_values     (B,) per critic, Q(s, a), without gradient
    """

    values: tuple[Tensor, ...]
    priorities: Tensor
    q_values: tuple[Tensor, ...]


class SACPolicyLoss(NamedTuple):
    """What `sac_policy_loss` returns.

    value       scalar with gradient
    log_probs   (B,) log-densities of the drawn actions, without gradient, for the temperature
    """

    value: Tensor
    log_probs: Tensor


def sac_critic_loss(
    batch: Batch[Tensor],
    critics: Sequence[Critic],
    target_critics: Sequence[Critic],
    policy: StochasticPolicy,
    alpha: Tensor | float,
) -> CriticLoss:
    """Squared soft TD errors of the critics (Haarnoja et al. 2018b, eq. 5 with twin critics).

        y = r + discount · (min_i Q_target,i(s', a') − α log π(a'|s')),   a' ~ π(·|s')
        value_i = mean of weight · (y − Q_i(s, a))²

    Args:
        batch: With actions (B, *action).
        critics: Usually two, at least one; they get the gradient.
        target_critics: The least value of each row counts.
        policy: Draws a', without gradients.
        alpha: Temperature, a number or a tensor with one element; no gradient.
    """
    n_rows = check_batch(batch)
    with torch.no_grad():
        actions, densities = policy(batch.last_states)
        densities = shaped("log-densities of the policy", densities, (n_rows,))
        values = _values("target_critics", target_critics, batch.last_states, actions, n_rows)
        soft_values = torch.stack(values).amin(0) - _temperature(alpha) * densities
        targets = batch.rewards + batch.discounts * soft_values
    return _regression(batch, critics, targets)


def sac_policy_loss(
    states: Observations,
    critics: Sequence[Critic],
    policy: StochasticPolicy,
    alpha: Tensor | float,
) -> SACPolicyLoss:
    """The loss of the soft policy (Haarnoja et al. 2018b, eq. 7).

        mean of α log π(a|s) − min_i Q_i(s, a),   a ~ π(·|s), reparameterised

    The gradient flows through the critics into the actions, and so reaches the critics' parameters
    as well: step only the policy's optimizer, and zero the critics' gradients before their turn.

    Args:
        states: (B, *obs) tensor, or nested ones.
        critics: Usually two; the least value of each row counts.
        policy: Draws actions that gradients flow through.
        alpha: Temperature, a number or a tensor with one element; no gradient.
    """
    actions, densities = policy(states)
    densities = shaped("log-densities of the policy", densities, (len(actions),))
    least = torch.stack(_values("critics", critics, states, actions, len(actions))).amin(0)
    return SACPolicyLoss((_temperature(alpha) * densities - least).mean(), densities.detach())


def sac_temperature_loss(log_alpha: Tensor, log_probs: Tensor, target_entropy: float) -> Tensor:
    """The loss of the temperature (Haarnoja et al. 2018b, eq. 18).

        mean of −α · (log π(a|s) + target entropy),   α = exp(log_alpha)

    It raises α while the policy's entropy is below the target.

    Args:
        log_alpha: A tensor with one element; gets the gradient.
        log_probs: (B,) log-densities of actions drawn now; no gradient.
        target_entropy: In nats, usually minus the number of action dimensions.
    """
    log_probs = shaped("log_probs", log_probs, (len(log_probs),)).detach()
    return -_one_element("log_alpha", log_alpha).exp() * (log_probs.mean() + target_entropy)


def ddpg_critic_loss(
    batch: Batch[Tensor], critic: Critic, target_critic: Critic, target_policy: DeterministicPolicy
) -> CriticLoss:
    """Squared TD error of a deterministic policy's critic (Lillicrap et al. 2016, eq. 4–5).

        y = r + discount · Q_target(s', μ_target(s'))
        value = mean of weight · (y − Q(s, a))²

    The batch has actions (B, *action); `critic`, the only one in what is returned, gets the
    gradient.
    """
    n_rows = check_batch(batch)
    with torch.no_grad():
        after, actions = batch.last_states, target_policy(batch.last_states)
        (next_values,) = _values("target_critic", [target_critic], after, actions, n_rows)
        targets = batch.rewards + batch.discounts * next_values
    return _regression(batch, [critic], targets)


def ddpg_policy_loss(states: Observations, critic: Critic, policy: DeterministicPolicy) -> Tensor:
    """The loss whose gradient is the deterministic policy gradient (Lillicrap et al. 2016, eq. 6).

        −mean of Q(s, μ(s))

    As in `sac_policy_loss`, the gradient reaches the critic's parameters as well.
    """
    actions = policy(states)
    (values,) = _values("critic", [critic], states, actions, len(actions))
    return -values.mean()


def _regression(batch: Batch[Tensor], critics: Sequence[Critic], targets: Tensor) -> CriticLoss:
    q_values = _values("critics", critics, batch.states, batch.actions, len(batch))
    errors = [targets - q for q in q_values]
    unweighted = torch.stack([error.detach().abs() for error in errors]).mean(0)
    return CriticLoss(
        values=tuple(weighted_mean(error.square(), batch.weights) for error in errors),
        priorities=as_priorities(unweighted),
        q_values=tuple(q.detach() for q in q_values),
    )


def _values(
    name: str, critics: Sequence[Critic], states: Observations, actions: Tensor, n_rows: int
) -> list[Tensor]:
    """What each critic says, (B,)."""
    if not critics:
        raise ValueError(f"{name} must hold at least one critic, got none")
    return [
        one_value_per_row(f"{name}[{i}]", critic(states, actions), n_rows)
        for i, critic in enumerate(critics)
    ]


def _temperature(alpha: Tensor | float) -> Tensor | float:
    return _one_element("alpha", alpha).detach() if isinstance(alpha, Tensor) else alpha


def _one_element(name: str, tensor: Tensor) -> Tensor:
    if tensor.numel() != 1:
        raise ShapeError(f"{name} must have one element, got shape {tuple(tensor.shape)}")
    return shaped(name, tensor.reshape(()), ())
