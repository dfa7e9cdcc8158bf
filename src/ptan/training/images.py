"""Pictures of return distributions, drawn with NumPy alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BAR", "GREEDY_BAR", "MEAN", "draw_distributions"]

BAR = (112, 146, 190)
"""Colour of the bars of an action, as red, green, blue."""
GREEDY_BAR = (226, 113, 22)
"""Colour of the bars of the greedy action."""
MEAN = (30, 30, 30)
"""Colour of the mark at an action's value."""

_BACKGROUND = (255, 255, 255)
_GREEDY_BACKGROUND = (255, 243, 230)
_LINE = (200, 200, 200)
_TEXT = (60, 60, 60)

# In pixels.
_PLOT_WIDTH = 408
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 100, 10, 30
_HEIGHT_OF_ALL_ROWS, _LEAST_ROW, _GREATEST_ROW = 1200, 14, 48
_GAP = 10
_SCALE = 2  # of the letters

_GLYPHS = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "-": "... ... ### ... ...",
    "+": "... .#. ### .#. ...",
    ".": "... ... ... ... .#.",
    "e": "... ### ##. #.. ###",
    "n": "... ##. #.# #.# #.#",
    "a": "... .## #.# #.# .##",
}
_LETTERS = {
    letter: np.array([[dot == "#" for dot in line] for line in lines.split()])
    .repeat(_SCALE, axis=0)
    .repeat(_SCALE, axis=1)
    for letter, lines in _GLYPHS.items()
}
_LETTER_HEIGHT, _LETTER_STEP = 5 * _SCALE, 4 * _SCALE

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]


def draw_distributions(probabilities: ArrayLike, atoms: ArrayLike) -> Pixels:
    """Draw the distribution of the return of every action in one state (Bellemare et al. 2017).

    One row of bars per action, a bar per atom, on one scale: the highest bar of all fills its row.
    To the left stands the action, to the right its value Σ p·z, which a dark line marks. The action
    of the greatest value stands out. The axis below shows the first, middle and last return.

    Args:
        probabilities: (A, n_atoms) floats. What is not finite, of a network that has diverged, is
            drawn as 0, its action has the value "nan" and is never the greedy one.
        atoms: (n_atoms,) returns that the atoms stand for, at least two, evenly spaced and rising.

    Returns:
        (H, W, 3) uint8, as wide for one state as for another of the same network.

    Raises:
        ValueError: wrong shapes, a negative probability, or atoms that do not rise.
    """
    chances, supports, diverged = _checked(probabilities, atoms)
    n_actions, n_atoms = chances.shape
    bar = max(1, _PLOT_WIDTH // n_atoms)
    row = min(_GREATEST_ROW, max(_LEAST_ROW, _HEIGHT_OF_ALL_ROWS // n_actions))
    width, height = bar * n_atoms, (row + _GAP) * n_actions
    image = np.full((_TOP + height + _BOTTOM, _LEFT + width + _RIGHT, 3), _BACKGROUND, np.uint8)

    values = np.where(diverged, np.nan, chances @ supports)
    greedy = -1 if diverged.all() else int(np.nanargmax(values))
    heights = np.rint(chances / (chances.max() or 1.0) * row).astype(np.int64)
    for action in range(n_actions):
        top = _TOP + (row + _GAP) * action
        if action == greedy:
            image[top - _GAP // 2 : top + row + _GAP // 2] = _GREEDY_BACKGROUND
        plot = image[top : top + row, _LEFT : _LEFT + width]
        _draw_bars(plot, heights[action], bar, GREEDY_BAR if action == greedy else BAR)
        image[top + row, _LEFT : _LEFT + width] = _LINE
        if not diverged[action]:
            plot[:, _column(values[action], supports, bar)] = MEAN
        middle = top + (row - _LETTER_HEIGHT) // 2
        _write(image, middle, _LEFT - 10, str(action), align=1.0)
        _write(image, middle, _LEFT + width + 10, _number(values[action]), align=0.0)
    _draw_axis(image, _TOP + height, supports, bar)
    return image


def _checked(
    probabilities: ArrayLike, atoms: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities, 0 where not finite; atoms; and of which actions some were not finite."""
    chances, supports = np.asarray(probabilities, np.float64), np.asarray(atoms, np.float64)
    rising = supports.ndim == 1 and len(supports) > 1 and np.isfinite(supports).all()
    if not (rising and (np.diff(supports) > 0).all()):
        raise ValueError(f"atoms must be (n_atoms,) rising numbers, at least two, got {atoms!r}")
    if chances.ndim != 2 or not len(chances) or chances.shape[1] != len(supports):
        raise ValueError(
            f"probabilities must be (actions, {len(supports)}), got shape {chances.shape}"
        )
    if (chances < 0).any():
        raise ValueError(f"probabilities must not be negative, got {chances.min()}")
    finite = np.isfinite(chances)
    diverged: NDArray[np.bool_] = np.logical_not(finite.all(axis=1))
    return np.where(finite, chances, 0.0), supports, diverged


def _draw_bars(plot: Pixels, heights: NDArray[np.int64], bar: int, colour: Colour) -> None:
    """Bars that stand on the last line of the plot, each `bar` pixels wide with its gap."""
    above_floor = np.arange(len(plot), 0, -1)[:, None]
    filled = np.repeat(above_floor <= heights, bar, axis=1)
    if bar >= 3:
        filled[:, bar - 1 :: bar] = False
    plot[filled] = colour


def _draw_axis(image: Pixels, top: int, supports: NDArray[np.float64], bar: int) -> None:
    first, last = supports[0], supports[-1]
    for value in (first, (first + last) / 2, last):
        x = _LEFT + _column(value, supports, bar)
        image[top : top + 6, x] = _TEXT
        _write(image, top + 10, x, _number(value), align=0.5)


def _column(value: float, supports: NDArray[np.float64], bar: int) -> int:
    """Where a return lies in the plot: that of an atom in the middle of its bar."""
    share = (value - supports[0]) / (supports[-1] - supports[0])
    n_atoms = len(supports)
    centre = (bar - 1 if bar >= 3 else bar) / 2
    return int(np.clip(share * (n_atoms - 1) * bar + centre, 0, n_atoms * bar - 1))


def _number(value: float) -> str:
    """At most eleven letters, all of them in `_GLYPHS`."""
    return f"{value + 0.0:.4g}"  # + 0.0: without it −0 would keep its sign


def _write(image: Pixels, y: int, x: int, text: str, align: float) -> None:
    """Write text whose left end (align 0), middle (0.5) or right end (1) is at x."""
    x = max(0, x - round(align * (len(text) * _LETTER_STEP - _SCALE)))
    for letter in text:
        dots = _LETTERS[letter]
        target = image[y : y + dots.shape[0], x : x + dots.shape[1]]
        target[dots[: target.shape[0], : target.shape[1]]] = _TEXT
        x += _LETTER_STEP
