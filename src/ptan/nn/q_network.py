"""The Q-network of the DQN family: one class, every combination of extensions by switches."""

import math
from typing import TypedDict

import torch
from torch import Tensor, nn

from ptan.common.checks import whole_number
from ptan.common.types import Observations
from ptan.nn.bodies import BodyNetwork, Hidden, LinearLayer
from ptan.nn.noisy import NoisyLayer, NoisyLinear, noisy_layers, resample_noise
from ptan.nn.spaces import SpaceOrCount, SpaceOrShape, count_actions


class Options(TypedDict, total=False):
    """What every Q-network can be told beside its switches."""

    n_atoms: int
    v_min: float
    v_max: float
    hidden: Hidden | None
    body: nn.Module | None
    noisy_layer: LinearLayer


class QNetwork(BodyNetwork):
    """Values of discrete actions, with any combination of three extensions.

    * plain (Mnih et al. 2015): the head `fc`, Q = fc(features)
    * `dueling` (Wang et al. 2016, eq. 9): two heads, Q = V + A − mean A, with A from `fc_adv` and V
      from `fc_val`
    * `noisy` (Fortunato et al. 2018): the linear layers of the heads are noisy
    * `distributional` (Bellemare et al. 2017): the heads give logits over atoms, whose values are
      the buffer `supports`; with `dueling` as in Hessel et al. 2018, section 3

    Without `noisy` the network draws nothing. With it, `NoisyLayer` says when noise is drawn: for
    one draw per acting step or update under your control, pass
    `noisy_layer=partial(NoisyLinear, resample_on_forward=False)` and call `resample_noise`.

    Args:
        observations: The observation space of one environment, or the shape of one observation.
        n_actions: Number of actions A, or the `Discrete` space of one environment.
        dueling, noisy, distributional: The switches.
        n_atoms: Number of atoms, at least 2; like v_min and v_max, for `distributional` only.
        v_min, v_max: Values of the first and the last atom.
        hidden, body: As for `BodyNetwork`. After an image or a body of your own, heads are 512
            wide, 256 if dueling.
        noisy_layer: Makes a noisy layer from its numbers of inputs and outputs, e.g.
            `NoisyFactorizedLinear`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    fc: nn.Sequential
    fc_adv: nn.Sequential
    fc_val: nn.Sequential
    supports: Tensor

    def __init__(
        self,
        observations: SpaceOrShape,
        n_actions: SpaceOrCount,
        *,
        dueling: bool = False,
        noisy: bool = False,
        distributional: bool = False,
        n_atoms: int = 51,
        v_min: float = -10.0,
        v_max: float = 10.0,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
        noisy_layer: LinearLayer = NoisyLinear,
    ) -> None:
        n_outputs = count_actions(n_actions)
        supports = _evenly_spaced(n_atoms, v_min, v_max) if distributional else None
        super().__init__(observations, hidden, body, head_width=256 if dueling else 512)
        self.n_actions = n_outputs
        self.dueling, self.noisy, self.distributional = dueling, noisy, distributional
        n_values = n_atoms if distributional else 1
        layer = noisy_layer if noisy else nn.Linear
        if dueling:
            self.fc_adv = self.head(self.n_actions * n_values, layer)
            self.fc_val = self.head(n_values, layer)
        else:
            self.fc = self.head(self.n_actions * n_values, layer)
        if supports is not None:
            self.register_buffer("supports", supports.to(self._unit))

    def forward(self, observations: Observations) -> Tensor:
        """The values of all actions (B, A); if distributional, logits (B, A, n_atoms).

        Takes, and raises, what `features` does.
        """
        if self.dueling:
            advantage, value = self.adv_val(observations)
            if self.distributional:
                value = value.unsqueeze(1)
            return value + (advantage - advantage.mean(dim=1, keepdim=True))
        return self._per_action(self.fc(self.features(observations)))

    def qvals(self, observations: Observations) -> Tensor:
        """The values of all actions (B, A); the expected values if distributional."""
        output = self(observations)
        return self._expected(output) if self.distributional else output

    def both(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Logits (B, A, n_atoms) and expected values (B, A) in one pass, if distributional."""
        self._need("both", "distributional")
        logits = self(observations)
        return logits, self._expected(logits)

    def apply_softmax(self, t: Tensor) -> Tensor:
        """Logits (..., n_atoms) to probabilities of the same shape, if distributional."""
        self._need("apply_softmax", "distributional")
        if t.ndim == 0 or t.shape[-1] != len(self.supports):
            raise ValueError(
                f"t must have shape (..., {len(self.supports)}), atoms last, got {tuple(t.shape)}"
            )
        return t.softmax(dim=-1)

    def adv_val(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Advantages (B, A) and value (B, 1), as the heads of a dueling network give them.

        If distributional, logits (B, A, n_atoms) and (B, n_atoms).
        """
        self._need("adv_val", "dueling")
        features = self.features(observations)
        return self._per_action(self.fc_adv(features)), self.fc_val(features)

    @property
    def noisy_layers(self) -> list[NoisyLayer]:
        """The noisy layers, from the input on; advantage before value."""
        return list(noisy_layers(self))

    def noisy_layers_sigma_snr(self) -> list[float]:
        """RMS(μ) / RMS(σ) of each of `noisy_layers`: below 1, more noise than weights."""
        return [layer.signal_to_noise() for layer in noisy_layers(self)]

    def resample_noise(self, generator: torch.Generator | None = None) -> None:
        """Draw new noise for all noisy layers; None is PyTorch's own generator."""
        resample_noise(self, generator)

    def _per_action(self, output: Tensor) -> Tensor:
        """Give outputs (B, A·n_atoms) an axis for the actions."""
        if not self.distributional:
            return output
        return output.reshape(len(output), self.n_actions, len(self.supports))

    def _expected(self, logits: Tensor) -> Tensor:
        return (logits.softmax(dim=-1) * self.supports).sum(dim=-1)

    def _need(self, method: str, switch: str) -> None:
        if not getattr(self, switch):
            raise TypeError(f"{method} needs a network made with {switch}=True")


def _evenly_spaced(n_atoms: int, v_min: float, v_max: float) -> Tensor:
    """The values that the atoms stand for (n_atoms,) float64, both ends exact."""
    whole_number("n_atoms", n_atoms, least=2)
    if not (math.isfinite(v_min) and math.isfinite(v_max) and v_min < v_max):
        raise ValueError(f"v_min must be below v_max, both finite, got {v_min} and {v_max}")
    # Weights instead of steps: no error adds up, and a symmetric range has an exact 0.
    step = torch.arange(n_atoms, dtype=torch.float64)
    return (step * v_max + (n_atoms - 1 - step) * v_min) / (n_atoms - 1)
