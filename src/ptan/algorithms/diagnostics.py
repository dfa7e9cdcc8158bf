"""What a Q-network thinks of held-out states: the slow metrics of the DQN family."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ptan.agent import default_states_preprocessor
from ptan.agent.base import move_to
from ptan.losses import mean_state_value
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
    observations = move_to(default_states_preprocessor(states), torch.device(device))
    result = {"values": mean_state_value(observations, net)}
    if net.dueling and not net.distributional:
        for head, name in enumerate(("adv", "val")):
            result[name] = mean_state_value(observations, partial(_head_mean, net, head))
    for i, ratio in enumerate(net.noisy_layers_sigma_snr(), start=1):
        result[f"snr_{i}"] = ratio
    return result


def _head_mean(net: QNetwork, head: int, states: Any) -> Tensor:
    """Mean over the outputs of one head, (B, 1)."""
    return net.adv_val(states)[head].mean(dim=1, keepdim=True)
