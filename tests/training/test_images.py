"""Pictures of distributions: what is in them is read back from the pixels."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.training.images import BAR, GREEDY_BAR, MEAN, draw_distributions

ATOMS = np.linspace(-10, 10, 51)


def heights(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels of a colour in each column."""
    return (image == colour).all(axis=2).sum(axis=0)


def bands(image: np.ndarray, *colours: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Runs of lines in which one of the colours is."""
    lines = np.any([(image == colour).all(axis=2).any(axis=1) for colour in colours], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lines.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@st.composite
def distributions(draw) -> np.ndarray:
    shape = draw(st.integers(1, 6)), draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.dirichlet(np.full(shape[1], draw(st.sampled_from([0.1, 1.0, 10.0]))), shape[0])


@settings(max_examples=25, deadline=None)
@given(distributions())
def test_heights_of_bars_are_the_probabilities_and_the_mark_lies_at_the_value(chances) -> None:
    n_actions, n_atoms = chances.shape
    atoms = np.linspace(-3.0, 5.0, n_atoms)
    image = draw_distributions(chances, atoms)
    assert (image.dtype, image.shape[2]) == (np.uint8, 3)
    # Images of certain returns tell where the first and the last atom lie.
    first, last = (
        int(np.flatnonzero(heights(draw_distributions(np.eye(n_atoms)[[i]], atoms), MEAN))[0])
        for i in (0, n_atoms - 1)
    )
    values = chances @ atoms
    marks = bands(image, MEAN)  # the mark is as high as a full row
    assert len(marks) == n_actions
    assert len({bottom - top for top, bottom in marks}) == 1
    for action, (top, bottom) in enumerate(marks):
        row = image[top:bottom]
        colours = (GREEDY_BAR, BAR) if action == values.argmax() else (BAR, GREEDY_BAR)
        found = heights(row, colours[0])
        wanted = chances[action] / chances.max() * (bottom - top)
        places = first + np.arange(n_atoms) / (n_atoms - 1) * (last - first)
        (column,) = np.flatnonzero(heights(row, MEAN) == bottom - top)
        assert abs(column - np.interp(values[action], atoms, places)) <= 1
        for atom, place in enumerate(np.rint(places).astype(int)):
            if abs(place - column) > 1:  # else the mark may lie on the bar
                assert abs(found[place] - wanted[atom]) <= 0.5 + 1e-9
        assert not heights(row, colours[1]).any()


def test_a_diverged_network_is_drawn_without_its_action() -> None:
    chances = np.full((3, 51), 1 / 51)
    chances[1] = np.nan
    chances[2, 3] = np.inf
    before = chances.copy()
    image = draw_distributions(chances, ATOMS)
    assert len(bands(image, MEAN)) == len(bands(image, GREEDY_BAR)) == 1
    np.testing.assert_array_equal(chances, before)
    everything = draw_distributions(np.full((2, 51), np.nan), ATOMS)
    assert not heights(everything, GREEDY_BAR).any()
    assert not heights(everything, BAR).any()


def test_all_states_of_a_network_give_one_size_whatever_the_numbers() -> None:
    rng = np.random.default_rng(0)
    scales = (1e-9, 1.0, 12345.678, 1e200)
    images = [draw_distributions(rng.dirichlet(np.ones(51), 4), ATOMS * x) for x in scales]
    assert len({image.shape for image in images}) == 1
    assert draw_distributions(rng.dirichlet(np.ones(700), 40), np.arange(700.0)).shape[1] > 700


def test_without_pillow_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "ptan\[tensorboard\]"'):
        draw_distributions(np.eye(2), [0.0, 1.0])
