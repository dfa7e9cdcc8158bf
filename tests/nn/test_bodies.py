"""Bodies: chosen by the observations or given, and what they are fed."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ptan.nn import BodyNetwork, atari_body, mlp_body

from .oracles import (
    IMAGE,
    SMALL_IMAGE,
    Doubler,
    conv_features,
    image_space,
    images,
    vector_space,
    vectors,
)


class Spy(nn.Module):
    """A body that remembers what it was given, and in which mode."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append((x, self.training))
        return torch.zeros(len(x), 3)


def convolved(size):
    for kernel, stride in ((8, 4), (4, 2), (3, 1)):
        size = (size - kernel) // stride + 1
    return size


def test_the_atari_body_is_that_of_dqn():
    convolutions = [part for part in atari_body(IMAGE) if isinstance(part, nn.Conv2d)]
    assert [
        (c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions
    ] == [(4, 32, 8, 4), (32, 64, 4, 2), (64, 64, 3, 1)]
    assert BodyNetwork(IMAGE).n_features == 3136


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(36, 100), st.integers(36, 100))
def test_the_number_of_features_follows_the_image(channels, height, width):
    net = BodyNetwork((channels, height, width))
    assert net.n_features == 64 * convolved(height) * convolved(width)


def test_images_are_divided_by_256_and_convolved():
    net, x = BodyNetwork(image_space()), images(3)
    torch.testing.assert_close(net.features(x), conv_features(net.state_dict(), x))


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int16", "int32", "int64", "float32", "float64", "float16", "bfloat16"],
)
def test_any_numeric_type_is_taken_as_0_to_255(dtype):
    net, x = BodyNetwork(image_space()), images(2)
    typed = x.to(getattr(torch, dtype))
    assert torch.equal(net.features(typed), net.features(x))
    assert torch.equal(typed.to(torch.uint8), x), "the input was written to"


def test_scaling_is_exact():
    net = BodyNetwork((1, 36, 36))
    net.conv = nn.Flatten()
    every_value = torch.arange(256, dtype=torch.uint8).repeat(6)[: 36 * 36].reshape(1, 1, 36, 36)
    scaled = net.features(every_value).flatten().tolist()
    assert [Fraction(value) * 256 for value in scaled] == every_value.flatten().tolist()


def test_images_that_are_in_the_unit_range_already_are_not_scaled():
    net = BodyNetwork(image_space(high=1.0, dtype=np.float32))
    net.conv = nn.Flatten()
    x = torch.rand(2, *SMALL_IMAGE)
    assert torch.equal(net.features(x), x.flatten(1))


def test_vectors_are_not_scaled():
    net = BodyNetwork(vector_space(), hidden=())
    x = torch.tensor([[0, 5, 100, 255]])
    assert net.features(x).tolist() == [[0.0, 5.0, 100.0, 255.0]]


@pytest.mark.parametrize("space", [vector_space(6), (6,), [6], torch.Size([6]), np.array([6])])
def test_a_vector_gets_an_mlp_of_all_widths_but_the_last(space):
    net = BodyNetwork(space, hidden=(5, 7, 9))
    layers = [part for part in net.body if isinstance(part, nn.Linear)]
    assert [(part.in_features, part.out_features) for part in layers] == [(6, 5), (5, 7)]
    assert (net.n_features, net.head_hidden) == (7, (9,))
    x = vectors(3, 6)
    by_hand, state = x, net.state_dict()
    for name in ("body.0", "body.2"):
        by_hand = (by_hand @ state[f"{name}.weight"].T + state[f"{name}.bias"]).clamp(min=0)
    torch.testing.assert_close(net.features(x), by_hand)


def test_the_mlp_body_stands_alone_too():
    body, x = mlp_body((2, 3), (5,)), torch.randn(4, 2, 3)
    expected = (x.reshape(4, 6) @ body[1].weight.T + body[1].bias).clamp(min=0)
    torch.testing.assert_close(body(x), expected)
    assert torch.equal(mlp_body((4,))(x), x)


def test_a_matrix_is_a_vector_with_two_axes():
    net = BodyNetwork(spaces.Box(-1, 1, (3, 4), np.float32), hidden=())
    x = torch.randn(2, 3, 4)
    assert torch.equal(net.features(x), x.reshape(2, 12))


