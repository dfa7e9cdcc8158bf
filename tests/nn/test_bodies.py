"""Bodies: chosen by the observations or given, and what they are fed."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.nn import BodyNetwork, mlp_body

from .oracles import (
    SMALL_IMAGE,
    Doubler,
    conv_features,
    image_space,
    images,
    vector_space,
    vectors,
)


class Apply(nn.Module):
    """A body of the user's that calls a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_images_are_divided_by_256_and_convolved():
    net, x = BodyNetwork(image_space(), head_width=256), images(3)
    torch.testing.assert_close(net.features(x), conv_features(net.state_dict(), x))
    assert net.head_hidden == (256,)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int16", "int32", "int64", "float32", "float64", "float16", "bfloat16"],
)
def test_any_numeric_type_is_taken_as_0_to_255(dtype):
    net, x = BodyNetwork(image_space()), images(2)
    typed = x.to(getattr(torch, dtype))
    assert torch.equal(net.features(typed), net.features(x))
    assert torch.equal(typed.to(torch.uint8), x), "the input was written to"


def test_scaling_is_exact_and_only_of_images_that_are_not_scaled_already():
    net = BodyNetwork((1, 36, 36))
    net.conv = nn.Flatten()
    every_value = torch.arange(256, dtype=torch.uint8).repeat(6)[: 36 * 36].reshape(1, 1, 36, 36)
    scaled = net.features(every_value).flatten().tolist()
    assert [Fraction(value) * 256 for value in scaled] == every_value.flatten().tolist()

    in_unit_range = BodyNetwork(image_space(high=1.0, dtype=np.float32))
    in_unit_range.conv = nn.Flatten()
    x = torch.rand(2, *SMALL_IMAGE)
    assert torch.equal(in_unit_range.features(x), x.flatten(1))

    vector = BodyNetwork(vector_space(), hidden=())
    assert vector.features(torch.tensor([[0, 5, 100, 255]])).tolist() == [[0.0, 5.0, 100.0, 255.0]]


@pytest.mark.parametrize("space", [vector_space(6), (6,), [6], torch.Size([6]), np.array([6])])
def test_a_vector_gets_an_mlp_of_all_widths_but_the_last(space):
    net = BodyNetwork(space, hidden=(5, 7, 9))
    assert (net.n_features, net.head_hidden) == (7, (9,))
    default = BodyNetwork(space)
    assert (default.n_features, default.head_hidden) == (128, (128,))
    x = vectors(3, 6)
    by_hand, state = x, net.state_dict()
    for name in ("body.0", "body.2"):
        by_hand = (by_hand @ state[f"{name}.weight"].T + state[f"{name}.bias"]).clamp(min=0)
    torch.testing.assert_close(net.features(x), by_hand)


def test_a_matrix_is_a_vector_with_two_axes():
    body, x = mlp_body((2, 3), (5,)), torch.randn(4, 2, 3)
    expected = (x.reshape(4, 6) @ body[1].weight.T + body[1].bias).clamp(min=0)
    torch.testing.assert_close(body(x), expected)
    assert torch.equal(mlp_body((2, 3))(x), x.reshape(4, 6))
    assert torch.equal(BodyNetwork((2, 3), hidden=()).features(x), x.reshape(4, 6))


def test_shared_layers_follow_the_convolutions():
    net, x = BodyNetwork(image_space(), hidden=(10, 20)), images(2)
    state = net.state_dict()
    convolved = conv_features(state, x)
    expected = (convolved @ state["conv.7.weight"].T + state["conv.7.bias"]).clamp(min=0)
    torch.testing.assert_close(net.features(x), expected)
    assert (net.n_features, net.head_hidden) == (10, (20,))


def test_a_body_of_the_users_is_used_as_it_is_on_unscaled_floats():
    body = nn.Linear(4, 5)
    net, x = BodyNetwork(vector_space(), body=body), torch.randn(2, 4)
    assert net.body is body
    assert (net.n_features, net.head_hidden) == (5, (512,))
    assert torch.equal(net.features(x), body(x))
    x = images(2)
    net = BodyNetwork(image_space(), body=nn.Flatten())
    assert torch.equal(net.features(x), x.float().flatten(1))


def test_a_body_of_the_users_gets_other_observations_as_they_come():
    table, states = nn.Embedding(16, 5), torch.tensor([3, 0, 15])
    net = BodyNetwork(spaces.Discrete(16), body=table)
    assert torch.equal(net.features(states), table(states))
    space = spaces.Dict(
        a=vector_space(2), b=spaces.Tuple([spaces.MultiBinary(3), spaces.Discrete(4)])
    )
    join = Apply(lambda x: torch.cat([x["a"], x["b"][0], x["b"][1].unsqueeze(1)], dim=1).float())
    net = BodyNetwork(space, body=join)
    assert net.n_features == 6
    x = {"a": torch.ones(2, 2), "b": (torch.zeros(2, 3), torch.tensor([2, 3]))}
    assert net.features(x).tolist() == [[1, 1, 0, 0, 0, 2], [1, 1, 0, 0, 0, 3]]


