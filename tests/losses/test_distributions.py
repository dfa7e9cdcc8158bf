"""Log-probabilities and entropies against torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from ptan.losses import (
    categorical_entropies,
    categorical_log_probs,
    gaussian_entropies,
    gaussian_log_probs,
    tanh_gaussian,
)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_discrete_actions() -> None:
    logits, actions = randn(7, 4) * 5, torch.arange(7) % 4
    reference = Categorical(logits=logits)
    assert torch.allclose(categorical_log_probs(logits, actions), reference.log_prob(actions))
    assert torch.allclose(categorical_entropies(logits), reference.entropy())


def test_an_action_that_is_ruled_out_leaves_entropy_and_gradient_finite() -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0]], dtype=torch.float64, requires_grad=True)
    allowed = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    entropy, expected = categorical_entropies(logits), categorical_entropies(allowed)
    entropy.sum().backward()
    expected.sum().backward()
    assert entropy.item() == pytest.approx(expected.item())
    assert logits.grad[0, [0, 2]].tolist() == pytest.approx(allowed.grad[0].tolist())
    assert logits.grad[0, 1].item() == 0.0


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (5, 2, 3)])
@pytest.mark.parametrize("per_state", [True, False])
def test_gaussians(shape: tuple[int, ...], per_state: bool) -> None:
    mean, actions = randn(*shape), randn(*shape, seed=1)
    log_std = randn(*(shape if per_state else shape[1:]), seed=2) * 0.5
    normal, axes = Normal(mean, log_std.exp().expand(shape)), tuple(range(1, len(shape)))
    reference = Independent(normal, len(axes))
    assert torch.allclose(gaussian_log_probs(mean, log_std, actions), reference.log_prob(actions))
    assert torch.allclose(gaussian_entropies(mean, log_std), reference.entropy())

    noise = actions
    squashed = TransformedDistribution(normal, [TanhTransform(cache_size=1)])
    drawn, log_probs = tanh_gaussian(mean, log_std, noise)
    # Kept, so that the transform has the value before the tanh at hand.
    reference_drawn = squashed.transforms[0](mean + log_std.exp() * noise)
    assert torch.allclose(drawn, reference_drawn)
    expected = squashed.log_prob(reference_drawn).sum(axes)
    assert torch.allclose(log_probs, expected, atol=1e-9)


def test_a_squashed_density_integrates_to_one() -> None:
    """Over a grid of u: ∫ π(a) da = ∫ π(tanh u) · (1 − tanh² u) du."""
    noise = torch.linspace(-12, 12, 20_001, dtype=torch.float64).unsqueeze(1)
    mean, log_std = torch.full_like(noise, 0.3), torch.full_like(noise, -0.2)
    actions, log_probs = tanh_gaussian(mean, log_std, noise)
    mass = torch.trapezoid(log_probs.exp(), actions.squeeze(1))
    assert mass.item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("far", [-60.0, 30.0, 1000.0])
def test_far_out_actions_stay_finite(far: float) -> None:
    mean = torch.tensor([[far]], requires_grad=True)
    actions, log_probs = tanh_gaussian(mean, torch.zeros(1), torch.zeros(1, 1))
    log_probs.sum().backward()
    assert actions.abs().item() == 1.0
    # log(1 − tanh² u) is 2 log 2 − 2|u| there.
    expected = -0.5 * math.log(2 * math.pi) - 2 * math.log(2) + 2 * abs(far)
    assert log_probs.item() == pytest.approx(expected, rel=1e-6)
    assert mean.grad.item() == pytest.approx(math.copysign(2.0, far))


@pytest.mark.parametrize("function", [gaussian_log_probs, lambda *a: tanh_gaussian(*a)[1]])
def test_gradients_are_those_of_finite_differences(function) -> None:
    arguments = [randn(3, 2, seed=i).requires_grad_() for i in range(3)]
    assert torch.autograd.gradcheck(function, arguments)
