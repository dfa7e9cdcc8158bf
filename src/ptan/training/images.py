"""Pictures of return distributions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BAR", "GREEDY_BAR", "MEAN", "draw_distributions"]

BAR, GREEDY_BAR, MEAN, _TEXT = (112, 146, 190), (226, 113, 22), (30, 30, 30), (60, 60, 60)
"""Colours as red, green, blue."""
_PLOT_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 408, 40, 100, 10, 30, 10  # pixels


def draw_distributions(probabilities: ArrayLike, atoms: ArrayLike) -> NDArray[np.uint8]:
    """Draw the distribution of the return of every action in one state (Bellemare et al. 2017).

    One row of bars per action, a bar per atom, on one scale: the highest bar of all fills its row.
    To the left stands the action, to the right its value Σ p·z, which a dark line marks. The action
    of the greatest value has a colour of its own. Below stand the first and the last return.

    Args:
        probabilities: (A, n_atoms) floats. Those of a network that has diverged are drawn as 0.
        atoms: (n_atoms,) returns that the atoms stand for, at least two, evenly spaced and rising.

    Returns (H, W, 3) uint8, of equal size for all states of one network. Raises ImportError where
    Pillow, which TensorBoard brings, is not installed.
    """
    chances, supports = np.array(probabilities, np.float64), np.asarray(atoms, np.float64)
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise ImportError('images need Pillow: pip install "ptan[tensorboard]"') from error
    chances[~np.isfinite(chances)] = np.nan
    n_actions, n_atoms = chances.shape
    bar, row = max(1, _PLOT_WIDTH // n_atoms), min(48, max(14, 1200 // n_actions))
    width, floor = bar * n_atoms, _TOP + (row + _GAP) * n_actions
    image = Image.new("RGB", (_LEFT + width + _RIGHT, floor + _BOTTOM), "white")
    draw = ImageDraw.Draw(image)

    values = chances @ supports
    greedy = int(np.argmax(np.where(np.isnan(values), -np.inf, values)))
    heights = np.nan_to_num(chances)
    heights = np.rint(heights / (heights.max() or 1.0) * row).astype(np.int64)
    gap = 1 if bar >= 3 else 0
    for action, value in enumerate(values):
        bottom = _TOP + (row + _GAP) * action + row  # of the bars, exclusive
        for atom in np.flatnonzero(heights[action]).tolist():
            left, top = _LEFT + bar * atom, bottom - int(heights[action, atom])
            box = (left, top, left + bar - gap - 1, bottom - 1)
            draw.rectangle(box, fill=GREEDY_BAR if action == greedy else BAR)
        if np.isfinite(value):
            share = (value - supports[0]) / (supports[-1] - supports[0])
            column = _LEFT + int(share * (n_atoms - 1) * bar + (bar - gap) / 2)
            draw.line((column, bottom - row, column, bottom - 1), fill=MEAN)
        middle = bottom - row // 2
        draw.text((_LEFT - 8, middle), str(action), fill=_TEXT, anchor="rm")
        draw.text((_LEFT + width + 8, middle), f"{value:.4g}", fill=_TEXT, anchor="lm")
    draw.text((_LEFT, floor + 8), f"{supports[0]:.4g}", fill=_TEXT, anchor="lt")
    draw.text((_LEFT + width, floor + 8), f"{supports[-1]:.4g}", fill=_TEXT, anchor="rt")
    return np.array(image)
