"""Values as distributions over fixed atoms (Bellemare et al. 2017, section 4)."""

import math
from operator import index

import torch
from torch import Tensor

__all__ = ["expected_values", "make_supports"]


def make_supports(n_atoms: int = 51, v_min: float = -10.0, v_max: float = 10.0) -> Tensor:
    """The values that the atoms stand for, evenly spaced, both ends exact.

    Args:
        n_atoms: Number of atoms, at least 2.
        v_min: Value of the first, in units of the return.
        v_max: Value of the last.

    Returns:
        (n_atoms,) float64.

    Raises:
        ValueError: fewer than two atoms, or v_min not below v_max, or not finite.
    """
    if index(n_atoms) < 2:
        raise ValueError(f"n_atoms must be at least 2, got {n_atoms}")
    if not (math.isfinite(v_min) and math.isfinite(v_max) and v_min < v_max):
        raise ValueError(f"v_min must be below v_max, both finite, got {v_min} and {v_max}")
    # Weights instead of steps: no error adds up, and a symmetric range has an exact 0.
    step = torch.arange(n_atoms, dtype=torch.float64)
    return (step * v_max + (n_atoms - 1 - step) * v_min) / (n_atoms - 1)


def expected_values(logits: Tensor, supports: Tensor) -> Tensor:
    """The mean of each distribution: Σ softmax(logits)·supports.

    Args:
        logits: (..., n_atoms) floats.
        supports: (n_atoms,).

    Returns:
        (...) floats.
    """
    return (logits.softmax(dim=-1) * supports).sum(dim=-1)
