"""SAC and DDPG: a reference in float64 NumPy, gradients, twin critics."""

import numpy as np
import pytest
import torch
from torch import nn

from ptan.losses import (
    CriticLoss,
    SACPolicyLoss,
    ddpg_critic_loss,
    ddpg_policy_loss,
    sac_critic_loss,
    sac_policy_loss,
    sac_temperature_loss,
    tanh_gaussian,
)

from .fakes import random_rows, row, tensors
from .oracles import future_of


class Critic(nn.Module):
    """Q(s, a) = base_s + slope_s · a − a²."""

    def __init__(self, seed: int, column: bool = False) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.base = nn.Parameter(torch.tensor(rng.normal(size=4)))
        self.slope = nn.Parameter(torch.tensor(rng.normal(size=4)))
        self.column = column

    def forward(self, states, actions):
        a = actions.squeeze(1)
        q = self.base[states] + self.slope[states] * a - a**2
        return q.unsqueeze(1) if self.column else q

    def at(self, state: int, action: float) -> float:
        return self.base[state].item() + self.slope[state].item() * action - action**2


class Policy(nn.Module):
    """A squashed Gaussian with noise that the test owns."""

    def __init__(self, noise) -> None:
        super().__init__()
        rng = np.random.default_rng(9)
        self.mean = nn.Parameter(torch.tensor(rng.normal(size=(4, 1))))
        self.log_std = nn.Parameter(torch.tensor(rng.normal(size=(4, 1)) - 1))
        self.noise = torch.as_tensor(noise)

    def forward(self, states):
        return tanh_gaussian(self.mean[states], self.log_std[states], self.noise)

    def at(self, state: int, noise: float) -> tuple[float, float]:
        log_std = self.log_std[state].item()
        action = np.tanh(self.mean[state].item() + np.exp(log_std) * noise)
        density = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi) - np.log(1 - action**2)
        return float(action), float(density)


