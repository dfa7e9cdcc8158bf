"""The categorical projection against exact fractions, and the loss built on it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.agent import TargetNet
from ptan.losses import (
    DistributionalNetwork,
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


def test_hand_computed() -> None:
    projected = projection(
        [[0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]],
        [0.5, 0.5, 0.0, 9.0],
        [1.0, 0.0, 0.5, 1.0],
        [False, True, False, False],
        [-1.0, 0.0, 1.0],
    )
    expected = [
        [0.125, 0.375, 0.5],  # −0.5, 0.5 and 1.5, clipped to 1
        [0.0, 0.5, 0.5],  # all at 0.5
        [0.1, 0.65, 0.25],  # −0.5, 0 and 0.5
        [0.0, 0.0, 1.0],  # all clipped
    ]
    assert projected.numpy() == pytest.approx(np.array(expected), abs=1e-7)


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


def test_shifting_by_whole_atoms_moves_every_mass_whole() -> None:
    probs = torch.rand(1, 51, generator=torch.Generator().manual_seed(1)).softmax(1)
    projected = projection(probs, [0.8], [1.0], [False], C51)
    assert projected[0, 2:50].numpy() == pytest.approx(probs[0, :48].numpy(), abs=1e-7)
    assert (projected[0, :2] == 0).all()
    assert projected[0, 50].item() == pytest.approx(probs[0, 48:].sum().item(), abs=1e-6)


@pytest.mark.parametrize(("reward", "atom"), [(-1e9, 0), (-10.0, 0), (10.0, 50), (10.001, 50)])
@pytest.mark.parametrize("done", [False, True])
def test_rewards_beyond_the_ends_are_clipped(reward: float, atom: int, done: bool) -> None:
    probs = torch.zeros(1, 51)
    probs[0, atom] = 1.0
    projected = projection(probs, [reward], [0.99], [done], C51)
    assert projected[0, atom].item() == pytest.approx(1.0, abs=1e-6)


def test_done_overrides_a_discount_that_is_not_zero() -> None:
    probs = [[0.25, 0.5, 0.25]] * 2
    projected = projection(probs, [0.5, 0.5], [0.9, 0.0], [True, True], [-1.0, 0.0, 1.0])
    assert projected.tolist() == [[0.0, 0.5, 0.5]] * 2


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


@pytest.mark.parametrize("n_atoms", [2, 51, 201])
def test_mass_is_conserved_in_large_batches(n_atoms: int) -> None:
    generator = torch.Generator().manual_seed(n_atoms)
    probs = torch.randn(2000, n_atoms, generator=generator).mul(3).softmax(1)
    projected = categorical_projection(
        probs,
        torch.randn(2000, generator=generator) * 8,
        torch.rand(2000, generator=generator),
        torch.rand(2000, generator=generator) < 0.2,
        torch.linspace(-10, 10, n_atoms),
    )
    assert projected.double().sum(1).sub(probs.double().sum(1)).abs().max() < 1e-6
    assert (projected >= 0).all()


def test_the_projection_is_linear_in_the_probabilities() -> None:
    probs = torch.rand(3, 7, dtype=torch.float64, requires_grad=True)
    others = (
        torch.tensor([0.3, -2.0, 1.0]),
        torch.tensor([0.9, 0.9, 0.0]),
        torch.tensor([False, False, True]),
        torch.linspace(-2, 2, 7),
    )
    assert torch.autograd.gradcheck(lambda p: categorical_projection(p, *others), (probs,))


def test_bad_numbers_come_out_as_nan_and_raise_no_index_error() -> None:
    projected = projection([[0.5, 0.5]] * 2, [np.nan, 0.0], [0.9, 0.9], [False] * 2, [0.0, 1.0])
    assert projected[0].isnan().any()
    assert not projected[1].isnan().any()


@pytest.mark.parametrize(
    ("place", "shape"),
    [
        (0, (3,)),
        (0, (3, 5, 1)),
        (1, (3, 1)),
        (1, (1,)),
        (2, ()),
        (3, (3, 5)),
        (4, (4,)),
        (4, (1, 5)),
    ],
)
def test_projection_arguments_of_a_wrong_shape_raise(place: int, shape: tuple[int, ...]) -> None:
    arguments = [torch.rand(3, 5), *torch.rand(2, 3), torch.zeros(3, dtype=torch.bool), C51[:5]]
    categorical_projection(*arguments)
    arguments[place] = torch.zeros(shape)
    with pytest.raises(ShapeError):
        categorical_projection(*arguments)


def test_one_atom_is_no_distribution() -> None:
    with pytest.raises(ShapeError, match="at least two atoms"):
        projection([[1.0]], [0.0], [0.9], [False], [0.0])


# The loss.

SUPPORTS = np.array([-1.0, 0.0, 1.0])
PROBS = np.array([[[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], [[0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]])
TARGET_PROBS = np.array([[[0.5, 0.4, 0.1], [0.1, 0.2, 0.7]], [[0.6, 0.2, 0.2], [0.0, 0.5, 0.5]]])


def nets(dtype=torch.float32):
    with np.errstate(divide="ignore"):
        return [CategoricalTable(np.log(p), SUPPORTS, dtype) for p in (PROBS, TARGET_PROBS)]


def test_hand_computed_loss() -> None:
    net, target = nets()
    rows = [row(0, 0, 0.0, None), row(1, 1, 0.5, None), row(0, 1, -2.0, 1)]
    loss = categorical_loss(tensors(rows, [1.0, 0.5, 0.25]), net, target)
    # All at 0; half at 0 and half at 1; all clipped to −1, whatever comes after.
    expected = [-np.log(0.3), -0.5 * np.log(0.4) - 0.5 * np.log(0.3), -np.log(0.6)]
    divergences = [expected[0], expected[1] - np.log(2), expected[2]]
    assert loss.priorities.tolist() == pytest.approx(divergences, rel=1e-6)
    assert loss.value.item() == pytest.approx(np.dot([1, 0.5, 0.25], expected) / 3, rel=1e-6)


def test_the_action_is_the_targets_or_if_double_the_nets() -> None:
    net, target = nets()
    batch = tensors([row(0, 0, 0.1, 1)])
    moved = np.array([-0.8, 0.1, 1.0])  # 0.1 + 0.9 · supports
    share = moved - np.floor(moved)
    spread = np.array([[1 - share[0], share[0], 0], [0, 1 - share[1], share[1]], [0, 0, 1]])
    for double, action in [(False, 1), (True, 0)]:
        goal = TARGET_PROBS[1, action] @ spread
        loss = categorical_loss(batch, net, target, double=double)
        assert loss.value.item() == pytest.approx(-(goal * np.log(PROBS[0, 0])).sum(), rel=1e-5)


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


def test_a_broad_distribution_that_is_learned_has_the_least_priority() -> None:
    uniform = np.log(np.full((2, 2, 3), 1 / 3))
    net, target = (CategoricalTable(uniform, SUPPORTS, torch.float64) for _ in range(2))
    batch = tensors([row(0, 0, 0.0, 1), row(0, 0, 0.9, None)])
    batch.discounts = torch.tensor([1.0, 0.0])  # the first row's target is as broad as its guess
    learned, wrong = categorical_loss(batch, net, target).priorities.tolist()
    assert learned < 1e-7
    assert wrong > 0.5


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(5)
    batch = tensors(random_rows(rng, 6, 2, 2), rng.uniform(0.1, 1, size=6))
    _, target = nets(torch.float64)

    def value(entries):
        net = CategoricalTable(PROBS, SUPPORTS, torch.float64)
        del net.entries
        net.entries = entries
        return categorical_loss(batch, net, target, double=True).value

    entries = torch.tensor(np.log(PROBS), requires_grad=True)
    assert torch.autograd.gradcheck(value, (entries,))


@pytest.mark.parametrize("double", [False, True])
def test_targets_may_be_modules_or_target_nets_and_get_no_gradient(double: bool) -> None:
    net, target = nets()
    wrapped = TargetNet(target)
    batch = tensors([row(0, 0, 0.3, 1), row(1, 1, 0.0, 0, truncated=True)])
    loss = categorical_loss(batch, net, target, double=double)
    assert torch.equal(loss.value, categorical_loss(batch, net, wrapped, double=double).value)
    loss.value.backward()
    assert target.entries.grad is None
    assert target.calls == [False]
    assert not loss.priorities.requires_grad
    assert isinstance(net, DistributionalNetwork)


def test_a_net_without_supports_raises() -> None:
    batch = tensors([row(0, 0, 0.3, 1)])
    _, target = nets()
    with pytest.raises(TypeError, match="net must have a tensor `supports`"):
        categorical_loss(batch, Table(np.zeros((2, 2, 3))), target)


@pytest.mark.parametrize("action", [-1, 2])
def test_an_action_out_of_range_is_named(action: int) -> None:
    with pytest.raises(ValueError, match=rf"^actions must be in \[0, 2\), got {action} in row 1$"):
        categorical_loss(tensors([row(0, 1, 0.3, 1), row(0, action, 0.3, 1)]), *nets())


def test_logits_of_a_wrong_shape_raise() -> None:
    batch = tensors([row(0, 0, 0.3, 1)])
    net, target = nets()
    for shape in [(2, 3), (2, 2, 2, 3)]:
        other = CategoricalTable(np.zeros(shape), SUPPORTS)
        with pytest.raises(ShapeError, match="actions, atoms"):
            categorical_loss(batch, other, target)
        with pytest.raises(ShapeError, match="actions, atoms"):
            categorical_loss(batch, net, other)
    fewer = CategoricalTable(np.zeros((2, 2, 2)), SUPPORTS[:2])
    with pytest.raises(ShapeError, match=r"net\.supports must have shape \(3,\), got \(2,\)"):
        categorical_loss(batch, fewer, target)
    odd = CategoricalTable(np.zeros((2, 2, 2)), SUPPORTS)
    with pytest.raises(ShapeError, match=r"atoms of net\(states\) must have shape \(1, 3\)"):
        categorical_loss(batch, odd, target)
