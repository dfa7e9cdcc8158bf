"""Pictures of distributions: what is in them is read back from the pixels."""

from itertools import pairwise

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
    seed = draw(st.integers(0, 2**32 - 1))
    shape = draw(st.integers(1, 6)), draw(st.integers(2, 60))
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(shape[1], draw(st.sampled_from([0.1, 1.0, 10.0]))), shape[0])


@settings(max_examples=25, deadline=None)
@given(distributions())
def test_heights_of_bars_are_the_probabilities(probabilities) -> None:
    n_actions, n_atoms = probabilities.shape
    atoms = np.linspace(0, n_atoms - 1, n_atoms)
    image = draw_distributions(probabilities, atoms)
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    values = probabilities @ atoms
    marks = bands(image, MEAN)  # the mark is as high as a full row
    assert len(marks) == n_actions
    row = marks[0][1] - marks[0][0]
    for action, (top, bottom) in enumerate(marks):
        assert bottom - top == row
        colour = GREEDY_BAR if action == values.argmax() else BAR
        found = heights(image[top:bottom], colour)
        wanted = probabilities[action] / probabilities.max() * row
        # Columns beside bars, and the one under the mark, are free of the colour.
        for atom in np.argsort(-wanted)[:3]:
            assert any(abs(column - wanted[atom]) <= 0.5 for column in found)
        assert found.max() <= wanted.max() + 0.5
        other = BAR if colour == GREEDY_BAR else GREEDY_BAR
        assert not heights(image[top:bottom], other).any()


def test_bars_stand_in_order_with_equal_widths_and_gaps() -> None:
    chances = np.array([[0.1, 0.4, 0.2, 0.3], [0.4, 0.3, 0.2, 0.1]])
    image = draw_distributions(chances, [0.0, 1.0, 2.0, 3.0])
    columns = heights(image, GREEDY_BAR)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (columns > 0).astype(int), [0]])))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    # One of the four bars is cut in two by the mark at the mean, or it lies in a gap.
    starts = [start for start, _ in runs]
    tallest = [columns[start] for start in starts]
    full = columns.max()
    shares = [height / full for height in tallest]
    distinct = [shares[0], *(b for a, b in pairwise(shares) if a != b)]
    assert distinct == pytest.approx([0.25, 1.0, 0.5, 0.75], abs=0.02)


@settings(max_examples=25, deadline=None)
@given(distributions())
def test_the_mark_lies_at_the_value(probabilities) -> None:
    n_atoms = probabilities.shape[1]
    atoms = np.linspace(-3.0, 5.0, n_atoms)
    image = draw_distributions(probabilities, atoms)
    # Images of certain returns tell where the first and the last atom lie.
    first, last = (
        int(np.flatnonzero(heights(draw_distributions(np.eye(n_atoms)[[i]], atoms), MEAN))[0])
        for i in (0, n_atoms - 1)
    )
    for action, (top, bottom) in enumerate(bands(image, MEAN)):
        (column,) = np.flatnonzero(heights(image[top:bottom], MEAN) == bottom - top)
        share = (probabilities[action] @ atoms + 3.0) / 8.0
        assert abs(column - (first + share * (last - first))) <= 1.0


def test_only_the_greedy_action_stands_out_wherever_it_is() -> None:
    certain = np.eye(51)[[10, 40, 20]]
    for turn in range(3):
        image = draw_distributions(np.roll(certain, turn, axis=0), ATOMS)
        greedy = bands(image, GREEDY_BAR)
        marks = bands(image, MEAN)
        assert greedy == [marks[(1 + turn) % 3]]
        tinted = (image[:, 0] != 255).any(axis=1)
        assert tinted[greedy[0][0] : greedy[0][1]].all()
        outside = [top for i, (top, _) in enumerate(marks) if i != (1 + turn) % 3]
        assert not tinted[outside].any()


def test_a_diverged_network_is_drawn_without_its_action() -> None:
    chances = np.full((3, 51), 1 / 51)
    chances[1] = np.nan
    chances[2, 3] = np.inf
    image = draw_distributions(chances, ATOMS)
    assert len(bands(image, MEAN)) == len(bands(image, GREEDY_BAR)) == 1
    everything = draw_distributions(np.full((2, 51), np.nan), ATOMS)
    assert not heights(everything, GREEDY_BAR).any()
    assert not heights(everything, BAR).any()


def test_all_states_of_a_network_give_one_size_whatever_the_numbers() -> None:
    rng = np.random.default_rng(0)
    sizes = {
        draw_distributions(rng.dirichlet(np.ones(51), 4), ATOMS * scale).shape
        for scale in (1e-9, 1.0, 12345.678, 1e200)
    }
    assert len(sizes) == 1
    assert draw_distributions(rng.dirichlet(np.ones(700), 40), np.arange(700.0)).shape[1] > 700


def test_labels_tell_actions_values_and_returns_apart() -> None:
    chances = np.eye(51)[[10, 20]]
    image = draw_distributions(chances, ATOMS)
    again = draw_distributions(chances, ATOMS * 3)
    # The bars are the same; values to the right and returns below are not.
    left = np.flatnonzero(heights(image, MEAN))[-1] + 1
    bottom = bands(image, MEAN)[-1][1]
    assert (image[:bottom, :left] == again[:bottom, :left]).all()
    assert (image[:bottom, left:] != again[:bottom, left:]).any()
    assert (image[bottom:] != again[bottom:]).any()
    (first_top, first_end), (second_top, second_end) = bands(image, MEAN)
    assert (image[first_top:first_end, :36] != image[second_top:second_end, :36]).any()


def test_the_input_is_not_changed() -> None:
    chances = np.full((2, 51), 1 / 51)
    chances[0, 0] = np.nan
    before = chances.copy()
    draw_distributions(chances, ATOMS)
    np.testing.assert_array_equal(chances, before)


@pytest.mark.parametrize(
    ("probabilities", "atoms", "name"),
    [
        (np.full((2, 50), 0.02), ATOMS, "probabilities"),
        (np.full(51, 0.02), ATOMS, "probabilities"),
        (np.full((1, 2, 51), 0.02), ATOMS, "probabilities"),
        (np.full((0, 51), 0.02), ATOMS, "probabilities"),
        (-np.full((2, 51), 0.02), ATOMS, "probabilities"),
        (np.full((2, 51), 0.02), ATOMS[::-1], "atoms"),
        (np.full((2, 51), 0.02), np.zeros(51), "atoms"),
        (np.full((2, 51), 0.02), ATOMS[None], "atoms"),
        (np.full((2, 1), 1.0), [0.0], "atoms"),
        (np.full((2, 2), 0.5), [0.0, np.inf], "atoms"),
        (np.full((2, 2), 0.5), [0.0, np.nan], "atoms"),
    ],
)
def test_what_is_no_distribution_is_refused(probabilities, atoms, name) -> None:
    with pytest.raises(ValueError, match=name):
        draw_distributions(probabilities, atoms)
