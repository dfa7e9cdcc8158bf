"""What a Q-network says of held-out states: the slow metrics of the DQN family."""

from functools import partial

import torch
from torch import Tensor

from ptan.common.types import Observations
from ptan.losses.value import mean_over_states
from ptan.nn import QNetwork

__all__ = ["value_diagnostics"]


def value_diagnostics(
    net: QNetwork, states: Observations, device: torch.device, *, parts: bool
) -> dict[str, float]:
    """Mean values over N states, and the strength of learned noise. Waits for the device.

    The network is asked in the mode in which it is. Returns

    * `values`: mean over the states of the best action's value (Mnih et al. 2013, section 5.1)
    * with `parts`, of a dueling network that is not distributional, `adv` and `val`: means of what
      its two heads say; of any other network, whose outputs are values of actions alone, `val` is
      the mean over all actions, and `adv` what the best one adds to it
    * of a noisy one `snr_1`, `snr_2` …: RMS(μ) / RMS(σ) of each noisy layer
    """
    names = ["values", "adv", "val"] if parts else ["values"]
    of_heads = parts and net.dueling and not net.distributional
    ask = partial(_of_heads if of_heads else _of_actions, net)
    result = dict(zip(names, mean_over_states(states, ask, device), strict=False))
    for i, ratio in enumerate(net.noisy_layers_sigma_snr(), start=1):
        result[f"snr_{i}"] = ratio
    return result


def _of_actions(net: QNetwork, states: Observations) -> Tensor:
    """Value of the best action, what it adds to the mean of all, and that mean, (B, 3)."""
    values = net.qvals(states)
    best, mean = values.amax(1, keepdim=True), values.mean(1, keepdim=True)
    return torch.cat([best, best - mean, mean], dim=1)


def _of_heads(net: QNetwork, states: Observations) -> Tensor:
    """Value of the best action, and what the two heads say, (B, 3), in a single pass."""
    advantage, value = net.adv_val(states)
    mean_advantage = advantage.mean(dim=1, keepdim=True)
    best = value + advantage.amax(1, keepdim=True) - mean_advantage
    return torch.cat([best, mean_advantage, value], dim=1)
