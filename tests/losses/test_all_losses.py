"""What holds for all losses of networks: autocast, no waiting for the device, purity."""

import numpy as np
import pytest
import torch
from torch import nn

from ptan.experience import Batch
from ptan.losses import (
    a2c_loss,
    categorical_loss,
    categorical_projection,
    dqn_loss,
    sac_critic_loss,
    sac_policy_loss,
    tanh_gaussian,
)

from .fakes import row, tensors

N_ACTIONS, N_ATOMS = 3, 11


class Distribution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, N_ACTIONS * N_ATOMS)
        self.supports: torch.Tensor
        self.register_buffer("supports", torch.linspace(-2, 2, N_ATOMS))

    def forward(self, states):
        return self.out(states).view(-1, N_ACTIONS, N_ATOMS)


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.policy, self.value = nn.Linear(4, N_ACTIONS), nn.Linear(4, 1)

    def forward(self, states):
        return self.policy(states), self.value(states)


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 1)

    def forward(self, states, actions):
        return self.out(torch.cat([states, actions], 1))


class Policy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 2)

    def forward(self, states):
        mean, log_std = self.out(states).chunk(2, 1)
        return tanh_gaussian(mean, log_std, torch.zeros_like(mean))


def rows(continuous: bool):
    rng = np.random.default_rng(0)
    result = []
    for i in range(16):
        state, after = rng.normal(size=(2, 4)).astype(np.float32)
        action = rng.uniform(-1, 1, 1).astype(np.float32) if continuous else i % N_ACTIONS
        last = None if i % 4 == 0 else after
        result.append(row(state, action, rng.normal(), last, steps=1 + i % 3, truncated=i % 4 == 1))
    return result


def q_learning(double):
    def loss(batch, nets):
        result = dqn_loss(batch, nets[0], nets[1], double=double)
        return [result.value], result.priorities

    return [nn.Linear(4, N_ACTIONS), nn.Linear(4, N_ACTIONS)], loss, False


def categorical(double):
    def loss(batch, nets):
        result = categorical_loss(batch, nets[0], nets[1], double=double)
        return [result.value], result.priorities

    return [Distribution(), Distribution()], loss, False


def a2c():
    def loss(batch, nets):
        result = a2c_loss(batch, nets[0])
        return [result.policy, result.value, result.entropy], result.targets

    return [ActorCritic()], loss, False


def sac():
    def loss(batch, nets):
        critics = sac_critic_loss(batch, nets[0:1], nets[2:4], nets[1], 0.2)
        policy = sac_policy_loss(batch.states, nets[2:4], nets[1], 0.2)
        return [*critics.values, policy.value], critics.priorities

    return [Critic(), Policy(), Critic(), Critic()], loss, True


CASES = {
    "dqn": lambda: q_learning(False),
    "double": lambda: q_learning(True),
    "categorical": lambda: categorical(False),
    "categorical double": lambda: categorical(True),
    "a2c": a2c,
    "sac": sac,
}


@pytest.mark.parametrize("case", CASES)
def test_under_autocast_only_the_networks_are_in_half_precision(case: str) -> None:
    torch.manual_seed(0)
    nets, loss, continuous = CASES[case]()
    batch = tensors(rows(continuous))
    seen = []
    nets[0].register_forward_hook(lambda *a: seen.append(a[2]))
    exact, exact_rows = loss(batch, nets)
    seen.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values, per_row = loss(batch, nets)
    outputs = [seen[0]] if isinstance(seen[0], torch.Tensor) else list(seen[0])
    assert {output.dtype for output in outputs} == {torch.bfloat16}
    assert {value.dtype for value in (*values, per_row)} == {torch.float32}
    for value, reference in zip(values, exact, strict=True):
        assert value.item() == pytest.approx(reference.item(), rel=0.05, abs=0.02)
    assert per_row.detach().numpy() == pytest.approx(exact_rows.detach().numpy(), rel=0.1, abs=0.05)
    # A forward pass without gradients came before: autocast must not reuse its weights.
    sum(values).backward()
    assert all(p.grad is not None and p.grad.any() for p in nets[0].parameters())


@pytest.mark.parametrize("case", CASES)
def test_nothing_waits_for_the_device(case: str) -> None:
    """Tensors of the meta device hold no numbers: `item`, `bool`, `tolist` and their like raise."""
    nets, loss, continuous = CASES[case]()
    batch = Batch.from_rows(rows(continuous)).to("meta")
    batch.weights = torch.ones(16, device="meta")
    values, per_row = loss(batch, [net.to("meta") for net in nets])
    sum(values).backward()
    assert {value.shape for value in values} == {torch.Size([])}
    assert per_row.shape == (16,)


@pytest.mark.parametrize("case", CASES)
def test_losses_change_neither_batch_nor_networks(case: str) -> None:
    nets, loss, continuous = CASES[case]()
    batch = tensors(rows(continuous), np.linspace(0.1, 1, 16))
    names = ("states", "actions", "rewards", "discounts", "last_states", "dones", "weights")
    before = {name: getattr(batch, name).clone() for name in names}
    weights = [{k: v.clone() for k, v in net.state_dict().items()} for net in nets]
    nets[0].eval()
    modes = [net.training for net in nets]
    first, _ = loss(batch, nets)
    again, _ = loss(batch, nets)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(getattr(batch, name), column) for name, column in before.items())
    for net, old in zip(nets, weights, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in net.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert [net.training for net in nets] == modes
    assert torch.is_grad_enabled()


def test_the_projection_of_half_precision_is_float32_and_keeps_its_mass() -> None:
    probs = torch.rand(64, 51).softmax(1).bfloat16()
    others = (torch.randn(64), torch.rand(64), torch.zeros(64, dtype=torch.bool))
    projected = categorical_projection(probs, *others, torch.linspace(-10, 10, 51))
    assert projected.dtype == torch.float32
    assert (projected.sum(1) - probs.float().sum(1)).abs().max() < 1e-6
