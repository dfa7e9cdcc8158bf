"""Losses: pure functions of networks and a `Batch`. The discount comes with the batch.

* Q-learning: `dqn_loss` (also double), `mean_state_value`
* distributional: `categorical_loss`, `categorical_projection`
* policy gradients: `policy_gradient_loss` (REINFORCE, with and without baseline), `entropy_loss`,
  `value_loss`, `a2c_loss`
* PPO: `ppo_policy_loss`, `clipped_value_loss`, `generalized_advantages`
* SAC: `sac_critic_loss`, `sac_policy_loss`, `sac_temperature_loss`
* DDPG: `ddpg_critic_loss`, `ddpg_policy_loss`
* what policies say of actions: `categorical_log_probs`, `categorical_entropies`,
  `gaussian_log_probs`, `gaussian_entropies`, `tanh_gaussian`

A batch, of B rows, holds tensors, as `batch.to(device)` makes them: `states` and `last_states`
(B, *obs), `actions`, `rewards` (B,) over the row's own steps, `discounts` (B,) (γ^steps, 0 after
termination), and where there are any `weights` (B,). Other tensors, such as log-probabilities and
returns, may have any shape, usually (B,), but must all have the same.

Losses are scalars with gradient, means over the batch without a factor ½. Outputs of networks in
half precision are turned into float32 before anything is computed from them. Nothing here waits for
the device, except `mean_state_value`, which returns a float. All losses raise:

* `ShapeError`: any other shape, also where it would broadcast
* `TypeError`: no tensors, or discrete actions that are no integers
* `ValueError`: a number out of range; an action out of range on the CPU only (a GPU stops with an
  assertion of its own)
"""

from ptan.losses._checks import ShapeError
from ptan.losses.advantages import Advantages, generalized_advantages
from ptan.losses.continuous import (
    CriticLoss,
    SACPolicyLoss,
    ddpg_critic_loss,
    ddpg_policy_loss,
    sac_critic_loss,
    sac_policy_loss,
    sac_temperature_loss,
)
from ptan.losses.distributional import (
    DistributionalNetwork,
    categorical_loss,
    categorical_projection,
)
from ptan.losses.distributions import (
    categorical_entropies,
    categorical_log_probs,
    gaussian_entropies,
    gaussian_log_probs,
    tanh_gaussian,
)
from ptan.losses.policy import (
    A2CLoss,
    a2c_loss,
    entropy_loss,
    policy_gradient_loss,
    ppo_policy_loss,
)
from ptan.losses.value import Loss, clipped_value_loss, dqn_loss, mean_state_value, value_loss

__all__ = [
    "A2CLoss",
    "Advantages",
    "CriticLoss",
    "DistributionalNetwork",
    "Loss",
    "SACPolicyLoss",
    "ShapeError",
    "a2c_loss",
    "categorical_entropies",
    "categorical_log_probs",
    "categorical_loss",
    "categorical_projection",
    "clipped_value_loss",
    "ddpg_critic_loss",
    "ddpg_policy_loss",
    "dqn_loss",
    "entropy_loss",
    "gaussian_entropies",
    "gaussian_log_probs",
    "generalized_advantages",
    "mean_state_value",
    "policy_gradient_loss",
    "ppo_policy_loss",
    "sac_critic_loss",
    "sac_policy_loss",
    "sac_temperature_loss",
    "tanh_gaussian",
    "value_loss",
]