def continuous_rows(seed: int, n_rows: int):
    rng = np.random.default_rng(seed)
    actions = rng.uniform(-1, 1, size=(n_rows, 1))
    rows = random_rows(rng, n_rows, 4, 1)
    return [r._replace(action=a) for r, a in zip(rows, actions, strict=True)]


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_sac_critics_equal_the_reference(seed: int, weighted: bool, column: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = continuous_rows(seed, 16)
    noise = rng.normal(size=(16, 1))
    weights = rng.uniform(0.1, 1, size=16).astype(np.float32) if weighted else None
    critics, targets = [Critic(i, column) for i in (0, 1)], [Critic(i, column) for i in (2, 3)]
    policy = Policy(noise)
    batch = tensors(rows, weights)
    loss = sac_critic_loss(batch, critics, targets, policy, 0.2)
    sum(loss.values).backward()

    values, priorities = np.zeros(2), np.zeros(16)
    to_base = np.zeros((2, 4))
    q_values = np.zeros((2, 16))
    for i, r in enumerate(rows):
        after, discount = future_of(r)
        action, density = policy.at(after, noise[i, 0])
        soft = min(target.at(after, action) for target in targets) - 0.2 * density
        goal = r.reward + discount * soft
        for k, critic in enumerate(critics):
            q_values[k, i] = critic.at(r.state, r.action[0])
            error = goal - q_values[k, i]
            weight = 1.0 if weights is None else weights[i]
            values[k] += weight * error**2 / 16
            priorities[i] += abs(error) / 2
            to_base[k, r.state] -= 2 * weight * error / 16
    assert isinstance(loss, CriticLoss)
    assert [value.item() for value in loss.values] == pytest.approx(values.tolist(), rel=1e-5)
    assert loss.priorities.numpy() == pytest.approx(priorities, rel=1e-5)
    assert torch.stack(loss.q_values).numpy() == pytest.approx(q_values, rel=1e-5)
    for k, critic in enumerate(critics):
        assert critic.base.grad.numpy() == pytest.approx(to_base[k], rel=1e-4, abs=1e-6)


def test_the_sac_policy_loss_and_its_gradient() -> None:
    states, noise = torch.tensor([0, 1, 2, 3, 1]), np.random.default_rng(1).normal(size=(5, 1))
    critics, policy = [Critic(0, True), Critic(1)], Policy(noise)
    loss = sac_policy_loss(states, critics, policy, torch.tensor([0.3], requires_grad=True))
    expected, densities = 0.0, []
    for state, z in zip(states.tolist(), noise[:, 0], strict=True):
        action, density = policy.at(state, z)
        expected += (0.3 * density - min(c.at(state, action) for c in critics)) / 5
        densities.append(density)
    assert isinstance(loss, SACPolicyLoss)
    assert loss.value.item() == pytest.approx(expected, rel=1e-6)
    assert loss.log_probs.numpy() == pytest.approx(np.array(densities), rel=1e-6)

    def value(mean, log_std):
        def sample(states):
            return tanh_gaussian(mean[states], log_std[states], policy.noise)

        return sac_policy_loss(states, critics, sample, 0.3).value

    assert torch.autograd.gradcheck(value, (policy.mean, policy.log_std))


def test_the_temperature_has_its_own_loss_and_gets_no_gradient_from_the_others() -> None:
    alpha = torch.tensor(0.3, requires_grad=True)
    batch, policy = tensors(continuous_rows(0, 5)), Policy(np.zeros((5, 1)))
    sac_critic_loss(batch, [Critic(0)], [Critic(1)], policy, alpha).values[0].backward()
    sac_policy_loss(batch.states, [Critic(0)], policy, alpha).value.backward()
    assert alpha.grad is None


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_temperature_loss_by_hand(shape: tuple[int, ...]) -> None:
    log_alpha = torch.full(shape, np.log(0.5), requires_grad=True)
    log_probs = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = sac_temperature_loss(log_alpha, log_probs, target_entropy=-1.0)
    loss.backward()
    assert loss.shape == ()
    assert loss.item() == pytest.approx(-0.5 * (1.5 - 1.0))
    # The entropy, −1.5, is below the target −1: descending raises log α.
    assert log_alpha.grad.sum().item() == pytest.approx(-0.25)
    assert log_probs.grad is None


def test_ddpg_by_hand() -> None:
    action = np.array([0.5])
    rows = [row(0, action, 1.0, 1, steps=2), row(1, action, -1.0, None)]
    critic, target, mu = Critic(0), Critic(1, column=True), nn.Embedding(4, 1, dtype=torch.float64)
    loss = ddpg_critic_loss(tensors(rows), critic, target, mu)
    after = 0.81 * target.at(1, mu.weight[1].item())
    errors = [1 + after - critic.at(0, 0.5), -1 - critic.at(1, 0.5)]
    assert loss.priorities.tolist() == pytest.approx(np.abs(errors).tolist(), rel=1e-6)
    assert len(loss.values) == 1
    assert loss.values[0].item() == pytest.approx(np.mean(np.square(errors)), rel=1e-6)
    loss.values[0].backward()
    assert critic.base.grad[0].item() == pytest.approx(-errors[0], rel=1e-6)


def test_the_ddpg_policy_climbs_the_critic() -> None:
    critic, mu = Critic(0), nn.Embedding(4, 1, dtype=torch.float64)
    loss = ddpg_policy_loss(torch.tensor([0, 3]), critic, mu)
    loss.backward()
    at = [mu.weight[s].item() for s in (0, 3)]
    assert loss.item() == pytest.approx(-(critic.at(0, at[0]) + critic.at(3, at[1])) / 2)
    expected = [-(critic.slope[s].item() - 2 * a) / 2 for s, a in zip((0, 3), at, strict=True)]
    assert mu.weight.grad[[0, 3], 0].tolist() == pytest.approx(expected)
