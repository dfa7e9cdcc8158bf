"""Losses of return distributions: the categorical algorithm, C51."""

from typing import Protocol

import torch
from torch import Tensor

from ptan.common.types import Observations
from ptan.experience import Batch
from ptan.losses._checks import (
    ShapeError,
    as_priorities,
    check_batch,
    discrete_actions,
    of_actions,
    shaped,
    weighted_mean,
)
from ptan.losses.value import Loss, QNetwork

_HALF_ULP = torch.finfo(torch.float32).eps / 2


class DistributionalNetwork(Protocol):
    """States (B, *obs) to logits (B, actions, atoms).

    supports   (atoms,) the returns that the atoms stand for, evenly spaced and ascending
    """

    supports: Tensor

    def __call__(self, states: Observations, /) -> Tensor:
        """Logits (B, actions, atoms)."""


def categorical_projection(
    next_probs: Tensor, rewards: Tensor, discounts: Tensor, dones: Tensor, supports: Tensor
) -> Tensor:
    """Project r + discount · Z back onto the atoms (Bellemare et al. 2017, eq. 7 and algorithm 1).

    The mass of atom z_j moves to Tz_j = clip(r + discount · z_j, v_min, v_max) and is shared by the
    two atoms around that place, in proportion to nearness. Where Tz_j is an atom, it gets it all.
    After termination the whole mass lies at clip(r).

    Args:
        next_probs: (B, atoms) probabilities of the next state's return.
        rewards: (B,) over the row's own steps.
        discounts: (B,) γ^steps; taken for 0 where done.
        dones: (B,) bool, terminated.
        supports: (atoms,) evenly spaced from v_min to v_max, at least two.

    Returns:
        (B, atoms) probabilities, of the dtype of `next_probs`, float32 if that is a half precision.
        Every row keeps its mass.
    """
    next_probs = shaped("next_probs", next_probs, ("batch", "atoms"))
    n_rows, n_atoms = next_probs.shape
    for name, column in (("rewards", rewards), ("discounts", discounts), ("dones", dones)):
        shaped(name, column, (n_rows,))
    shaped("supports", supports, (n_atoms,))
    if n_atoms < 2:
        raise ShapeError(f"supports must have at least two atoms, got {n_atoms}")
    # float32 would miss the atoms by rounding, and tear off a sliver of mass where it should not.
    wide = torch.float32 if next_probs.device.type == "mps" else torch.float64
    places = _places(
        rewards.to(wide), discounts.masked_fill(dones.bool(), 0.0).to(wide), supports.to(wide)
    )
    lower = places.floor()
    upper_share = places - lower
    # A NaN reward must end as a NaN loss, not as an index outside the array.
    below = lower.long().clamp(0, n_atoms - 1)
    above = (below + 1).clamp(max=n_atoms - 1)
    mass = next_probs.to(wide)
    first_of_row = torch.arange(n_rows, device=mass.device).unsqueeze(1) * n_atoms
    projected = torch.zeros(n_rows * n_atoms, dtype=wide, device=mass.device)
    projected = projected.index_add(
        0, (first_of_row + below).ravel(), (mass * (1 - upper_share)).ravel()
    )
    projected = projected.index_add(0, (first_of_row + above).ravel(), (mass * upper_share).ravel())
    return projected.view(n_rows, n_atoms).to(next_probs.dtype)


def categorical_loss(
    batch: Batch[Tensor], net: DistributionalNetwork, target_net: QNetwork, *, double: bool = False
) -> Loss:
    """Cross-entropy to the projected target distribution (Bellemare et al. 2017, algorithm 1).

        a* = argmax_a E[Z_target(s', a)]                          double: a* = argmax_a E[Z(s', a)]
        m = projection of r + discount · Z_target(s', a*)
        value = mean of weight · −Σ_i m_i log p_i(s, a)
        priority = Σ_i m_i log(m_i / p_i(s, a))                  (Hessel et al. 2018, section 3)

    Both have the same gradient. As a priority the cross-entropy would not do: where returns vary,
    it is large even if their distribution has been learned exactly.

    Args:
        batch: With actions (B,) int64.
        net: States to logits (B, actions, atoms), with a buffer `supports` (atoms,); gets the
            gradient.
        target_net: The same shape, over the same supports; runs without gradients. A module or a
            `TargetNet`.
        double: Let `net` choose the action whose target distribution counts. Costs one forward
            more.
    """
    n_rows = check_batch(batch)
    actions = discrete_actions(batch.actions, n_rows)
    supports = getattr(net, "supports", None)
    if not isinstance(supports, Tensor):
        raise TypeError(f"net must have a tensor `supports` (atoms,), got {supports!r}")
    axes = (n_rows, "actions", "atoms")
    # The forward pass with gradients comes last: see dqn_loss.
    with torch.no_grad():
        output = target_net(batch.last_states)
        next_probs = shaped("target_net(last_states)", output, axes).softmax(-1)
        chooser, shape = next_probs, tuple(next_probs.shape)
        if double:
            chooser = shaped("net(last_states)", net(batch.last_states), shape).softmax(-1)
        shaped("net.supports", supports, shape[2:])
        best = (chooser * supports).sum(-1).argmax(1)
        targets = categorical_projection(
            of_actions(next_probs, best), batch.rewards, batch.discounts, batch.dones, supports
        )
    logits = of_actions(shaped("net(states)", net(batch.states), shape), actions)
    errors = -(targets * logits.log_softmax(-1)).sum(-1)
    entropies = -torch.xlogy(targets, targets).sum(-1)
    return Loss(weighted_mean(errors, batch.weights), as_priorities(errors - entropies))


def _places(rewards: Tensor, discounts: Tensor, supports: Tensor) -> Tensor:
    """Where each atom lands, (B, atoms), counted in atoms from v_min.

    (r + discount · (v_min + i·Δ) − v_min) / Δ, sorted so that nothing is rounded when the
    distribution stays where it is (r = 0, discount = 1).
    """
    n_atoms = len(supports)
    v_min, v_max = supports[0], supports[-1]
    spacing = (v_max - v_min) / (n_atoms - 1)
    shift = (rewards + (discounts - 1) * v_min) / spacing
    order = torch.arange(n_atoms, dtype=supports.dtype, device=supports.device)
    places = (shift.unsqueeze(1) + discounts.unsqueeze(1) * order).clamp(0, n_atoms - 1)
    # A reward of 0.4 is not quite the atom 0.4 once both have been float32.
    rounding = _HALF_ULP * torch.maximum(v_min.abs(), v_max.abs()) / spacing
    nearest = places.round()
    return torch.where((places - nearest).abs() <= rounding, nearest, places)
