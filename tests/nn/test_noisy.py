"""Noisy layers: when they draw, what they draw, and what they learn from it."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ptan.agent import TargetNet
from ptan.nn import NoisyFactorizedLinear, NoisyLinear, resample_noise

from .oracles import KS_999, kolmogorov_smirnov, normal_cdf, signed_root_cdf

LAYERS = [NoisyLinear, NoisyFactorizedLinear]
both_layers = pytest.mark.parametrize("layer_class", LAYERS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n, size, dtype=torch.float32, seed=5):
    return torch.randn(n, size, generator=generator(seed), dtype=dtype)


def by_hand(layer, x, noise=1.0):
    """(μ + noise·σ·ε)·x in NumPy, one output at a time."""
    weight = layer.weight.detach().numpy() + noise * (
        layer.sigma_weight.detach().numpy() * layer.epsilon_weight.numpy()
    )
    result = np.zeros((len(x), layer.out_features))
    for b, row in enumerate(x.numpy()):
        for i in range(layer.out_features):
            result[b, i] = sum(row[j] * weight[i, j] for j in range(layer.in_features))
            if layer.bias is not None:
                spread = layer.sigma_bias[i] * layer.epsilon_bias[i]
                result[b, i] += layer.bias[i].item() + noise * spread.item()
    return result


@both_layers
@pytest.mark.parametrize("bias", [True, False])
def test_training_adds_the_noise_and_evaluation_does_not(layer_class, bias):
    layer = layer_class(3, 4, bias=bias, resample_on_forward=False, dtype=torch.float64)
    layer.resample_noise(generator())
    x = rows(2, 3, torch.float64)
    np.testing.assert_allclose(layer(x).detach(), by_hand(layer, x), rtol=1e-12)
    layer.eval()
    np.testing.assert_allclose(layer(x).detach(), by_hand(layer, x, noise=0.0), rtol=1e-12)


@both_layers
def test_every_forward_in_training_mode_draws_anew(layer_class):
    layer, x = layer_class(5, 3), rows(1, 5)
    with torch.no_grad():
        outputs = [layer(x) for _ in range(3)]
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[1], outputs[2])


@both_layers
def test_without_resampling_on_forward_the_output_stays_until_noise_is_drawn(layer_class):
    layer, x = layer_class(5, 3, resample_on_forward=False), rows(2, 5)
    means = nn.functional.linear(x, layer.weight, layer.bias)
    assert torch.equal(layer(x), means)
    layer.resample_noise()
    noisy = layer(x)
    assert torch.equal(layer(x), noisy)
    assert not torch.equal(noisy, means)
    layer.resample_noise()
    assert not torch.equal(layer(x), noisy)


@both_layers
def test_resampling_on_forward_can_be_switched_later(layer_class):
    layer, x = layer_class(5, 3), rows(2, 5)
    noisy = layer(x)
    layer.resample_on_forward = False
    assert torch.equal(layer(x), noisy)


@both_layers
def test_evaluation_mode_draws_nothing(layer_class):
    layer = layer_class(5, 3).eval()
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    state = torch.get_rng_state()
    layer(rows(2, 5))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffer, before[name]) for name, buffer in layer.named_buffers())


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


def test_independent_noise_is_standard_normal_in_weights_and_bias():
    layer = NoisyLinear(200, 50)
    layer.resample_noise(generator(1))
    weights = layer.epsilon_weight.flatten().tolist()
    assert kolmogorov_smirnov(weights, normal_cdf) < KS_999
    assert kolmogorov_smirnov(layer.epsilon_bias.tolist(), normal_cdf) < KS_999
    assert np.linalg.matrix_rank(layer.epsilon_weight.numpy()) == 50


def test_successive_draws_are_not_correlated():
    layer = NoisyLinear(100, 100)
    draws, source = [], generator(3)
    for _ in range(2):
        layer.resample_noise(source)
        draws.append(layer.epsilon_weight.flatten())
    # Four standard deviations of the correlation of 10⁴ independent pairs.
    assert abs(torch.corrcoef(torch.stack(draws))[0, 1].item()) < 4 / math.sqrt(10_000)


def test_factorised_noise_is_an_outer_product_of_signed_roots():
    layer = NoisyFactorizedLinear(4000, 3000)
    layer.resample_noise(generator(2))
    roots_in, roots_out = (
        np.sign(e.numpy().ravel()) * np.sqrt(np.abs(e.numpy().ravel()))
        for e in (layer.epsilon_input, layer.epsilon_output)
    )
    np.testing.assert_allclose(layer.epsilon_weight, np.outer(roots_out, roots_in), rtol=1e-6)
    np.testing.assert_allclose(layer.epsilon_bias, roots_out, rtol=1e-6)
    assert kolmogorov_smirnov(layer.epsilon_input.flatten().tolist(), normal_cdf) < KS_999
    assert kolmogorov_smirnov(layer.epsilon_bias.tolist(), signed_root_cdf) < KS_999
    # Var f(ε) = E|ε| = √(2/π), and independent factors multiply.
    assert layer.epsilon_weight.var().item() == pytest.approx(2 / math.pi, rel=0.05)


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
def test_means_start_uniform(layer_class):
    layer = layer_class(100, 100)
    bound = (math.sqrt(3) if layer_class is NoisyLinear else 1.0) / 10
    values = layer.weight.flatten().tolist()
    assert kolmogorov_smirnov(values, lambda x: (x + bound) / (2 * bound)) < KS_999


def test_defaults_are_those_of_the_paper():
    assert NoisyLinear(9, 2).sigma_weight[0, 0].item() == pytest.approx(0.017)
    assert NoisyFactorizedLinear(16, 2).sigma_weight[0, 0].item() == pytest.approx(0.1)


@pytest.mark.parametrize(("n_in", "n_out", "ratio"), [(3136, 512, 1.05), (512, 6, 2.6)])
def test_signal_to_noise_starts_at_the_published_values(n_in, n_out, ratio):
    assert NoisyLinear(n_in, n_out).signal_to_noise() == pytest.approx(ratio, rel=0.05)


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
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_means_and_deviations_are_right(layer_class, bias):
    layer = layer_class(3, 2, bias=bias, resample_on_forward=False, dtype=torch.float64)
    layer.resample_noise(generator())
    x = rows(4, 3, torch.float64).requires_grad_()
    names = [name for name, _ in layer.named_parameters()]
    assert sorted(names) == sorted(
        ["weight", "sigma_weight"] + (["bias", "sigma_bias"] if bias else [])
    )

    def output(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), x)

    assert torch.autograd.gradcheck(output, (x, *layer.parameters()))


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


@both_layers
def test_state_dict_carries_the_noise_into_another_layer(layer_class):
    layer, other = (layer_class(5, 3, resample_on_forward=False) for _ in range(2))
    layer.resample_noise()
    other.resample_noise()
    other.load_state_dict(layer.state_dict())
    x = rows(2, 5)
    assert torch.equal(layer(x), other(x))


def test_parameters_and_buffers_have_the_published_names():
    named = ["bias", "epsilon_bias", "epsilon_weight", "sigma_bias", "sigma_weight", "weight"]
    assert sorted(NoisyLinear(3, 2).state_dict()) == named
    assert sorted(NoisyLinear(3, 2, bias=False).state_dict()) == [
        n for n in named if "bias" not in n
    ]
    factorised = set(NoisyFactorizedLinear(3, 2).state_dict())
    assert factorised - set(named) == {"epsilon_input", "epsilon_output"}


@both_layers
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"]
)
def test_a_copy_computes_the_same_and_draws_for_itself(layer_class, duplicate):
    layer, x = layer_class(5, 3), rows(2, 5)
    layer(x).sum().backward()
    layer.resample_on_forward = False
    copied = duplicate(layer)
    assert torch.equal(layer(x), copied(x))
    copied.resample_noise()
    assert not torch.equal(layer(x), copied(x))


@both_layers
def test_a_target_network_follows_means_deviations_and_noise(layer_class):
    layer, x = layer_class(5, 3), rows(2, 5)
    target = TargetNet(layer)
    with torch.no_grad():
        layer.sigma_weight.add_(1.0)
    layer(x)
    target.sync()
    layer.resample_on_forward = target.target_model.resample_on_forward = False
    assert torch.equal(target(x), layer(x))


@both_layers
def test_noise_moves_with_the_layer(layer_class):
    layer = layer_class(5, 3).to("meta")
    for source in (None, generator()):  # the generator is on the CPU
        layer.resample_noise(source)
        assert {buffer.device.type for buffer in layer.buffers()} == {"meta"}
    assert layer(torch.empty(2, 5, device="meta")).shape == (2, 3)


@both_layers
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_noise_takes_the_type_of_the_layer(layer_class, dtype):
    layer = layer_class(5, 3).to(dtype)
    assert layer(rows(2, 5).to(dtype)).dtype == dtype
    assert {buffer.dtype for buffer in layer.buffers()} == {dtype}


@both_layers
def test_mixed_precision_learns_in_float32(layer_class):
    layer = layer_class(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(rows(2, 5))
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert layer.sigma_weight.grad.dtype == torch.float32


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
        ((2, 2, math.nan), "sigma_(init|zero) must be finite and at least 0, got nan"),
    ],
)
def test_numbers_out_of_range_are_refused(layer_class, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer_class(*arguments)