def test_outputs_with_more_axes_are_flattened():
    net = BodyNetwork(image_space(), hidden=(6, 7), body=nn.Conv2d(2, 3, 8, stride=8))
    assert [type(part) for part in net.body] == [nn.Conv2d, nn.Flatten, nn.Linear, nn.ReLU]
    assert net.body[2].in_features == 3 * 4 * 5
    assert net.features(images(2)).shape == (2, 6)


def test_looking_at_a_body_leaves_its_modes_statistics_and_random_numbers_alone():
    norm, frozen, seen = nn.BatchNorm1d(4), nn.BatchNorm1d(4).eval(), []
    state = torch.get_rng_state()
    spy = Apply(lambda x: seen.append(spy.training) or x)
    BodyNetwork((4,), body=nn.Sequential(norm, frozen, nn.Dropout(), spy))
    assert seen == [False]
    assert (norm.training, frozen.training, spy.training) == (True, False, True)
    assert norm.num_batches_tracked.item() == 0
    assert torch.equal(torch.get_rng_state(), state)
    body = nn.Linear(5, 2)
    with pytest.raises(ValueError, match=r"body failed on observations of shape \(1, 4,\): .*mat"):
        BodyNetwork((4,), body=body)
    assert body.training


def test_layers_that_wait_for_their_input_are_made():
    assert BodyNetwork((4,), body=nn.LazyLinear(3)).body.weight.shape == (3, 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_observations_and_heads_follow_the_type_of_the_network(dtype):
    net = BodyNetwork(image_space()).to(dtype)
    features = net.features(images(2))
    assert features.dtype == dtype
    expected = conv_features({k: v.float() for k, v in net.state_dict().items()}, images(2))
    torch.testing.assert_close(features.float(), expected, rtol=0.05, atol=0.01)
    net = BodyNetwork((4,), body=nn.Linear(4, 5, dtype=dtype))
    assert net.head(2)(net.features(torch.zeros(3, 4))).dtype == dtype


def test_a_network_moves_to_another_device():
    net = BodyNetwork(image_space()).to("meta")
    assert net.features(images(2).to("meta")).shape == (2, net.n_features)


def test_gradients_reach_float_images():
    net = BodyNetwork(image_space()).double()
    x, single = images(1).double().requires_grad_(), images(1).float().requires_grad_()
    for image in (x, single):
        net.features(image).sum().backward()
    assert x.grad.abs().sum().item() > 0
    torch.testing.assert_close(single.grad.double(), x.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 2, 36, 41), (2, 36, 40), (3, 36, 40, 2), ()])
def test_another_shape_is_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"must have shape \(B, 2, 36, 40\), got \(") as caught:
        BodyNetwork(image_space()).features(torch.zeros(shape))
    assert str(caught.value).endswith(str(shape))


def test_arrays_are_refused_by_name():
    with pytest.raises(TypeError, match="observations must be a tensor, got ndarray"):
        BodyNetwork((4,)).features(np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("observations", "options", "error", "message"),
    [
        (spaces.Discrete(16), {}, ValueError, r"no body for Discrete\(16\): give one as body="),
        (spaces.Dict(a=vector_space()), {}, ValueError, "no body for Dict.*FlattenObservation"),
        (spaces.Box(0, 1, ()), {}, ValueError, r"one axis and no empty one, got shape \(\)"),
        ((4, 0), {}, ValueError, r"got shape \(4, 0\)"),
        ((84, 84, 4), {}, ValueError, r"36 x 36, got \(84, 84, 4\); put the channels first"),
        ((10, 10, 4), {}, ValueError, r"got \(10, 10, 4\); give a body of your own"),
        ((4, 35, 84), {}, ValueError, r"got \(4, 35, 84\); give a body of your own"),
        (84, {}, TypeError, "shape of one observation, such as .*, got 84"),
        ((4.5,), {}, TypeError, r"got \(4.5,\)"),
        ("box", {}, TypeError, "got 'box'"),
        (spaces.Text(5), {"body": Doubler()}, ValueError, "must be arrays, .* got Text"),
        ((4,), {"body": len}, TypeError, "must be a torch.nn.Module, got builtin"),
        ((4,), {"body": Apply(lambda x: (x, x))}, TypeError, "a tensor of floats, got \\(tensor"),
        ((4,), {"body": Apply(lambda x: x.byte())}, TypeError, "a tensor of floats, got tensor"),
        ((4,), {"body": Apply(torch.sum)}, ValueError, r"\(B, features\), got \(\) for a batch"),
        ((4,), {"body": nn.Flatten(0)}, ValueError, r"got \(4,\) for a batch of 1"),
        ((4,), {"hidden": 0}, ValueError, "hidden must hold widths of at least 1, got 0"),
        ((4,), {"hidden": (4, 0)}, ValueError, r"widths of at least 1, got \(4, 0\)"),
    ],
)
def test_what_makes_no_body_is_refused_by_name(observations, options, error, message):
    with pytest.raises(error, match=message):
        BodyNetwork(observations, **options)
