"""The networks under their textbook names: switches set, parts and sizes as published."""

import gymnasium
import numpy as np
import pytest
import torch

from ptan.nn import (
    QMLP,
    AtariA2C,
    DistributionalDQN,
    DQNNet,
    DuelingDQN,
    NoisyDQN,
    QNetwork,
    RainbowDQN,
)

from .oracles import (
    IMAGE,
    Doubler,
    all_switches,
    image_space,
    vector_space,
    vectors,
    weight_shapes,
)

SWITCHES = {
    DQNNet: (False, False, False),
    DuelingDQN: (True, False, False),
    NoisyDQN: (False, True, False),
    DistributionalDQN: (False, False, True),
    RainbowDQN: (True, True, False),
    QMLP: (False, False, False),
}


def test_spaces_and_shapes_make_the_same_network():
    env = gymnasium.make("CartPole-v1")
    net = QMLP(env.observation_space, env.action_space)
    again = QNetwork((4,), np.int64(2))
    assert [p.shape for p in net.parameters()] == [p.shape for p in again.parameters()]
    observation, _ = env.reset(seed=1)
    assert net(torch.from_numpy(observation).unsqueeze(0)).shape == (1, 2)


def test_one_width_makes_the_textbook_network_for_cartpole():
    shapes = [tuple(p.shape) for p in QMLP((4,), 2, hidden=128).parameters()]
    assert shapes == [(128, 4), (128,), (2, 128), (2,)]


@all_switches
@pytest.mark.parametrize("network", [QMLP, RainbowDQN])
def test_switches_can_be_given(network, switches):
    options = switches | {"hidden": (8, 9), "n_atoms": 5}
    net = network(vector_space(), 2, **options)
    same = QNetwork(vector_space(), 2, **options)
    same.load_state_dict(net.state_dict())
    x = vectors(3)
    assert torch.equal(net.eval()(x), same.eval()(x))


@pytest.mark.parametrize("network", SWITCHES)
def test_names_are_switches_and_bodies_can_be_given(network):
    net = network((4,), 2, body=Doubler(), hidden=8)
    assert isinstance(net, QNetwork)
    assert (net.dueling, net.noisy, net.distributional) == SWITCHES[network]
    assert net.qvals(vectors(3)).shape == (3, 2)
    assert isinstance(net.body, Doubler)


@pytest.mark.parametrize(
    ("network", "heads"),
    [
        (DQNNet, {"fc": (512, 6)}),
        (DuelingDQN, {"fc_adv": (256, 6), "fc_val": (256, 1)}),
        (NoisyDQN, {"fc": (512, 6)}),
        (DistributionalDQN, {"fc": (512, 6 * 51)}),
        (RainbowDQN, {"fc_adv": (256, 6), "fc_val": (256, 1)}),
        (AtariA2C, {"policy": (512, 6), "value": (512, 1)}),
    ],
)
def test_parts_have_the_published_names_and_widths(network, heads):
    net = network(IMAGE, 6)
    sizes = {"conv.0": (32, 4, 8, 8), "conv.2": (64, 32, 4, 4), "conv.4": (64, 64, 3, 3)}
    for name, (hidden, outputs) in heads.items():
        sizes |= {f"{name}.0": (hidden, 3136), f"{name}.2": (outputs, hidden)}
    assert weight_shapes(net) == sizes
    state = net.state_dict()
    plain = {key for key in state if "sigma" not in key and "epsilon" not in key}
    assert plain - {"supports"} == {f"{n}.{k}" for n in sizes for k in ("weight", "bias")}
    noisy = {key.rpartition(".")[2] for key in state} - {"weight", "bias", "supports"}
    assert len(noisy) == (4 if getattr(net, "noisy", False) else 0)


def test_images_and_unknown_keywords_are_refused():
    with pytest.raises(ValueError, match=r"QMLP is for vectors, got .*QNetwork"):
        QMLP(image_space(), 2)
    with pytest.raises(TypeError, match="duelling"):
        RainbowDQN((4,), 2, duelling=True)