def test_shared_layers_follow_the_convolutions():
    net, x = BodyNetwork(image_space(), hidden=(10, 20)), images(2)
    state = net.state_dict()
    convolved = conv_features(state, x)
    expected = (convolved @ state["conv.7.weight"].T + state["conv.7.bias"]).clamp(min=0)
    torch.testing.assert_close(net.features(x), expected)
    assert (net.n_features, net.head_hidden) == (10, (20,))


def test_default_widths():
    assert BodyNetwork((4,)).head_hidden == (128,)
    assert BodyNetwork((4,)).n_features == 128
    assert BodyNetwork(SMALL_IMAGE, head_width=256).head_hidden == (256,)
    assert BodyNetwork((4,), body=Doubler(), head_width=256).head_hidden == (256,)
    assert BodyNetwork((4,), hidden=9).head_hidden == (9,)


def test_a_body_of_the_users_is_used_as_it_is():
    body = nn.Linear(4, 5)
    net = BodyNetwork(vector_space(), body=body)
    assert net.body is body
    assert net.n_features == 5
    x = torch.randn(2, 4)
    assert torch.equal(net.features(x), body(x))


def test_a_body_of_the_users_gets_boxes_as_unscaled_floats():
    spy = Spy()
    net = BodyNetwork(image_space(), body=spy)
    x = images(2)
    net.features(x)
    assert torch.equal(spy.seen[-1][0], x.float())


def test_a_body_of_the_users_gets_other_observations_as_they_come():
    table = nn.Embedding(16, 5)
    net = BodyNetwork(spaces.Discrete(16), body=table)
    states = torch.tensor([3, 0, 15])
    assert torch.equal(net.features(states), table(states))


def test_nested_observations_reach_the_body_nested():
    class Join(nn.Module):
        def forward(self, x):
            return torch.cat([x["a"], x["b"][0], x["b"][1].unsqueeze(1)], dim=1).float()

    space = spaces.Dict(
        a=vector_space(2), b=spaces.Tuple([spaces.MultiBinary(3), spaces.Discrete(4)])
    )
    net = BodyNetwork(space, body=Join())
    assert net.n_features == 6
    x = {"a": torch.ones(2, 2), "b": (torch.zeros(2, 3), torch.tensor([2, 3]))}
    assert net.features(x).tolist() == [[1, 1, 0, 0, 0, 2], [1, 1, 0, 0, 0, 3]]


def test_outputs_with_more_axes_are_flattened():
    net = BodyNetwork(image_space(), hidden=(6, 7), body=nn.Conv2d(2, 3, 8, stride=8))
    assert [type(part) for part in net.body] == [nn.Conv2d, nn.Flatten, nn.Linear, nn.ReLU]
    assert net.body[2].in_features == 3 * 4 * 5
    assert net.features(images(2)).shape == (2, 6)


def test_looking_at_a_body_leaves_its_modes_statistics_and_random_numbers_alone():
    norm = nn.BatchNorm1d(4)
    frozen = nn.BatchNorm1d(4).eval()
    state = torch.get_rng_state()
    spy = Spy()
    BodyNetwork((4,), body=nn.Sequential(norm, frozen, nn.Dropout(), spy))
    assert spy.seen[0][1] is False
    assert (norm.training, frozen.training, spy.training) == (True, False, True)
    assert norm.num_batches_tracked.item() == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_a_failing_body_is_left_in_its_mode():
    body = nn.Linear(5, 2)
    with pytest.raises(ValueError, match=r"body failed on observations of shape \(1, 4,\): .*mat"):
        BodyNetwork((4,), body=body)
    assert body.training


def test_layers_that_wait_for_their_input_are_made():
    net = BodyNetwork((4,), body=nn.LazyLinear(3))
    assert net.body.weight.shape == (3, 4)


def test_heads_take_the_type_of_the_body():
    net = BodyNetwork((4,), body=nn.Linear(4, 5, dtype=torch.float64))
    assert net.head(2)(net.features(torch.zeros(3, 4))).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_observations_follow_the_type_of_the_network(dtype):
    net = BodyNetwork(image_space()).to(dtype)
    features = net.features(images(2))
    assert features.dtype == dtype
    expected = conv_features({k: v.float() for k, v in net.state_dict().items()}, images(2))
    torch.testing.assert_close(features.float(), expected, rtol=0.05, atol=0.01)


