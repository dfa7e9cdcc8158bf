"""The actor-critic network: a policy and a value over one body."""

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
    weight_shapes,
)


@pytest.mark.parametrize(
    ("space", "body", "x", "features"),
    [
        (image_space(), None, images(5), conv_features),
        (vector_space(), None, vectors(5), lambda state, x: x),
        (vector_space(), Doubler(), vectors(5), lambda state, x: 2 * x),
    ],
)
def test_heads_compute_over_the_same_features(space, body, x, features):
    net = AtariA2C(space, spaces.Discrete(3), body=body, hidden=16)
    state = net.state_dict()
    logits, values = net(x)
    assert (logits.shape, values.shape) == ((5, 3), (5, 1))
    torch.testing.assert_close(logits, head(state, "policy", features(state, x)))
    torch.testing.assert_close(values, head(state, "value", features(state, x)))


def test_parts_have_the_published_names_and_widths():
    assert weight_shapes(AtariA2C(IMAGE, 6)) == {
        "conv.0": (32, 4, 8, 8),
        "conv.2": (64, 32, 4, 4),
        "conv.4": (64, 64, 3, 3),
        "policy.0": (512, 3136),
        "policy.2": (6, 512),
        "value.0": (512, 3136),
        "value.2": (1, 512),
    }


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
