"""The target network against the formula, tensor by tensor."""

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ptan.agent import TargetNet
from refusals import NAN, assert_tells, table


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


@given(st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1, 0, 0.999]))
def test_alpha_sync_is_its_equation_to_the_last_bit(alpha):
    net = Mixed()
    randomise(net, 1)
    target = TargetNet(net)
    randomise(net, 2)
    old = {name: t.clone() for name, t in tensors(target.target_model).items()}
    target.alpha_sync(alpha)
    for name, tensor in tensors(net).items():
        copied = tensors(target.target_model)[name]
        is_float = tensor.is_floating_point()
        assert torch.equal(copied, old[name] * alpha + tensor * (1 - alpha) if is_float else tensor)
        assert copied.dtype == tensor.dtype
        assert copied.grad_fn is None


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


def refusing(call, change=lambda net: None):
    """A call on the target of a network that changed, after which the target must be as before."""

    def run():
        net = nn.Sequential(nn.Linear(2, 2))
        target = TargetNet(net)
        before = copy.deepcopy(target.target_model.state_dict())
        randomise(net, 2)
        change(net)
        try:
            call(target)
        finally:
            same = target.target_model.state_dict()
            assert all(torch.equal(value, before[key]) for key, value in same.items())

    return run


def alpha(value):
    return refusing(lambda target: target.alpha_sync(value))


def extra(net):
    net.register_buffer("extra", torch.zeros(1))


def shorter(net):
    net[0].bias = nn.Parameter(torch.zeros(1))


@table(
    ("alpha-below", alpha(-0.1), ValueError, "alpha", "got -0.1", r"in \[0, 1\]"),
    ("alpha-nan", alpha(NAN), ValueError, "alpha", "got nan", r"in \[0, 1\]"),
    ("sync-extra", refusing(TargetNet.sync, extra), ValueError, "model", "extra", "same tensors"),
    ("blend-extra", refusing(lambda target: target.alpha_sync(0.5), extra), ValueError, "model",
     "extra", "same tensors"),
    ("sync-shape", refusing(TargetNet.sync, shorter), ValueError, r"0\.bias', \(1,\)",
     r"0\.bias', \(2,\)", "same tensors"),
    ("function", lambda: TargetNet(len), TypeError, "model", "got builtin", r"torch\.nn\.Module"),
)  # fmt: skip
def test_targets_refuse_and_nothing_changes(case):
    assert_tells(case)


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
