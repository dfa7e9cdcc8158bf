"""Policy gradients, A2C and PPO: hand-computed numbers and references."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from plain import softmax
from ptan.losses import (
    A2CLoss,
    a2c_loss,
    categorical_log_probs,
    entropy_loss,
    policy_gradient_loss,
    ppo_policy_loss,
)

from .fakes import Table, random_rows, tensors
from .oracles import future_of

LOG_PROBS = torch.tensor([-0.5, -1.0, -2.0])
RETURNS = torch.tensor([1.0, -2.0, 3.0])


def test_policy_gradients_by_hand() -> None:
    assert policy_gradient_loss(LOG_PROBS, RETURNS).item() == pytest.approx(-(-0.5 + 2 - 6) / 3)
    expected = -(-0.5 * 0.5 + -1.0 * -3.0 + -2.0 * 1.0) / 3
    baselines = torch.tensor([0.5, 1.0, 2.0])
    assert policy_gradient_loss(LOG_PROBS, RETURNS, baselines).item() == pytest.approx(expected)
    shifted = policy_gradient_loss(LOG_PROBS, RETURNS - 0.5)
    for number in (0.5, torch.tensor(0.5)):
        assert torch.equal(policy_gradient_loss(LOG_PROBS, RETURNS, number), shifted)


def test_a_policy_gradient_raises_the_probability_of_what_paid_off() -> None:
    """The gradient of a softmax policy: −(G − b) · (onehot − π) / B."""
    logits = torch.tensor([[0.1, 0.7, -0.3]], dtype=torch.float64, requires_grad=True)
    values = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    returns = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    chosen = categorical_log_probs(logits, torch.tensor([1]))
    policy_gradient_loss(chosen, returns, values).backward()
    expected = -1.5 * (np.array([[0, 1, 0]]) - softmax(logits.detach().numpy()))
    assert logits.grad.numpy() == pytest.approx(expected, rel=1e-12)
    assert values.grad is None
    assert returns.grad is None


def test_entropy_loss_is_minus_the_mean() -> None:
    assert entropy_loss(torch.tensor([0.5, 1.5])).item() == -1.0


def test_ppo_by_hand() -> None:
    old = torch.log(torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5])).requires_grad_()
    probs = torch.tensor([0.5, 0.9, 0.9, 0.1, 0.1])  # ratios 1, 1.8, 1.8, 0.2, 0.2
    log_probs = probs.log().requires_grad_()
    gains = torch.tensor([3.0, 1.0, -1.0, 1.0, -1.0], requires_grad=True)
    loss = ppo_policy_loss(log_probs, old, gains, clip=0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-(3.0 + 1.2 - 1.8 + 0.2 - 0.8) / 5)
    # Ratios that already moved the good way beyond the clip get no gradient.
    assert log_probs.grad.tolist() == pytest.approx([-0.6, 0.0, 1.8 / 5, -0.2 / 5, 0.0])
    assert old.grad is None
    assert gains.grad is None


@pytest.mark.parametrize("seed", range(4))
def test_ppo_equals_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    new, old, gains = rng.normal(scale=0.3, size=(3, 50))
    total = 0.0
    for n, o, gain in zip(new, old, gains, strict=True):
        ratio = math.exp(n) / math.exp(o)
        total += min(ratio * gain, min(max(ratio, 0.9), 1.1) * gain)
    loss = ppo_policy_loss(*(torch.from_numpy(column) for column in (new, old, gains)), clip=0.1)
    assert loss.item() == pytest.approx(-total / 50, rel=1e-12)


class TwoHeads(nn.Module):
    def __init__(self, logits, values, column: bool) -> None:
        super().__init__()
        self.policy, self.value = Table(logits, torch.float64), Table(values, torch.float64)
        self.column = column

    def forward(self, states):
        values = self.value(states)
        return self.policy(states), values.unsqueeze(1) if self.column else values


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a2c_equals_the_reference(seed: int, column: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 20, n_states=5, n_actions=3)
    logits, values = rng.normal(size=(5, 3)), rng.normal(size=5)
    net = TwoHeads(logits, values, column)
    loss = a2c_loss(tensors(rows), net)
    (loss.policy + 0.5 * loss.value + 0.01 * loss.entropy).backward()

    probs = softmax(logits)
    policy = value = entropy = 0.0
    targets, gains = [], []
    to_logits, to_values = np.zeros((5, 3)), np.zeros(5)
    for r in rows:
        after, discount = future_of(r)
        target = r.reward + discount * values[after]
        gain = target - values[r.state]
        p = probs[r.state]
        h = -(p * np.log(p)).sum()
        policy -= gain * np.log(p[r.action]) / 20
        value += gain**2 / 20
        entropy -= h / 20
        onehot = np.eye(3)[r.action]
        to_logits[r.state] += (gain * (p - onehot) + 0.01 * p * (np.log(p) + h)) / 20
        to_values[r.state] += 0.5 * 2 * -gain / 20
        targets.append(target)
        gains.append(gain)
    assert isinstance(loss, A2CLoss)
    scalars = [loss.policy.item(), loss.value.item(), loss.entropy.item()]
    assert scalars == pytest.approx([policy, value, entropy], rel=1e-6)
    assert loss.targets.numpy() == pytest.approx(np.array(targets), rel=1e-6)
    assert loss.advantages.numpy() == pytest.approx(np.array(gains), rel=1e-5)
    assert net.policy.entries.grad.numpy() == pytest.approx(to_logits, rel=1e-5, abs=1e-7)
    assert net.value.entries.grad.numpy() == pytest.approx(to_values, rel=1e-5, abs=1e-7)
