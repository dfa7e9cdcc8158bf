"""The actor-critic network: a policy and a value over one body."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ptan.agent import ActorCriticAgent
from ptan.nn import AtariA2C

from .oracles import (
    Doubler,
    conv_features,
    head,
    image_space,
    images,
    vector_space,
    vectors,
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


def test_agents_act_with_it():
    net = AtariA2C(vector_space(), 2)
    observations = vectors(3).numpy()
    _, values = ActorCriticAgent(net, apply_softmax=True)(observations)
    np.testing.assert_allclose(values, net(torch.from_numpy(observations))[1].detach()[:, 0])
