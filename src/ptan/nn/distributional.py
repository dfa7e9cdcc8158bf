"""Values as distributions over fixed atoms (Bellemare et al. 2017, section 4)."""

import math

import torch
from torch import Tensor

from ptan.common.checks import whole_number

__all__ = ["expected_values", "make_supports"]


def make_supports(n_atoms: int = 51, v_min: float = -10.0, v_max: float = 10.0) -> Tensor:
    """The values that the atoms stand for (n_atoms,) float64, evenly spaced, both ends exact."""
    whole_number("n_atoms", n_atoms, least=2)
    if not (math.isfinite(v_min) and math.isfinite(v_max) and v_min < v_max):
        raise ValueError(f"v_min must be below v_max, both finite, got {v_min} and {v_max}")
    # Weights instead of steps: no error adds up, and a symmetric range has an exact 0.
    step = torch.arange(n_atoms, dtype=torch.float64)
    return (step * v_max + (n_atoms - 1 - step) * v_min) / (n_atoms - 1)


def expected_values(logits: Tensor, supports: Tensor) -> Tensor:
    """The mean of each distribution: logits (..., n_atoms) and supports (n_atoms,) to (...)."""
    return (logits.softmax(dim=-1) * supports).sum(dim=-1)
