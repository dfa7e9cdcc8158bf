"""Networks of the algorithms, made from settings."""

from functools import partial
from typing import Any

from torch import nn

from ptan.algorithms.dqn_config import DQNConfig
from ptan.nn import NoisyFactorizedLinear, NoisyLinear, QNetwork

__all__ = ["make_network"]


def make_network(
    observations: Any, actions: Any, config: DQNConfig, body: nn.Module | None
) -> QNetwork:
    """Make the network that the settings of the DQN family want.

    Its noise is drawn only when it is told to.

    Args:
        observations: Observation space of one environment, or the shape of one observation.
        actions: Action space, or the number of actions.
        config: The settings.
        body: A body of the user's; None chooses one by the observations.

    Raises:
        TypeError, ValueError: see `QNetwork`.
    """
    noisy_layer = NoisyFactorizedLinear if config.factorized_noise else NoisyLinear
    return QNetwork(
        observations,
        actions,
        dueling=config.dueling,
        noisy=config.noisy,
        distributional=config.distributional,
        n_atoms=config.n_atoms,
        v_min=config.v_min,
        v_max=config.v_max,
        hidden=config.hidden,
        body=body,
        noisy_layer=partial(noisy_layer, resample_on_forward=False),
    )
