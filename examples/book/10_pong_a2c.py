"""Advantage actor-critic on Pong (Mnih et al. 2016), from 50 games side by side.

    A = r + discount · V(s') − V(s)
    loss = −mean of A · log π(a|s) + mean of A² − β · mean entropy of π(·|s)

There is no replay: each row is learned from once, soon after it was played.
"""

from itertools import islice

import torch
from torch import nn

import common
import ptan
from ptan.common.utils import RewardTracker, TBMeanTracker
from ptan.common.wrappers import make_atari_vec
from ptan.experience import Batch

N_ENVS = 50
ENTROPY_BETA = 0.03

options = common.read_options(
    "pong-a2c", "pong", n_steps=4, learning_rate=3e-3, adam_eps=1e-3, max_grad_norm=0.1
)
params, device = options.params, options.device

env = make_atari_vec(options.env_id, N_ENVS, **options.atari.keywords())
net = ptan.nn.AtariA2C(env.single_observation_space, env.single_action_space).to(device)
selector = ptan.actions.ProbabilityActionSelector(rng=params.seed)
agent = ptan.agent.PolicyAgent(lambda x: net(x)[0], selector, device, apply_softmax=True)
source = ptan.experience.ExperienceSourceFirstLast(
    env, agent, params.gamma, params.n_steps, env_seed=params.seed
)
optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate, eps=params.adam_eps)


def update(batch: Batch) -> dict[str, torch.Tensor]:
    """One update of policy and value; what TensorBoard is to know of it."""
    losses = ptan.losses.a2c_loss(batch, net)
    loss_entropy = ENTROPY_BETA * losses.entropy
    total = losses.policy + losses.value + loss_entropy
    optimizer.zero_grad()
    total.backward()
    gradients = torch.cat([weights.grad.flatten() for weights in net.parameters()])
    nn.utils.clip_grad_norm_(net.parameters(), params.max_grad_norm)
    optimizer.step()
    return {
        "advantage": losses.advantages,
        "values": losses.targets - losses.advantages,
        "batch_rewards": losses.targets,  # the rewards, and what is expected after them
        "loss_entropy": loss_entropy,
        "loss_policy": losses.policy,
        "loss_value": losses.value,
        "loss_total": total,
        "grad_l2": gradients.square().mean().sqrt(),  # all three before they are clipped
        "grad_max": gradients.abs().max(),
        "grad_var": gradients.var(),
    }


writer = common.make_writer(options)
rows = iter(source)
with (
    RewardTracker(writer, options.stop_reward) as games,
    TBMeanTracker(writer, batch_size=10) as means,
):
    for number in range(1, options.iterations + 1):
        batch = Batch.from_rows(islice(rows, params.batch_size))
        step = number * params.batch_size
        for name, value in update(batch.to(device)).items():
            means.track(name, value, step)
        solved = [games.reward(reward, step) for reward in source.pop_total_rewards()]
        if any(solved):
            break
env.close()
common.test_greedily(lambda x: net(x)[0], options)