def test_a_network_moves_to_another_device():
    net = BodyNetwork(image_space()).to("meta")
    assert net.features(images(2).to("meta")).shape == (2, net.n_features)


def test_channels_last_computes_the_same():
    net, x = BodyNetwork(image_space()), images(2)
    expected = net.features(x)
    net.to(memory_format=torch.channels_last)
    torch.testing.assert_close(net.features(x.to(memory_format=torch.channels_last)), expected)


def test_gradients_reach_float_images():
    net = BodyNetwork(image_space()).double()
    x = images(1).double().requires_grad_()
    net.features(x).sum().backward()
    assert x.grad.abs().sum().item() > 0
    single = images(1).float().requires_grad_()
    net.features(single).sum().backward()
    torch.testing.assert_close(single.grad.double(), x.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.zeros(3, 2, 36, 41), r"\(3, 2, 36, 41\)"),
        (torch.zeros(2, 36, 40), r"\(2, 36, 40\)"),
        (torch.zeros(3, 36, 40, 2), r"\(3, 36, 40, 2\)"),
        (torch.zeros(()), r"\(\)"),
    ],
)
def test_another_shape_is_refused_by_name(x, got):
    with pytest.raises(ValueError, match=rf"must have shape \(B, 2, 36, 40\), got {got}"):
        BodyNetwork(image_space()).features(x)


def test_arrays_are_refused_by_name():
    with pytest.raises(TypeError, match="observations must be a tensor, got ndarray"):
        BodyNetwork((4,)).features(np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("observations", "error", "message"),
    [
        (spaces.Discrete(16), ValueError, r"no body for Discrete\(16\): give one as body="),
        (spaces.Dict(a=vector_space()), ValueError, "no body for Dict.*FlattenObservation"),
        (spaces.Box(0, 1, ()), ValueError, r"at least one axis and no empty one, got shape \(\)"),
        ((4, 0), ValueError, r"got shape \(4, 0\)"),
        ((84, 84, 4), ValueError, r"36 x 36, got \(84, 84, 4\); put the channels first"),
        ((10, 10, 4), ValueError, r"got \(10, 10, 4\); give a body of your own"),
        ((4, 35, 84), ValueError, r"got \(4, 35, 84\); give a body of your own"),
        (84, TypeError, "shape of one observation, such as .*, got 84"),
        ((4.5,), TypeError, r"got \(4.5,\)"),
        ("box", TypeError, "got 'box'"),
    ],
)
def test_observations_without_a_body_are_refused_by_name(observations, error, message):
    with pytest.raises(error, match=message):
        BodyNetwork(observations)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Bytes(nn.Module):
    def forward(self, x):
        return x.to(torch.uint8)


class Sum(nn.Module):
    def forward(self, x):
        return x.sum()


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (lambda x: x, TypeError, "body must be a torch.nn.Module, got function"),
        (Pair(), TypeError, "body must return a tensor of floats, got \\(tensor"),
        (Bytes(), TypeError, "body must return a tensor of floats, got tensor"),
        (Sum(), ValueError, r"body must return \(B, features\), got \(\) for a batch of 1"),
        (nn.Flatten(0), ValueError, r"got \(4,\) for a batch of 1"),
    ],
)
def test_bodies_that_give_no_features_are_refused_by_name(body, error, message):
    with pytest.raises(error, match=message):
        BodyNetwork((4,), body=body)


@pytest.mark.parametrize("hidden", [0, (4, 0), (-1,)])
def test_widths_below_one_are_refused(hidden):
    with pytest.raises(ValueError, match="hidden must hold widths of at least 1"):
        BodyNetwork((4,), hidden=hidden)


def test_a_space_without_arrays_is_refused():
    with pytest.raises(ValueError, match=r"observations must be arrays, .* got Text"):
        BodyNetwork(spaces.Text(5), body=Doubler())


def test_features_start_with_a_sensible_size():
    # Uniform weights in ±1/√n halve the variance or so per layer; they never blow it up.
    features = BodyNetwork(IMAGE).features(images(4, IMAGE))
    assert 0 < features.square().mean().item() < 1
    assert math.isfinite(features.sum().item())
