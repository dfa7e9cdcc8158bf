"""The target network: a copy of a model that follows it in jumps or slowly."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ptan.common.checks import unit_interval


class TargetNet:
    """Keeps the copy of a network that bootstrap targets are computed with (Mnih et al. 2015).

    Both networks stay as they are otherwise: neither is frozen, nor switched between train and
    eval, here or later.
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        self.model = model
        self.target_model = copy.deepcopy(model)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the target model returns for these arguments, without gradients."""
        with torch.no_grad():
            return self.target_model(*args, **kwargs)

    @torch.no_grad()
    def sync(self) -> None:
        """Make the target equal to the model: parameters and buffers."""
        for target, source in self._pairs():
            target.copy_(source)

    @torch.no_grad()
    def alpha_sync(self, alpha: float) -> None:
        """Move the target towards the model (Lillicrap et al. 2016, section 3, with τ = 1 − alpha).

            target ← target·alpha + model·(1 − alpha)

        for parameters and buffers of floating type; integer buffers are copied. alpha in [0, 1] is
        the share of the target that stays; 0 is `sync`.
        """
        alpha = unit_interval("alpha", alpha)
        for target, source in self._pairs():
            blend = target.is_floating_point() or target.is_complex()
            if alpha == 0.0 or not blend:
                target.copy_(source)
            elif alpha < 1.0:
                # Two roundings, as the formula has them: a fused step would differ in the last bit.
                target.mul_(alpha).add_(source.to(target) * (1.0 - alpha))

    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        """(target, source) of every tensor, a shared one once, after checking that they match."""
        sources, targets = dict(_tensors(self.model)), dict(_tensors(self.target_model))
        shapes = [{name: tuple(t.shape) for name, t in x.items()} for x in (sources, targets)]
        if shapes[0] != shapes[1]:
            different = sorted(shapes[0].items() ^ shapes[1].items())
            raise ValueError(f"model and target model must have the same tensors, got {different}")
        return [(targets[name], source) for name, source in sources.items()]


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    # Not state_dict(): it leaves out buffers that are not saved.
    yield from module.named_parameters()
    yield from module.named_buffers()
