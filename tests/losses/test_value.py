"""Losses of values: hand-computed numbers, a float64 reference, gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from ptan.agent import TargetNet
from ptan.experience import PrioritizedReplayBuffer
from ptan.losses import (
    Loss,
    ShapeError,
    clipped_value_loss,
    dqn_loss,
    mean_state_value,
    value_loss,
)

from . import oracles
from .fakes import CategoricalTable, Table, random_rows, row, tensors

Q = [[1.0, 2.0], [5.0, 3.0], [0.0, -1.0]]
TARGET_Q = [[0.5, 1.5], [4.0, 6.0], [-2.0, 7.0]]


@pytest.mark.parametrize(
    ("double", "errors"),
    [
        (False, [5.4, 1.0, 0.215, 6.3]),
        # argmax_a Q(1, a) = 0, whose target value is 4: y = 1 + 0.9 · 4.
        (True, [3.6, 1.0, 0.215, -1.8]),
    ],
)
def test_hand_computed(double: bool, errors: list[float]) -> None:
    rows = [
        row(0, 0, 1.0, 1),  # y = 1 + 0.9 · 6 = 6.4, Q = 1
        row(1, 1, 2.0, None),  # y = 2, Q = 3
        row(2, 0, -1.0, 0, steps=2),  # y = −1 + 0.81 · 1.5 = 0.215, Q = 0
        row(0, 0, 1.0, 2, truncated=True),  # y = 1 + 0.9 · 7, or of the first action −2; Q = 1
    ]
    weights = [0.5, 0.25, 1.0, 0.75]
    loss = dqn_loss(tensors(rows, weights), Table(Q), Table(TARGET_Q), double=double)
    assert isinstance(loss, Loss)
    assert loss.priorities.tolist() == pytest.approx(np.abs(errors).tolist(), abs=1e-6)
    assert loss.value.item() == pytest.approx(np.dot(weights, np.square(errors)) / 4, rel=1e-6)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_reference(seed: int, weighted: bool, double: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 40, n_states=6, n_actions=3)
    q, target_q = rng.normal(size=(2, 6, 3))
    weights = rng.uniform(0.1, 1.0, size=40).astype(np.float32) if weighted else None
    net = Table(q, torch.float64)
    batch = tensors(rows, weights)
    loss = dqn_loss(batch, net, Table(target_q, torch.float64), double=double)
    loss.value.backward()
    value, priorities, gradient = oracles.dqn(rows, q, target_q, weights, double)
    # Rewards and discounts are float32 columns.
    assert loss.value.item() == pytest.approx(value, rel=1e-6)
    assert loss.priorities.numpy() == pytest.approx(priorities, rel=1e-5, abs=1e-6)
    assert net.entries.grad.numpy() == pytest.approx(gradient, rel=1e-5, abs=1e-7)


def test_priorities_are_what_a_prioritized_buffer_takes() -> None:
    """Also where the error is exactly 0, which a buffer refuses as a priority."""
    buffer = PrioritizedReplayBuffer(None, 10, alpha=0.6, rng=0)
    buffer.extend([row(0, 0, 1.0, None), row(1, 1, 0.0, 2)])
    batch, indices, weights = buffer.sample(20, beta=0.4)
    loss = dqn_loss(batch.to("cpu"), Table(Q), Table(TARGET_Q))
    buffer.update_priorities(indices, loss.priorities)
    errors = {0: 0.0, 1: 0.9 * 7 - 3}
    expected = [errors[state] for state in batch.states]
    assert loss.priorities.tolist() == pytest.approx(expected, abs=1e-6)
    assert (loss.priorities > 0).all()
    assert loss.value.item() == pytest.approx(np.mean(weights * np.square(expected)), rel=1e-5)


def test_distributions_and_other_actions_are_no_values() -> None:
    batch = tensors([row(0, 0, 1.0, 1)])
    with pytest.raises(ShapeError, match=r"\(1, actions\), got \(1, 2, 5\)"):
        dqn_loss(batch, Table(Q), CategoricalTable(np.zeros((3, 2, 5)), np.arange(5)))
    for double, name in ((False, r"net\(states\)"), (True, r"net\(last_states\)")):
        with pytest.raises(ShapeError, match=rf"^{name} must have shape \(1, 2\), got \(1, 4\)"):
            dqn_loss(batch, Table(np.zeros((3, 4))), Table(Q), double=double)


def test_value_loss_by_hand() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    targets = torch.tensor([2.0, 5.0], requires_grad=True)
    loss = value_loss(values, targets)
    loss.backward()
    assert loss.item() == 5.0
    assert values.grad.tolist() == [-1.0, -3.0]
    assert targets.grad is None


def test_clipped_value_loss_by_hand() -> None:
    """Beyond the clip an improvement earns no gradient; a change for the worse still does."""
    old = torch.tensor([1.0, 1.0, 1.0, 1.0], requires_grad=True)
    values = torch.tensor([1.1, 2.0, 2.0, 0.0], requires_grad=True)
    targets = torch.tensor([2.0, 3.0, 0.0, 1.1], requires_grad=True)
    loss = clipped_value_loss(values, old, targets, clip=0.5)
    loss.backward()
    # 0.9²; improved to 2, counts as 1.5: 1.5²; worse: 2²; too low: max(1.1², 0.6²).
    assert loss.item() == pytest.approx((0.81 + 2.25 + 4.0 + 1.21) / 4)
    assert values.grad.tolist() == pytest.approx([-1.8 / 4, 0.0, 4.0 / 4, -2.2 / 4])
    assert old.grad is None
    assert targets.grad is None


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_mean_state_value_counts_every_state_once(count: int) -> None:
    states = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    expected = pytest.approx(states.max(1).mean(dtype=np.float64), abs=1e-7)
    for same in (states, list(states), torch.from_numpy(states)):
        assert mean_state_value(same, nn.Identity()) == expected
    nested = {"a": states, "b": (np.zeros((count, 3), np.uint8),)}
    assert mean_state_value(nested, lambda parts: parts["a"] + parts["b"][0]) == expected


def test_mean_state_value_of_a_distribution_is_that_of_its_mean() -> None:
    logits = np.log([[[0.5, 0.5, 1e-9], [0.25, 0.25, 0.5]]])
    net = CategoricalTable(logits, [-1.0, 0.0, 2.0])
    for asked in (net, TargetNet(net), net.qvals):
        assert mean_state_value(np.zeros(3, np.int64), asked) == pytest.approx(0.75)


def test_mean_state_value_leaves_no_gradient_and_no_mode_behind() -> None:
    net, seen = Table(Q).train(), []
    net.register_forward_hook(lambda *a: seen.append((net.training, torch.is_grad_enabled())))
    assert mean_state_value([0, 1], net) == pytest.approx(3.5)
    assert net.training
    assert seen == [(True, False)]
    assert torch.is_grad_enabled()


def test_mean_state_value_needs_states_and_values_per_action() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean_state_value(np.zeros((0, 2), np.float32), nn.Identity())
    with pytest.raises(ShapeError, match=r"\(2, actions\), got \(2, 1, 5\)"):
        mean_state_value(np.zeros(2, np.int64), Table(np.zeros((3, 1, 5))))
