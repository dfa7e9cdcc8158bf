"""How well drawn actions fit a distribution."""

import numpy as np

# Upper 0.1 % points of the chi-square distribution by degrees of freedom.
CHI2_999 = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def chi_square(actions, expected):
    counts = np.bincount(actions, minlength=len(expected))
    wanted = np.asarray(expected, dtype=float) * len(actions)
    used = wanted > 0
    assert counts[~used].sum() == 0
    return ((counts[used] - wanted[used]) ** 2 / wanted[used]).sum()
