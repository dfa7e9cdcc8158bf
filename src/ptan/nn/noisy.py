"""Linear layers with learned noise in their weights: exploration that the network controls.

    y = (μ_w + σ_w ⊙ ε_w)·x + μ_b + σ_b ⊙ ε_b            (Fortunato et al. 2018, eq. 9)

μ and σ are learned, ε is drawn. When it is drawn is the user's decision:

* in training mode, `forward` draws before it computes, unless the layer was made with
  `resample_on_forward=False`: each acting step and each evaluation of a loss sees noise of its own;
* with `resample_on_forward=False` only `resample_noise()` draws, once per acting step or per
  update, from a generator of the caller's if there is one; before the first draw ε is 0;
* in evaluation mode nothing is drawn and nothing is added: y = μ_w·x + μ_b.

A draw makes new tensors and leaves the old ones alone, so that two passes with different noise may
precede one backward pass, and each gets the gradient of its own noise.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptan.common.checks import check_at_least, whole_number

__all__ = ["NoisyFactorizedLinear", "NoisyLayer", "NoisyLinear", "noisy_layers", "resample_noise"]


class NoisyLayer(nn.Linear, ABC):
    """What noisy linear layers have in common: means, deviations and the way they are used.

    The means are `weight` and `bias`, as in `nn.Linear`; the deviations `sigma_weight` and
    `sigma_bias`, of the same shapes.

    Args:
        in_features: Length of an input, at least 1.
        out_features: Length of an output, at least 1.
        mean_bound: The means start uniform in ± this number.
        sigma: What every deviation starts at, at least 0.
        bias: False for a layer without bias.
        resample_on_forward: Whether `forward` draws new noise in training mode. Settable at any
            time.
        device: Where the parameters are made.
        dtype: Their type.

    Raises:
        ValueError: a number outside its range.
    """

    sigma_weight: nn.Parameter
    sigma_bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        mean_bound: float,
        sigma: float,
        bias: bool,
        *,
        resample_on_forward: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        # Before nn.Linear starts, which calls reset_parameters.
        self._start = (mean_bound, sigma)
        super().__init__(in_features, out_features, bias=bias, device=device, dtype=dtype)
        self.resample_on_forward = resample_on_forward
        self.sigma_weight = nn.Parameter(torch.full_like(self.weight, sigma))
        self.register_parameter(
            "sigma_bias", nn.Parameter(torch.full_like(self.bias, sigma)) if bias else None
        )

    def reset_parameters(self) -> None:
        """Draw the means anew, and set the deviations to where they started."""
        mean_bound, sigma = self._start
        nn.init.uniform_(self.weight, -mean_bound, mean_bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -mean_bound, mean_bound)
        for name in ("sigma_weight", "sigma_bias"):
            parameter = self._parameters.get(name)
            if parameter is not None:
                nn.init.constant_(parameter, sigma)

    @abstractmethod
    def resample_noise(self, generator: torch.Generator | None = None) -> None:
        """Draw the noise that is used until the next draw.

        Args:
            generator: Where to draw from; None is PyTorch's own generator of the layer's device. A
                generator on another device gives equal noise on every device.
        """

    @abstractmethod
    def noise(self) -> tuple[Tensor, Tensor | None]:
        """The noise now in use, of the shapes of `weight` and `bias`."""

    def forward(self, input: Tensor) -> Tensor:
        """Floats (..., in_features) to (..., out_features), with noise in training mode only."""
        if not self.training:
            return F.linear(input, self.weight, self.bias)
        if self.resample_on_forward:
            self.resample_noise()
        noise_weight, noise_bias = self.noise()
        bias: Tensor | None = None
        if self.sigma_bias is not None and noise_bias is not None:
            bias = torch.addcmul(self.bias, self.sigma_bias, noise_bias)
        weight = torch.addcmul(self.weight, self.sigma_weight, noise_weight)
        return F.linear(input, weight, bias)

    @torch.no_grad()
    def signal_to_noise(self) -> float:
        """RMS(μ) / RMS(σ) of the weights: how sure the layer is; infinite without noise."""
        ratio = self.weight.square().mean().sqrt() / self.sigma_weight.square().mean().sqrt()
        return float(ratio.item())

    def extra_repr(self) -> str:
        """What stands between the brackets of the layer's repr."""
        return f"{super().extra_repr()}, resample_on_forward={self.resample_on_forward}"


