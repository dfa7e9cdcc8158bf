"""Networks and layers: a body chosen by the observations, and heads on top of it.

* `QNetwork`: the DQN family, every combination of dueling, noisy, distributional
* `DQNNet`, `DuelingDQN`, `NoisyDQN`, `DistributionalDQN`, `RainbowDQN`: the same, under the names
  that textbooks use
* `QMLP`: the same for vector observations
* `AtariA2C`: a policy and a value
* `BodyNetwork`: the base of all these, for a network with heads of your own
* `NoisyLinear`, `NoisyFactorizedLinear`: linear layers with learned noise; `NoisyLayer`, their
  base; `resample_noise` draws it for a whole network
* `atari_body`, `mlp_body`: the bodies

Networks take `(input_shape, n_actions)` or the spaces of one environment. An image, three axes with
the channels first, goes through the convolutions of DQN (`net.conv`); any other box through fully
connected layers (`net.body`). Other spaces need a body of your own: any module that makes
(B, features) of them.
"""

from ptan.nn.actor_critic import AtariA2C
from ptan.nn.bodies import BodyNetwork, atari_body, mlp_body
from ptan.nn.noisy import NoisyFactorizedLinear, NoisyLayer, NoisyLinear, resample_noise
from ptan.nn.q_network import QNetwork
from ptan.nn.textbook import (
    QMLP,
    DistributionalDQN,
    DQNNet,
    DuelingDQN,
    NoisyDQN,
    RainbowDQN,
)

__all__ = [
    "QMLP",
    "AtariA2C",
    "BodyNetwork",
    "DQNNet",
    "DistributionalDQN",
    "DuelingDQN",
    "NoisyDQN",
    "NoisyFactorizedLinear",
    "NoisyLayer",
    "NoisyLinear",
    "QNetwork",
    "RainbowDQN",
    "atari_body",
    "mlp_body",
    "resample_noise",
]
