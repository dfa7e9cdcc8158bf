"""The categorical projection against exact fractions, and the loss built on it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.losses import (
    ShapeError,
    categorical_loss,
    categorical_projection,
)

from . import oracles
from .fakes import GAMMA, CategoricalTable, Table, random_rows, row, tensors


def projection(probs, rewards, discounts, dones, supports, dtype=torch.float32):
    columns = (torch.tensor(np.array(values), dtype=dtype) for values in (rewards, discounts))
    return categorical_projection(
        torch.as_tensor(probs, dtype=dtype),
        *columns,
        torch.tensor(dones),
        torch.as_tensor(supports, dtype=dtype),
    )


C51 = torch.linspace(-10, 10, 51)


def test_where_nothing_happens_the_distribution_stays_to_the_bit() -> None:
    probs = torch.rand(8, 51, generator=torch.Generator().manual_seed(0)).softmax(1)
    projected = projection(probs, [0.0] * 8, [1.0] * 8, [False] * 8, C51)
    assert torch.equal(projected, probs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_final_reward_on_an_atom_gives_that_atom_all_the_mass(dtype: torch.dtype) -> None:
    """Also 0.4, which float32 does not hold exactly: nothing is torn off, nothing is lost."""
    probs = torch.full((51, 51), 1 / 51)
    atoms = [round(-10 + 0.4 * i, 1) for i in range(51)]
    projected = projection(probs, atoms, [0.97] * 51, [True] * 51, C51, dtype)
    assert torch.equal(projected > 0, torch.eye(51) > 0)
    assert projected.diagonal().numpy() == pytest.approx(1.0, abs=1e-6)


def test_half_precision_comes_out_as_float32_and_keeps_its_mass() -> None:
    probs = torch.rand(64, 51).softmax(1).bfloat16()
    others = (torch.randn(64) * 8, torch.rand(64), torch.rand(64) < 0.2)
    projected = categorical_projection(probs, *others, torch.linspace(-10, 10, 51))
    assert projected.dtype == torch.float32
    assert (projected.sum(1) - probs.float().sum(1)).abs().max() < 1e-6


@st.composite
def cases(draw):
    n_atoms = draw(st.integers(2, 12))
    low = draw(st.sampled_from([-10.0, -1.0, 0.0, 0.3, 2.5]))
    width = draw(st.sampled_from([1.0, 2.0, 7.5, 20.0]))
    n_rows = draw(st.integers(1, 4))
    raw = st.lists(st.integers(0, 9), min_size=n_atoms, max_size=n_atoms).filter(any)
    counts = np.array(draw(st.lists(raw, min_size=n_rows, max_size=n_rows)), float)
    on_an_atom = st.integers(0, n_atoms - 1).map(lambda i: low + i * width / (n_atoms - 1))
    anywhere = st.floats(low - 2 * width, low + 2 * width)
    reward = st.one_of(anywhere, on_an_atom, st.sampled_from([0.0, low, low + width]))
    discount = st.one_of(
        st.sampled_from([0.0, 1.0]), st.integers(1, 10).map(lambda n: GAMMA**n), st.floats(0, 1)
    )
    several = {"min_size": n_rows, "max_size": n_rows}
    return (
        counts / counts.sum(1, keepdims=True),
        draw(st.lists(reward, **several)),
        draw(st.lists(discount, **several)),
        draw(st.lists(st.booleans(), **several)),
        low,
        low + width,
    )


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from([torch.float32, torch.float64]))
def test_equals_the_projection_in_exact_fractions(case, dtype) -> None:
    probs, rewards, discounts, dones, low, high = case
    supports = torch.linspace(low, high, probs.shape[1], dtype=dtype)
    projected = projection(probs, rewards, discounts, dones, supports, dtype)
    assert projected.dtype == dtype
    # Arguments in float32 are off by up to 6e-8 of their size, which is more in narrow spacings.
    largest = max(abs(low), abs(high)) + 2 * (high - low)
    rounding = 4 * 2.0**-24 * largest * (probs.shape[1] - 1) / (high - low)
    for i in range(len(rewards)):
        exact = oracles.project(probs[i], rewards[i], discounts[i], dones[i], low, high)
        assert projected[i].numpy() == pytest.approx(np.array(exact), abs=1e-6 + rounding)
        assert projected[i].sum().item() == pytest.approx(1.0, abs=1e-6)
        assert (projected[i] >= 0).all()


def test_bad_numbers_come_out_as_nan_and_raise_no_index_error() -> None:
    projected = projection([[0.5, 0.5]] * 2, [np.nan, 0.0], [0.9, 0.9], [False] * 2, [0.0, 1.0])
    assert projected[0].isnan().any()
    assert not projected[1].isnan().any()


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_reference(seed: int, weighted: bool, double: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 30, n_states=5, n_actions=3)
    supports = np.linspace(-3, 2, 11)
    logits, target_logits = rng.normal(size=(2, 5, 3, 11))
    weights = rng.uniform(0.1, 1.0, size=30).astype(np.float32) if weighted else None
    net = CategoricalTable(logits, supports, torch.float64)
    target = CategoricalTable(target_logits, supports, torch.float64)
    loss = categorical_loss(tensors(rows, weights), net, target, double=double)
    loss.value.backward()
    expected = oracles.categorical(rows, logits, target_logits, supports, weights, double)
    value, priorities, gradient = expected
    assert loss.value.item() == pytest.approx(value, rel=1e-6)
    assert loss.priorities.numpy() == pytest.approx(priorities, rel=1e-6)
    assert net.entries.grad.numpy() == pytest.approx(gradient, rel=1e-5, abs=1e-7)


SUPPORTS = [-1.0, 0.0, 1.0]


def uniform(n_atoms=3, n_supports=3):
    logits = np.log(np.full((2, 2, n_atoms), 1 / n_atoms))
    return CategoricalTable(logits, SUPPORTS[:n_supports], torch.float64)


def test_a_broad_distribution_that_is_learned_has_the_least_priority() -> None:
    batch = tensors([row(0, 0, 0.0, 1), row(0, 0, 0.9, None)])
    batch.discounts = torch.tensor([1.0, 0.0])  # the first row's target is as broad as its guess
    learned, wrong = categorical_loss(batch, uniform(), uniform()).priorities.tolist()
    assert learned < 1e-7
    assert wrong > 0.5


def test_both_nets_need_supports_and_their_atoms() -> None:
    batch = tensors([row(0, 0, 0.3, 1)])
    with pytest.raises(TypeError, match="net must have a tensor `supports`"):
        categorical_loss(batch, Table(np.zeros((2, 2, 3))), uniform())
    with pytest.raises(ShapeError, match=r"net\.supports must have shape \(3,\), got \(2,\)"):
        categorical_loss(batch, uniform(2, 2), uniform())
    with pytest.raises(
        ShapeError, match=r"^net\(states\) must have shape \(1, 2, 3\), got \(1, 2, 2"
    ):
        categorical_loss(batch, uniform(2, 3), uniform())
