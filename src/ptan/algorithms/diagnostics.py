"""What a Q-network thinks of held-out states: the slow metrics of the DQN family."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ptan.losses.value import mean_over_states
from ptan.nn import QNetwork

__all__ = ["value_diagnostics"]


def value_diagnostics(
    net: QNetwork, states: Any, device: torch.device | str = "cpu"
) -> dict[str, float]:
    """Mean values over states, and the strength of learned noise. Waits for the device.

    Args:
        net: In the mode in which it is to be asked; it is not switched.
        states: (N, *obs) array or tensor, or a list of observations.
        device: Where the network lives.

    Returns:
        `values`: mean over the states of the best action's value (Mnih et al. 2013, section 5.1).
        Of a dueling network, unless also distributional, `adv` and `val`: means of the two heads.
        Of a noisy one `snr_1`, `snr_2` …: RMS(μ) / RMS(σ) of each noisy layer.
    """
    names, ask = ["values"], partial(_best, net)
    if net.dueling and not net.distributional:
        names, ask = ["values", "adv", "val"], partial(_best_and_heads, net)
    result = dict(zip(names, mean_over_states(states, ask, torch.device(device)), strict=True))
    for i, ratio in enumerate(net.noisy_layers_sigma_snr(), start=1):
        result[f"snr_{i}"] = ratio
    return result


def _best(net: QNetwork, states: Any) -> Tensor:
    """Value of the best action, (B, 1)."""
    return net.qvals(states).float().amax(1, keepdim=True)


def _best_and_heads(net: QNetwork, states: Any) -> Tensor:
    """Value of the best action, and what the two heads say, (B, 3), in a single pass."""
    advantage, value = (head.float() for head in net.adv_val(states))
    mean_advantage = advantage.mean(dim=1, keepdim=True)
    best = value + advantage.amax(1, keepdim=True) - mean_advantage
    return torch.cat([best, mean_advantage, value], dim=1)