class NoisyLinear(NoisyLayer):
    """A linear layer with independent noise in every weight (Fortunato et al. 2018, section 3.1a).

    The means start uniform in ±√(3 / in_features), which for 3136 and 512 inputs gives signal-to-
    noise ratios of 1.05 and 2.6. The noise is in the buffers `epsilon_weight` and `epsilon_bias`;
    a draw takes in_features·out_features random numbers, which for wide layers costs more than
    the layer itself: see `NoisyFactorizedLinear`.

    `sigma_init` is what every deviation starts at; the rest is as for `NoisyLayer`.
    """

    epsilon_weight: Tensor
    epsilon_bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sigma_init: float = 0.017,
        bias: bool = True,
        *,
        resample_on_forward: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _check("sigma_init", sigma_init, in_features, out_features)
        super().__init__(
            in_features,
            out_features,
            math.sqrt(3 / in_features),
            sigma_init,
            bias,
            resample_on_forward=resample_on_forward,
            device=device,
            dtype=dtype,
        )
        self.register_buffer("epsilon_weight", torch.zeros_like(self.weight))
        self.register_buffer("epsilon_bias", torch.zeros_like(self.bias) if bias else None)

    def resample_noise(self, generator: torch.Generator | None = None) -> None:
        """Draw the noise that is used until the next draw; see `NoisyLayer`."""
        self.epsilon_weight = _normal_like(self.epsilon_weight, generator)
        if self.epsilon_bias is not None:
            self.epsilon_bias = _normal_like(self.epsilon_bias, generator)

    def noise(self) -> tuple[Tensor, Tensor | None]:
        """The noise now in use: `epsilon_weight` and `epsilon_bias`."""
        return self.epsilon_weight, self.epsilon_bias


class NoisyFactorizedLinear(NoisyLayer):
    """A linear layer whose noise is an outer product (Fortunato et al. 2018, section 3.1b).

        ε_w[i, j] = f(ε_out[i])·f(ε_in[j])      ε_b[i] = f(ε_out[i])      f(x) = sgn(x)·√|x|

    (eq. 10 and 11.) A draw takes in_features + out_features random numbers, the buffers
    `epsilon_input` (1, in_features) and `epsilon_output` (out_features, 1). The means start uniform
    in ±1/√in_features, the deviations at sigma_zero/√in_features (section 3.2).

    Arguments as for `NoisyLayer`.
    """

    epsilon_input: Tensor
    epsilon_output: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sigma_zero: float = 0.4,
        bias: bool = True,
        *,
        resample_on_forward: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _check("sigma_zero", sigma_zero, in_features, out_features)
        super().__init__(
            in_features,
            out_features,
            1 / math.sqrt(in_features),
            sigma_zero / math.sqrt(in_features),
            bias,
            resample_on_forward=resample_on_forward,
            device=device,
            dtype=dtype,
        )
        self.register_buffer("epsilon_input", self.weight.new_zeros(1, in_features))
        self.register_buffer("epsilon_output", self.weight.new_zeros(out_features, 1))

    def resample_noise(self, generator: torch.Generator | None = None) -> None:
        """Draw the noise that is used until the next draw; see `NoisyLayer`."""
        self.epsilon_input = _normal_like(self.epsilon_input, generator)
        self.epsilon_output = _normal_like(self.epsilon_output, generator)

    def noise(self) -> tuple[Tensor, Tensor | None]:
        """The noise now in use: `epsilon_weight` and `epsilon_bias`."""
        return self.epsilon_weight, self.epsilon_bias

    @property
    def epsilon_weight(self) -> Tensor:
        """The noise of the weights, (out_features, in_features), made from the two buffers."""
        return _signed_root(self.epsilon_output) * _signed_root(self.epsilon_input)

    @property
    def epsilon_bias(self) -> Tensor | None:
        """The noise of the bias, (out_features,), or None for a layer without bias."""
        return None if self.bias is None else _signed_root(self.epsilon_output).squeeze(1)


def noisy_layers(module: nn.Module) -> Iterator[NoisyLayer]:
    """All noisy layers of a module, itself included, in the order in which its parts were made."""
    return (layer for layer in module.modules() if isinstance(layer, NoisyLayer))


def resample_noise(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw new noise for all noisy layers of a network, whatever its mode; see `NoisyLayer`."""
    for layer in noisy_layers(module):
        layer.resample_noise(generator)


def _signed_root(x: Tensor) -> Tensor:
    return x.sign() * x.abs().sqrt()


def _normal_like(old: Tensor, generator: torch.Generator | None) -> Tensor:
    device = old.device if generator is None else generator.device
    # A tensor made in inference mode could not take part in a later backward pass.
    with torch.inference_mode(False):
        noise = torch.randn(old.shape, generator=generator, dtype=old.dtype, device=device)
        return noise.to(old.device)


def _check(name: str, sigma: float, in_features: int, out_features: int) -> None:
    check_at_least(name, sigma, 0)
    whole_number("in_features", in_features)
    whole_number("out_features", out_features)
