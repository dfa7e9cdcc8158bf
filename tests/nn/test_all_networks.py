"""What holds for all networks: copies, gradients, precisions, target networks."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn

from ptan.agent import TargetNet
from ptan.nn import AtariA2C, NoisyLinear, QNetwork

from .oracles import SWITCHES, Doubler, image_space, images, vector_space, vectors

NETWORKS = {"+".join(k for k, v in s.items() if v) or "plain": partial(QNetwork, **s)
            for s in SWITCHES} | {"actor-critic": AtariA2C}  # fmt: skip
BODIES = {
    "image": (image_space(), None, images(5)),
    "vector": (vector_space(), None, vectors(5)),
    "own body": (vector_space(), Doubler(), vectors(5)),
}
all_networks = pytest.mark.parametrize("name", NETWORKS)
all_bodies = pytest.mark.parametrize("kind", BODIES)


def make(name, kind="image", **options):
    space, body, x = BODIES[kind]
    return NETWORKS[name](space, 3, body=body, hidden=16, **options), x


def outputs(net, x):
    """Everything a network says of observations, side by side."""
    output = net(x)
    return output.flatten(1) if isinstance(output, torch.Tensor) else torch.cat(output, 1)


@all_bodies
@all_networks
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"]
)
def test_copies_compute_the_same(name, kind, duplicate):
    net, x = make(name, kind)
    copied = duplicate(net)
    assert torch.equal(outputs(net.eval(), x), outputs(copied.eval(), x))
    with torch.no_grad():
        next(net.parameters()).add_(1.0)
    assert not torch.equal(next(net.parameters()), next(copied.parameters()))


@all_networks
def test_a_state_dict_restores_the_network_and_a_target_network_follows(name):
    net, x = make(name)
    other, _ = make(name)
    target = TargetNet(other)
    other.load_state_dict(net.state_dict())
    target.sync()
    expected = outputs(net.eval(), x)
    for same in (other, target.target_model):
        assert torch.equal(outputs(same.eval(), x), expected)


@all_bodies
@all_networks
def test_noise_is_in_training_mode_of_noisy_networks_only(name, kind):
    net, x = make(name, kind)
    with torch.no_grad():
        assert torch.equal(outputs(net, x), outputs(net, x)) != ("noisy" in name)
        net.eval()
        assert torch.equal(outputs(net, x), outputs(net, x))


@all_networks
def test_every_parameter_learns(name):
    net, x = make(name)
    outputs(net, x).square().sum().backward()
    assert [name for name, p in net.named_parameters() if not p.grad.any()] == []


@all_networks
def test_gradients_are_right(name):
    options = {"hidden": (3, 4)}
    if name != "actor-critic":
        quiet = partial(NoisyLinear, sigma_init=0.5, resample_on_forward=False)
        options |= {"n_atoms": 2, "v_min": 0.0, "v_max": 1.0, "noisy_layer": quiet}
    net = NETWORKS[name]((2,), 2, **options).double()
    if name != "actor-critic":
        net.resample_noise(torch.Generator().manual_seed(1))
    names = [name for name, _ in net.named_parameters()]

    def values(x, *parameters):
        return torch.func.functional_call(net, dict(zip(names, parameters, strict=True)), x)

    x = vectors(3, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(values, (x, *net.parameters()))


@all_networks
def test_mixed_precision_and_whole_precisions_work(name):
    net, x = make(name)
    reference = outputs(net.eval(), x)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            rough = outputs(net, x)
        torch.testing.assert_close(rough.float(), reference, rtol=0.1, atol=0.1)
    exact = outputs(net.double(), x)
    torch.testing.assert_close(exact.float(), reference, rtol=1e-4, atol=1e-4)


@all_networks
def test_outputs_keep_the_precision_of_the_last_layer_under_autocast(name):
    net, x = make(name, "vector")
    with torch.no_grad():
        for parameter in (p for n, p in net.named_parameters() if n.endswith(".2.bias")):
            parameter.copy_(100 + torch.arange(len(parameter)) * 2.0**-10)
    net.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = outputs(net, x)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, outputs(net, x), rtol=0, atol=0.05)


def test_one_seed_gives_the_weights_of_layers_written_out():
    torch.manual_seed(9)
    net = QNetwork((4,), 2, hidden=(8, 6))
    torch.manual_seed(9)
    layers = [nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(6, 2)]
    expected = [parameter for layer in layers for parameter in layer.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), expected, strict=True))
