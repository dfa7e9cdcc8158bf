"""The actor-critic network: a policy and a value over one body."""

import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ptan.agent import ActorCriticAgent, PolicyAgent
from ptan.nn import AtariA2C

from .oracles import (
    IMAGE,
    Doubler,
    conv_features,
    head,
    image_space,
    images,
    vector_space,
    vectors,
)


def test_heads_compute_over_the_same_features():
    net, x = AtariA2C(image_space(), spaces.Discrete(3), hidden=16), images(5)
    state = net.state_dict()
    features = conv_features(state, x)
    logits, values = net(x)
    torch.testing.assert_close(logits, head(state, "policy", features))
    torch.testing.assert_close(values, head(state, "value", features))
    assert (logits.shape, values.shape) == ((5, 3), (5, 1))


def test_parts_have_the_published_names_and_widths():
    state = AtariA2C(IMAGE, 6).state_dict()
    weights = {key: tuple(state[key].shape) for key in state if key.endswith("weight")}
    assert weights == {
        "conv.0.weight": (32, 4, 8, 8),
        "conv.2.weight": (64, 32, 4, 4),
        "conv.4.weight": (64, 64, 3, 3),
        "policy.0.weight": (512, 3136),
        "policy.2.weight": (6, 512),
        "value.0.weight": (512, 3136),
        "value.2.weight": (1, 512),
    }


@pytest.mark.parametrize("body", [None, Doubler()])
def test_vectors_and_bodies_of_the_users_fit(body):
    net, x = AtariA2C(vector_space(), 2, body=body, hidden=8), vectors(3)
    state = net.state_dict()
    features = x if body is None else 2 * x
    torch.testing.assert_close(net(x)[0], head(state, "policy", features))
    torch.testing.assert_close(net(x)[1], head(state, "value", features))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"]
)
def test_copies_compute_the_same(duplicate):
    net, x = AtariA2C(vector_space(), 2), vectors(3)
    for ours, theirs in zip(net(x), duplicate(net)(x), strict=True):
        assert torch.equal(ours, theirs)


def test_every_parameter_learns():
    net = AtariA2C(image_space(), 3, hidden=16)
    logits, values = net(images(4))
    (logits.square().sum() + values.square().sum()).backward()
    assert [name for name, p in net.named_parameters() if not p.grad.any()] == []


def test_gradients_are_right():
    net = AtariA2C((2,), 2, hidden=(3, 3)).double()
    names = [name for name, _ in net.named_parameters()]

    def outputs(x, *parameters):
        return torch.func.functional_call(net, dict(zip(names, parameters, strict=True)), x)

    x = vectors(3, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(outputs, (x, *net.parameters()))


def test_mixed_precision_works():
    net, x = AtariA2C(image_space(), 3), images(2)
    exact = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = net(x)
    for one, other in zip(exact, rough, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=0.1, atol=0.05)


def test_agents_act_with_it():
    net = AtariA2C(vector_space(), 2)
    observations = vectors(3).numpy()
    actions, values = ActorCriticAgent(net, apply_softmax=True)(observations)
    assert set(np.unique(actions)) <= {0, 1}
    np.testing.assert_allclose(values, net(torch.from_numpy(observations))[1].detach()[:, 0])
    actions, _ = PolicyAgent(lambda x: net(x)[0], apply_softmax=True)(observations)
    assert actions.shape == (3,)


def test_shapes_and_spaces_that_do_not_fit_are_refused_by_name():
    with pytest.raises(TypeError, match="action space must be Discrete, got Box"):
        AtariA2C((4,), spaces.Box(-1, 1, (2,)))
    with pytest.raises(ValueError, match=r"must have shape \(B, 4\), got \(3, 5\)"):
        AtariA2C((4,), 2)(vectors(3, 5))
