"""Pictures of return distributions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BAR", "GREEDY_BAR", "MEAN", "draw_distributions"]

BAR = (112, 146, 190)
"""Colour of the bars of an action, as red, green, blue."""
GREEDY_BAR = (226, 113, 22)
"""Colour of the bars of the greedy action."""
MEAN = (30, 30, 30)
"""Colour of the line at an action's value."""

_AXIS, _TEXT = (200, 200, 200), (60, 60, 60)
_PLOT_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 408, 40, 100, 10, 30, 10  # pixels


def draw_distributions(probabilities: ArrayLike, atoms: ArrayLike) -> NDArray[np.uint8]:
    """Draw the distribution of the return of every action in one state (Bellemare et al. 2017).

    One row of bars per action, a bar per atom, on one scale: the highest bar of all fills its row.
    To the left stands the action, to the right its value Σ p·z, which a dark line marks. The action
    of the greatest value has a colour of its own. The axis shows the first, middle and last return.

    Args:
        probabilities: (A, n_atoms) floats. What is not finite, of a network that has diverged, is
            drawn as 0, its action has the value "nan" and is never the greedy one.
        atoms: (n_atoms,) returns that the atoms stand for, at least two, evenly spaced and rising.

    Returns:
        (H, W, 3) uint8, of equal size for all states of one network.

    Raises:
        ValueError: wrong shapes.
        ImportError: Pillow, which TensorBoard brings, is not installed.
    """
    chances, supports = np.array(probabilities, np.float64), np.asarray(atoms, np.float64)
    if supports.ndim != 1 or len(supports) < 2 or chances.shape[1:] != supports.shape:
        raise ValueError(
            "probabilities must be (actions, n_atoms) and atoms (n_atoms,), at least 2, got "
            f"{chances.shape} and {supports.shape}"
        )
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

    values = chances @ supports  # NaN for an action that has diverged
    greedy = -1 if np.isnan(values).all() else int(np.nanargmax(values))
    heights = np.nan_to_num(chances)
    heights = np.rint(heights / (heights.max() or 1.0) * row).astype(np.int64)
    gap = 1 if bar >= 3 else 0

    def column(value: float) -> int:
        """Where a return lies: that of an atom in the middle of its bar."""
        share = (value - supports[0]) / (supports[-1] - supports[0])
        return _LEFT + int(share * (n_atoms - 1) * bar + (bar - gap) / 2)

    for action, value in enumerate(values):
        bottom = _TOP + (row + _GAP) * action + row  # of the bars, exclusive
        for atom in np.flatnonzero(heights[action]):
            left, top = _LEFT + bar * int(atom), bottom - int(heights[action, atom])
            box = (left, top, left + bar - gap - 1, bottom - 1)
            draw.rectangle(box, fill=GREEDY_BAR if action == greedy else BAR)
        draw.line((_LEFT, bottom, _LEFT + width - 1, bottom), fill=_AXIS)
        if np.isfinite(value):
            draw.line((column(value), bottom - row, column(value), bottom - 1), fill=MEAN)
        middle = bottom - row // 2
        draw.text((_LEFT - 8, middle), str(action), fill=_TEXT, anchor="rm")
        draw.text((_LEFT + width + 8, middle), _label(value), fill=_TEXT, anchor="lm")
    for value in (supports[0], (supports[0] + supports[-1]) / 2, supports[-1]):
        draw.line((column(value), floor, column(value), floor + 5), fill=_TEXT)
        draw.text((column(value), floor + 8), _label(value), fill=_TEXT, anchor="mt")
    return np.array(image)


def _label(value: float) -> str:
    return f"{value + 0.0:.4g}"  # + 0.0: without it −0 would keep its sign
