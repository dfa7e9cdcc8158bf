"""Losses of values: Q-learning and its double form, state values, and the mean value of states."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from ptan.agent import default_states_preprocessor
from ptan.agent.base import batch_size, move_to
from ptan.common.checks import check_above_zero
from ptan.common.types import Observations
from ptan.experience import Batch
from ptan.losses._checks import (
    alike,
    as_priorities,
    check_batch,
    discrete_actions,
    of_actions,
    shaped,
    weighted_mean,
)

QNetwork: TypeAlias = Callable[[Observations], Tensor]
"""States (B, *obs) to action values (B, actions): a module, a `TargetNet`, any callable."""

# 1000 held-out Atari states in one pass would need half a gigabyte for their activations.
_STATES_PER_PASS = 256


class Loss(NamedTuple):
    """What a loss of a batch returns.

    value        scalar with gradient: the mean over the batch, weighted by `batch.weights`
    priorities   (B,) the unweighted error of each row, at least 1e-8, without gradient
    """

    value: Tensor
    priorities: Tensor


def dqn_loss(
    batch: Batch[Tensor], net: QNetwork, target_net: QNetwork, *, double: bool = False
) -> Loss:
    """Squared TD error of Q-learning (Mnih et al. 2015, eq. 2; double: van Hasselt et al. 2016).

        y = r + discount · max_a Q_target(s', a)
        y = r + discount · Q_target(s', argmax_a Q(s', a))        double
        value = mean of weight · (y − Q(s, a))²
        priority = |y − Q(s, a)|

    Args:
        batch: With actions (B,) int64.
        net: States to Q (B, actions); gets the gradient.
        target_net: The same shape; runs without gradients. A module or a `TargetNet`.
        double: Let `net` choose the action whose target value counts. Costs one forward more.
    """
    n_rows = check_batch(batch)
    actions = discrete_actions(batch.actions, n_rows)
    # The forward pass with gradients comes last: a noisy net draws new noise into its buffers at
    # every pass, and backward needs those of this one.
    with torch.no_grad():
        output = target_net(batch.last_states)
        next_q = shaped("target_net(last_states)", output, (n_rows, "actions"))
        shape = tuple(next_q.shape)
        if double:
            best = shaped("net(last_states)", net(batch.last_states), shape).argmax(1)
            next_values = of_actions(next_q, best)
        else:
            next_values = next_q.amax(1)
        targets = batch.rewards + batch.discounts * next_values
    errors = targets - of_actions(shaped("net(states)", net(batch.states), shape), actions)
    return Loss(weighted_mean(errors.square(), batch.weights), as_priorities(errors.detach().abs()))


def value_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of state values (Sutton & Barto 2018, eq. 9.1, sampled).

        mean of (target − V(s))²

    Args:
        values: V(s).
        targets: Returns; no gradient.
    """
    values, targets = alike(values=values, targets=targets)
    return (targets.detach() - values).square().mean()


def clipped_value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, *, clip: float = 0.2
) -> Tensor:
    """The value loss of PPO with clipped changes (Schulman et al. 2017, its published code).

        V_clip = V_old + clamp(V − V_old, −clip, clip)
        mean of max((target − V)², (target − V_clip)²)

    Args:
        values: V(s).
        old_values: V(s) when the data was collected; no gradient.
        targets: Returns; no gradient.
        clip: Change in V beyond which an improvement earns no gradient; above 0.
    """
    check_above_zero("clip", clip)
    values, old, targets = alike(values=values, old_values=old_values, targets=targets)
    old, targets = old.detach(), targets.detach()
    clipped = old + (values - old).clamp(-clip, clip)
    return torch.maximum((targets - values).square(), (targets - clipped).square()).mean()


@torch.no_grad()
def mean_state_value(states: Observations, net: QNetwork) -> float:
    """Mean over held-out states of max_a Q(s, a): how much reward the network expects.

    It rises smoothly where episode rewards are noisy (Mnih et al. 2013, section 5.1). Reading it
    waits for the device.

    Args:
        states: (N, *obs) array or tensor, a list of N observations, or nested ones, at least one.
            They go to the network's device in parts, dtype unchanged.
        net: States to Q (B, actions). A network with a method `qvals`, as distributional ones
            have, is asked that. Never switched between train and eval.
    """
    module = getattr(net, "target_model", net)
    evaluate: QNetwork = getattr(module, "qvals", module)
    parameters = module.parameters() if isinstance(module, nn.Module) else iter(())

    def best(part: Observations) -> Tensor:
        q = shaped("net(states)", evaluate(part), (batch_size(part), "actions"))
        return q.amax(1, keepdim=True)

    return mean_over_states(states, best, next((p.device for p in parameters), None))[0]


@torch.no_grad()
def mean_over_states(
    states: Observations,
    ask: Callable[[Observations], Tensor],
    device: torch.device | None = None,
) -> list[float]:
    """Means over held-out states of the K numbers that `ask` says of each: B states to (B, K).

    The states, as for `mean_state_value`, are moved to the device (None leaves them) in parts.
    """
    observations = default_states_preprocessor(states)
    n_states = batch_size(observations)
    if n_states == 0:
        raise ValueError("states must hold at least one state, got none")
    answers = []
    for start in range(0, n_states, _STATES_PER_PASS):
        part = _rows(observations, slice(start, start + _STATES_PER_PASS))
        answers.append(ask(part if device is None else move_to(part, device)))
    means: list[float] = torch.cat(answers).cpu().double().mean(0).tolist()
    return means


def _rows(observations: Observations, rows: slice) -> Observations:
    if isinstance(observations, Mapping):
        return {key: _rows(value, rows) for key, value in observations.items()}
    if isinstance(observations, tuple):
        return tuple(_rows(value, rows) for value in observations)
    return observations[rows]
