"""Mathematics that several tests compare with, in plain NumPy."""

import numpy as np

# Upper 0.1 % points of the chi-square distribution by degrees of freedom.
CHI2_999 = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def softmax(logits):
    """Over the last axis, in float64."""
    logits = np.asarray(logits, dtype=float)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def chi_square(drawn, expected):
    """How badly drawn numbers 0, 1, … fit probabilities; see `CHI2_999`."""
    counts = np.bincount(drawn, minlength=len(expected))
    wanted = np.asarray(expected, dtype=float) * len(drawn)
    used = wanted > 0
    assert counts[~used].sum() == 0
    return ((counts[used] - wanted[used]) ** 2 / wanted[used]).sum()
