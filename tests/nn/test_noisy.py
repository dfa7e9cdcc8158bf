"""Noisy layers: when they draw, what they draw, and what they learn from it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import nn

from ptan.nn import NoisyFactorizedLinear, NoisyLinear, resample_noise

both_layers = pytest.mark.parametrize("layer_class", [NoisyLinear, NoisyFactorizedLinear])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n, size, dtype=torch.float32, seed=5):
    return torch.randn(n, size, generator=generator(seed), dtype=dtype)


def assert_distributed(values, cdf):
    assert kstest(values.detach().flatten().numpy(), cdf).pvalue > 1e-3


def by_hand(layer, x, noise=1.0):
    """(μ + noise·σ·ε)·x in NumPy."""
    state = {name: tensor.detach().numpy() for name, tensor in layer.named_parameters()}
    weight = state["weight"] + noise * state["sigma_weight"] * layer.epsilon_weight.numpy()
    result = np.einsum("bj,ij->bi", x.numpy(), weight)
    if layer.bias is None:
        return result
    return result + state["bias"] + noise * state["sigma_bias"] * layer.epsilon_bias.numpy()


@both_layers
@pytest.mark.parametrize("bias", [True, False])
def test_training_adds_the_noise_and_evaluation_does_not(layer_class, bias):
    layer = layer_class(3, 4, bias=bias, resample_on_forward=False, dtype=torch.float64)
    layer.resample_noise(generator())
    x = rows(2, 3, torch.float64)
    np.testing.assert_allclose(layer(x).detach(), by_hand(layer, x), rtol=1e-12)
    other = layer_class(3, 4, bias=bias, resample_on_forward=False, dtype=torch.float64)
    other.load_state_dict(layer.state_dict())  # with the noise
    assert torch.equal(other(x), layer(x))
    layer.eval().resample_on_forward = True
    state, noise = torch.get_rng_state(), layer.epsilon_weight.clone()
    np.testing.assert_allclose(layer(x).detach(), by_hand(layer, x, noise=0.0), rtol=1e-12)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(layer.epsilon_weight, noise)


@both_layers
def test_noise_is_drawn_by_forward_or_only_when_asked(layer_class):
    layer, x = layer_class(5, 3), rows(2, 5)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    layer.resample_on_forward = False
    assert torch.equal(layer(x), second)
    layer.resample_noise()
    third = layer(x)
    assert not torch.equal(third, second)
    assert torch.equal(layer(x), third)
    quiet = layer_class(5, 3, resample_on_forward=False)
    assert torch.equal(quiet(x), nn.functional.linear(x, quiet.weight, quiet.bias))


@both_layers
def test_noise_comes_from_the_generator_that_is_given_and_from_no_other(layer_class):
    first, second = layer_class(5, 3), layer_class(5, 3)
    state = torch.get_rng_state()
    first.resample_noise(generator(7))
    second.resample_noise(generator(7))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.epsilon_weight, second.epsilon_weight)
    assert torch.equal(first.epsilon_bias, second.epsilon_bias)
    second.resample_noise(generator(8))
    assert not torch.equal(first.epsilon_weight, second.epsilon_weight)


def test_independent_noise_is_standard_normal_and_new_in_every_draw():
    layer, source, draws = NoisyLinear(200, 50), generator(1), []
    for _ in range(2):
        layer.resample_noise(source)
        draws.append(layer.epsilon_weight.flatten())
    assert_distributed(layer.epsilon_weight, "norm")
    assert_distributed(layer.epsilon_bias, "norm")
    assert np.linalg.matrix_rank(layer.epsilon_weight.numpy()) == 50
    # Four standard deviations of the correlation of 10⁴ independent pairs.
    assert abs(torch.corrcoef(torch.stack(draws))[0, 1].item()) < 4 / math.sqrt(10_000)


def test_factorised_noise_is_an_outer_product_of_signed_roots():
    layer = NoisyFactorizedLinear(4000, 3000)
    layer.resample_noise(generator(2))
    normal = [e.numpy().ravel() for e in (layer.epsilon_input, layer.epsilon_output)]
    roots_in, roots_out = (np.sign(e) * np.sqrt(np.abs(e)) for e in normal)
    np.testing.assert_allclose(layer.epsilon_weight, np.outer(roots_out, roots_in), rtol=1e-6)
    np.testing.assert_allclose(layer.epsilon_bias, roots_out, rtol=1e-6)
    assert_distributed(layer.epsilon_input, "norm")
    assert_distributed(layer.epsilon_output, "norm")


@given(n_in=st.integers(1, 300), sigma=st.floats(0, 10), factorised=st.booleans())
def test_starting_values_follow_the_number_of_inputs(n_in, sigma, factorised):
    layer = (NoisyFactorizedLinear if factorised else NoisyLinear)(n_in, 3, sigma)
    bound = 1 / math.sqrt(n_in) if factorised else math.sqrt(3 / n_in)
    deviation = sigma / math.sqrt(n_in) if factorised else sigma
    for mean in (layer.weight, layer.bias):
        assert mean.abs().max().item() <= bound * (1 + 1e-6)
    for spread in (layer.sigma_weight, layer.sigma_bias):
        np.testing.assert_allclose(spread.detach(), deviation, rtol=1e-6, atol=1e-30)


@both_layers
def test_means_start_uniform_and_deviations_as_in_the_paper(layer_class):
    bound, deviation = (math.sqrt(3), 0.017) if layer_class is NoisyLinear else (1.0, 0.04)
    layer = layer_class(100, 100)
    assert_distributed(layer.weight * 10, lambda x: (x + bound) / (2 * bound))
    assert layer.sigma_weight[0, 0].item() == pytest.approx(deviation)


def test_signal_to_noise_is_the_ratio_of_root_mean_squares():
    layer = NoisyLinear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -4.0]]))
        layer.sigma_weight.copy_(torch.tensor([[1.0, 7.0]]))
    assert layer.signal_to_noise() == pytest.approx(5 / math.sqrt(50))
    assert NoisyLinear(2, 1, sigma_init=0.0).signal_to_noise() == math.inf


@both_layers
def test_reset_parameters_starts_again(layer_class):
    layer = layer_class(5, 3)
    weight, sigma = layer.weight.detach().clone(), layer.sigma_weight.detach().clone()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(100)
    layer.reset_parameters()
    assert layer.weight.abs().max().item() < 2
    assert not torch.equal(layer.weight, weight)
    assert torch.equal(layer.sigma_weight, sigma)
    assert layer.sigma_bias.max().item() < 2


@both_layers
def test_two_passes_before_one_backward_each_learn_from_their_own_noise(layer_class):
    layer, x = layer_class(3, 2, dtype=torch.float64), rows(4, 3, torch.float64)
    gradients, total = torch.zeros_like(layer.sigma_weight), torch.zeros(())
    for _ in range(2):
        total = total + layer(x).sum()
        # d(sum of outputs)/dσ_w[i, j] = ε_w[i, j] · Σ_b x[b, j]
        gradients += layer.epsilon_weight * x.sum(dim=0)
    total.backward()
    torch.testing.assert_close(layer.sigma_weight.grad, gradients)


@both_layers
def test_noise_drawn_in_inference_mode_can_be_learned_from_later(layer_class):
    layer, x = layer_class(3, 2, resample_on_forward=False), rows(4, 3)
    with torch.inference_mode():
        layer.resample_noise()
        layer(x)
    layer(x).sum().backward()
    assert layer.sigma_weight.grad.abs().max().item() > 0


def test_parameters_and_buffers_have_the_published_names():
    named = ["bias", "epsilon_bias", "epsilon_weight", "sigma_bias", "sigma_weight", "weight"]
    assert sorted(NoisyLinear(3, 2).state_dict()) == named
    without = [n for n in named if "bias" not in n]
    assert sorted(NoisyLinear(3, 2, bias=False).state_dict()) == without
    factorised = set(NoisyFactorizedLinear(3, 2).state_dict())
    assert factorised - set(named) == {"epsilon_input", "epsilon_output"}


@both_layers
def test_noise_moves_with_the_layer_and_takes_its_type(layer_class):
    layer = layer_class(5, 3).to("meta")
    for source in (None, generator()):  # the generator is on the CPU
        layer.resample_noise(source)
        assert {buffer.device.type for buffer in layer.buffers()} == {"meta"}
    assert layer(torch.empty(2, 5, device="meta")).shape == (2, 3)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        layer = layer_class(5, 3).to(dtype)
        assert layer(rows(2, 5).to(dtype)).dtype == dtype
        assert {buffer.dtype for buffer in layer.buffers()} == {dtype}


def test_resample_noise_reaches_every_layer_of_a_network():
    net = nn.Sequential(NoisyLinear(3, 3), nn.Sequential(nn.ReLU(), NoisyFactorizedLinear(3, 2)))
    resample_noise(net, generator(1))
    first = [buffer.clone() for buffer in net.buffers()]
    assert all(buffer.abs().min().item() > 0 for buffer in first)
    resample_noise(net, generator(1))
    assert all(torch.equal(a, b) for a, b in zip(first, net.buffers(), strict=True))
    resample_noise(nn.Linear(3, 2))


@both_layers
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2), "in_features must be at least 1, got 0"),
        ((2, 0), "out_features must be at least 1, got 0"),
        ((2, 2, -0.1), "sigma_(init|zero) must be finite and at least 0, got -0.1"),
    ],
)
def test_numbers_out_of_range_are_refused(layer_class, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer_class(*arguments)
