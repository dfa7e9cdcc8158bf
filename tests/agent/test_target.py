"""The target network against the formula, tensor by tensor."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ptan.agent import (
    TargetNet,
)


class Mixed(nn.Module):
    """Parameters (one frozen, one shared), a float buffer, an unsaved one and a counter."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.first.bias.requires_grad_(False)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("unsaved", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.norm(self.second(self.first(x)))


def tensors(net):
    return dict([*net.named_parameters(), *net.named_buffers()])


def randomise(net, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in tensors(net).values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator))
            else:
                tensor.fill_(seed)


def test_the_target_starts_as_a_plain_deep_copy():
    net = Mixed().eval()
    net.norm.train()
    target = TargetNet(net)
    assert target.model is net
    assert target.target_model is not net
    assert target.target_model.training is False
    assert target.target_model.norm.training is True
    copies = tensors(target.target_model)
    for name, tensor in tensors(net).items():
        assert torch.equal(copies[name], tensor)
        assert copies[name].data_ptr() != tensor.data_ptr()
        assert copies[name].requires_grad == tensor.requires_grad
    assert target.target_model.second.weight is target.target_model.first.weight


def test_sync_copies_parameters_and_buffers_and_nothing_else():
    net = Mixed()
    target = TargetNet(net)
    randomise(net, 3)
    before = tensors(target.target_model)
    net.eval()
    target.sync()
    for name, tensor in tensors(net).items():
        copied = tensors(target.target_model)[name]
        assert torch.equal(copied, tensor)
        assert copied is before[name]
        assert copied.grad_fn is None
        assert copied.requires_grad == tensor.requires_grad
    assert target.target_model.training is True
    randomise(net, 4)
    assert int(target.target_model.norm.num_batches_tracked) == 3


@given(st.floats(0, 1))
def test_alpha_sync_is_its_equation(alpha):
    net = Mixed()
    randomise(net, 1)
    target = TargetNet(net)
    randomise(net, 2)
    old = {name: t.double().clone() for name, t in tensors(target.target_model).items()}
    target.alpha_sync(alpha)
    for name, tensor in tensors(net).items():
        copied = tensors(target.target_model)[name]
        expected = tensor.double()
        if tensor.is_floating_point():
            expected = old[name] * alpha + tensor.double() * (1 - alpha)
        assert torch.allclose(copied.double(), expected, rtol=1e-6, atol=1e-7)
        assert copied.dtype == tensor.dtype
        assert copied.grad_fn is None


def test_alpha_sync_rounds_as_the_published_formula_does():
    net = nn.Linear(50, 50)
    target = TargetNet(net)
    randomise(net, 2)
    old = target.target_model.weight.detach().clone()
    target.alpha_sync(alpha=1 - 1e-3)
    alpha = 1 - 1e-3
    assert torch.equal(target.target_model.weight, old * alpha + (1 - alpha) * net.weight)


def test_alpha_zero_and_one_are_exact_even_for_infinities():
    net = nn.Linear(2, 2)
    target = TargetNet(net)
    with torch.no_grad():
        net.weight.fill_(float("inf"))
    target.alpha_sync(1)
    assert torch.isfinite(target.target_model.weight).all()
    target.alpha_sync(0)
    assert torch.equal(target.target_model.weight, net.weight)
    with torch.no_grad():
        net.weight.fill_(1.0)
    target.alpha_sync(0.0)
    assert torch.equal(target.target_model.weight, net.weight)


@pytest.mark.parametrize("alpha", [-0.1, 1.0001, float("nan"), float("inf"), "0.5", None])
def test_an_alpha_outside_its_range_raises_and_changes_nothing(alpha):
    net = nn.Linear(2, 2)
    target = TargetNet(net)
    before = copy.deepcopy(target.target_model.state_dict())
    randomise(net, 2)
    error = ValueError if isinstance(alpha, float) else TypeError
    with pytest.raises(error, match=r"alpha must be (a number )?in \[0, 1\], got"):
        target.alpha_sync(alpha)
    assert all(torch.equal(v, before[k]) for k, v in target.target_model.state_dict().items())


def test_networks_that_no_longer_match_raise_and_nothing_changes():
    net = nn.Sequential(nn.Linear(2, 2))
    target = TargetNet(net)
    before = copy.deepcopy(target.target_model.state_dict())
    randomise(net, 2)
    net.register_buffer("extra", torch.zeros(1))
    for sync in (target.sync, lambda: target.alpha_sync(0.5)):
        with pytest.raises(ValueError, match="extra"):
            sync()
    del net.extra
    net[0].bias = nn.Parameter(torch.zeros(1))
    for sync in (target.sync, lambda: target.alpha_sync(0.5)):
        with pytest.raises(ValueError, match=r"0\.bias', \(1,\)\), \('0\.bias', \(2,\)"):
            sync()
    assert all(torch.equal(v, before[k]) for k, v in target.target_model.state_dict().items())


def test_calling_the_target_runs_the_copy_without_gradients():
    net = nn.Linear(2, 1)
    target = TargetNet(net)
    expected = net(torch.ones(1, 2)).detach()
    randomise(net, 2)
    output = target(torch.ones(1, 2))
    assert torch.equal(output, expected)
    assert not output.requires_grad
    assert target(input=torch.ones(1, 2)).shape == (1, 1)
    assert torch.is_grad_enabled()


def test_a_target_of_something_else_raises():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, got function"):
        TargetNet(lambda x: x)
