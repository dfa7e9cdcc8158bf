"""Losses of values: Q-learning and its double form, state values, and the mean value of states."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from ptan.agent import default_states_preprocessor
from ptan.common.checks import check_above_zero
from ptan.experience import Batch
from ptan.losses._checks import (
    check_batch,
    check_matrix,
    check_same_shape,
    check_shape,
    discrete_actions,
    full_precision,
    of_actions,
    weighted_mean,
)

QNetwork: TypeAlias = Callable[[Any], Tensor]
"""States (B, *obs) to action values (B, actions): a module, a `TargetNet`, any callable."""

# Prioritized buffers refuse a priority of 0: the row could never be drawn again.
MIN_PRIORITY = 1e-8

# 1000 held-out Atari states in one pass would need half a gigabyte for their activations.
_STATES_PER_PASS = 256


class Loss(NamedTuple):
    """What a loss of a batch returns.

    value        scalar with gradient: the mean over the batch, weighted by `batch.weights`
    priorities   (B,) the unweighted error of each row, at least 1e-8, without gradient
    """

    value: Tensor
    priorities: Tensor


def as_priorities(errors: Tensor) -> Tensor:
    """Errors that are at least 0 as the priorities that prioritized buffers take."""
    return errors.detach().clamp_min(MIN_PRIORITY)


def dqn_loss(
    batch: Batch[Tensor], net: QNetwork, target_net: QNetwork, *, double: bool = False
) -> Loss:
    """Squared TD error of Q-learning (Mnih et al. 2015, eq. 2; double: van Hasselt et al. 2016).

        y = r + discount · max_a Q_target(s', a)
        y = r + discount · Q_target(s', argmax_a Q(s', a))        double
        value = mean of weight · (y − Q(s, a))²

    Args:
        batch: Of tensors, as `batch.to(device)` gives it. Reads `states` (B, *obs) and
            `last_states`, `actions` (B,) int64, `rewards` (B,) over the row's own steps,
            `discounts` (B,) (γ^steps, 0 after termination), and `weights` (B,) where there are any.
        net: States to Q (B, actions); gets the gradient. Values in half precision, as autocast
            gives them, are turned into float32 first.
        target_net: The same shape; runs without gradients. A module or a `TargetNet`.
        double: Let `net` choose the action whose target value counts. Costs one forward more.

    Returns:
        `Loss`: the scalar, and |y − Q(s, a)| per row, unweighted, as priorities.

    Raises:
        ShapeError: Q is not (B, actions), or a column is not (B,).
        TypeError: the batch holds no tensors, or its actions are no integers.
    """
    n_rows = check_batch(batch)
    actions = discrete_actions(batch.actions, n_rows)
    # The forward pass with gradients comes last: a noisy net draws new noise into its buffers at
    # every pass, and backward needs those of this one.
    with torch.no_grad():
        next_q = check_matrix("target_net(last_states)", target_net(batch.last_states), n_rows)
        if double:
            online_q = check_matrix("net(last_states)", net(batch.last_states), n_rows)
            check_shape("net(last_states)", online_q, tuple(next_q.shape))
            next_values = of_actions(next_q, online_q.argmax(1))
        else:
            next_values = next_q.amax(1)
        targets = batch.rewards + batch.discounts * next_values
    q = check_matrix("net(states)", net(batch.states), n_rows)
    check_shape("net(states)", q, tuple(next_q.shape))
    errors = targets - of_actions(q, actions)
    return Loss(weighted_mean(errors.square(), batch.weights), as_priorities(errors.detach().abs()))


def value_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of state values (Sutton & Barto 2018, eq. 9.1, sampled).

        mean of (target − V(s))²

    Args:
        values: V(s), any shape, usually (B,).
        targets: Returns of the same shape. No gradient flows into them.

    Returns:
        A scalar, without the factor ½ that some texts have.

    Raises:
        ShapeError: the shapes differ, also where they would broadcast.
    """
    check_same_shape(values=values, targets=targets)
    return (full_precision(targets.detach()) - full_precision(values)).square().mean()


def clipped_value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, *, clip: float = 0.2
) -> Tensor:
    """The value loss of PPO with clipped changes (Schulman et al. 2017, its published code).

        V_clip = V_old + clamp(V − V_old, −clip, clip)
        mean of max((target − V)², (target − V_clip)²)

    Args:
        values: V(s), any shape, usually (B,).
        old_values: V(s) when the data was collected, same shape; no gradient.
        targets: Returns, same shape; no gradient.
        clip: Change, in units of the value, beyond which an improvement earns no gradient.

    Raises:
        ShapeError: the shapes differ.
        ValueError: clip is not above 0 and finite.
    """
    check_above_zero("clip", clip)
    check_same_shape(values=values, old_values=old_values, targets=targets)
    values, old = full_precision(values), full_precision(old_values.detach())
    goal = full_precision(targets.detach())
    clipped = old + (values - old).clamp(-clip, clip)
    return torch.maximum((goal - values).square(), (goal - clipped).square()).mean()


@torch.no_grad()
def mean_state_value(states: Any, net: QNetwork) -> float:
    """Mean over held-out states of max_a Q(s, a): how much reward the network expects.

    It rises smoothly where episode rewards are noisy (Mnih et al. 2013, section 5.1).

    Args:
        states: (N, *obs) array or tensor, a list of N observations, or nested ones. They go to the
            network's device in parts, dtype unchanged.
        net: States to Q (B, actions). A network with a method `qvals`, as distributional ones
            have, is asked that. Never switched between train and eval.

    Returns:
        The mean, a plain float. Reading it waits for the device.

    Raises:
        ShapeError: Q is not (B, actions).
        ValueError: no states.
    """
    module = getattr(net, "target_model", net)
    evaluate: QNetwork = getattr(module, "qvals", module)

    def best(part: Any) -> Tensor:
        return check_matrix("net(states)", evaluate(part), _length(part)).amax(1, keepdim=True)

    return mean_over_states(states, best, _device_of(module))[0]


@torch.no_grad()
def mean_over_states(
    states: Any, ask: Callable[[Any], Tensor], device: torch.device | None = None
) -> list[float]:
    """Means over held-out states of whatever a network says about each.

    Args:
        states: As for `mean_state_value`. They are asked for in parts.
        ask: A part of B states to (B, K).
        device: Where each part is moved; None leaves it.

    Returns:
        K plain floats. Reading them waits for the device.

    Raises:
        ValueError: no states.
    """
    observations = default_states_preprocessor(states)
    n_states = _length(observations)
    if n_states == 0:
        raise ValueError("states must hold at least one state, got none")
    answers = [
        ask(_part(observations, slice(start, start + _STATES_PER_PASS), device))
        for start in range(0, n_states, _STATES_PER_PASS)
    ]
    means: list[float] = torch.cat(answers).cpu().double().mean(0).tolist()
    return means


def _device_of(net: Any) -> torch.device | None:
    """Where a module lives; None for a callable that does not say."""
    if not isinstance(net, nn.Module):
        return None
    return next((tensor.device for tensor in net.parameters()), None)


def _length(observations: Any) -> int:
    while not isinstance(observations, Tensor):
        nested = observations.values() if isinstance(observations, Mapping) else observations
        observations = next(iter(nested))
    return len(observations)


def _part(observations: Any, rows: slice, device: torch.device | None) -> Any:
    if isinstance(observations, Mapping):
        return {key: _part(value, rows, device) for key, value in observations.items()}
    if isinstance(observations, tuple):
        return tuple(_part(value, rows, device) for value in observations)
    return observations[rows].to(device)
