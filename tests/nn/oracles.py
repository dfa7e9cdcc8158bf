"""What networks should compute, spelled out with functions on their state dict."""

import itertools

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from torch.nn import functional as F

from plain import softmax

IMAGE = (4, 84, 84)
SMALL_IMAGE = (2, 36, 40)
SWITCHES = [
    dict(zip(("dueling", "noisy", "distributional"), values, strict=True))
    for values in itertools.product([False, True], repeat=3)
]
all_switches = pytest.mark.parametrize(
    "switches", SWITCHES, ids=lambda s: "+".join(k for k, v in s.items() if v) or "plain"
)


def image_space(shape=SMALL_IMAGE, high=255, dtype=np.uint8):
    return spaces.Box(0, high, shape, dtype)


def vector_space(size=4):
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


def images(n_rows, shape=SMALL_IMAGE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n_rows, *shape), generator=generator, dtype=torch.uint8)


def vectors(n_rows, size=4, seed=0):
    return torch.randn(n_rows, size, generator=torch.Generator().manual_seed(seed))


class Doubler(nn.Module):
    """A body of the user's: twice the input, flattened."""

    def forward(self, x):
        return 2 * x.flatten(1)


def conv_features(state, x):
    x = x.float() / 256
    for name, stride in (("conv.0", 4), ("conv.2", 2), ("conv.4", 1)):
        x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride).clamp(min=0)
    return x.reshape(len(x), -1)


def head(state, name, x):
    """Two layers with a ReLU between, from the means (noise left out)."""
    hidden = (x @ state[f"{name}.0.weight"].T + state[f"{name}.0.bias"]).clamp(min=0)
    return hidden @ state[f"{name}.2.weight"].T + state[f"{name}.2.bias"]


def expected(logits, atoms):
    """(B, A, atoms) to (B, A)."""
    return torch.from_numpy((softmax(logits.detach().numpy()) * np.asarray(atoms)).sum(-1)).float()


def weight_shapes(net):
    """Shapes of the weights, and those of the biases that go with them."""
    state = net.state_dict()
    return {key[: -len(".weight")]: tuple(state[key].shape) for key in state if ".weight" in key}
