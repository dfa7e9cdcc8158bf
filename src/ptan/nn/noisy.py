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
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptan.common.checks import check_at_least, whole_number

__all__ = ["NoisyFactorizedLinear", "NoisyLayer", "NoisyLinear", "noisy_layers", "resample_noise"]


class _Options(TypedDict, total=False):
    resample_on_forward: bool
    device: torch.device | str | None
    dtype: torch.dtype | None


class NoisyLayer(nn.Linear, ABC):
    """What noisy linear layers have in common: means, deviations and the way they are used.

    The means are `weight` and `bias`, as in `nn.Linear`; the deviations `sigma_weight` and
    `sigma_bias`, of the same shapes; the noise is in buffers, ready as `epsilon_weight` and
    `epsilon_bias`. Without bias those of it are None.

    Args:
        in_features: Length of an input, at least 1.
        out_features: Length of an output, at least 1.
        sigma: What deviations start from, at least 0.
        bias: False for a layer without bias.
        resample_on_forward: Whether `forward` draws new noise in training mode. Settable at any
            time.
        device: Where the parameters are made.
        dtype: Their type.
    """

    sigma_weight: nn.Parameter
    sigma_bias: nn.Parameter | None
    epsilon_weight: Tensor
    epsilon_bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sigma: float,
        bias: bool,
        *,
        resample_on_forward: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        whole_number("in_features", in_features)
        whole_number("out_features", out_features)
        # Before nn.Linear starts, which calls reset_parameters.
        self._sigma = sigma
        super().__init__(in_features, out_features, bias=bias, device=device, dtype=dtype)
        self.resample_on_forward = resample_on_forward
        deviation = self._start()[1]
        self.sigma_weight = nn.Parameter(torch.full_like(self.weight, deviation))
        self.register_parameter(
            "sigma_bias", nn.Parameter(torch.full_like(self.bias, deviation)) if bias else None
        )

    @abstractmethod
    def _start(self) -> tuple[float, float]:
        """The means start uniform in ± the first number, the deviations at the second."""

    def reset_parameters(self) -> None:
        """Draw the means anew, and set the deviations to where they started."""
        mean_bound, deviation = self._start()
        for name, parameter in self._parameters.items():
            if parameter is not None and name.startswith("sigma"):
                nn.init.constant_(parameter, deviation)
            elif parameter is not None:
                nn.init.uniform_(parameter, -mean_bound, mean_bound)

    def resample_noise(self, generator: torch.Generator | None = None) -> None:
        """Draw the noise that is used until the next draw.

        None draws from PyTorch's own generator of the layer's device. A generator on another device
        gives equal noise on every device.
        """
        for name, noise in self._buffers.items():
            if noise is not None and name.startswith("epsilon"):
                self._buffers[name] = _normal_like(noise, generator)

    def forward(self, input: Tensor) -> Tensor:
        """Floats (..., in_features) to (..., out_features), with noise in training mode only."""
        if not self.training:
            return F.linear(input, self.weight, self.bias)
        if self.resample_on_forward:
            self.resample_noise()
        bias: Tensor | None = None
        if self.sigma_bias is not None and (noise := self.epsilon_bias) is not None:
            bias = torch.addcmul(self.bias, self.sigma_bias, noise)
        weight = torch.addcmul(self.weight, self.sigma_weight, self.epsilon_weight)
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
    noise ratios of 1.05 and 2.6; every deviation starts at `sigma_init`. A draw takes
    in_features·out_features random numbers, which for wide layers costs more than the layer
    itself: see `NoisyFactorizedLinear`. Arguments as for `NoisyLayer`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sigma_init: float = 0.017,
        bias: bool = True,
        **options: Unpack[_Options],
    ) -> None:
        check_at_least("sigma_init", sigma_init, 0)
        super().__init__(in_features, out_features, sigma_init, bias, **options)
        self.register_buffer("epsilon_weight", torch.zeros_like(self.weight))
        self.register_buffer("epsilon_bias", torch.zeros_like(self.bias) if bias else None)

    def _start(self) -> tuple[float, float]:
        return math.sqrt(3 / self.in_features), self._sigma


class NoisyFactorizedLinear(NoisyLayer):
    """A linear layer whose noise is an outer product (Fortunato et al. 2018, section 3.1b).

        ε_w[i, j] = f(ε_out[i])·f(ε_in[j])      ε_b[i] = f(ε_out[i])      f(x) = sgn(x)·√|x|

    (eq. 10 and 11.) A draw takes in_features + out_features random numbers, the buffers
    `epsilon_input` (1, in_features) and `epsilon_output` (out_features, 1). The means start uniform
    in ±1/√in_features, the deviations at sigma_zero/√in_features (section 3.2). Arguments as for
    `NoisyLayer`.
    """

    epsilon_input: Tensor
    epsilon_output: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sigma_zero: float = 0.4,
        bias: bool = True,
        **options: Unpack[_Options],
    ) -> None:
        check_at_least("sigma_zero", sigma_zero, 0)
        super().__init__(in_features, out_features, sigma_zero, bias, **options)
        self.register_buffer("epsilon_input", self.weight.new_zeros(1, in_features))
        self.register_buffer("epsilon_output", self.weight.new_zeros(out_features, 1))

    def _start(self) -> tuple[float, float]:
        return 1 / math.sqrt(self.in_features), self._sigma / math.sqrt(self.in_features)

    @property
    def epsilon_weight(self) -> Tensor:  # type: ignore[override]
        """The noise of the weights, (out_features, in_features), made from the two buffers."""
        return _signed_root(self.epsilon_output) * _signed_root(self.epsilon_input)

    @property
    def epsilon_bias(self) -> Tensor | None:  # type: ignore[override]
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
